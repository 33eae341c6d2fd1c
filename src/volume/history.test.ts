import {expect, test} from 'vitest';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {Census} from './census.ts';
import {History, RETENTION_SECONDS_MAX} from './history.ts';
import {backtrackVolume, forkIdleVolume, restorableRange, setRetention} from './idle-volume.ts';
import {openVolumeIn} from './open-volume.ts';
import type {NodeSource} from './page-tree.ts';
import {PAGE_SIZE_BYTES, type Pointer} from './pointer.ts';
import {readRoots} from './root-snapshot.ts';
import {sweep, type SweepPolicy} from './sweeper.ts';
import type {Volume} from './volume.ts';
import {readVolumeRecord} from './volume-record.ts';

const VOLUME = 1 as VolumeNumber;
const CHILD = 2 as VolumeNumber;
const DAY = 86_400;
const START_MS = 1_764_333_000_000;
const EAGER: SweepPolicy = {
  amplificationTarget: 0,
  deadShareMin: 0,
  deadBytesMin: PAGE_SIZE_BYTES,
  turnBytesMax: 2 ** 30,
};

let nowMs = START_MS;
const clock = {nowMs: () => nowMs, monotonicMs: () => nowMs};

function open(zone: MemoryZone, volume: VolumeNumber, create = false): Volume {
  return openVolumeIn({zone, volume, create, nodeCacheBytes: 0, clock});
}

function openKept(zone: MemoryZone, seconds: number): Volume {
  nowMs = START_MS;
  const volume = open(zone, VOLUME, true);
  volume.setRetention(seconds);
  return volume;
}

function write(volume: Volume, page: number, stamp: number): void {
  volume.changePage(7, page, false).fill(stamp);
  volume.endOperation();
  volume.flush();
}

function stampOf(volume: Volume, page: number): number {
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  volume.readPages(7, page, 1, bytes, 0);
  return bytes.readUInt8(0);
}

/** Nodes of an index, in memory: the count of those that were written. */
class Nodes {
  written = 0;
  loaded = 0;
  readonly #nodes: Uint32Array[] = [];

  source(): NodeSource {
    const load = ({sector}: Pointer): Uint32Array => {
      this.loaded++;
      return Uint32Array.from(this.#nodes[sector] as Uint32Array);
    };
    return {load, nodesLoaded: 0, nodesDirty: 0};
  }

  readonly emit = (words: Uint32Array): Pointer => {
    this.written++;
    this.#nodes.push(Uint32Array.from(words));
    return pointerTo(this.#nodes.length - 1);
  };
}

function pointerTo(sector: number): Pointer {
  return {volume: VOLUME, segment: 1 as SegmentNumber, sector, height: 0, crc: 0};
}

test('35 days of a root a minute and an hour of a root a second: an index of which a checkpoint and a look-up touch few nodes', () => {
  const nodes = new Nodes();
  let root: Pointer | null = null;
  const minutes = 35 * 1440 + 90;
  const exactFrom = minutes - 70;
  const writer = new History(nodes.source(), null, RETENTION_SECONDS_MAX);
  for (let minute = 0; minute < minutes; minute++) {
    const at = START_MS + minute * 60_000;
    for (let second = minute < exactFrom ? 59 : 0; second < 60; second++) {
      writer.enter(VOLUME, at + second * 1000, pointerTo(second));
    }
    if (minute < exactFrom && minute % 360 !== 0) continue;
    nodes.written = 0;
    writer.trim(at + 60_000);
    root = writer.write(nodes.emit);
    expect(nodes.written).toBeLessThan(minute < exactFrom ? 64 : 14);
  }
  const at = START_MS + minutes * 60_000;
  nodes.loaded = 0;
  const history = new History(nodes.source(), root, RETENTION_SECONDS_MAX);
  const range = history.range(at);
  expect(range).toEqual({
    earliestMs: at - RETENTION_SECONDS_MAX * 1000,
    latestMs: at,
  });
  expect(nodes.loaded).toBeLessThan(12);
  for (const agoMs of [0, 1000, 59_000, 3_599_000]) {
    const asked = at - agoMs;
    const found = history.at(asked, at);
    expect(found).toMatchObject({atMs: asked, root: {sector: 59 - ((agoMs / 1000) % 60)}});
  }
  for (const agoMs of [3_700_000, DAY * 1000, (RETENTION_SECONDS_MAX - 60) * 1000]) {
    const {atMs, root: found} = history.at(at - agoMs, at);
    expect(atMs).toBe(Math.floor((at - agoMs) / 60_000) * 60_000);
    expect(found?.sector).toBe(59);
  }
  expect(nodes.loaded).toBeLessThan(60);
  expect(() => history.at(at - RETENTION_SECONDS_MAX * 1000 - 1, at)).toThrow(/it can be from/);
  expect(() => history.at(at + 1000, at)).toThrow(/cannot be had as of/);
  expect(() => history.at(Number.NaN, at)).toThrow(/cannot be had as of NaN/);
});

test.each([-1, 0.5, RETENTION_SECONDS_MAX + 1, Number.NaN])(
  'a retention of %d seconds is refused, and nothing changes',
  seconds => {
    const zone = new MemoryZone();
    const volume = openKept(zone, DAY);
    expect(() => volume.setRetention(seconds)).toThrow(/a whole number from 0 to 3024000/);
    expect(() => volume.fork(CHILD, {retentionSeconds: seconds})).toThrow(/whole number/);
    volume.close();
    expect(() => setRetention({zone, volume: VOLUME, nodeCacheBytes: 0, clock}, seconds)).toThrow(
      /whole number/,
    );
    expect(readVolumeRecord(zone, VOLUME)?.record.retentionSeconds).toBe(DAY);
    expect(zone.readVolumeRecord(CHILD)).toBeNull();
  },
);

test('a page that is rewritten a hundred times a second, with a barrier each time, is kept once a second', () => {
  const zone = new MemoryZone();
  const volume = openKept(zone, DAY);
  for (let second = 0; second < 20; second++) {
    for (let write100 = 0; write100 < 100; write100++) {
      write(volume, 0, second);
      volume.barrier();
      nowMs += 10;
    }
  }
  volume.checkpoint();
  const census = new Census(zone);
  expect(census.count(readRoots(zone)).shares[0]).toMatchObject({
    logicalPages: 1,
    historyPages: 19,
  });
  sweep(zone, census, EAGER);
  for (let second = 1; second <= 20; second++) {
    const child = (100 + second) as VolumeNumber;
    volume.fork(child, {atMs: START_MS + second * 1000});
    const past = open(zone, child);
    expect(stampOf(past, 0)).toBe(second - 1);
    past.close();
  }
  volume.close();
});

test('history is thinned to minutes after an hour and gone after its retention, also of a volume that nobody has open', () => {
  const zone = new MemoryZone();
  const volume = openKept(zone, DAY);
  for (let second = 0; second < 300; second++) {
    write(volume, 0, second % 251);
    nowMs += 1000;
  }
  volume.close();
  const census = new Census(zone);
  const historyPages = (): number => census.count(readRoots(zone)).shares[0]?.historyPages ?? -1;
  expect(historyPages()).toBe(299);
  const trim = (): void => {
    const again = open(zone, VOLUME);
    again.checkpoint();
    again.close();
  };
  nowMs += 2 * 3600 * 1000;
  trim();
  expect(historyPages()).toBe(4);
  nowMs += DAY * 1000;
  trim();
  expect(historyPages()).toBe(0);
  expect(restorableRange(zone, VOLUME, clock)).toEqual({
    earliestMs: Math.ceil((nowMs - DAY * 1000) / 60_000) * 60_000,
    latestMs: nowMs,
  });
  sweep(zone, census, EAGER);
  const again = open(zone, VOLUME);
  expect(stampOf(again, 0)).toBe(299 % 251);
  again.close();
});

test('a volume that is open and idle thins its history by itself', () => {
  const zone = new MemoryZone();
  const volume = openKept(zone, DAY);
  for (let second = 0; second < 120; second++) {
    write(volume, 0, second);
    nowMs += 1000;
  }
  for (let minute = 0; minute < 120; minute++) {
    volume.onIdle();
    nowMs += 60_000;
  }
  const {bytesAppended} = volume.statistics();
  const census = new Census(zone);
  expect(census.count(readRoots(zone)).shares[0]?.historyPages).toBe(1);
  volume.onIdle();
  expect(volume.statistics().bytesAppended).toBe(bytesAppended);
  volume.close();
});

test('without a retention nothing is written but what was before there was history', () => {
  const zone = new MemoryZone();
  const kept = openKept(zone, 0);
  const before = kept.statistics().bytesAppended;
  for (let second = 0; second < 10; second++) {
    write(kept, 0, second);
    kept.barrier();
    nowMs += 1000;
  }
  // A header of a sector and a page each.
  expect(kept.statistics().bytesAppended - before).toBe(10 * (512 + PAGE_SIZE_BYTES));
  expect(kept.restorableRange()).toBeNull();
  expect(() => kept.fork(CHILD, {atMs: nowMs})).toThrow(/no history is kept/);
  kept.close();
});

test('a cut asks for no sync of its own: a barrier waits for one descriptor, as without history', () => {
  const zone = new MemoryZone();
  const volume = openKept(zone, DAY);
  for (let second = 0; second < 5; second++) {
    write(volume, second, 1);
    const target = volume.barrierTarget();
    expect(target.fds).toHaveLength(1);
    volume.noteDurable(target.lsn);
    nowMs += 1000;
  }
  volume.close();
});

test('a clone has the past of its source from before its birth, and keeps it when the source is gone', () => {
  const zone = new MemoryZone();
  const source = openKept(zone, DAY);
  for (let second = 0; second < 10; second++) {
    write(source, 0, second + 1);
    nowMs += 1000;
  }
  source.fork(CHILD);
  write(source, 0, 99);
  nowMs += 5000;
  source.close();
  zone.deleteVolumeRecord(VOLUME);
  sweep(zone, new Census(zone), EAGER);
  const idle = {zone, volume: CHILD, nodeCacheBytes: 0, clock};
  const grandchild = 3 as VolumeNumber;
  const fork = forkIdleVolume(idle, grandchild, {atMs: START_MS + 4000, retentionSeconds: 0});
  expect(fork).toMatchObject({atMs: START_MS + 4000, bytesCopied: 0});
  const past = open(zone, grandchild);
  expect(stampOf(past, 0)).toBe(4);
  expect(past.restorableRange()).toBeNull();
  past.close();
  backtrackVolume(idle, START_MS + 7000);
  const back = open(zone, CHILD);
  expect(stampOf(back, 0)).toBe(7);
  back.close();
});

/** Its volume records can be kept from being replaced, as by the end of the process just before. */
class StoppedZone extends MemoryZone {
  stopped: 'before' | 'after' | null = null;

  override writeVolumeRecord(
    volume: VolumeNumber,
    bytes: Uint8Array,
    old: Uint8Array | null,
  ): void {
    if (volume !== VOLUME || this.stopped === null || !isClean(bytes)) {
      super.writeVolumeRecord(volume, bytes, old);
      return;
    }
    if (this.stopped === 'after') super.writeVolumeRecord(volume, bytes, old);
    throw new Error('the process ended');
  }
}

function isClean(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).includes('"clean":true');
}

test.each(['before', 'after'] as const)(
  'a backtrack that is cut off %s its record was replaced has not or has happened, and either can be undone',
  when => {
    const zone = new StoppedZone();
    const volume = openKept(zone, DAY);
    for (let second = 0; second < 10; second++) {
      write(volume, 0, second + 1);
      nowMs += 1000;
    }
    volume.close();
    const idle = {zone, volume: VOLUME, nodeCacheBytes: 0, clock};
    zone.stopped = when;
    expect(() => backtrackVolume(idle, START_MS + 3000)).toThrow(/the process ended/);
    zone.stopped = null;
    zone.kill();
    const again = open(zone, VOLUME);
    expect(stampOf(again, 0)).toBe(when === 'before' ? 10 : 3);
    again.close();
    nowMs += 1000;
    for (const second of [3, 10, 6, 9]) {
      const {atMs, fromMs} = backtrackVolume(idle, START_MS + second * 1000);
      expect(atMs).toBe(START_MS + second * 1000);
      nowMs = Math.max(nowMs, fromMs) + 1000;
      const there = open(zone, VOLUME);
      expect(stampOf(there, 0)).toBe(second);
      there.close();
    }
  },
);

test('to open a volume and to fork its past costs the same after one moment and after a thousand', () => {
  const cost = (seconds: number): {nodes: number; bytes: number; reads: number} => {
    const zone = new MemoryZone();
    const volume = openKept(zone, DAY);
    for (let second = 0; second < seconds; second++) {
      write(volume, second % 500, second);
      nowMs += 1000;
    }
    volume.close();
    const again = open(zone, VOLUME);
    const nodes = again.statistics().nodesLoaded;
    const {bytesWritten} = again.fork(CHILD, {atMs: nowMs - 500});
    const reads = again.statistics().pagesRead;
    again.close();
    return {nodes, bytes: bytesWritten, reads};
  };
  const few = cost(2);
  const many = cost(1000);
  expect(many.nodes).toBeLessThanOrEqual(few.nodes);
  expect(many.bytes).toBeLessThanOrEqual(few.bytes + 4 * PAGE_SIZE_BYTES);
  expect(many.reads).toBeLessThanOrEqual(few.reads + 10);
});
