import type {Command} from 'commander';
import type {ClusterReports} from '../../cluster/control-plane.ts';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {formatBytes, formatDuration, formatPages} from '../format/quantity.ts';
import {renderTable} from '../format/table.ts';
import {sourceIsGone, treeRows} from '../format/tree.ts';
import type {Colors} from '../terminal.ts';

type Options = CommonOptions & {readonly fresh?: true};

export function listCommand(): Command {
  return borealisCommand({
    name: 'list',
    summary: 'List clusters as a tree: who was cloned from whom, and what each costs',
    description:
      'Lists clusters as a tree: who was cloned from whom. SIZE is what a cluster holds, SHARED what of it another cluster holds too, OWNED what its deletion would free. Exact as of each cluster’s last checkpoint.',
    examples: [
      ['borealis list', 'the tree'],
      ['borealis list --fresh', 'exact as of now (makes each writer checkpoint)'],
      ["borealis list --json | jq -r '.clusters[].identifier'", 'names alone'],
    ],
  })
    .option('--fresh', 'checkpoint the running writers first')
    .action(list);
}

async function list(options: Options): Promise<void> {
  await withService(options, async ({service, terminal}) => {
    const reports = await service.reports({fresh: options.fresh === true});
    const withSources = reports.clusters.map(cluster => ({
      ...cluster,
      sourceDeleted: sourceIsGone(cluster, reports.clusters),
    }));
    terminal.result({...reports, clusters: withSources}, () =>
      renderReports(reports, terminal.colors),
    );
  });
}

export function renderReports(reports: ClusterReports, colors: Colors): string {
  if (reports.clusters.length === 0) return 'No clusters yet: `borealis create NAME` makes one.\n';
  const rows = treeRows(reports.clusters).map(({prefix, identifier, item}) => {
    if (item === null) return [`${prefix}${colors.dim(`${identifier} (deleted)`)}`];
    const usage = item.usage;
    return [
      `${colors.dim(prefix)}${colors.bold(identifier)}`,
      statusText(servingStatus(item), colors),
      usage === null ? '–' : formatPages(usage.logicalPages),
      usage === null ? '–' : formatPages(usage.sharedPages),
      usage === null ? '–' : formatPages(usage.ownedPages),
      readersText(item),
      `${item.endpoint}:${item.port}`,
      item.serverVersion ?? `${item.engine} ${item.engineVersion}`,
    ];
  });
  const table = renderTable(
    [
      {head: 'CLUSTER'},
      {head: 'STATUS'},
      {head: 'SIZE', align: 'right'},
      {head: 'SHARED', align: 'right'},
      {head: 'OWNED', align: 'right'},
      {head: 'READERS'},
      {head: 'ENDPOINT'},
      {head: 'SERVER'},
    ],
    rows.map(row => [...row, ...Array.from({length: 8 - row.length}, () => '')]),
    colors,
  );
  const {bytesOnDisk, bytesFree} = reports.store;
  return `${table}\n${formatBytes(bytesOnDisk)} on disk, ${formatBytes(bytesFree)} free\n`;
}

/** A cluster is available as RDS has it even when an instance does not start; a person wants to see that. */
function servingStatus({status, instances}: ClusterReports['clusters'][number]): string {
  const broken = instances.find(instance => instance.status === 'failed');
  return status === 'available' && broken !== undefined ? `${broken.role} failed` : status;
}

/** How many, and how far the furthest is behind: `2, lag 1 ms`. */
function readersText({instances}: ClusterReports['clusters'][number]): string {
  const readers = instances.filter(instance => instance.role === 'reader');
  if (readers.length === 0) return '–';
  const lags = readers.flatMap(({replicaLagMs}) => replicaLagMs ?? []);
  return lags.length === 0
    ? String(readers.length)
    : `${readers.length}, lag ${formatDuration(Math.max(...lags))}`;
}

export function statusText(status: string, colors: Colors): string {
  if (status === 'available') return colors.green(status);
  return status.endsWith('failed') ? colors.red(status) : colors.yellow(status);
}
