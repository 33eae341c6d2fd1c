import {copyFileSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {openDirectoryZone} from './directory-zone.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import {MemoryZone} from './testing/memory-zone.ts';
import type {SegmentRange, Zone} from './zone.ts';

const VOLUME = 1 as VolumeNumber;
const SEGMENT = 1 as SegmentNumber;
const SECTOR = 512;
const SECTORS = 300;

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-compact-'));
});

afterAll(() => rmSync(directory, {recursive: true}));

/** A zone with one segment whose sectors are all different. */
function prepare(zone: Zone): Buffer {
  const bytes = Buffer.alloc(SECTORS * SECTOR);
  for (let sector = 0; sector < SECTORS; sector++) {
    bytes
      .fill(sector, sector * SECTOR, (sector + 1) * SECTOR)
      .writeUInt32LE(sector, sector * SECTOR);
  }
  zone.writeVolumeRecord(VOLUME, Buffer.from('record'), null);
  const file = zone.createSegment(VOLUME, SEGMENT);
  file.write([bytes], 0);
  file.sync();
  file.close();
  return bytes;
}

function rangesOf(live: ReadonlySet<number>): SegmentRange[] {
  const ranges: {start: number; end: number}[] = [];
  for (const sector of [...live].sort((a, b) => a - b)) {
    const start = sector * SECTOR;
    const last = ranges.at(-1);
    if (last?.end === start) last.end += SECTOR;
    else ranges.push({start, end: start + SECTOR});
  }
  return ranges;
}

const sectors = fc.uniqueArray(fc.nat(SECTORS - 1), {maxLength: SECTORS});
const readings = fc.array(fc.record({at: fc.nat(SECTORS * SECTOR), length: fc.nat(20_000)}), {
  minLength: 20,
});

test.each(['memory', 'directory'])(
  'a segment in a %s zone that is compacted twice reads as it did, up to what was dropped',
  kind => {
    fc.assert(
      fc.property(sectors, sectors, readings, (first, second, reads) => {
        const zone = kind === 'memory' ? new MemoryZone() : newDirectoryZone();
        const bytes = prepare(zone);
        let live = new Set(first);
        zone.compactSegment(VOLUME, SEGMENT, rangesOf(live));
        live = new Set(second.filter(sector => live.has(sector)));
        const size = zone.compactSegment(VOLUME, SEGMENT, rangesOf(live));
        expect(size).toBeGreaterThanOrEqual(live.size * SECTOR);
        expect(zone.listSegments(VOLUME)).toMatchObject([{segment: SEGMENT, bytesOnDisk: size}]);
        const file = zone.openSegment(VOLUME, SEGMENT);
        expect(file.ranges).toEqual(rangesOf(live));
        for (const {at, length} of reads) {
          const into = Buffer.alloc(length + 2, 0xee);
          let end = at;
          while (end < at + length && live.has(Math.floor(end / SECTOR))) {
            end = Math.min(at + length, (Math.floor(end / SECTOR) + 1) * SECTOR);
          }
          expect(file.read(at, into, 1, length)).toBe(end - at);
          expect(into.subarray(1, 1 + end - at).equals(bytes.subarray(at, end))).toBe(true);
          expect(into.subarray(1 + end - at).every(byte => byte === 0xee)).toBe(true);
        }
        file.close();
      }),
      {numRuns: kind === 'memory' ? 300 : 60},
    );
  },
);

let zoneCount = 0;
function newDirectoryZone(): Zone {
  return openDirectoryZone('a', join(directory, String(zoneCount++)));
}

test('a page of a compact segment can be repaired in place', () => {
  const zone = new MemoryZone();
  prepare(zone);
  zone.compactSegment(VOLUME, SEGMENT, [{start: 512, end: 2048}]);
  const file = zone.openSegment(VOLUME, SEGMENT);
  file.write([Buffer.alloc(512, 1), Buffer.alloc(512, 2)], 1024);
  const into = Buffer.alloc(1536);
  expect(file.read(512, into, 0, 1536)).toBe(1536);
  expect([into[0], into[512], into[1024], into[1535]]).toEqual([1, 1, 2, 2]);
  expect(() => file.write([Buffer.alloc(1024)], 1536)).toThrow('1536 to 2560 were dropped');
  expect(() => file.write([Buffer.alloc(512)], 0)).toThrow('0 to 512 were dropped');
});

test('what is to be kept and is not there stops a compaction, and the segment stays as it was', () => {
  const zone = newDirectoryZone();
  const bytes = prepare(zone);
  expect(() =>
    zone.compactSegment(VOLUME, SEGMENT, [{start: 512, end: (SECTORS + 1) * SECTOR}]),
  ).toThrow('are to be kept and are not there');
  const into = Buffer.alloc(bytes.length);
  const file = zone.openSegment(VOLUME, SEGMENT);
  expect(file.read(0, into, 0, into.length)).toBe(bytes.length);
  file.close();
  expect(zone.leftovers()).toEqual([]);
});

test('whoever has the old file open goes on with it, and is told that it was replaced', () => {
  const zone = newDirectoryZone();
  prepare(zone);
  const old = zone.openSegment(VOLUME, SEGMENT);
  zone.compactSegment(VOLUME, SEGMENT, [{start: 512, end: 1024}]);
  const into = Buffer.alloc(4);
  expect(old.read(7 * SECTOR, into, 0, 4)).toBe(4);
  expect(into.readUInt32LE(0)).toBe(7);
  expect(old.isDeleted()).toBe(true);
  const fresh = zone.openSegment(VOLUME, SEGMENT);
  expect(fresh.isDeleted()).toBe(false);
  expect(fresh.read(7 * SECTOR, into, 0, 4)).toBe(0);
  old.close();
  fresh.close();
});

test.each([
  ['a bit of its header', 20, 'corrupt'],
  ['its format', 12, 'corrupt'],
  ['a bit of its index', 512, 'corrupt'],
])('a compact segment with %s flipped is refused', (_, position, kind) => {
  const zone = new MemoryZone();
  prepare(zone);
  zone.compactSegment(VOLUME, SEGMENT, [{start: 512, end: 1024}]);
  zone.corrupt(VOLUME, SEGMENT, position);
  expect(() => zone.openSegment(VOLUME, SEGMENT)).toThrow(expect.objectContaining({kind}));
});

test('a compact segment in the place of another one is refused', () => {
  const zone = newDirectoryZone();
  prepare(zone);
  zone.compactSegment(VOLUME, SEGMENT, [{start: 512, end: 1024}]);
  const volume = join(directory, String(zoneCount - 1), 'volumes/00000001');
  copyFileSync(join(volume, '00000001.seg'), join(volume, '00000002.seg'));
  expect(() => zone.openSegment(VOLUME, 2 as SegmentNumber)).toThrow('names another segment');
});
