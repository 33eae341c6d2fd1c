import {describe, expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import type {MirrorRole} from '../page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones} from '../page-store/testing/simulated-zones.ts';
import {ZoneFaults} from '../page-store/testing/zone-faults.ts';
import type {Zone, ZoneEvent} from '../page-store/zone.ts';
import {Census} from './census.ts';
import {forkIdleVolume} from './idle-volume.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {sweep} from './sweeper.ts';
import type {Volume} from './volume.ts';

type Keeper = {zone: Zone; medium: SimulatedZones; events: ZoneEvent[]};

function open(zones: readonly Zone[], role: MirrorRole = 'keeper'): Keeper {
  const medium = new SimulatedZones(zones);
  const events: ZoneEvent[] = [];
  const zone = openMirroredZone({
    ...{medium, role, onEvent: event => events.push(event)},
    settings: {...MIRROR_DEFAULTS, quorum: 2},
    wallMs: () => medium.nowMs(),
  });
  openStore(zone);
  return {zone, medium, events};
}

function tick({zone, medium}: Keeper, seconds: number): void {
  for (let at = 0; at < seconds * 5; at++) {
    medium.advance(200);
    zone.mirror?.tick();
  }
}

function fill(zone: Zone, volume: VolumeNumber, create: boolean, stamp: number): void {
  const opened = openVolumeIn({zone, volume, create, nodeCacheBytes: 0, segmentBytes: 3 * 2 ** 20});
  for (let page = 0; page < 600; page++) {
    opened.changePage(5, page, false).fill(stamp);
    opened.endOperation();
  }
  opened.close();
}

function check(zone: Zone, volume: VolumeNumber, stamp: number): void {
  const opened: Volume = openVolumeIn({zone, volume, create: false, nodeCacheBytes: 0});
  const into = Buffer.alloc(PAGE_SIZE_BYTES);
  for (let page = 0; page < 600; page += 7) {
    opened.readPages(5, page, 1, into, 0);
    expect(into.equals(Buffer.alloc(PAGE_SIZE_BYTES, stamp))).toBe(true);
  }
  opened.close();
}

const memory = (name: string): MemoryZone => new MemoryZone(new ZoneFaults(), name);
const healthy = ['a', 'b', 'c'].map(zone => ({zone, state: 'healthy'}));

describe('a zone that comes to a store of several', () => {
  test('new and empty, it is filled with everything, with progress shown', () => {
    const zones = [memory('a'), memory('b'), memory('c')];
    const first = open(zones);
    const volume = allocateVolume(first.zone);
    fill(first.zone, volume, true, 1);
    const clone = allocateVolume(first.zone);
    forkIdleVolume({zone: first.zone, volume, nodeCacheBytes: 0}, clone);
    fill(first.zone, volume, false, 2);
    first.medium.finish();
    first.zone.close();

    const empty = memory('c');
    const keeper = open([zones[0] as Zone, zones[1] as Zone, empty]);
    tick(keeper, 10);
    expect(keeper.zone.mirror?.states()).toEqual(healthy);
    const seen = keeper.events.flatMap(event =>
      event.type === 'state' ? [event.state.state] : [],
    );
    expect(seen).toEqual(['degraded', 'catching-up', 'healthy']);
    keeper.zone.close();
    for (const zone of [...zones, empty]) zone.kill();
    check(empty, volume, 2);
    check(empty, clone, 1);
    expect(allocateVolume(empty)).toBe(3);
  });

  test('back after a while, it gets what was made, loses what was removed and swept', () => {
    const zones = [memory('a'), memory('b'), memory('c')];
    const keeper = open(zones);
    const removed = allocateVolume(keeper.zone);
    fill(keeper.zone, removed, true, 1);
    const changed = allocateVolume(keeper.zone);
    fill(keeper.zone, changed, true, 2);
    keeper.medium.finish();
    const [, , faults] = keeper.medium.faults;
    if (faults !== undefined) faults.failure = 'zone-io';

    keeper.zone.deleteVolumeRecord(removed);
    fill(keeper.zone, changed, false, 3);
    const made = allocateVolume(keeper.zone);
    fill(keeper.zone, made, true, 4);
    const census = new Census(keeper.zone);
    sweep(keeper.zone, census);
    expect(keeper.zone.mirror?.states().at(-1)?.state).toBe('degraded');
    // The mark of the removal stays while a zone is away that still has the record.
    expect(keeper.zone.isRemoved(removed)).toBe(true);

    if (faults !== undefined) faults.failure = null;
    tick(keeper, 20);
    expect(keeper.zone.mirror?.states()).toEqual(healthy);
    sweep(keeper.zone, census);
    keeper.medium.finish();
    census.close();
    const [a, , c] = zones as [MemoryZone, MemoryZone, MemoryZone];
    expect(c.readVolumeRecord(removed)).toBeNull();
    expect(c.listSegments(removed)).toEqual([]);
    expect(c.listVolumes()).toEqual(a.listVolumes());
    expect(c.listSegments(changed).map(({segment}) => segment)).toEqual(
      a.listSegments(changed).map(({segment}) => segment),
    );
    keeper.zone.close();
    for (const zone of zones) zone.kill();
    check(c, changed, 3);
    check(c, made, 4);
  });

  test('of another store, it is left out', () => {
    const other = memory('c');
    openStore(other);
    const zones = [memory('a'), memory('b'), memory('c')];
    const keeper = open(zones);
    tick(keeper, 1);
    keeper.zone.close();
    const mixed = open([zones[0] as Zone, zones[1] as Zone, other]);
    tick(mixed, 5);
    expect(mixed.zone.mirror?.states().at(-1)).toMatchObject({
      state: 'degraded',
      reason: 'it belongs to another store',
    });
  });

  test('compacted elsewhere, a segment is taken as it is', () => {
    const zones = [memory('a'), memory('b'), memory('c')];
    const keeper = open(zones);
    const volume = allocateVolume(keeper.zone);
    fill(keeper.zone, volume, true, 1);
    const opened = openVolumeIn({
      ...{zone: keeper.zone, volume, create: false, nodeCacheBytes: 0},
      segmentBytes: 3 * 2 ** 20,
    });
    for (let page = 0; page < 600; page += 2) opened.changePage(5, page, false).fill(1);
    opened.endOperation();
    opened.close();
    const census = new Census(keeper.zone);
    expect(sweep(keeper.zone, census).segmentsCompacted).toBeGreaterThan(0);
    census.close();
    keeper.medium.finish();
    keeper.zone.close();
    const empty = memory('c');
    const again = open([zones[0] as Zone, zones[1] as Zone, empty]);
    tick(again, 10);
    expect(again.zone.mirror?.states()).toEqual(healthy);
    for (const zone of [...zones, empty]) zone.kill();
    again.zone.close();
    check(empty, volume, 1);
  });
});
