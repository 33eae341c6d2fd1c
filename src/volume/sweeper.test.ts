import {expect, test} from 'vitest';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {Census} from './census.ts';
import {openVolumeIn} from './open-volume.ts';
import {PageReader} from './page-reader.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {readRoots} from './root-snapshot.ts';
import {sweep, SWEEP_POLICY, type SweepPolicy} from './sweeper.ts';
import {InterruptedZone} from './testing/interrupted-zone.ts';
import type {Volume} from './volume.ts';

const SOURCE = 1 as VolumeNumber;
const CHILD = 2 as VolumeNumber;
const SEGMENT_BYTES = 3 * 2 ** 20;
const EAGER: SweepPolicy = {
  amplificationTarget: 0,
  deadShareMin: 0,
  deadBytesMin: PAGE_SIZE_BYTES,
  turnBytesMax: 2 ** 30,
};

function open(zone: MemoryZone, volume: VolumeNumber, create = false): Volume {
  return openVolumeIn({zone, volume, create, nodeCacheBytes: 0, segmentBytes: SEGMENT_BYTES});
}

/** Fills pages `from` to `to` of file 7, each with `stamp`, and makes a checkpoint now and then. */
function fill(volume: Volume, from: number, to: number, stamp: number): void {
  for (let page = from; page < to; page++) {
    volume.changePage(7, page, false).fill(stamp);
    volume.endOperation();
    if (page % 256 === 255) volume.checkpoint();
  }
  volume.checkpoint();
}

/** Every `step`th page anew. */
function update(volume: Volume, step: number, stamp: number): void {
  for (let page = 0; page < 1024; page += step) {
    volume.changePage(7, page, false).fill(stamp);
    volume.endOperation();
  }
}

function stampOf(volume: Volume, page: number): number {
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  volume.readPages(7, page, 1, bytes, 0);
  return bytes.readUInt8(0);
}

/** The source goes on until nothing that the child begins with is its own any more. */
function forkAndMoveOn(source: Volume): void {
  source.fork(CHILD);
  fill(source, 0, 1024, 2);
}

function expectChildWhole(zone: MemoryZone): void {
  const child = open(zone, CHILD);
  for (const page of [0, 255, 256, 1023]) expect(stampOf(child, page)).toBe(1);
  child.close();
}

test.each([
  ['before the source is listed', 'listVolumes', 2],
  ['between the listing and the reading of its source', 'readVolumeRecord', 1],
  ['between two rounds of reading', 'listVolumes', 3],
])('a fork %s, whose source moves on at once, is whole after the sweep', (_, method, count) => {
  const zone = new InterruptedZone();
  const source = open(zone, SOURCE, true);
  fill(source, 0, 1024, 1);
  let calls = 0;
  zone.onCall = called => {
    if (called !== method || ++calls !== count) return;
    zone.onCall = null;
    forkAndMoveOn(source);
  };
  sweep(zone, new Census(zone), EAGER);
  expect(zone.readVolumeRecord(CHILD)).not.toBeNull();
  expectChildWhole(zone);
});

/** A sweep by another process while the child's record is on its way. */
class SweptZone extends MemoryZone {
  override writeVolumeRecord(
    volume: VolumeNumber,
    bytes: Uint8Array,
    expected: Uint8Array | null,
  ): void {
    if (volume === CHILD && expected === null) sweep(this, new Census(this), EAGER);
    super.writeVolumeRecord(volume, bytes, expected);
  }
}

test('a sweep in the midst of a fork harms neither', () => {
  const zone = new SweptZone();
  const source = open(zone, SOURCE, true);
  fill(source, 0, 1024, 1);
  forkAndMoveOn(source);
  sweep(zone, new Census(zone), EAGER);
  expectChildWhole(zone);
});

/** A directory that is there before its record, as a directory zone makes it. */
class EarlyDirectoryZone extends MemoryZone {
  onMissing: () => void = () => undefined;
  early = false;

  override listVolumes(): VolumeNumber[] {
    const listed = super.listVolumes();
    return this.early && !listed.includes(CHILD) ? [CHILD, ...listed] : listed;
  }

  override readVolumeRecord(volume: VolumeNumber): Buffer | null {
    const found = super.readVolumeRecord(volume);
    if (this.early && volume === CHILD && found === null) this.onMissing();
    return found;
  }
}

test('a record that comes right after it was found missing is read all the same', () => {
  const zone = new EarlyDirectoryZone();
  const source = open(zone, SOURCE, true);
  fill(source, 0, 1024, 1);
  zone.onMissing = () => {
    zone.onMissing = () => undefined;
    zone.early = false;
    forkAndMoveOn(source);
    zone.early = true;
  };
  zone.early = true;
  expect(readRoots(zone).map(record => record.volume)).toEqual([SOURCE, CHILD]);
});

test('what a writer reaches only in memory survives, and a reader of the old file goes on', () => {
  const zone = new MemoryZone();
  const source = open(zone, SOURCE, true);
  fill(source, 0, 1024, 1);
  const clone = (source.fork(CHILD), open(zone, CHILD));
  expect(stampOf(clone, 3)).toBe(1);
  update(source, 2, 2);
  source.flush();
  sweep(zone, new Census(zone), EAGER);
  expect([stampOf(source, 0), stampOf(source, 1), stampOf(clone, 0)]).toEqual([2, 1, 1]);
  source.checkpoint();
  clone.close();
  zone.deleteVolumeRecord(CHILD);
  expect(sweep(zone, new Census(zone), EAGER).segmentsCompacted).toBeGreaterThan(0);
  source.onIdle();
  expect([stampOf(source, 0), stampOf(source, 1)]).toEqual([2, 1]);
});

test('a compacted segment is compacted again, and what was dropped is an error, not zeros', () => {
  const zone = new MemoryZone();
  const volume = open(zone, SOURCE, true);
  fill(volume, 0, 1024, 1);
  for (const step of [2, 3]) {
    update(volume, step, step);
    volume.checkpoint();
    expect(sweep(zone, new Census(zone), EAGER).segmentsCompacted).toBeGreaterThan(0);
  }
  expect([0, 1, 2, 3].map(page => stampOf(volume, page))).toEqual([3, 1, 2, 3]);
  const [first] = zone.listSegments(SOURCE);
  const file = zone.openSegment(SOURCE, first?.segment ?? (0 as SegmentNumber));
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES, 9);
  const gap = file.ranges?.find((range, index) => file.ranges?.[index + 1]?.start !== range.end);
  expect(file.read(gap?.end ?? 0, bytes, 0, PAGE_SIZE_BYTES)).toBe(0);
  expect(bytes.every(byte => byte === 9)).toBe(true);
  const reader = new PageReader(zone);
  const lost = {volume: SOURCE, segment: 1 as SegmentNumber, sector: 1, height: 0, crc: 0};
  expect(() => reader.readPage(lost, bytes, 0, () => 'a page')).toThrow('a page');
});

test('a turn keeps to its bytes, says that there is more, and the next ones do the rest', () => {
  const zone = new MemoryZone();
  const volume = open(zone, SOURCE, true);
  fill(volume, 0, 4096, 1);
  for (let page = 0; page < 4096; page += 2) {
    volume.changePage(7, page, false).fill(2);
    volume.endOperation();
  }
  volume.checkpoint();
  const census = new Census(zone);
  const policy = {...EAGER, turnBytesMax: 4 * 2 ** 20};
  const turns = [sweep(zone, census, policy)];
  while (turns.at(-1)?.more === true) turns.push(sweep(zone, census, policy));
  expect(turns.length).toBeGreaterThan(3);
  for (const turn of turns) expect(turn.segmentsCompacted).toBeLessThanOrEqual(3);
  expect([0, 1, 4095].map(page => stampOf(volume, page))).toEqual([2, 1, 1]);
});

test('under random updates the store stays within one and a half times what is reachable', () => {
  const zone = new MemoryZone();
  const volume = open(zone, SOURCE, true);
  const pages = 8192;
  fill(volume, 0, pages, 1);
  const census = new Census(zone);
  let state = 1;
  const worst: number[] = [];
  for (let round = 0; round < 60; round++) {
    // A sixteenth is appended between two sweeps, as the service has it.
    for (let count = 0; count < pages / 16; count++) {
      state = (state * 48_271) % 0x7fff_ffff;
      volume.changePage(7, state % pages, false).fill(round);
      volume.endOperation();
    }
    volume.checkpoint();
    const before = zone.listSegments(SOURCE).reduce((sum, one) => sum + one.bytesOnDisk, 0);
    const report = sweep(zone, census, SWEEP_POLICY);
    worst.push(before / report.bytesReachable);
  }
  expect(Math.max(...worst)).toBeLessThanOrEqual(1.5);
  expect(census.nodesLoaded).toBeGreaterThan(0);
});
