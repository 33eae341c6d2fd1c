/** The worker thread of one scrub. It ends with it, and may be ended anywhere. */
import {parentPort, workerData} from 'node:worker_threads';
import {assert} from '../base/assert.ts';
import {every, sleep, systemClock} from '../base/clock.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {openZones} from '../page-store/open-zones.ts';
import type {ZoneEvent} from '../page-store/zone.ts';
import {scrubSteps} from '../volume/scrub.ts';
import type {ScrubReport} from '../volume/scrub-report.ts';
import type {StorageWorkerData} from './storage.ts';
import type {ScrubProgress} from './storage-types.ts';
import {answerCalls} from './worker-calls.ts';

export type ScrubCall = {
  method: 'scrub';
  volumes: readonly VolumeNumber[] | null;
  bytesPerSecond: number | null;
};
export type ScrubWorkerEvent = {
  readonly progress?: ScrubProgress;
  readonly zoneEvent?: ZoneEvent;
};

/** How often a mirror looks after its zones. */
const TICK_MS = 1_000;
const PROGRESS_MS = 250;
/** A timer is not worth less. */
const PAUSE_MS_MIN = 10;
/** Without a limit the thread still has messages to send, and zones to look after. */
const UNPAUSED_MS_MAX = 50;

async function run({volumes, bytesPerSecond}: ScrubCall): Promise<ScrubReport> {
  const config = workerData as StorageWorkerData;
  const zone = openZones(config, {role: 'sweeper', onZoneEvent: zoneEvent => post({zoneEvent})});
  const stopTicks = every(TICK_MS, () => zone.mirror?.tick());
  try {
    const steps = scrubSteps(zone, {
      ...(volumes === null ? {} : {volumes}),
      onDamage: damage =>
        post({zoneEvent: {type: 'damaged', atMs: systemClock.nowMs(), ...damage}}),
    });
    let toldMs = 0;
    let pausedMs = systemClock.monotonicMs();
    let dueMs = pausedMs;
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      const {bytesRead, pauseMs, bytesDone, bytesTotal} = step.value;
      const nowMs = systemClock.monotonicMs();
      if (nowMs - toldMs >= PROGRESS_MS) {
        toldMs = nowMs;
        post({progress: {bytesDone, bytesTotal}});
      }
      const readMs = bytesPerSecond === null ? 0 : (bytesRead / bytesPerSecond) * 1000;
      dueMs = Math.max(dueMs, pausedMs) + readMs + pauseMs;
      const waitMs = dueMs - nowMs;
      if (waitMs < PAUSE_MS_MIN && nowMs - pausedMs < UNPAUSED_MS_MAX) continue;
      await sleep(Math.max(0, waitMs));
      pausedMs = systemClock.monotonicMs();
    }
  } finally {
    // Repairs that are under way are reported before the zones are let go of.
    zone.mirror?.tick();
    stopTicks();
    zone.close();
  }
}

function post(event: ScrubWorkerEvent): void {
  parentPort?.postMessage({event});
}

assert(parentPort !== null, 'this file runs in a worker thread');
answerCalls(parentPort, run);
