/**
 * The worker thread of `openClusterStorage` for what takes as long as the store is large: usage, and
 * the sweep. A sweep pauses between its steps, and in the pauses other calls are answered.
 */
import {parentPort, workerData} from 'node:worker_threads';
import {assert} from '../base/assert.ts';
import {every, sleep} from '../base/clock.ts';
import {changeZones, openZones, type StoreConfig} from '../page-store/open-zones.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {Census} from '../volume/census.ts';
import {PAGE_SIZE_BYTES} from '../volume/pointer.ts';
import {readRoots} from '../volume/root-snapshot.ts';
import {sweepSteps, type SweepReport} from '../volume/sweeper.ts';
import type {StorageWorkerData} from './storage.ts';
import type {StoreUsage, SweepNeed} from './storage-types.ts';
import {answerCalls} from './worker-calls.ts';

export type ReclaimCall =
  | {method: 'sweep' | 'sweepNeed'}
  | {method: 'changeZones'; config: StoreConfig}
  | {method: 'usage'; except: readonly VolumeNumber[]};

/** How often a mirror looks after its zones. */
const TICK_MS = 1_000;
/** What a sweep reads and writes in a second at most: it should not be felt beside a writer. */
const SWEEP_BYTES_PER_SECOND: number = 256 * 2 ** 20;
/** A sweep is due once so much was appended since the last one … */
const GROWTH_BYTES_MIN: number = 32 * 2 ** 20;
/** … and at least this share of what was reachable then. */
const GROWTH_SHARE_MIN: number = 1 / 16;

const zone = openZones(workerData as StorageWorkerData, {
  role: 'sweeper',
  onZoneEvent: event => parentPort?.postMessage({event}),
});
const {mirror} = zone;
if (mirror !== null) every(TICK_MS, () => mirror.tick());
// A lost node must not hide what all else takes; a sweep stops at it by itself.
const census = new Census(zone, {toleratesLoss: true});
let last: SweepReport | null = null;

function run(call: ReclaimCall): unknown {
  switch (call.method) {
    case 'sweep':
      return sweepSlowly();
    case 'sweepNeed':
      return sweepNeed();
    case 'changeZones':
      changeZones(zone, call.config);
      return null;
    case 'usage':
      return usage(call.except);
  }
}

async function sweepSlowly(): Promise<SweepReport> {
  const steps = sweepSteps(zone, census);
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      last = step.value;
      return step.value;
    }
    await sleep((step.value / SWEEP_BYTES_PER_SECOND) * 1000);
  }
}

function sweepNeed(): SweepNeed {
  const grown = bytesOnDisk() - (last?.bytesOnDisk ?? 0);
  const isDue = grown >= Math.max(GROWTH_BYTES_MIN, (last?.bytesReachable ?? 0) * GROWTH_SHARE_MIN);
  const unsettled = readRoots(zone).filter(
    ({volume, checkpoint}) =>
      zone.listSegments(volume).filter(({segment}) => segment >= checkpoint.segment).length > 1,
  );
  return {isDue, unsettled: unsettled.map(({volume}) => volume)};
}

function usage(except: readonly VolumeNumber[]): StoreUsage {
  const records = readRoots(zone).filter(({volume}) => !except.includes(volume));
  const {shares, live, heldOfRemoved} = census.count(records);
  return {
    bytesOnDisk: bytesOnDisk(),
    bytesReachable: live.total * PAGE_SIZE_BYTES,
    volumes: records.map((record, index) => {
      const share = shares[index];
      assert(share !== undefined, 'every volume was counted');
      return {volume: record.volume, source: record.source?.volume ?? null, ...share};
    }),
    removed: [...heldOfRemoved].map(([volume, holders]) => ({
      volume,
      bytesOnDisk: bytesOf(volume),
      bytesHeld: live.ofVolume(volume) * PAGE_SIZE_BYTES,
      holders: [...holders].map(([holder, units]) => ({
        volume: holder,
        bytes: units * PAGE_SIZE_BYTES,
      })),
    })),
  };
}

function bytesOnDisk(): number {
  return zone.listVolumes().reduce((sum, volume) => sum + bytesOf(volume), 0);
}

function bytesOf(volume: VolumeNumber): number {
  return zone.listSegments(volume).reduce((sum, {bytesOnDisk: bytes}) => sum + bytes, 0);
}

assert(parentPort !== null, 'this file runs in a worker thread');
answerCalls(parentPort, run);
