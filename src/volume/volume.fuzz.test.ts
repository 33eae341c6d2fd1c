import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {Lsn, SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {ProcessEnded, seeded} from '../page-store/testing/zone-faults.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {encodeSegmentHeader} from './segment-header.ts';
import type {Volume} from './volume.ts';

/** file:page → the number that fills the page. */
type State = ReadonlyMap<string, number>;

const FILES = [0, 3, 600];
const PAGES = [0, 1, 2, 511, 512, 700];

type Command =
  | {kind: 'write'; pages: {file: number; page: number}[]}
  | {kind: 'drop'; file: number; from: number; count: number}
  | {kind: 'delete'; file: number}
  | {kind: 'barrier' | 'checkpoint' | 'idle' | 'fork' | 'close' | 'kill'}
  | {kind: 'crash'; seed: number};

const address = fc.record({file: fc.constantFrom(...FILES), page: fc.constantFrom(...PAGES)});
const simple = (kind: 'barrier' | 'checkpoint' | 'idle' | 'fork' | 'close' | 'kill') =>
  fc.constant<Command>({kind});
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      pages: fc.array(address, {minLength: 1, maxLength: 4}),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      file: fc.constantFrom(...FILES),
      from: fc.constantFrom(...PAGES),
      count: fc.constantFrom(1, 2, 600),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      file: fc.constantFrom(...FILES),
    }),
  },
  {weight: 3, arbitrary: simple('barrier')},
  {weight: 2, arbitrary: simple('checkpoint')},
  {weight: 2, arbitrary: simple('idle')},
  {weight: 2, arbitrary: simple('fork')},
  {weight: 1, arbitrary: simple('close')},
  {weight: 1, arbitrary: simple('kill')},
  {weight: 3, arbitrary: fc.record({kind: fc.constant('crash' as const), seed: fc.nat()})},
);

test('after any crash a volume is what it was after some operation, none older than the last barrier; its forks never change', () => {
  fc.assert(
    fc.property(fc.array(command, {minLength: 15, maxLength: 80}), commands => {
      new Simulation().run(commands);
    }),
    {numRuns: 400},
  );
});

class Simulation {
  readonly #zone = new MemoryZone();
  #volume: Volume = this.#open(true);
  /** The state after each operation since the last barrier; the first is that at the barrier. */
  #states: State[] = [new Map()];
  readonly #forks = new Map<number, State>();
  #stamp = 0;
  #nextFork = 2;

  run(commands: readonly Command[]): void {
    for (const step of commands) this.#step(step);
    this.#check(this.#volume, this.#now());
    this.#volume.close();
    for (const [number, state] of this.#forks) {
      const fork = this.#open(false, number);
      this.#check(fork, state);
      // A fork is a volume like any other: what it writes stays its own.
      fork.changePage(3, 1, false).fill(99);
      fork.endOperation();
      fork.close();
    }
    const again = this.#open(false);
    this.#check(again, this.#now());
    again.close();
  }

  #step(step: Command): void {
    switch (step.kind) {
      case 'write':
        return this.#write(step.pages);
      case 'drop':
        this.#volume.drop(step.file, step.from, step.from + step.count);
        return this.#operationDone(key => inRange(key, step.file, step.from, step.count));
      case 'delete':
        this.#volume.dropFile(step.file);
        return this.#operationDone(key => inRange(key, step.file, 0, Infinity));
      case 'barrier':
        this.#volume.barrier();
        return this.#durable(this.#now());
      case 'checkpoint':
        this.#volume.checkpoint();
        return this.#durable(this.#now());
      case 'idle':
        return this.#volume.onIdle();
      case 'fork':
        return this.#fork();
      case 'close':
        this.#volume.close();
        this.#volume = this.#open(false);
        return this.#durable(this.#now());
      case 'kill':
        return this.#reopen(() => this.#zone.kill());
      case 'crash':
        return this.#reopen(() => this.#zone.crash(seeded(step.seed)));
    }
  }

  #write(pages: {file: number; page: number}[]): void {
    const next = new Map(this.#now());
    for (const {file, page} of pages) {
      const stamp = ++this.#stamp % 251;
      this.#volume.changePage(file, page, false).fill(stamp);
      next.set(`${file}:${page}`, stamp);
    }
    this.#volume.endOperation();
    this.#states.push(next);
  }

  #operationDone(gone: (key: string) => boolean): void {
    this.#volume.endOperation();
    this.#states.push(new Map([...this.#now()].filter(([key]) => !gone(key))));
  }

  #fork(): void {
    const number = this.#nextFork++;
    const report = this.#volume.fork(number as VolumeNumber);
    expect(report.bytesCopied).toBe(0);
    this.#forks.set(number, this.#now());
    this.#durable(this.#now());
  }

  #reopen(die: () => void): void {
    die();
    this.#volume = this.#open(false);
    const found = this.#states.filter(state => matches(this.#volume, state)).at(-1);
    expect(found, 'the volume is what it was after some operation').toBeDefined();
    this.#durable(found as State);
  }

  #open(create: boolean, number = 1): Volume {
    return openVolumeIn({
      zone: this.#zone,
      volume: number as VolumeNumber,
      create,
      nodeCacheBytes: 0,
      segmentBytes: 3 * 2 ** 20,
    });
  }

  #now(): State {
    return this.#states.at(-1) as State;
  }

  #durable(state: State): void {
    this.#states = [state];
  }

  #check(volume: Volume, state: State): void {
    expect(read(volume)).toEqual(state);
  }
}

function read(volume: Volume): State {
  const found = new Map<string, number>();
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES * 3);
  for (const file of FILES) {
    for (const page of PAGES) {
      volume.readPages(file, page, 1, bytes, PAGE_SIZE_BYTES);
      const stamp = bytes.readUInt8(PAGE_SIZE_BYTES);
      expect(bytes.readUInt8(2 * PAGE_SIZE_BYTES - 1)).toBe(stamp);
      if (volume.isAllocated(file, page)) found.set(`${file}:${page}`, stamp);
      else expect(stamp).toBe(0);
    }
  }
  return found;
}

function matches(volume: Volume, state: State): boolean {
  const found = read(volume);
  if (found.size !== state.size) return false;
  return [...state].every(([key, stamp]) => found.get(key) === stamp);
}

function inRange(key: string, file: number, from: number, count: number): boolean {
  const [keyFile, keyPage] = key.split(':').map(Number) as [number, number];
  return keyFile === file && keyPage >= from && keyPage < from + count;
}

test('a page whose bytes rotted is not handed out: the error names it', () => {
  const zone = new MemoryZone();
  const options = {zone, volume: 1 as VolumeNumber, nodeCacheBytes: 0};
  const volume = openVolumeIn({...options, create: true});
  for (let page = 0; page < 20; page++) volume.changePage(5, page, false).fill(page + 1);
  volume.endOperation();
  volume.checkpoint();
  const into = Buffer.alloc(20 * PAGE_SIZE_BYTES);
  volume.readPages(5, 0, 20, into, 0);
  zone.corrupt(1 as VolumeNumber, 1 as SegmentNumber, 512 + 512 + 7 * PAGE_SIZE_BYTES + 100);
  expect(() => volume.readPages(5, 0, 20, into, 0)).toThrow(
    /page 7 of file 5 in volume 1.*\(zone memory\)/,
  );
  volume.readPages(5, 8, 12, into, 0);
  expect(into.readUInt8(0)).toBe(9);
});

test('a volume that is open cannot be opened a second time', () => {
  const zone = new MemoryZone();
  const options = {zone, volume: 1 as VolumeNumber, nodeCacheBytes: 0};
  openVolumeIn({...options, create: true});
  expect(() => openVolumeIn({...options, create: false})).toThrow(/is open/);
});

test('what a fenced-off writer appends never shows, whatever the writer after it did', () => {
  const options = {volume: 1 as VolumeNumber, nodeCacheBytes: 0, segmentBytes: 3 * 2 ** 20};
  const write = (volume: Volume, page: number, stamp: number): void => {
    volume.changePage(5, page, false).fill(stamp);
    volume.endOperation();
  };
  for (const after of ['nothing', 'a write', 'a close'] as const) {
    const zone = new MemoryZone();
    const stale = openVolumeIn({...options, zone, create: true});
    write(stale, 0, 1);
    stale.barrier();
    zone.kill();
    const next = openVolumeIn({...options, zone, create: false});
    for (const page of [1, 2]) {
      write(stale, page, 66);
      stale.flush();
    }
    if (after === 'a close') {
      next.close();
    } else {
      expect(() => stale.barrier()).toThrow(/another writer/);
    }
    zone.kill();
    let again = openVolumeIn({...options, zone, create: false});
    if (after === 'a write') {
      write(again, 3, 3);
      again.barrier();
      zone.crash(seeded(1));
      again = openVolumeIn({...options, zone, create: false});
    }
    const pages = [0, 1, 2, 3, 100, 499].filter(page => again.isAllocated(5, page));
    expect(pages).toEqual(after === 'a write' ? [0, 3] : [0]);
  }
});

test('the log goes on behind a segment that a fenced-off writer created late', () => {
  const zone = new MemoryZone();
  const options = {zone, volume: 1 as VolumeNumber, nodeCacheBytes: 0, segmentBytes: 3 * 2 ** 20};
  const write = (volume: Volume, from: number, to: number): void => {
    for (let page = from; page < to; page++) {
      volume.changePage(5, page, false).fill(1);
      volume.endOperation();
    }
  };
  const stale = openVolumeIn({...options, create: true});
  write(stale, 0, 1);
  stale.barrier();
  zone.kill();
  const second = openVolumeIn({...options, create: false});
  write(second, 1, 2);
  // It creates segment 2, and dies before there is anything in it.
  zone.faults.arm('end', 1);
  expect(() => second.barrier()).toThrow(ProcessEnded);
  zone.faults.restart();
  zone.kill();
  const third = openVolumeIn({...options, create: false});
  const isThere = third.isAllocated(5, 1);
  expect(() => write(stale, 100, 700)).toThrow(/another writer/);
  // It had looked at the record just before the third one took over, and creates a segment now.
  const late = zone.createSegment(1 as VolumeNumber, 2 as SegmentNumber);
  const header = {volume: 1 as VolumeNumber, segment: 2 as SegmentNumber, epoch: 1};
  late.write([encodeSegmentHeader({...header, startLsn: 7 as Lsn})], 0);
  late.sync();
  write(third, 2, 3);
  third.barrier();
  expect(zone.listSegments(1 as VolumeNumber).map(({segment}) => segment)).toEqual([1, 2, 3]);
  zone.crash(seeded(1));
  const fourth = openVolumeIn({...options, create: false});
  const pages = [0, 1, 2, 100, 499].filter(page => fourth.isAllocated(5, page));
  expect(pages).toEqual(isThere ? [0, 1, 2] : [0, 2]);
});

test('a batch of a clone that was written behind the end of its source is not taken for the next one', () => {
  const zone = new MemoryZone();
  const source = 1 as VolumeNumber;
  const clone = 2 as VolumeNumber;
  const options = {zone, nodeCacheBytes: 0};
  const volume = openVolumeIn({...options, volume: source, create: true});
  volume.changePage(5, 0, false).fill(1);
  volume.endOperation();
  volume.fork(clone);
  // Both are in epoch 1 and go on from the same LSN.
  const other = openVolumeIn({...options, volume: clone, create: false});
  other.changePage(5, 1, false).fill(2);
  other.endOperation();
  other.barrier();
  const segment = 1 as SegmentNumber;
  const batch = zone.bytesOf(clone, segment).subarray(512);
  const file = zone.openSegment(source, segment);
  file.write([batch], zone.bytesOf(source, segment).length);
  file.sync();
  zone.kill();
  const again = openVolumeIn({...options, volume: source, create: false});
  expect([0, 1].filter(page => again.isAllocated(5, page))).toEqual([0]);
});

test('a rotten header of a batch that was durable is corruption, not the end of the log', () => {
  const zone = new MemoryZone();
  const options = {zone, volume: 1 as VolumeNumber, nodeCacheBytes: 0};
  const volume = openVolumeIn({...options, create: true});
  for (let page = 0; page < 5; page++) {
    volume.changePage(5, page, false).fill(page + 1);
    volume.endOperation();
    volume.barrier();
  }
  zone.kill();
  // The third batch: each is one sector of header and one page.
  const header = 512 + 2 * (512 + PAGE_SIZE_BYTES);
  zone.corrupt(1 as VolumeNumber, 1 as SegmentNumber, header + 40);
  expect(() => openVolumeIn({...options, create: false})).toThrow(/LSN 2 .* LSN 4 was durable/);
});

test('a read after one that failed gives its own bytes', () => {
  const zone = new MemoryZone();
  const options = {zone, volume: 1 as VolumeNumber, nodeCacheBytes: 0};
  let volume = openVolumeIn({...options, create: true});
  for (let page = 500; page < 520; page++) volume.changePage(5, page, false).fill(0x55);
  volume.changePage(7, 1, false).fill(0x77);
  volume.endOperation();
  volume.close();
  volume = openVolumeIn({...options, create: false});
  const into = Buffer.alloc(30 * PAGE_SIZE_BYTES);
  const end = zone.listSegments(1 as VolumeNumber)[0]?.bytesOnDisk ?? 0;
  // Some node of file 5 is among the last pages that the checkpoint wrote.
  for (let at = end - 1; at > end - 6 * PAGE_SIZE_BYTES; at -= PAGE_SIZE_BYTES) {
    zone.corrupt(1 as VolumeNumber, 1 as SegmentNumber, at);
    try {
      volume.readPages(5, 500, 20, into, 0);
    } catch (error) {
      expect(String(error)).toMatch(/checksum/);
    }
    zone.corrupt(1 as VolumeNumber, 1 as SegmentNumber, at);
    volume.readPages(7, 1, 1, into, 0);
    expect(into.readUInt8(0)).toBe(0x77);
  }
});

test('a limit of memory holds for reads of a large sparse file', () => {
  const zone = new MemoryZone();
  const options = {zone, volume: 1 as VolumeNumber, nodeCacheBytes: 2 ** 20};
  const volume = openVolumeIn({...options, create: true});
  for (let index = 0; index < 2000; index++) {
    volume.changePage(5, index * 100_000, false).fill(1);
    volume.endOperation();
  }
  volume.checkpoint();
  const into = Buffer.alloc(PAGE_SIZE_BYTES);
  for (let index = 0; index < 2000; index++) volume.readPages(5, index * 100_000, 1, into, 0);
  // 128 nodes of 8 KiB and what one read loads on top.
  expect(volume.statistics().nodesLoaded).toBeLessThanOrEqual(128 + 8);
  expect(volume.nextPage(5, 1, 2 ** 33, true)).toBe(100_000);
  expect(volume.nextPage(5, 1999 * 100_000, 2 ** 33, false)).toBe(1999 * 100_000 + 1);
  expect(volume.nextPage(5, 1999 * 100_000 + 1, 2 ** 33, true)).toBe(2 ** 33);
});
