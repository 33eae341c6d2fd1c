/**
 * A data directory of which a part is gone. A start would take what is left for left over, or for new:
 * so it is refused, with what can be done.
 */
import {existsSync, readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {ZoneConfig} from '../attachment/attachment.ts';
import {BorealisError} from '../base/errors.ts';
import type {Catalog} from './catalog.ts';

/** True when there is no catalog file, or an empty one: a new catalog would be made. */
export function isCatalogMissing(directory: string): boolean {
  const status = statSync(join(directory, 'catalog.mdb'), {throwIfNoEntry: false});
  return status === undefined || status.size === 0;
}

/** @throws BorealisError corrupt `catalog-missing` when there are volumes: nobody knows whose they are. */
export function refuseLostCatalog(directory: string, zones: readonly ZoneConfig[]): void {
  const holders = zones.filter(zone => volumesIn(zone) > 0);
  if (holders.length === 0) return;
  const there = holders.map(zone => `${volumesIn(zone)} in ${zone.directory}`).join(', ');
  throw new BorealisError(
    'corrupt',
    'catalog-missing',
    `${join(directory, 'catalog.mdb')} is gone or empty, but there are volumes (${there}), and only the catalog knows whose they are. Put the catalog back from a copy of the data directory; or start with another --data directory; or begin anew with \`borealis up --discard-unknown\`, which deletes all of these volumes.`,
  );
}

/** @throws BorealisError corrupt `store-missing` when clusters are to be there, and no zone holds a store. */
export function refuseLostStore(catalog: Catalog, zones: readonly ZoneConfig[]): void {
  const clusters = catalog.clusters.list().filter(({volumeReady}) => volumeReady);
  if (clusters.length === 0 || zones.some(zone => existsSync(join(zone.directory, 'store'))))
    return;
  const where = zones.map(({name, directory}) => `${name} (${directory})`).join(', ');
  throw new BorealisError(
    'corrupt',
    'store-missing',
    `The catalog has ${clusters.length} clusters, but no zone holds a store: ${where}. Mount the disks of the zones; or, where zones.json is gone, put it back; or start with another --data directory.`,
  );
}

function volumesIn({directory}: ZoneConfig): number {
  const volumes = join(directory, 'volumes');
  if (!existsSync(volumes)) return 0;
  return readdirSync(volumes).filter(name => existsSync(join(volumes, name, 'record'))).length;
}
