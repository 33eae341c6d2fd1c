/** Each kind of thing on disk is spoilt, in the only zone and in one of three: the check tells, and a repair heals what it can. */
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {openDirectoryZone} from '../page-store/directory-zone.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import type {Zone} from '../page-store/zone.ts';
import {Census} from '../volume/census.ts';
import {openVolumeIn} from '../volume/open-volume.ts';
import {SECTOR_SIZE_BYTES} from '../volume/pointer.ts';
import {readRoots} from '../volume/root-snapshot.ts';
import {sweep} from '../volume/sweeper.ts';
import {unitName} from '../volume/unit-names.ts';
import {readVolumeRecord} from '../volume/volume-record.ts';
import {Catalog} from './catalog.ts';
import {checkDataDirectory, zonesOf, type CheckReport} from './check.ts';
import {openDataDirectory} from './data-directory.ts';
import type {ClusterRecord} from './records.ts';
import {writeZonePlan} from './zone-list.ts';

const PAGES = 1_000;
const LETTERS = ['a', 'b', 'c'] as const;
type Letter = (typeof LETTERS)[number];

let directory: string;
let orders: VolumeNumber;
/** Its writer was killed: it has a log behind its checkpoint. */
let killed: VolumeNumber;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-damage-'));
  openDataDirectory(directory, 0);
  const zone = zoneAt('a');
  openStore(zone);
  orders = allocateVolume(zone);
  const volume = open(zone, orders);
  for (const stamp of [1, 2]) {
    for (let page = 0; page < PAGES; page++) {
      if (stamp === 2 && page % 3 !== 0) continue;
      volume.changePage(7, page, false).fill(stamp);
      volume.endOperation();
    }
    volume.checkpoint();
  }
  volume.close();
  sweep(zone, new Census(zone), {
    ...{amplificationTarget: 0, deadShareMin: 0.1, deadBytesMin: 8192, turnBytesMax: 2 ** 30},
  });
  killed = allocateVolume(zone);
  const writer = open(zone, killed);
  for (let batch = 0; batch < 4; batch++) {
    for (let page = 0; page < 5; page++) writer.changePage(9, page, false).fill(batch + 1);
    writer.endOperation();
    writer.barrier();
  }
  const found = zone.readVolumeRecord(killed) as Buffer;
  // As it was before the close, which checkpoints and marks it clean.
  const folder = volumeFolder('a', killed);
  const before = new Map(readdirSync(folder).map(name => [name, readFileSync(join(folder, name))]));
  writer.close();
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  for (const [name, bytes] of before) {
    if (!name.startsWith('lock')) writeFileSync(join(folder, name), bytes);
  }
  expect(zone.readVolumeRecord(killed)).toEqual(found);
  await withCatalog(catalog => {
    catalog.clusters.put('orders', clusterOf('orders', orders));
    catalog.clusters.put('killed', clusterOf('killed', killed));
  });
});

afterEach(() => rmSync(directory, {recursive: true}));

function placeOf(letter: Letter): string {
  return join(directory, 'store', `local-1${letter}`);
}

function zoneAt(letter: Letter): Zone {
  return openDirectoryZone(`local-1${letter}`, placeOf(letter));
}

function volumeFolder(letter: Letter, volume: VolumeNumber): string {
  return join(placeOf(letter), 'volumes', volume.toString(16).padStart(8, '0'));
}

function open(zone: Zone, volume: VolumeNumber): ReturnType<typeof openVolumeIn> {
  return openVolumeIn({zone, volume, create: true, nodeCacheBytes: 2 ** 20, segmentBytes: 2 ** 22});
}

function threeZones(): void {
  for (const letter of ['b', 'c'] as const)
    cpSync(placeOf('a'), placeOf(letter), {recursive: true});
  const zones = LETTERS.map(letter => ({name: `local-1${letter}`, directory: placeOf(letter)}));
  writeZonePlan(directory, {number: 0, zones, change: null});
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

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
  writeFileSync(path, bytes);
}

function segmentPath(letter: Letter, volume: VolumeNumber, segment: number): string {
  return join(volumeFolder(letter, volume), `${segment.toString(16).padStart(8, '0')}.seg`);
}

/** Segments of `orders` that something reachable lies in, and whether each is compact. */
function segmentsOf(zone: Zone): {segment: SegmentNumber; isCompact: boolean; path: string}[] {
  const records = readRoots(zone);
  const {live} = new Census(zone).count(records);
  return zone
    .listSegments(orders)
    .filter(({segment}) => live.get(orders, segment) > 0)
    .map(({segment}) => {
      const file = zone.openSegment(orders, segment);
      const isCompact = file.ranges !== null;
      file.close();
      return {segment, isCompact, path: segmentPath('a', orders, segment)};
    });
}

/** Flips a bit of a unit of `orders` that is of this level, where it lies. */
function flipUnit(letter: Letter, level: number): void {
  const zone = zoneAt(letter);
  const record = readVolumeRecord(zone, orders)?.record;
  if (record === undefined) throw new Error('the volume is there');
  const wanted = new Map([
    [orders as number, new Set<number>(zone.listSegments(orders).map(each => each.segment))],
  ]);
  const found: {name: string; segment: SegmentNumber; position: number}[] = [];
  new Census(zone).visitNamed(record, wanted, ({segment, sector}, place) => {
    if (place.level !== level || place.file === null) return;
    found.push({name: unitName(orders, place), segment, position: sector * SECTOR_SIZE_BYTES});
  });
  const [unit] = found;
  if (unit === undefined) throw new Error(`a unit of level ${level} is there`);
  const file = zone.openSegment(orders, unit.segment);
  const bytes = Buffer.alloc(8192);
  file.read(unit.position, bytes, 0, bytes.length);
  bytes.writeUInt8(bytes.readUInt8(4000) ^ 4, 4000);
  file.write([bytes], unit.position);
  file.sync();
  file.close();
}

function rawSegment(): string {
  return segmentsOf(zoneAt('a')).find(({isCompact}) => !isCompact)?.path ?? '';
}

function compactSegment(): string {
  return segmentsOf(zoneAt('a')).find(({isCompact}) => isCompact)?.path ?? '';
}

type Kind = {
  readonly what: string;
  readonly code: string;
  readonly spoil: () => void;
};

/** All in zone a. */
const KINDS: readonly Kind[] = [
  {
    what: 'the store record',
    code: 'record-corrupt',
    spoil: () => flip(join(placeOf('a'), 'store'), 20),
  },
  {
    what: 'a volume record',
    code: 'record-corrupt',
    spoil: () => flip(join(volumeFolder('a', orders), 'record'), 20),
  },
  {what: 'a segment header', code: 'segment-header', spoil: () => flip(rawSegment(), 20)},
  {what: 'a page', code: 'page-corrupt', spoil: () => flipUnit('a', 0)},
  {what: 'a page-table node', code: 'page-corrupt', spoil: () => flipUnit('a', 1)},
  {what: 'a compact index', code: 'page-lost', spoil: () => flip(compactSegment(), 520)},
  {what: 'a compact header', code: 'page-lost', spoil: () => flip(compactSegment(), 20)},
  {
    what: 'a truncated segment',
    code: 'page-corrupt',
    spoil: () => truncateSync(rawSegment(), 100_000),
  },
  {what: 'a deleted segment', code: 'page-lost', spoil: () => rmSync(rawSegment())},
  {
    what: 'a batch header of a log',
    code: 'log-corrupt',
    spoil: () => flip(segmentPath('a', killed, 1), 512 + 40),
  },
  {
    what: 'a page of a log',
    code: 'page-corrupt',
    spoil: () => flip(segmentPath('a', killed, 1), 1024 + 8192 + 7),
  },
];

test('the store that is spoilt below is sound, and has all of these kinds', async () => {
  expect((await check()).findings).toEqual([]);
  const kinds = new Set(segmentsOf(zoneAt('a')).map(({isCompact}) => isCompact));
  expect(kinds).toEqual(new Set([true, false]));
  expect(readVolumeRecord(zoneAt('a'), killed)?.record.clean).toBe(false);
});

describe.each(KINDS)('$what', ({code, spoil}) => {
  test('in the only zone is told, and nothing can repair it', async () => {
    spoil();
    const report = await check(true);
    expect(report.findings.map(finding => finding.code)).toContain(code);
    expect(report.findings.some(({repaired}) => repaired)).toBe(false);
  });

  test(
    'in one zone of three is told, and repaired from the others',
    {timeout: 60_000},
    async () => {
      threeZones();
      spoil();
      const found = (await check()).findings;
      expect(new Set(found.map(({zone}) => zone))).toEqual(new Set(['local-1a']));
      expect(found.map(finding => finding.code)).toContain(code);
      const {findings} = await check(true);
      expect(findings.length).toBeGreaterThan(0);
      expect(findings.filter(({repaired}) => !repaired)).toEqual([]);
      expect((await check()).findings).toEqual([]);
    },
  );
});

test('zones.json that was spoilt is refused by name', () => {
  threeZones();
  flip(join(directory, 'zones.json'), 3);
  expect(() => zonesOf(directory)).toThrow('zones.json does not name the store');
});

test('volumes that the catalog is too old to know are damage, and no repair removes them', async () => {
  const zone = zoneAt('a');
  const newer = allocateVolume(zone);
  open(zone, newer).close();
  const {findings} = await check(true);
  expect(findings).toMatchObject([{kind: 'damage', code: 'volume-unknown', repaired: false}]);
  expect(zone.readVolumeRecord(newer)).not.toBeNull();
});
