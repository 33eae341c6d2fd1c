import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {openDirectoryZone} from '../page-store/directory-zone.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import type {Zone} from '../page-store/zone.ts';
import {openVolumeIn} from '../volume/open-volume.ts';
import type {Volume} from '../volume/volume.ts';
import {Catalog} from './catalog.ts';
import {checkDataDirectory, zonesOf, type CheckReport} from './check.ts';
import {openDataDirectory} from './data-directory.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import {acquireServiceLock} from './service-lock.ts';

const PAGES = 2_000;

let directory: string;
let zone: Zone;
let orders: VolumeNumber;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-check-'));
  openDataDirectory(directory, 0);
  zone = openDirectoryZone('local-1a', join(directory, 'store', 'local-1a'));
  openStore(zone);
  orders = allocateVolume(zone);
  const volume = open(orders, true);
  fill(volume, 1);
  fill(volume, 2);
  volume.close();
  await withCatalog(catalog => catalog.clusters.put('orders', clusterOf('orders', orders)));
});

afterEach(() => rmSync(directory, {recursive: true}));

function open(volume: VolumeNumber, create = false): Volume {
  return openVolumeIn({zone, volume, create, nodeCacheBytes: 2 ** 20, segmentBytes: 2 ** 22});
}

function fill(volume: Volume, stamp: number): void {
  for (let page = 0; page < PAGES; page++) {
    volume.changePage(7, page, false).fill(stamp);
    volume.endOperation();
  }
}

async function withCatalog(work: (catalog: Catalog) => void): Promise<void> {
  const catalog = Catalog.open({
    directory,
    region: 'local-1',
    newIdentity: () => ({accountId: '123456789012', region: 'local-1', createdAtMs: 0}),
  });
  catalog.transaction(() => work(catalog));
  await catalog.close();
}

/** What the checker looks at. */
function clusterOf(identifier: string, volume: VolumeNumber): ClusterRecord {
  const seen: Partial<ClusterRecord> = {identifier, volume, volumeReady: true, status: 'available'};
  // oxlint-disable-next-line no-unsafe-type-assertion -- the rest is of no concern here
  return seen as ClusterRecord;
}

function check(repair = false): Promise<CheckReport> {
  return checkDataDirectory({directory, zones: zonesOf(directory), repair});
}

async function findings(repair = false): Promise<string[]> {
  const report = await check(repair);
  return report.findings.map(({code, repaired}) => (repaired ? `${code} repaired` : code));
}

/** Names, sizes and contents of all that the store holds. */
function storeImage(): string[] {
  const root = join(directory, 'store');
  return readdirSync(root, {recursive: true, encoding: 'utf8'})
    .filter(name => statSync(join(root, name)).isFile())
    .sort()
    .map(name => `${name} ${readFileSync(join(root, name)).toString('base64')}`);
}

test('a sound store is clean, and everything in it was read', async () => {
  const report = await check();
  expect(report.findings).toEqual([]);
  expect(report.zones).toMatchObject([{name: 'local-1a', volumes: 1, pagesVerified: PAGES}]);
});

test('a data directory in use is refused, and so is one that is not ours', async () => {
  const lock = acquireServiceLock(directory);
  await expect(check()).rejects.toMatchObject({code: 'data-directory-in-use'});
  lock.release();
  rmSync(join(directory, 'borealis.json'));
  expect(() => zonesOf(directory)).toThrow('not a Borealis data directory');
});

describe('left over', () => {
  beforeEach(async () => {
    const folder = join(directory, 'store/local-1a/volumes');
    writeFileSync(join(folder, '00000001/00000001.seg.tmp'), 'half');
    writeFileSync(join(folder, '00000001/record.77.tmp'), 'half');
    const orphan = allocateVolume(zone);
    // Of a fork that was given up.
    await withCatalog(catalog => catalog.noteVolume(orphan));
    const source = open(orders);
    source.fork(orphan);
    source.close();
    const clone = open(orphan);
    fill(clone, 3);
    clone.close();
    const removed = allocateVolume(zone);
    const volume = open(removed, true);
    fill(volume, 4);
    volume.close();
    zone.deleteVolumeRecord(removed);
    mkdirSync(join(folder, (allocateVolume(zone) as number).toString(16).padStart(8, '0')));
  });

  const FOUND = [
    'orphan-segments',
    'orphan-volume',
    'temporary-file',
    'temporary-file',
    'temporary-file',
  ];

  test('files, volumes and segments are found, and nothing is written', async () => {
    const before = storeImage();
    expect((await findings()).sort()).toEqual(FOUND);
    expect(storeImage()).toEqual(before);
  });

  test('all of it goes with --repair, and nothing else', async () => {
    expect((await findings(true)).sort()).toEqual(FOUND.map(code => `${code} repaired`));
    expect(await findings()).toEqual([]);
    expect(zone.listVolumes()).toEqual([orders]);
    const volume = open(orders);
    const bytes = Buffer.alloc(8192);
    volume.readPages(7, PAGES - 1, 1, bytes, 0);
    expect(bytes[0]).toBe(2);
    volume.close();
  });

  test('nothing goes while something is damaged', async () => {
    corruptPage();
    const found = await findings(true);
    expect(found).toContain('page-corrupt');
    expect(found.some(code => code.endsWith('repaired'))).toBe(false);
    expect(existsSync(join(directory, 'store/local-1a/volumes/00000001/record.77.tmp'))).toBe(true);
  });

  test('without a catalog no volume is an orphan', async () => {
    rmSync(join(directory, 'catalog.mdb'));
    const found = await findings(true);
    expect(found).toContain('catalog-missing');
    expect(found).not.toContain('orphan-volume');
    expect(zone.listVolumes().length).toBeGreaterThan(2);
  });
});

/** One page of file 7 as it is now. */
function corruptPage(): void {
  const folder = join(directory, 'store/local-1a/volumes/00000001');
  for (const name of readdirSync(folder).filter(each => each.endsWith('.seg'))) {
    const bytes = readFileSync(join(folder, name));
    const at = bytes.lastIndexOf(Buffer.alloc(8192, 2));
    if (at === -1) continue;
    bytes.writeUInt8(9, at + 100);
    writeFileSync(join(folder, name), bytes);
    return;
  }
}

describe('damage', () => {
  const segments = (): string[] =>
    readdirSync(join(directory, 'store/local-1a/volumes/00000001'))
      .filter(name => name.endsWith('.seg'))
      .sort();
  const path = (name: string): string => join(directory, 'store/local-1a/volumes/00000001', name);

  test('a rotten page is named by volume, file and page', async () => {
    corruptPage();
    const report = await check();
    expect(report.findings).toMatchObject([{kind: 'damage', code: 'page-corrupt'}]);
    expect(report.findings[0]?.message).toMatch(/page \d+ of file 7 in volume 1/);
  });

  test('a lost segment is told by the pages that were in it', async () => {
    const report = await check();
    expect(report.findings).toEqual([]);
    rmSync(path(segments().at(-2) ?? ''));
    expect(new Set(await findings())).toEqual(new Set(['page-lost']));
  });

  test('rotten headers, records and numbers are told', async () => {
    const name = path(segments().at(-1) ?? '');
    const bytes = readFileSync(name);
    bytes.writeUInt8(1, 30);
    writeFileSync(name, bytes);
    expect(await findings()).toEqual(['segment-header']);
    writeFileSync(path('record'), readFileSync(path('record'), 'utf8').replace('2', '3'));
    expect(await findings()).toContain('record-corrupt');
    expect(await findings()).toContain('dangling-volume');
    writeFileSync(join(directory, 'store/local-1a/store'), 'nothing');
    expect(await findings()).toContain('record-corrupt');
  });

  test('a cluster without its volume and an instance without its cluster are told', async () => {
    await withCatalog(catalog => {
      catalog.clusters.put('lost', clusterOf('lost', 99 as VolumeNumber));
      const seen: Partial<InstanceRecord> = {identifier: 'i', clusterIdentifier: 'none'};
      // oxlint-disable-next-line no-unsafe-type-assertion -- the rest is of no concern here
      catalog.instances.put('i', seen as InstanceRecord);
    });
    const report = await check();
    expect(report.findings.map(({message}) => message).sort()).toEqual([
      'DB cluster lost has volume 99, which zone local-1a does not',
      'DB instance i belongs to DB cluster none, which is not there',
    ]);
  });

  test('a page that a compaction should have kept is told', async () => {
    const last = Number.parseInt(segments().at(-2) ?? '', 16);
    zone.compactSegment(orders, last as never, [{start: 512, end: 1024}]);
    expect(new Set(await findings())).toEqual(new Set(['page-corrupt']));
  });
});
