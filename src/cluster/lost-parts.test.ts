/** A service whose catalog, or whose store, is gone; with real volumes and no engine. */
import {copyFileSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {openDirectoryZone} from '../page-store/directory-zone.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {openVolumeIn} from '../volume/open-volume.ts';
import {Catalog} from './catalog.ts';
import {isCatalogMissing, refuseLostCatalog, refuseLostStore} from './lost-parts.ts';
import type {ClusterRecord} from './records.ts';
import {createCluster, openTestService, settle} from './testing/test-service.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-lost-'));
});

afterEach(() => rmSync(directory, {recursive: true}));

function zones(): {name: string; directory: string}[] {
  return [{name: 'local-1a', directory: join(directory, 'zone')}];
}

function makeVolume(): void {
  const zone = openDirectoryZone('local-1a', join(directory, 'zone'));
  openStore(zone);
  openVolumeIn({zone, volume: allocateVolume(zone), create: true, nodeCacheBytes: 0}).close();
}

function openCatalog(): Catalog {
  return Catalog.open({
    directory,
    region: 'local-1',
    newIdentity: () => ({accountId: '1', region: 'local-1', createdAtMs: 0}),
  });
}

test('a catalog that is missing or empty is refused where there are volumes, and what to do is said', () => {
  expect(isCatalogMissing(directory)).toBe(true);
  expect(() => refuseLostCatalog(directory, zones())).not.toThrow();
  makeVolume();
  expect(() => refuseLostCatalog(directory, zones())).toThrow(/--discard-unknown/);
  writeFileSync(join(directory, 'catalog.mdb'), '');
  expect(isCatalogMissing(directory)).toBe(true);
});

test('a catalog without anything in it is told before it is used', async () => {
  const refused = new Error('refused');
  const open = (): Catalog =>
    Catalog.open({
      directory,
      region: 'local-1',
      newIdentity: () => {
        throw refused;
      },
    });
  expect(open).toThrow(refused);
  expect(isCatalogMissing(directory)).toBe(false);
  expect(open).toThrow(refused);
});

test('clusters without any store are refused', async () => {
  const catalog = openCatalog();
  expect(() => refuseLostStore(catalog, zones())).not.toThrow();
  const seen: Partial<ClusterRecord> = {identifier: 'orders', volumeReady: true};
  // oxlint-disable-next-line no-unsafe-type-assertion -- the rest is of no concern here
  catalog.transaction(() => catalog.clusters.put('orders', seen as ClusterRecord));
  expect(() => refuseLostStore(catalog, zones())).toThrow(/no zone holds a store/);
  makeVolume();
  expect(() => refuseLostStore(catalog, zones())).not.toThrow();
  await catalog.close();
});

test('an older catalog does not cost the volumes that it cannot know', async () => {
  let service = await openTestService(directory);
  await createCluster(service, 'orders');
  await settle(service);
  await service.close();
  const [path, backup] = [join(directory, 'catalog.mdb'), join(directory, 'backup.mdb')];
  copyFileSync(path, backup);

  service = await openTestService(directory);
  await createCluster(service, 'dev');
  await settle(service);
  const volume = service.catalog.clusters.get('dev')?.volume as VolumeNumber;
  await service.close();
  rmSync(`${path}-lock`, {force: true});
  copyFileSync(backup, path);

  service = await openTestService(directory);
  expect(service.catalog.clusters.get('dev')).toBeUndefined();
  expect(await service.storage.exists(volume)).toBe(true);
  const told = service.catalog.events().map(({event}) => event.message);
  expect(told.some(message => message.includes(`never named volume ${volume}`))).toBe(true);
  await service.close();

  service = await openTestService(directory, undefined, undefined, {discardUnknown: true});
  expect(await service.storage.exists(volume)).toBe(false);
  await service.close();
});
