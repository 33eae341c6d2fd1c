/**
 * When a new store is made: three zones, of which the last may hold the one that there is. And a change of it
 * that a zone alone has.
 */
import * as fc from 'fast-check';
import {beforeEach, expect, test} from 'vitest';
import {MIRROR_DEFAULTS} from './mirror-members.ts';
import {openMirroredZone} from './mirrored-zone.ts';
import {allocateVolume, openStore} from './store.ts';
import {MemoryZone} from './testing/memory-zone.ts';
import {SimulatedZones, type Faults} from './testing/simulated-zones.ts';
import {ZoneFaults} from './testing/zone-faults.ts';
import type {Zone} from './zone.ts';

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

test('zones that are slow, each in its own way, are not taken for emptied while a new one is made', () => {
  const delays = fc.constantFrom(0, 30, LATE_MS / 2, LATE_MS);
  const faults = fc.record({delayMs: delays, writeDelayMs: delays});
  fc.assert(
    fc.property(fc.tuple(faults, faults, faults), ofZones => {
      const disks = ['a', 'b', 'c'].map(name => new MemoryZone(new ZoneFaults(), name));
      const medium = new SimulatedZones(disks);
      for (const [index, each] of ofZones.entries()) {
        Object.assign(medium.faults[index] ?? {}, each);
      }
      const degraded: string[] = [];
      const zone = openMirroredZone({
        ...{medium, role: 'keeper', settings: MIRROR_DEFAULTS},
        wallMs: () => medium.nowMs(),
        onEvent: event => {
          if (event.type === 'state' && event.state.state === 'degraded') {
            degraded.push(`${event.state.zone}: ${event.state.reason}`);
          }
        },
      });
      openStore(zone);
      for (let i = 0; i < 20; i++) {
        medium.advance(LATE_MS / 5);
        zone.mirror?.tick();
      }
      medium.finish();
      expect(degraded).toEqual([]);
    }),
    {numRuns: 300},
  );
});

test('one that reached fewer zones than a quorum before its maker died is brought to all', () => {
  const {storeId} = openStore(zones[2] as MemoryZone);
  expect(start({}).storeId).toBe(storeId);
  expect(hasStore()).toEqual([true, true, true]);
});

test('one that reached fewer zones than a quorum is left alone while a zone is away', () => {
  openStore(zones[0] as MemoryZone);
  expect(() => start({failure: 'zone-io'})).toThrow(/zone c does not answer/);
  expect(hasStore()).toEqual([true, false, false]);
});

test('disks that were not mounted make no new one while a slow zone holds the store', () => {
  const {storeId} = openStore(zones[2] as MemoryZone);
  allocateVolume(zones[2] as MemoryZone);
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

test('a change that one zone of two alone has, and tells late, comes to the other one', () => {
  const [a, b] = zones as [MemoryZone, MemoryZone];
  const open = (hungUntilMs: number): {zone: Zone; medium: SimulatedZones} => {
    const medium = new SimulatedZones([a, b]);
    Object.assign(medium.faults[1] ?? {}, {hungUntilMs});
    const parts = {medium, role: 'keeper', onEvent: () => undefined} as const;
    const zone = openMirroredZone({...parts, settings: MIRROR_DEFAULTS});
    openStore(zone);
    return {zone, medium};
  };
  open(0).medium.finish();
  // The service was killed before the other zone had it.
  allocateVolume(b);
  const {zone, medium} = open(LATE_MS);
  for (let second = 0; second < 40; second++) {
    medium.advance(1000);
    zone.mirror?.tick();
  }
  expect(a.readStoreRecord()).toEqual(b.readStoreRecord());
  expect(zone.mirror?.states().map(({state}) => state)).toEqual(['healthy', 'healthy']);
});
