/**
 * What the past of a volume costs while TPC-B runs on it (`--seconds`, ten minutes by default): bytes that only its
 * history keeps, for each byte of the distinct pages that were written, WAL included; transactions
 * a second with history and without; and how long a fork of a past moment takes.
 */
import {systemClock} from '../src/base/clock.ts';
import {
  createInstanceBench,
  GOLDEN_VOLUME,
  volumeNumber,
} from '../src/instance/testing/instance-bench.ts';
import {openDirectoryZone} from '../src/page-store/directory-zone.ts';
import type {Zone} from '../src/page-store/zone.ts';
import {decodeHeader} from '../src/volume/batch.ts';
import {Census} from '../src/volume/census.ts';
import {forkIdleVolume} from '../src/volume/idle-volume.ts';
import {PAGE_SIZE_BYTES} from '../src/volume/pointer.ts';
import {readRoots} from '../src/volume/root-snapshot.ts';
import {SEGMENT_HEADER_BYTES} from '../src/volume/segment-header.ts';
import {loadTpcB, tpcB, type Target} from './pgbench.ts';
import {atLeast, atMost, median, reported, type BenchOptions, type Report} from './report.ts';

const HISTORY_RATIO_MAX = 3;
const TPS_RATIO_MIN = 0.9;
const DAY_SECONDS = 86_400;
const CLIENTS = 4;
const FORKS = 20;
const CLUSTER = volumeNumber(2);
const MIB = 2 ** 20;

export async function benchHistory(options: BenchOptions): Promise<Report> {
  const bench = await createInstanceBench();
  try {
    const golden = await bench.start(GOLDEN_VOLUME, {role: 'golden', port: 0});
    await golden.instance.exited;
    const zone = openDirectoryZone('az1', bench.config.zones[0]?.directory ?? '');
    const keep = {retentionSeconds: DAY_SECONDS};
    forkIdleVolume({zone, volume: GOLDEN_VOLUME, nodeCacheBytes: MIB}, CLUSTER, keep);
    const running = await bench.start(CLUSTER, {firstStart: true});
    const {instance} = running;
    const target: Target = {
      ...{host: '127.0.0.1', port: running.ready.port, database: 'postgres'},
      ...{user: 'admin1', password: 'correct-horse'},
    };
    const loadS = await loadTpcB(target, options.scale ?? 30);
    options.log(`loaded in ${loadS.toFixed(0)} s`);
    const {lsn: begin} = await instance.request('checkpoint', {});
    const before = historyBytes(zone);
    const beginMs = systemClock.nowMs();
    const seconds = options.seconds ?? 600;
    const load = {clients: CLIENTS, readOnly: false, seconds};
    const tps = await tpcB(target, load);
    await instance.request('checkpoint', {});
    const endMs = systemClock.nowMs();
    const kept = historyBytes(zone) - before;
    const written = pagesWritten(zone, begin);
    options.log(`${(kept / MIB).toFixed(0)} MiB of history`);

    const forkMs: number[] = [];
    for (let fork = 0; fork < FORKS; fork++) {
      const atMs = beginMs + ((endMs - beginMs) * (fork + 1)) / (FORKS + 1);
      const {durationMs} = await instance.request('fork', {child: volumeNumber(3 + fork), atMs});
      forkMs.push(durationMs);
    }
    const startMs = systemClock.monotonicMs();
    const past = await bench.start(volumeNumber(3 + FORKS / 2), {firstStart: true});
    const [row] = await bench.query(past, 'SELECT count(*) AS n FROM pgbench_history');
    const firstQueryMs = systemClock.monotonicMs() - startMs;
    options.log(`a fork of the past has ${String(row?.['n'])} of its transactions`);
    past.instance.kill();
    await past.instance.exited;

    const sides = new Map<number, number[]>([
      [DAY_SECONDS, []],
      [0, []],
    ]);
    const round = {...load, seconds: Math.min(20, seconds)};
    for (let turn = 0; turn < 2 * (options.rounds ?? 3); turn++) {
      const side = turn % 2 === 0 ? 0 : DAY_SECONDS;
      await instance.request('setRetention', {seconds: side});
      sides.get(side)?.push(await tpcB(target, round));
    }
    const ratio = median(sides.get(DAY_SECONDS) ?? []) / median(sides.get(0) ?? []);
    const bytes = (pages: number): number => (pages * PAGE_SIZE_BYTES) / MIB;
    return {
      name: 'history',
      metrics: [
        atMost(
          'history / distinct pages written',
          kept / MIB / bytes(written.distinct),
          'ratio',
          HISTORY_RATIO_MAX,
        ),
        reported('history', kept / MIB, 'MiB'),
        reported('distinct pages written', bytes(written.distinct), 'MiB'),
        reported('distinct pages written, each second', bytes(written.distinctBySecond), 'MiB'),
        reported('pages written', bytes(written.pages), 'MiB'),
        reported('page-table nodes written', bytes(written.nodes), 'MiB'),
        reported('load', tps, 'tps'),
        atLeast('tps with history / without', ratio, 'ratio', TPS_RATIO_MIN),
        reported('fork of a past moment, median', median(forkMs), 'ms'),
        reported('fork of a past moment, longest', Math.max(...forkMs), 'ms'),
        reported('start of its engine to first query', firstQueryMs, 'ms'),
      ],
    };
  } finally {
    await bench.end();
  }
}

function historyBytes(zone: Zone): number {
  const records = readRoots(zone);
  const {shares} = new Census(zone).count(records);
  const share = shares[records.findIndex(({volume}) => volume === CLUSTER)];
  return ((share?.historyPages ?? 0) + (share?.historyNodes ?? 0)) * PAGE_SIZE_BYTES;
}

type Written = {pages: number; nodes: number; distinct: number; distinctBySecond: number};

/** What the log of the cluster holds behind LSN `begin`. No sweep has been here. */
function pagesWritten(zone: Zone, begin: number): Written {
  const distinct = new Set<string>();
  const bySecond = new Set<string>();
  let pages = 0;
  let nodes = 0;
  for (const {segment} of zone.listSegments(CLUSTER)) {
    const file = zone.openSegment(CLUSTER, segment);
    const read = (offset: number, length: number): Buffer => {
      const into = Buffer.alloc(length);
      return into.subarray(0, file.read(offset, into, 0, length));
    };
    for (let offset = SEGMENT_HEADER_BYTES; ;) {
      const batch = decodeHeader({volume: CLUSTER, segment, offset}, read);
      if (batch === null) break;
      offset += batch.batchBytes;
      if (batch.lsn <= begin) continue;
      if (batch.nodes) nodes += batch.entries.length;
      else pages += batch.entries.length;
      for (const {file: number, page} of batch.nodes ? [] : batch.entries) {
        distinct.add(`${number}:${page}`);
        bySecond.add(`${number}:${page}:${Math.floor(batch.timestampMs / 1000)}`);
      }
    }
    file.close();
  }
  return {pages, nodes, distinct: distinct.size, distinctBySecond: bySecond.size};
}
