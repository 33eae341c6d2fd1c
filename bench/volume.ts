/**
 * The volume layer on a zone that is a directory, against one file of the host's file system with the
 * same pages: reads with and without the page cache, writes with barriers, and what a clone is made of.
 * Both sides take turns; each ratio is of the medians.
 */
import fs from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {SeededRandom} from '../src/base/testing/seeded-random.ts';
import {PAGE_SIZE_BYTES} from '../src/volume/pointer.ts';
import {
  atLeast,
  atMost,
  median,
  reported,
  type BenchOptions,
  type Metric,
  type Report,
} from './report.ts';
import {HostSide, VolumeSide, type Side} from './volume-sides.ts';

const MIB = 2 ** 20;
const SIZE_MIB = 128;
const ROUNDS = 5;
const SEED = 20_260_101;
/** All zones lie on one disk here, so three of them write three times as much to it. */
const ZONE_COUNTS = [1, 3] as const;
/** 1 MiB: what the kernel sends at once. */
const CHUNK_PAGES = MIB / PAGE_SIZE_BYTES;
const COMMITS = 200;
const GROUPS = 20;
const GROUP_PAGES = 64;
const CACHED_READS = 5000;
const UNCACHED_READS = 1000;
const COPIES = 5;
/** Each page is summed, and read alone where its neighbours are dead. */
const SCRUB_RATIO_MIN = 0.1;
/** A fork costs the same whatever the size; 128 MiB are copied in about a tenth of a second. */
const FORK_RATIO_MAX = 0.2;

type Work = {
  readonly name: string;
  readonly unit: string;
  /** Of the volume's rate to the host's, at least, with so many zones. */
  readonly ratioMin: Readonly<Record<(typeof ZONE_COUNTS)[number], number>>;
  /** How much was done, in `unit` times seconds. */
  run(side: Side, pages: number, random: SeededRandom): number;
  /** Before the time is taken. */
  prepare?(side: Side, pages: number): unknown;
};

const WORK: readonly Work[] = [
  {
    name: 'sequential write, barrier each MiB',
    unit: 'MiB/s',
    // The host overwrites in place; a log takes new space, and each page is copied and summed.
    ratioMin: {1: 0.3, 3: 0.08},
    run: (side, pages, random) => {
      for (let page = 0; page < pages; page += CHUNK_PAGES) {
        side.write(page, data(CHUNK_PAGES, random));
        side.barrier();
      }
      return (pages * PAGE_SIZE_BYTES) / MIB;
    },
  },
  {
    name: 'random page write, barrier after each',
    unit: 'pages/s',
    ratioMin: {1: 0.7, 3: 0.2},
    run: (side, pages, random) => {
      for (let count = 0; count < COMMITS; count++) {
        side.write(random.below(pages), data(1, random));
        side.barrier();
      }
      return COMMITS;
    },
  },
  {
    name: `random page write, barrier each ${GROUP_PAGES}`,
    unit: 'pages/s',
    ratioMin: {1: 0.7, 3: 0.2},
    run: (side, pages, random) => {
      for (let group = 0; group < GROUPS; group++) {
        for (let count = 0; count < GROUP_PAGES; count++) {
          side.write(random.below(pages), data(1, random));
        }
        side.barrier();
      }
      return GROUPS * GROUP_PAGES;
    },
  },
  {
    name: 'random page read, cached',
    unit: 'pages/s',
    ratioMin: {1: 0.25, 3: 0.03},
    prepare: (side, pages) => readAll(side, pages),
    run: (side, pages, random) => readRandom(side, pages, random, CACHED_READS),
  },
  {
    name: 'random page read, not cached',
    unit: 'pages/s',
    ratioMin: {1: 0.7, 3: 0.3},
    prepare: side => side.dropCache(),
    run: (side, pages, random) => readRandom(side, pages, random, UNCACHED_READS),
  },
  {
    name: 'all pages read and verified, not cached',
    unit: 'MiB/s',
    // Behind random writes a file's pages lie apart in the log.
    ratioMin: {1: 0.08, 3: 0.1},
    prepare: side => side.dropCache(),
    run: (side, pages) => readAll(side, pages),
  },
];

export async function benchVolume(options: BenchOptions): Promise<Report> {
  const sizeMib = options.scale ?? SIZE_MIB;
  const metrics: Metric[] = [];
  for (const zones of ZONE_COUNTS) {
    const directory = fs.mkdtempSync(join(tmpdir(), 'borealis-bench-volume-'));
    try {
      metrics.push(...measureZones(directory, zones, sizeMib, options));
    } finally {
      fs.rmSync(directory, {recursive: true});
    }
  }
  return Promise.resolve({name: 'volume', metrics});
}

function measureZones(
  directory: string,
  zones: (typeof ZONE_COUNTS)[number],
  sizeMib: number,
  options: BenchOptions,
): Metric[] {
  const directories = Array.from({length: zones}, (_, index) => join(directory, `zone-${index}`));
  for (const zone of directories) fs.mkdirSync(zone);
  const pages = (sizeMib * MIB) / PAGE_SIZE_BYTES;
  const rounds = options.rounds ?? ROUNDS;
  const volume = new VolumeSide(directories);
  const host = new HostSide(directory);
  const label = zones === 1 ? '' : `${zones} zones: `;
  fillBoth([volume, host], pages);
  try {
    const rates = WORK.flatMap(work => {
      const results = inTurn(rounds, volume, host, (side, round) => {
        work.prepare?.(side, pages);
        const random = new SeededRandom(SEED + round);
        const start = performance.now();
        const amount = work.run(side, pages, random);
        return amount / ((performance.now() - start) / 1000);
      });
      const {volume: own, host: peer} = results;
      options.log(`${label}${work.name}: ${own.toFixed(0)}, host ${peer.toFixed(0)} ${work.unit}`);
      const name = `${label}${work.name}`;
      const least = work.ratioMin[zones];
      const ratio = atLeast(`  ${name}, volume / host`, own / peer, 'ratio', least);
      return [reported(name, own, work.unit), reported('  host', peer, work.unit), ratio];
    });
    const scrubbed = scrubMetrics(label, volume, host, pages, rounds);
    return [...rates, ...scrubbed, ...copyMetrics(label, volume, host, rounds)];
  } finally {
    volume.close();
    host.close();
  }
}

/** A scrub, which reads each zone from front to back, against reading the file as often: neither cached. */
function scrubMetrics(
  label: string,
  volume: VolumeSide,
  host: HostSide,
  pages: number,
  rounds: number,
): Metric[] {
  const rates = inTurn(rounds, volume, host, side => {
    side.dropCache();
    const start = performance.now();
    const mib = side === volume ? volume.scrub() / MIB : readAll(side, pages);
    return mib / ((performance.now() - start) / 1000);
  });
  return [
    reported(`${label}scrub`, rates.volume, 'MiB/s'),
    reported('  host: reading the file', rates.host, 'MiB/s'),
    atLeast(`  ${label}scrub / reading`, rates.volume / rates.host, 'ratio', SCRUB_RATIO_MIN),
  ];
}

/** Fork against a copy; sweep against unlink; and the opening, which has no peer. */
function copyMetrics(label: string, volume: VolumeSide, host: HostSide, rounds: number): Metric[] {
  // What the writes before have left behind.
  const freed = {bytes: 0, ms: 0};
  freed.ms = milliseconds(() => (freed.bytes = volume.sweep()));
  const copy = inTurn(rounds, volume, host, (side, round) => {
    side.write(round, data(1, new SeededRandom(SEED + round)));
    return milliseconds(() => side.copy());
  });
  const remove = inTurn(rounds, volume, host, side => {
    for (let count = 0; count < COPIES; count++) side.copy();
    return milliseconds(() => side.removeCopies());
  });
  const opens = Array.from({length: rounds}, () => milliseconds(() => volume.reopen()));
  return [
    reported(`${label}fork`, copy.volume, 'ms'),
    reported('  host: copy of the file', copy.host, 'ms'),
    atMost(`  ${label}fork / copy of the file`, copy.volume / copy.host, 'ratio', FORK_RATIO_MAX),
    reported(`${label}sweep of overwritten pages`, freed.bytes / MIB / (freed.ms / 1000), 'MiB/s'),
    reported(`${label}sweep after forks were deleted`, remove.volume, 'ms'),
    reported('  host: unlink of the copies', remove.host, 'ms'),
    reported(`${label}close and open`, median(opens), 'ms'),
  ];
}

/** The median of each side, measured in turn. */
function inTurn(
  rounds: number,
  volume: VolumeSide,
  host: HostSide,
  measure: (side: Side, round: number) => number,
): {volume: number; host: number} {
  const seen = {volume: [] as number[], host: [] as number[]};
  for (let round = 0; round < rounds; round++) {
    seen.volume.push(measure(volume, round));
    seen.host.push(measure(host, round));
  }
  return {volume: median(seen.volume), host: median(seen.host)};
}

function fillBoth(sides: readonly Side[], pages: number): void {
  const random = new SeededRandom(SEED);
  for (let page = 0; page < pages; page += CHUNK_PAGES) {
    const chunk = data(CHUNK_PAGES, random);
    for (const side of sides) side.write(page, chunk);
  }
  for (const side of sides) side.barrier();
}

/** Returns MiB. */
function readAll(side: Side, pages: number): number {
  const into = Buffer.alloc(CHUNK_PAGES * PAGE_SIZE_BYTES);
  for (let page = 0; page < pages; page += CHUNK_PAGES) side.read(page, into);
  return (pages * PAGE_SIZE_BYTES) / MIB;
}

function readRandom(side: Side, pages: number, random: SeededRandom, count: number): number {
  const into = Buffer.alloc(PAGE_SIZE_BYTES);
  for (let done = 0; done < count; done++) side.read(random.below(pages), into);
  return count;
}

function data(pages: number, random: SeededRandom): Buffer {
  return Buffer.alloc(pages * PAGE_SIZE_BYTES, 1 + random.below(255));
}

function milliseconds(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
