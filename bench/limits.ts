/**
 * What must not grow with the depth of clones, their number, and the size of a volume, on a directory of
 * the host: each figure against the same work on a volume that is not deep, not large, alone. Both sides
 * take turns; each ratio is of the medians.
 */
import {SeededRandom} from '../src/base/testing/seeded-random.ts';
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {PAGE_SIZE_BYTES} from '../src/volume/pointer.ts';
import type {Volume} from '../src/volume/volume.ts';
import {BenchStore} from './bench-store.ts';
import {atMost, median, reported, type BenchOptions, type Metric, type Report} from './report.ts';

const MIB = 2 ** 20;
const TIB = 2 ** 40;
const SEED = 20_260_101;
const FILE = 1;
const FIRST = 1 as VolumeNumber;
const NODE_CACHE_BYTES: number = 64 * MIB;

const ROUNDS = 9;
const DEPTH = 50;
/** So large that opening the fifty more files once, some 0.7 ms each, does not decide. */
const DEEP_MIB = 128;
const CHANGED_PAGES = 30;
const DEEP_RATIO_MAX = 1.1;

const SPARSE_ROUNDS = 41;
const SPARSE_PAGES = (10 * MIB) / PAGE_SIZE_BYTES;
const SPARSE_RATIO_MAX = 1.2;

const CLONES = 1_000;
const CLONED_MIB = 32;
const HUNDRED = 100;
const CLONES_RATIO_MAX = 1.5;
const CLONE_BYTES_MAX = 16 * 2 ** 10;

const SMALL_CACHE_BYTES = MIB;
/** One operation may load a path of nodes before the next trim. */
const CACHE_RATIO_MAX = 1.1;

export function benchLimits(options: BenchOptions): Promise<Report> {
  const parts = [deepClones, sparseVolume, manyClones, pageTableMemory];
  const metrics: Metric[] = [];
  for (const part of parts) {
    const store = new BenchStore();
    try {
      metrics.push(...part(store, options));
    } finally {
      store.remove();
    }
  }
  return Promise.resolve({name: 'limits', metrics});
}

/** All pages in random order, of the first volume and of a clone of a clone … of it. */
function deepClones(store: BenchStore, {rounds, log}: BenchOptions): Metric[] {
  const random = new SeededRandom(SEED);
  const pages = (DEEP_MIB * MIB) / PAGE_SIZE_BYTES;
  fill(store, FIRST, pages, index => index);
  for (let depth = 1; depth <= DEPTH; depth++) {
    const source = store.open(depth as VolumeNumber, NODE_CACHE_BYTES);
    for (let page = 0; page < CHANGED_PAGES; page++) write(source, random.below(pages), depth);
    source.fork((depth + 1) as VolumeNumber);
    source.close();
  }
  const read = (number: VolumeNumber, isCached: boolean) => (round: number) => {
    store.dropCache();
    const volume = store.open(number, NODE_CACHE_BYTES);
    if (isCached) readRandom(volume, pages, SEED + round);
    const ms = milliseconds(() => readRandom(volume, pages, SEED + round));
    volume.close();
    return ms;
  };
  return [false, true].flatMap(isCached => {
    const name = isCached ? 'cached' : 'not cached';
    const deep = read((DEPTH + 1) as VolumeNumber, isCached);
    const [first, last] = inTurn(rounds ?? ROUNDS, read(FIRST, isCached), deep);
    log(`${name}: first ${first.toFixed(1)} ms, ${DEPTH} deep ${last.toFixed(1)} ms`);
    const label = `read of a clone ${DEPTH} deep, ${name}`;
    return [
      reported(label, last, 'ms'),
      reported('  the first volume', first, 'ms'),
      atMost(`  ${label} / first`, last / first, 'ratio', DEEP_RATIO_MAX),
    ];
  });
}

/** As many pages, spread over 10 TiB and in one piece of 10 MiB. */
function sparseVolume(store: BenchStore, {rounds, log}: BenchOptions): Metric[] {
  const small = FIRST;
  const large = 2 as VolumeNumber;
  const stride = (10 * TIB) / PAGE_SIZE_BYTES / SPARSE_PAGES;
  fill(store, small, SPARSE_PAGES, index => index);
  fill(store, large, SPARSE_PAGES, index => index * stride);
  let child: number = large;
  const opening = (number: VolumeNumber) => () => {
    let volume: Volume | null = null;
    const ms = milliseconds(() => (volume = store.open(number, NODE_CACHE_BYTES)));
    (volume as Volume | null)?.close();
    return ms;
  };
  const forking = (number: VolumeNumber) => (round: number) => {
    const volume = store.open(number, NODE_CACHE_BYTES);
    write(volume, 0, round);
    const ms = milliseconds(() => volume.fork(++child as VolumeNumber));
    volume.close();
    return ms;
  };
  const kinds = [
    ['open', opening],
    ['fork', forking],
  ] as const;
  return kinds.flatMap(([name, work]) => {
    const [of10Mib, of10Tib] = inTurn(rounds ?? SPARSE_ROUNDS, work(small), work(large));
    log(`${name}: ${of10Mib.toFixed(2)} ms of 10 MiB, ${of10Tib.toFixed(2)} ms of 10 TiB`);
    const label = `${name} of a sparse volume of 10 TiB`;
    return [
      reported(label, of10Tib, 'ms'),
      reported('  of 10 MiB', of10Mib, 'ms'),
      atMost(`  ${label} / 10 MiB`, of10Tib / of10Mib, 'ratio', SPARSE_RATIO_MAX),
    ];
  });
}

/** A thousand clones of one source: the last hundred against the first, and what they take. */
function manyClones(store: BenchStore, {log}: BenchOptions): Metric[] {
  fill(store, FIRST, (CLONED_MIB * MIB) / PAGE_SIZE_BYTES, index => index);
  const bytesBefore = store.bytesOnDisk();
  const source = store.open(FIRST, NODE_CACHE_BYTES);
  const forks: number[] = [];
  for (let clone = 0; clone < CLONES; clone++) {
    forks.push(milliseconds(() => source.fork((clone + 2) as VolumeNumber)));
  }
  source.close();
  const perClone = (store.bytesOnDisk() - bytesBefore) / CLONES;
  const [first, last] = [median(forks.slice(0, HUNDRED)), median(forks.slice(-HUNDRED))];
  log(`${CLONES} clones: ${first.toFixed(2)} ms at first, ${last.toFixed(2)} ms at last`);
  return [
    reported(`fork, the last ${HUNDRED} of ${CLONES} of one source`, last, 'ms'),
    reported(`  the first ${HUNDRED}`, first, 'ms'),
    atMost(`  last / first`, last / first, 'ratio', CLONES_RATIO_MAX),
    atMost('on disk for each clone', perClone, 'bytes', CLONE_BYTES_MAX),
  ];
}

/** Nodes held while pages all over 10 TiB are written and read, against the setting. */
function pageTableMemory(store: BenchStore): Metric[] {
  const volume = store.create(FIRST, SMALL_CACHE_BYTES);
  const random = new SeededRandom(SEED);
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  let most = 0;
  for (let count = 0; count < SPARSE_PAGES; count++) {
    const page = random.below((10 * TIB) / PAGE_SIZE_BYTES);
    write(volume, page, 1);
    volume.readPages(FILE, page, 1, bytes, 0);
    most = Math.max(most, volume.statistics().nodesLoaded * PAGE_SIZE_BYTES);
  }
  volume.close();
  return [
    reported(`page table in memory, of a setting of ${SMALL_CACHE_BYTES / MIB} MiB`, most, 'bytes'),
    atMost('  held / setting', most / SMALL_CACHE_BYTES, 'ratio', CACHE_RATIO_MAX),
  ];
}

function fill(
  store: BenchStore,
  number: VolumeNumber,
  pages: number,
  place: (index: number) => number,
): void {
  const volume = store.create(number, NODE_CACHE_BYTES);
  for (let index = 0; index < pages; index++) write(volume, place(index), index);
  volume.close();
}

function write(volume: Volume, page: number, stamp: number): void {
  volume.changePage(FILE, page, false).fill(stamp % 251);
  volume.endOperation();
}

function readRandom(volume: Volume, pages: number, seed: number): void {
  const random = new SeededRandom(seed);
  const into = Buffer.alloc(PAGE_SIZE_BYTES);
  for (let count = 0; count < pages; count++) {
    volume.readPages(FILE, random.below(pages), 1, into, 0);
  }
}

/** The medians of both, measured in turn; who begins changes each round. */
function inTurn(
  rounds: number,
  one: (round: number) => number,
  other: (round: number) => number,
): readonly [number, number] {
  const seen = {one: [] as number[], other: [] as number[]};
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) seen.one.push(one(round));
    seen.other.push(other(round));
    if (round % 2 === 1) seen.one.push(one(round));
  }
  return [median(seen.one), median(seen.other)];
}

function milliseconds(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
