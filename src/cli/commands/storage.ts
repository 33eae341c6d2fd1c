import type {Command} from 'commander';
import type {ClusterStorageReport, HeldSpace, StorageReport} from '../../cluster/control-plane.ts';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {formatBytes} from '../format/quantity.ts';
import {scrubText} from '../format/scrub.ts';
import {renderFields, renderTable} from '../format/table.ts';
import {findReport} from '../service.ts';
import type {Colors} from '../terminal.ts';

type Options = CommonOptions & {readonly fresh?: true};

export function storageCommand(): Command {
  return borealisCommand({
    name: 'storage',
    summary: 'Say who takes how much of the store, and what a deletion would free',
    description:
      'Says who takes how much of the store. LOGICAL is what a cluster reaches, pages and page tables; EXCLUSIVE what it alone reaches, so what its deletion frees; SHARED what another one reaches too; HISTORY what is kept for restoring the past, which is nothing yet. Exact as of each cluster’s last checkpoint.',
    examples: [
      ['borealis storage', 'all clusters, and the store'],
      ['borealis storage orders --fresh', 'one cluster, exact as of now'],
      [
        "borealis storage --json | jq '.store.amplification'",
        'bytes on disk for each byte reachable',
      ],
    ],
  })
    .argument('[name]', 'one cluster')
    .option('--fresh', 'checkpoint the running writers first')
    .action(storage);
}

async function storage(name: string | undefined, options: Options): Promise<void> {
  await withService(options, async ({service, terminal}) => {
    const report = await service.storage({fresh: options.fresh === true});
    if (name === undefined) {
      terminal.result(report, () => renderStorage(report, terminal.colors));
    } else {
      const one = findReport(report.clusters, name);
      terminal.result(one, () => renderClusterStorage(one, terminal.colors));
    }
  });
}

export function renderStorage(report: StorageReport, colors: Colors): string {
  const {store, clusters, golden, deleted} = report;
  const table = renderTable(
    [
      {head: 'CLUSTER'},
      {head: 'LOGICAL', align: 'right'},
      {head: 'EXCLUSIVE', align: 'right'},
      {head: 'SHARED', align: 'right'},
      {head: 'HISTORY', align: 'right'},
    ],
    [
      ...clusters.map(one => [colors.bold(one.identifier), ...shareCells(one)]),
      ...golden.map(one => [
        colors.dim(`golden volume of ${one.engineVersion}`),
        ...shareCells(one),
      ]),
    ],
    colors,
  );
  const held = deleted.map(
    ({identifier, volume, bytesHeld, bytesOnDisk, heldBy}) =>
      `${formatBytes(bytesHeld)} of deleted ${nameOf({identifier, volume})} (${formatBytes(bytesOnDisk)} on disk) held by ${heldBy.map(heldText).join(', ')}\n`,
  );
  const amplification =
    store.amplification === null
      ? ''
      : `, ${store.amplification.toFixed(2)} times what is reachable`;
  return [
    table,
    held.length === 0 ? '' : `\n${held.join('')}`,
    `\n${formatBytes(store.bytesOnDisk)} on disk${amplification}; ${formatBytes(store.bytesReachable)} reachable, ${formatBytes(store.bytesFree)} free\n`,
    ...store.zones.map(zone => `zone ${zone.zone}: ${spaceText(zone)}\n`),
    `last scrub: ${scrubText(store.scrub, colors)}\n`,
  ].join('');
}

function spaceText({bytesTotal, bytesFree}: StorageReport['store']['zones'][number]): string {
  if (bytesTotal === null || bytesFree === null) return 'not there';
  return `${formatBytes(bytesFree)} free of ${formatBytes(bytesTotal)}`;
}

function renderClusterStorage(report: ClusterStorageReport, colors: Colors): string {
  const {exclusiveBytes, pageTableBytes, heldOfDeleted} = report;
  return renderFields(
    [
      ['cluster', colors.bold(report.identifier)],
      [
        'logical',
        `${formatBytes(report.logicalBytes)}, of which page tables ${formatBytes(pageTableBytes)}`,
      ],
      ['exclusive', `${formatBytes(exclusiveBytes)}, freed if it is deleted`],
      ['shared', formatBytes(report.sharedBytes)],
      ['history', formatBytes(report.historyBytes)],
      ...heldOfDeleted.map(
        held => ['holds', `${formatBytes(held.bytes)} of deleted ${nameOf(held)}`] as const,
      ),
    ],
    colors,
  );
}

function shareCells(shares: StorageReport['golden'][number] | ClusterStorageReport): string[] {
  const {logicalBytes, exclusiveBytes, sharedBytes, historyBytes} = shares;
  return [logicalBytes, exclusiveBytes, sharedBytes, historyBytes].map(formatBytes);
}

function heldText(held: HeldSpace): string {
  return `${nameOf(held)} (${formatBytes(held.bytes)})`;
}

function nameOf({identifier, volume}: {identifier: string | null; volume: number}): string {
  return identifier ?? `volume ${volume}`;
}
