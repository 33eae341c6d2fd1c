/** The worker thread of `openClusterStorage` for short calls: runs them one after the other. */
import {parentPort, workerData} from 'node:worker_threads';
import {assert} from '../base/assert.ts';
import {sleep, systemClock} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import type {MembershipState, Mirror} from '../page-store/zone.ts';
import {TOO_FEW_ZONES} from '../page-store/mirror-job.ts';
import {changeZones, openZones} from '../page-store/open-zones.ts';
import {
  allocateVolume,
  markRemoved,
  openStore,
  recordMembership,
  removeVolume,
} from '../page-store/store.ts';
import {levelVolume, uncleanVolumes} from '../volume/level-idle.ts';
import {volumeExists} from '../volume/volume-record.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
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
/** A new cluster waits so long for a write quorum, and then fails. */
const QUORUM_WAIT_MS_MAX = 30_000;
const QUORUM_LOOK_MS = 100;
/** Time for the zones to answer a step of a catch-up. */
const STEP_MS = 2;

const {nodeCacheBytes, ...config} = workerData as StorageWorkerData;
let membership = config.membership;
const zone = openZones(config, {
  role: 'keeper',
  onZoneEvent: event => parentPort?.postMessage({event}),
});
/** Why no call can be answered: told to whoever calls, for what ends a thread loses its kind. */
let failure: Error | null = null;
try {
  openStore(zone, membership);
} catch (error) {
  failure = error instanceof Error ? error : new Error(String(error));
}
const {mirror} = zone;
if (mirror !== null && failure === null) void lookAfter(mirror);

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

/** A zone may be starting or catching up: what needs a quorum is tried again for a while. */
async function withQuorum<T>(attempt: () => T): Promise<T> {
  const untilMs = systemClock.monotonicMs() + QUORUM_WAIT_MS_MAX;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      const isLost = error instanceof BorealisError && error.code === TOO_FEW_ZONES;
      if (!isLost || systemClock.monotonicMs() > untilMs) throw error;
      await sleep(QUORUM_LOOK_MS);
    }
  }
}

function run(call: StorageCall): unknown {
  if (failure !== null) throw failure;
  switch (call.method) {
    case 'allocateVolume':
      return withQuorum(() => allocateVolume(zone));
    case 'exists':
      return withQuorum(() => volumeExists(zone, call.volume));
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
      return removeVolume(zone, call.volume);
    case 'zoneStates':
      return mirror?.states() ?? [{zone: zone.name, state: 'healthy'}];
    case 'changeZones':
      changeZones(zone, call.config);
      membership = call.config.membership;
      return null;
    case 'membershipState':
      return mirror?.membershipState() ?? stateOfOne();
    case 'auditZones':
      return mirror?.auditAnew(call.zone);
    case 'recordMembership':
      if (membership !== undefined && membership.number > 0) recordMembership(zone, membership);
      return null;
    case 'markRemoved':
      return markRemoved(zone, call.zone);
    case 'uncleanVolumes':
      return uncleanVolumes(zone);
    case 'settle':
      return levelVolume(idle(call.volume));
    case 'ready':
      return true;
  }
}

function stateOfOne(): MembershipState {
  return {number: membership?.number ?? 0, current: [zone.name], broken: [], isSettled: true};
}

assert(parentPort !== null, 'this file runs in a worker thread');
answerCalls(parentPort, run);
