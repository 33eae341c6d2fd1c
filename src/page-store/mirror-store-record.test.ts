/** When a new store is made: three zones, of which the last may hold the one that there is. */
import {beforeEach, expect, test} from 'vitest';
import {MIRROR_DEFAULTS} from './mirror-members.ts';
import {openMirroredZone} from './mirrored-zone.ts';
import {openStore} from './store.ts';
import {MemoryZone} from './testing/memory-zone.ts';
import {SimulatedZones, type Faults} from './testing/simulated-zones.ts';
import {ZoneFaults} from './testing/zone-faults.ts';

let zones: MemoryZone[];

beforeEach(() => {
  zones = ['a', 'b', 'c'].map(name => new MemoryZone(new ZoneFaults(), name));
});

function start(ofLast: Partial<Faults>, ofAll: Partial<Faults> = {}): {storeId: string} {
  const medium = new SimulatedZones(zones);
  for (const faults of medium.faults) Object.assign(faults, ofAll);
  Object.assign(medium.faults.at(-1) ?? {}, ofLast);
  const zone = openMirroredZone({
    ...{medium, role: 'keeper', onEvent: () => undefined},
    settings: MIRROR_DEFAULTS,
    wallMs: () => medium.nowMs(),
  });
  const store = openStore(zone);
  medium.finish();
  return store;
}

const hasStore = (): boolean[] => zones.map(zone => zone.readStoreRecord() !== null);

/** Later than an answer is waited for, sooner than a zone is taken to hang. */
const LATE_MS: number = MIRROR_DEFAULTS.readMs * 5;

test('a new one is made in all zones', () => {
  start({delayMs: LATE_MS});
  expect(hasStore()).toEqual([true, true, true]);
});

test('a new one is made in zones that write slowly, and are looked at meanwhile', () => {
  start({}, {writeDelayMs: LATE_MS});
  expect(hasStore()).toEqual([true, true, true]);
});

test('disks that were not mounted make no new one while a slow zone holds the store', () => {
  const {storeId} = openStore(zones[2] as MemoryZone);
  expect(start({delayMs: LATE_MS}).storeId).toBe(storeId);
  expect(hasStore()).toEqual([false, false, true]);
});

test.each<[string, Partial<Faults>]>([
  ['fails', {failure: 'zone-io'}],
  ['hangs', {hungUntilMs: Infinity}],
])('a zone that %s may hold the store: none is made', (_, faults) => {
  openStore(zones[2] as MemoryZone);
  expect(() => start(faults)).toThrow(/zone c does not answer.*when all zones are there/);
  expect(hasStore()).toEqual([false, false, true]);
});
