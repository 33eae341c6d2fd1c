/** What must not grow: with the depth of clones, their number, and the size of a volume. Counted, not timed. */
import {expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {Census} from './census.ts';
import {forkIdleVolume} from './idle-volume.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {readRoots} from './root-snapshot.ts';
import {sweep} from './sweeper.ts';
import type {Volume} from './volume.ts';

const FILE = 7;
const CACHE_BYTES: number = 64 * 2 ** 20;

function open(
  zone: MemoryZone,
  volume: number,
  create = false,
  nodeCacheBytes = CACHE_BYTES,
): Volume {
  return openVolumeIn({zone, volume: volume as VolumeNumber, create, nodeCacheBytes});
}

function write(volume: Volume, page: number, stamp: number): void {
  volume.changePage(FILE, page, false).fill(stamp);
  volume.endOperation();
}

function readAll(volume: Volume, pages: readonly number[]): number {
  const before = volume.statistics().pagesRead;
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  for (const page of pages) volume.readPages(FILE, page, 1, bytes, 0);
  return volume.statistics().pagesRead - before;
}

const upTo = (count: number): number[] => Array.from({length: count}, (_, index) => index);

test('a clone of a clone, fifty deep, reads as many nodes and pages as the first volume', () => {
  const zone = new MemoryZone();
  const pages = upTo(2_000);
  const first = open(zone, 1, true);
  for (const page of pages) write(first, page, 1);
  first.close();
  for (let depth = 1; depth <= 50; depth++) {
    const source = open(zone, depth);
    write(source, depth * 30, depth);
    source.fork((depth + 1) as VolumeNumber);
    source.close();
  }
  const [shallow, deep] = [1, 51].map(number => {
    const volume = open(zone, number);
    const read = readAll(volume, pages);
    const {nodesLoaded} = volume.statistics();
    const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
    volume.readPages(FILE, 30, 1, bytes, 0);
    expect(bytes[0]).toBe(1);
    volume.close();
    return {read, nodesLoaded};
  });
  expect(deep).toEqual(shallow);
  // Four leaves, their branch, the table of files.
  expect(shallow).toEqual({read: pages.length + 6, nodesLoaded: 6});
});

test('a thousand clones of one source cost a record each, are counted at what differs, and go again', () => {
  const zone = new MemoryZone();
  const source = open(zone, 1, true);
  for (const page of upTo(3_000)) write(source, page, 1);
  source.close();
  const census = new Census(zone);
  sweep(zone, census);
  const bytesOf = (): number =>
    zone
      .listVolumes()
      .flatMap(volume => zone.listSegments(volume))
      .reduce((sum, {bytesOnDisk}) => sum + bytesOnDisk, 0);
  const bytesBefore = bytesOf();
  const clones = upTo(1_000).map(index => (index + 2) as VolumeNumber);
  const options = {zone, volume: 1 as VolumeNumber, nodeCacheBytes: CACHE_BYTES};
  for (const clone of clones) {
    expect(forkIdleVolume(options, clone)).toMatchObject({bytesCopied: 0});
  }
  expect(bytesOf()).toBe(bytesBefore);
  for (const clone of clones.filter(number => number % 10 === 0)) {
    const volume = open(zone, clone);
    write(volume, clone % 3_000, 2);
    volume.close();
  }
  const nodesBefore = census.nodesLoaded;
  const records = readRoots(zone);
  const {shares} = census.count(records);
  expect(records).toHaveLength(1_001);
  for (const [index, {volume}] of records.entries()) {
    const own = volume !== 1 && volume % 10 === 0 ? 1 : 0;
    expect(shares[index]).toMatchObject({logicalPages: 3_000, ownedPages: own});
  }
  // A table, a branch and a leaf of each that differs, and those of the source.
  expect(census.nodesLoaded - nodesBefore).toBeLessThan(100 * 3 + 20);
  for (const clone of clones) zone.deleteVolumeRecord(clone);
  sweep(zone, census);
  expect(zone.listVolumes()).toEqual([1]);
  expect(bytesOf()).toBe(bytesBefore);
});

test('a sparse volume of 10 TiB opens, forks and changes a page at the cost of one of 10 MiB', () => {
  const count = (10 * 2 ** 20) / PAGE_SIZE_BYTES;
  const cost = (span: number) => {
    const zone = new MemoryZone();
    const made = open(zone, 1, true);
    const pages = upTo(count).map(index => Math.floor((index * span) / count));
    for (const page of pages) write(made, page, 1);
    made.close();
    const idle = forkIdleVolume(
      {zone, volume: 1 as VolumeNumber, nodeCacheBytes: CACHE_BYTES},
      2 as VolumeNumber,
    );
    const volume = open(zone, 1);
    const {pagesRead: readToOpen, nodesLoaded} = volume.statistics();
    const opened = {pagesRead: readToOpen, nodesLoaded};
    write(volume, 0, 2);
    const before = volume.statistics().bytesAppended;
    volume.fork(3 as VolumeNumber);
    const {bytesAppended, pagesRead} = volume.statistics();
    const nodesWritten = Math.floor((bytesAppended - before) / PAGE_SIZE_BYTES) - 1;
    volume.close();
    return {opened, copied: idle.bytesCopied, nodesWritten, pagesRead};
  };
  const small = cost(count);
  const large = cost((10 * 2 ** 40) / PAGE_SIZE_BYTES);
  expect(small.opened).toEqual({pagesRead: 0, nodesLoaded: 0});
  expect(large.opened).toEqual(small.opened);
  expect(large.copied).toBe(0);
  // The tree is two levels higher, and that is all.
  expect(large.nodesWritten - small.nodesWritten).toBeLessThanOrEqual(2);
  expect(large.pagesRead - small.pagesRead).toBeLessThanOrEqual(2);
});

test('the page table keeps to the memory that it was given, however large the file', () => {
  const zone = new MemoryZone();
  const cacheBytes = 2 ** 20;
  const nodesMax = cacheBytes / PAGE_SIZE_BYTES;
  const volume = open(zone, 1, true, cacheBytes);
  const pages = upTo(3_000).map(index => index * 100_003);
  let most = 0;
  for (const page of pages) {
    write(volume, page, page % 251);
    most = Math.max(most, volume.statistics().nodesLoaded);
  }
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  for (const page of [...pages].reverse()) {
    volume.readPages(FILE, page, 1, bytes, 0);
    expect(bytes[0]).toBe(page % 251);
    most = Math.max(most, volume.statistics().nodesLoaded);
  }
  volume.close();
  // One operation may load a path of nodes before the next trim.
  expect(most).toBeLessThanOrEqual(nodesMax + 8);
});
