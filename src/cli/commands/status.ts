import type {Command} from 'commander';
import {BorealisError} from '../../base/errors.ts';
import {borealisCommand, contextOf, type CommonOptions} from '../command.ts';
import {EXIT_NOT_RUNNING} from '../exit-status.ts';
import {formatBytes, formatDuration} from '../format/quantity.ts';
import {scrubText} from '../format/scrub.ts';
import {renderFields} from '../format/table.ts';
import {zoneText} from '../format/zone-state.ts';
import {openService, type Service} from '../service.ts';
import type {Colors} from '../terminal.ts';

/** All of it is in `--json`. */
const DAMAGE_SHOWN_MAX = 5;

export function statusCommand(): Command {
  return borealisCommand({
    name: 'status',
    summary: 'Say whether the service runs, where, and what it holds',
    examples: [
      ['borealis status', 'endpoint, engine, clusters, disk'],
      ['borealis status --json >/dev/null && echo runs', 'exit status 5 when it does not'],
    ],
  }).action(status);
}

async function status(options: CommonOptions): Promise<void> {
  const {terminal, dataDirectory} = contextOf(options);
  let answer: Awaited<ReturnType<typeof readStatus>>;
  try {
    const service = await openService(dataDirectory);
    try {
      answer = await readStatus(service);
    } finally {
      service.close();
    }
  } catch (error) {
    if (!(error instanceof BorealisError) || error.kind !== 'closed') throw error;
    terminal.result({running: false, dataDirectory}, () => error.message);
    process.exitCode = EXIT_NOT_RUNNING;
    return;
  }
  terminal.result({running: true, dataDirectory, ...answer}, () =>
    renderStatus(dataDirectory, answer, terminal.colors),
  );
}

async function readStatus(service: Service) {
  const about = await service.status();
  const {clusters, store} = await service.reports();
  const {change: zoneChange} = await service.zones();
  const {DBEngineVersions = []} = await service.call(rds => rds.describeDBEngineVersions({}));
  return {
    url: service.record.url,
    region: service.record.region,
    pid: service.record.pid,
    about,
    engines: DBEngineVersions.map(each => ({
      version: each.EngineVersion ?? '',
      description: each.DBEngineVersionDescription ?? '',
    })),
    clusters: clusters.map(({identifier, status: state}) => ({identifier, status: state})),
    store,
    zoneChange,
  };
}

function damageText(message: string, clusters: readonly string[], colors: Colors): string {
  const whose = clusters.length === 0 ? '' : `${clusters.join(', ')}: `;
  return colors.red(`${whose}${message}`);
}

function renderStatus(
  dataDirectory: string,
  answer: Awaited<ReturnType<typeof readStatus>>,
  colors: Colors,
): string {
  const uptimeMs = answer.about['uptimeMs'];
  const available = answer.clusters.filter(cluster => cluster.status === 'available').length;
  return renderFields(
    [
      ['service', colors.green('runs')],
      ['endpoint', answer.url],
      ['region', answer.region],
      ['process id', String(answer.pid)],
      ...(typeof uptimeMs === 'number' ? [['up for', formatDuration(uptimeMs)] as const] : []),
      ['data', dataDirectory],
      ['engines', answer.engines.map(engine => engine.description).join(', ')],
      ['clusters', `${answer.clusters.length}, of which ${available} available`],
      ...answer.store.zones.map(zone => [`zone ${zone.zone}`, zoneText(zone, colors)] as const),
      ...(answer.zoneChange === null
        ? []
        : [
            [
              'zones',
              `${answer.zoneChange.kind} ${answer.zoneChange.zone}: ${answer.zoneChange.phase}`,
            ] as const,
          ]),
      [
        'store',
        `${formatBytes(answer.store.bytesOnDisk)} on disk, ${formatBytes(answer.store.bytesFree)} free`,
      ],
      ['last scrub', scrubText(answer.store.scrub, colors)],
      ...answer.store.damage
        .slice(0, DAMAGE_SHOWN_MAX)
        .map(({message, clusters}) => ['damage', damageText(message, clusters, colors)] as const),
      ...(answer.store.damage.length > DAMAGE_SHOWN_MAX
        ? [
            [
              'damage',
              colors.red(`and ${answer.store.damage.length - DAMAGE_SHOWN_MAX} more`),
            ] as const,
          ]
        : []),
    ],
    colors,
  );
}
