/** The worker thread of `openClusterStorage` for short calls: runs them one after the other. */
import {parentPort, workerData} from 'node:worker_threads';
import {assert} from '../base/assert.ts';
import {sleep, systemClock} from '../base/clock.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {Mirror} from '../page-store/zone.ts';
import {openZones} from '../page-store/open-zones.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {
  backtrackVolume,
  forkIdleVolume,
  restorableRange,
  setRetention,
  trimHistory,
  type IdleVolumeOptions,
} from '../volume/idle-volume.ts';
import type {StorageCall, StorageWorkerData} from './storage.ts';
import {answerCalls} from './worker-calls.ts';

/** How often a mirror looks after its zones. */
const TICK_MS = 1_000;
/** Time for the zones to answer a step of a catch-up. */
const STEP_MS = 2;

const {zones, nodeCacheBytes} = workerData as StorageWorkerData;
const zone = openZones(
  {zones},
  {role: 'keeper', onZoneEvent: event => parentPort?.postMessage({event})},
);
openStore(zone);
const {mirror} = zone;
if (mirror !== null) void lookAfter(mirror);

/** Between two ticks a catch-up goes on step by step; calls are answered in the pauses. */
async function lookAfter(store: Mirror): Promise<never> {
  for (;;) {
    store.tick();
    const tickAtMs = systemClock.monotonicMs() + TICK_MS;
    do await sleep(store.step() ? STEP_MS : TICK_MS);
    while (systemClock.monotonicMs() < tickAtMs);
  }
}

function idle(volume: VolumeNumber): IdleVolumeOptions {
  return {zone, volume, nodeCacheBytes};
}

function run(call: StorageCall): unknown {
  switch (call.method) {
    case 'allocateVolume':
      return allocateVolume(zone);
    case 'exists':
      return zone.readVolumeRecord(call.volume) !== null;
    case 'volumes':
      return zone.listVolumes().filter(volume => zone.readVolumeRecord(volume) !== null);
    case 'forkIdle':
      return forkIdleVolume(idle(call.volume), call.child, call.options);
    case 'restorableRange':
      return restorableRange(zone, call.volume);
    case 'backtrack':
      return backtrackVolume(idle(call.volume), call.atMs);
    case 'setRetention':
      return setRetention(idle(call.volume), call.seconds);
    case 'trimHistory':
      return trimHistory(idle(call.volume));
    case 'remove':
      return zone.deleteVolumeRecord(call.volume);
    case 'zoneStates':
      return mirror?.states() ?? zones.map(({name}) => ({zone: name, state: 'healthy'}));
    case 'ready':
      return true;
  }
}

assert(parentPort !== null, 'this file runs in a worker thread');
answerCalls(parentPort, run);
