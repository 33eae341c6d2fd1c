import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {seeded} from '../page-store/testing/zone-faults.ts';
import {openVolumeIn} from '../volume/open-volume.ts';
import type {Volume} from '../volume/volume.ts';
import {listing, operate, outcomeOf, OWNER, type FileOperation} from './testing/file-operations.ts';
import {ModelFs} from './testing/model-fs.ts';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  ROOT_INO,
  S_IFREG,
  type FileSystem,
} from './types.ts';
import {formatVolumeFs} from './format-volume-fs.ts';
import {openVolumeFs} from './volume-fs.ts';

const NAMES = ['a', 'b', 'long-'.repeat(40), '\xff\x01'];
const path = fc.record({
  directory: fc.constantFrom('/', '/d', '/d/e'),
  name: fc.oneof(fc.constantFrom(...NAMES), fc.constantFrom('d', 'e')),
});
const offset = fc.oneof(fc.constantFrom(0, 1, 8191, 8192, 8193, 4_194_304), fc.nat(40_000));
const length = fc.oneof(fc.constantFrom(1, 512, 8192, 16_384), fc.nat({max: 20_000}));

type Command =
  | FileOperation
  | {kind: 'barrier' | 'checkpoint' | 'reopen' | 'fork'}
  | {kind: 'crash'; seed: number};

const one = (kind: 'create' | 'mkdir' | 'symlink' | 'unlink' | 'rmdir'): fc.Arbitrary<Command> =>
  fc.record({kind: fc.constant(kind), at: path});
const two = (kind: 'link' | 'rename'): fc.Arbitrary<Command> =>
  fc.record({
    kind: fc.constant(kind),
    from: path,
    to: path,
    flags: fc.constantFrom(0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE),
  });
const command: fc.Arbitrary<Command> = fc.oneof(
  {weight: 5, arbitrary: one('create')},
  {weight: 4, arbitrary: one('mkdir')},
  {weight: 1, arbitrary: one('symlink')},
  {weight: 3, arbitrary: one('unlink')},
  {weight: 2, arbitrary: one('rmdir')},
  {
    weight: 8,
    arbitrary: fc.record({kind: fc.constant('write' as const), at: path, offset, length}),
  },
  {
    weight: 3,
    arbitrary: fc.record({kind: fc.constant('truncate' as const), at: path, size: offset}),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('allocate' as const),
      at: path,
      mode: fc.constantFrom(
        0,
        FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
        FALLOC_FL_ZERO_RANGE,
      ),
      offset,
      length,
    }),
  },
  {weight: 2, arbitrary: two('link')},
  {weight: 5, arbitrary: two('rename')},
  {weight: 2, arbitrary: fc.constant<Command>({kind: 'barrier'})},
  {weight: 1, arbitrary: fc.constant<Command>({kind: 'checkpoint'})},
  {weight: 1, arbitrary: fc.constant<Command>({kind: 'reopen'})},
  {weight: 1, arbitrary: fc.constant<Command>({kind: 'fork'})},
  {weight: 2, arbitrary: fc.record({kind: fc.constant('crash' as const), seed: fc.nat()})},
);

test('a volume file system does what a naive one does, and after a crash is what it was after some operation since the last barrier', () => {
  fc.assert(
    fc.property(fc.array(command, {minLength: 15, maxLength: 60}), commands => {
      new Pair().run(commands);
    }),
    {numRuns: 300},
  );
});

class Pair {
  readonly #zone = new MemoryZone();
  #volume: Volume;
  #real: FileSystem;
  #model = new ModelFs();
  #past: ModelFs[] = [];
  readonly #forks: {number: number; listing: string}[] = [];
  #stamp = 0;

  constructor() {
    this.#volume = this.#open(1, true);
    formatVolumeFs(this.#volume);
    this.#real = openVolumeFs(this.#volume);
    this.#durable();
  }

  run(commands: readonly Command[]): void {
    for (const step of commands) {
      this.#step(step);
      expect(listing(this.#real)).toBe(this.#model.listing());
    }
    this.#volume.close();
    for (const {number, listing: expected} of this.#forks) {
      const fork = this.#open(number, false);
      expect(listing(openVolumeFs(fork))).toBe(expected);
      fork.close();
    }
  }

  #step(step: Command): void {
    switch (step.kind) {
      case 'barrier':
        this.#volume.barrier();
        return this.#durable();
      case 'checkpoint':
        this.#volume.checkpoint();
        return this.#durable();
      case 'reopen':
        this.#volume.close();
        return this.#reopen();
      case 'fork': {
        const number = 2 + this.#forks.length;
        this.#volume.fork(number as VolumeNumber);
        this.#forks.push({number, listing: this.#model.listing()});
        return this.#durable();
      }
      case 'crash':
        this.#zone.crash(seeded(step.seed));
        return this.#reopen();
      default:
        return this.#operate(step);
    }
  }

  /** Runs the operation on both and expects the same outcome: done, or the same errno. */
  #operate(step: FileOperation): void {
    const stamp = ++this.#stamp % 255;
    const outcome = outcomeOf(() => operate(this.#real, step, stamp));
    const next = this.#model.clone();
    expect(`${step.kind} ${outcome}`).toBe(
      `${step.kind} ${outcomeOf(() => operate(next, step, stamp))}`,
    );
    if (outcome !== 'done') return;
    this.#model = next;
    this.#past.push(next);
  }

  #reopen(): void {
    this.#volume = this.#open(1, false);
    this.#real = openVolumeFs(this.#volume);
    const found = listing(this.#real);
    const state = this.#past.findLast(past => past.listing() === found);
    expect(state, 'it is what it was after some operation').toBeDefined();
    this.#model = state as ModelFs;
    // Opening removes orphans, which is an operation of its own.
    this.#volume.barrier();
    this.#durable();
  }

  #durable(): void {
    this.#past = [this.#model];
  }

  #open(number: number, create: boolean): Volume {
    const volume = number as VolumeNumber;
    return openVolumeIn({zone: this.#zone, volume, create, nodeCacheBytes: 0});
  }
}

test('a file that lost its last name lives while it is referenced, and is gone after a crash', () => {
  const zone = new MemoryZone();
  const open = (create: boolean): Volume =>
    openVolumeIn({zone, volume: 1 as VolumeNumber, create, nodeCacheBytes: 0});
  let volume = open(true);
  formatVolumeFs(volume);
  let fs = openVolumeFs(volume);
  const {ino} = fs.makeNode(ROOT_INO, 'held', S_IFREG | 0o600, 0, OWNER);
  const dropped = fs.makeNode(ROOT_INO, 'dropped', S_IFREG | 0o600, 0, OWNER).ino;
  for (const each of [ino, dropped]) {
    fs.retain(each);
    fs.write(each, 0, Buffer.alloc(20_000, 7));
  }
  fs.unlink(ROOT_INO, 'held');
  fs.unlink(ROOT_INO, 'dropped');
  const into = Buffer.alloc(20_000);
  expect(fs.read(ino, 0, into)).toBe(20_000);
  fs.release(dropped, 1);
  expect(() => fs.attributes(dropped)).toThrow(/ESTALE/);
  volume.barrier();
  zone.crash(() => 0);
  volume = open(false);
  fs = openVolumeFs(volume);
  expect(() => fs.attributes(ino)).toThrow(/ESTALE/);
  expect(volume.isAllocated(ino, 0)).toBe(false);
  const next = fs.makeNode(ROOT_INO, 'next', S_IFREG | 0o600, 0, OWNER);
  expect([ino, dropped]).toContain(next.ino);
});

test('100,000 names in one directory are found, listed once each and removed', () => {
  const zone = new MemoryZone();
  const volume = openVolumeIn({zone, volume: 1 as VolumeNumber, create: true, nodeCacheBytes: 0});
  formatVolumeFs(volume);
  const fs = openVolumeFs(volume);
  const count = 100_000;
  for (let index = 0; index < count; index++) {
    fs.makeNode(ROOT_INO, `name-${index}`, S_IFREG | 0o600, 0, OWNER);
  }
  const seen = new Set<string>();
  let cookie = 2;
  for (let more = true; more;) {
    more = false;
    fs.readDirectory(ROOT_INO, cookie, entry => {
      seen.add(entry.name);
      cookie = entry.nextCookie;
      more = true;
      return seen.size % 1000 !== 0;
    });
  }
  expect(seen.size).toBe(count);
  for (let index = 0; index < count; index += 2) fs.unlink(ROOT_INO, `name-${index}`);
  expect(() => fs.lookup(ROOT_INO, 'name-0')).toThrow(/ENOENT/);
  expect(fs.lookup(ROOT_INO, 'name-99999').nlink).toBe(1);
});

test('a rename that cannot read its target is not half done', () => {
  const zone = new MemoryZone();
  const open = (create: boolean): Volume =>
    openVolumeIn({zone, volume: 1 as VolumeNumber, create, nodeCacheBytes: 0});
  let volume = open(true);
  formatVolumeFs(volume);
  let fs = openVolumeFs(volume);
  const to = fs.makeDirectory(ROOT_INO, 'to', 0o700, OWNER).ino;
  fs.makeNode(to, 'there', S_IFREG | 0o600, 0, OWNER);
  fs.makeNode(ROOT_INO, 'moving', S_IFREG | 0o600, 0, OWNER);
  volume.close();
  volume = open(false);
  fs = openVolumeFs(volume);
  fs.lookup(to, 'there');
  // The directory's one page: its entry's name is in the log once.
  const segment = 1 as SegmentNumber;
  const file = zone.openSegment(1 as VolumeNumber, segment);
  const log = Buffer.alloc(2 ** 20);
  file.read(0, log, 0, log.length);
  zone.corrupt(1 as VolumeNumber, segment, log.indexOf('there'));
  expect(() => fs.rename(ROOT_INO, 'moving', to, 'moved', 0)).toThrow(/checksum/);
  expect(() => volume.barrier()).toThrow(/must be opened again/);
  volume.close();
  zone.corrupt(1 as VolumeNumber, segment, log.indexOf('there'));
  fs = openVolumeFs(open(false));
  expect(fs.lookup(ROOT_INO, 'moving').nlink).toBe(1);
  expect(() => fs.lookup(to, 'moved')).toThrow(/ENOENT/);
});
