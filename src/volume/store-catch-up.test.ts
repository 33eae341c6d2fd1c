import {describe, expect, test} from 'vitest';
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import type {MirrorRole} from '../page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {allocateVolume, openStore, removeVolume} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones} from '../page-store/testing/simulated-zones.ts';
import {ZoneFaults} from '../page-store/testing/zone-faults.ts';
import {LISTING_PAGE} from '../page-store/zone-operation.ts';
import type {Zone, ZoneEvent} from '../page-store/zone.ts';
import {Census} from './census.ts';
import {forkIdleVolume} from './idle-volume.ts';
import {openVolumeIn} from './open-volume.ts';
import {levelIdleVolumes} from './testing/level-idle-volumes.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {readRoots} from './root-snapshot.ts';
import {sweep} from './sweeper.ts';
import type {Volume} from './volume.ts';
import {
  EMPTY_BEGINNING,
  encodeVolumeRecord,
  newVolumeRecord,
  readVolumeRecord,
} from './volume-record.ts';

type Keeper = {zone: Zone; medium: SimulatedZones; events: ZoneEvent[]};

function open(
  zones: readonly Zone[],
  role: MirrorRole = 'keeper',
  {lastDelayMs = 0, probeMs = Infinity} = {},
): Keeper {
  const medium = new SimulatedZones(zones);
  Object.assign(medium.faults.at(-1) ?? {}, {delayMs: lastDelayMs});
  const events: ZoneEvent[] = [];
  const zone = openMirroredZone({
    ...{medium, role, onEvent: event => events.push(event)},
    settings: {...MIRROR_DEFAULTS, probeMs},
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

  test('full, it is done without until there is room, though there is nothing to write', () => {
    const zones = [memory('a'), memory('b'), memory('c')] as const;
    const keeper = open(zones, 'keeper', {probeMs: 2000});
    tick(keeper, 5);
    expect(keeper.zone.mirror?.states()).toEqual(healthy);
    keeper.events.length = 0;
    zones[2].faults.capacityBytes = 0;
    for (let second = 0; second < 30; second++) {
      tick(keeper, 1);
      if (second < 3) continue;
      expect(keeper.zone.mirror?.states()[2]).toMatchObject({
        reason: expect.stringContaining('the disk is full'),
      });
    }
    zones[2].faults.capacityBytes = Infinity;
    tick(keeper, 5);
    expect(keeper.zone.mirror?.states()).toEqual(healthy);
    const seen = keeper.events.flatMap(event => (event.type === 'state' ? [event.state] : []));
    expect(seen.at(0)?.state).toBe('degraded');
    expect(seen.filter(({state}) => state === 'healthy')).toHaveLength(1);
  });

  test('of two that failed one after the other, it is tried again together with the other one', () => {
    const keeper = open([memory('a'), memory('b')]);
    tick(keeper, 1);
    for (const faults of keeper.medium.faults) {
      faults.failure = 'zone-io';
      tick(keeper, 0.6);
    }
    for (const faults of keeper.medium.faults) faults.failure = null;
    tick(keeper, 10);
    expect(keeper.zone.mirror?.states()).toEqual(healthy.slice(0, 2));
  });

  test('of two, emptied while the other one is away, it is filled once that one is back', () => {
    const zones = [memory('a'), memory('b')] as const;
    const keeper = open(zones);
    const volume = allocateVolume(keeper.zone);
    fill(keeper.zone, volume, true, 1);
    keeper.medium.finish();
    const [first] = keeper.medium.faults;
    const empty = memory('b');
    keeper.medium.replaceZone(1, empty);
    if (first !== undefined) first.failure = 'zone-io';
    tick(keeper, 5);
    if (first !== undefined) first.failure = null;
    tick(keeper, 30);
    expect(keeper.zone.mirror?.states()).toEqual(healthy.slice(0, 2));
    keeper.zone.close();
    for (const zone of [...zones, empty]) zone.kill();
    check(empty, volume, 1);
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

  test('empty and slow to answer, it is not taken for healthy, and then filled', () => {
    const zones = [memory('a'), memory('b'), memory('c')];
    const first = open(zones);
    const volume = allocateVolume(first.zone);
    fill(first.zone, volume, true, 1);
    first.medium.finish();
    first.zone.close();

    const empty = memory('c');
    const keeper = open([zones[0] as Zone, zones[1] as Zone, empty], 'keeper', {lastDelayMs: 3000});
    expect(keeper.zone.mirror?.states()[2]?.state).toBe('degraded');
    for (let second = 0; second < 30; second++) {
      tick(keeper, 1);
      const isWhole = empty.readStoreRecord() !== null;
      if (!isWhole) expect(keeper.zone.mirror?.states()[2]?.state).not.toBe('healthy');
    }
    tick(keeper, 200);
    expect(keeper.zone.mirror?.states()).toEqual(healthy);
    keeper.zone.close();
    for (const zone of [...zones, empty]) zone.kill();
    check(empty, volume, 1);
  });

  test('with more segments than one answer holds, it is filled with all of them', () => {
    const zones = [memory('a'), memory('b'), memory('c')];
    const first = open(zones);
    const volume = allocateVolume(first.zone);
    fill(first.zone, volume, true, 1);
    first.medium.finish();
    first.zone.close();
    const count = 2 * LISTING_PAGE + 10;
    for (const zone of zones.slice(0, 2)) {
      for (let segment = 100; segment < 100 + count; segment++) {
        const file = zone.ensureSegment(volume, segment as SegmentNumber);
        file.write([Buffer.alloc(512, 1)], 0);
        file.sync();
        file.close();
      }
      // What lies before the checkpoint is copied; of a removed volume that is all of it.
      zone.deleteVolumeRecord(volume);
    }
    const empty = memory('c');
    const keeper = open([zones[0] as Zone, zones[1] as Zone, empty]);
    const listed = keeper.zone.listSegments(volume).length;
    expect(listed).toBeGreaterThanOrEqual(count);
    tick(keeper, 60);
    expect(keeper.zone.mirror?.states()).toEqual(healthy);
    keeper.zone.close();
    expect(empty.listSegments(volume).length).toBe(listed);
  });
});

describe('what a zone that catches up must not lose', () => {
  /** A volume with a clone, removed: nothing but the clone's checksums tell which of its bytes are good. */
  function removedSource(zones: readonly MemoryZone[]): {
    removed: VolumeNumber;
    clone: VolumeNumber;
  } {
    const first = open(zones);
    const removed = allocateVolume(first.zone);
    fill(first.zone, removed, true, 1);
    const clone = allocateVolume(first.zone);
    forkIdleVolume({zone: first.zone, volume: removed, nodeCacheBytes: 0}, clone);
    first.zone.deleteVolumeRecord(removed);
    first.medium.finish();
    first.zone.close();
    return {removed, clone};
  }

  function rot(zone: MemoryZone, volume: VolumeNumber): void {
    for (const {segment, sizeBytes} of zone.listSegments(volume)) {
      for (let at = 600; at < sizeBytes; at += 512) zone.corrupt(volume, segment, at);
    }
  }

  test('a copy that rotted in one zone is not copied to the others, though its volume was removed', () => {
    const zones = [memory('a'), memory('b'), memory('c')] as const;
    const {removed, clone} = removedSource(zones);
    rot(zones[1], removed);
    const keeper = open(zones);
    tick(keeper, 40);
    keeper.zone.close();
    for (const zone of zones) zone.kill();
    check(zones[0], clone, 1);
    check(zones[2], clone, 1);
  });

  test('what one other zone lacks is not deleted while a third one was not asked', () => {
    const zones = [memory('a'), memory('b'), memory('c')] as const;
    const {removed, clone} = removedSource(zones);
    for (const {segment} of zones[1].listSegments(removed)) {
      zones[1].deleteSegment(removed, segment);
    }
    const keeper = open(zones);
    for (const [index, faults] of keeper.medium.faults.entries()) {
      if (index !== 1) faults.failure = 'zone-io';
    }
    tick(keeper, 2);
    const [first] = keeper.medium.faults;
    if (first !== undefined) first.failure = null;
    tick(keeper, 40);
    keeper.zone.close();
    for (const zone of zones) zone.kill();
    check(zones[0], clone, 1);
  });

  test('zones that are lost one after the other, each replaced before the next, lose no acknowledged log', () => {
    const zones = [memory('a'), memory('b'), memory('c')];
    const writer = open(zones, 'writer');
    const volume = allocateVolume(writer.zone);
    const options = {volume, nodeCacheBytes: 0} as const;
    const crashed = openVolumeIn({...options, zone: writer.zone, create: true});
    crashed.changePage(5, 0, false).fill(7);
    crashed.endOperation();
    crashed.barrier();
    writer.medium.finish();
    for (const lost of [0, 1, 2]) {
      for (const zone of zones) zone.kill();
      zones[lost] = memory(zones[lost]?.name ?? '');
      const keeper = open(zones);
      tick(keeper, 20);
      expect(keeper.zone.mirror?.states()).toEqual(healthy);
      levelIdleVolumes({zone: keeper.zone, nodeCacheBytes: 0});
      keeper.medium.finish();
      keeper.zone.close();
    }
    for (const zone of zones) zone.kill();
    for (const zone of zones) {
      const opened = openVolumeIn({...options, zone, create: false});
      const into = Buffer.alloc(PAGE_SIZE_BYTES);
      opened.readPages(5, 0, 1, into, 0);
      expect(into.equals(Buffer.alloc(PAGE_SIZE_BYTES, 7))).toBe(true);
      opened.close();
    }
  });

  test('a record that rotted does not stand for the zone: too few others are too few', () => {
    const zones = [memory('a'), memory('b'), memory('c')] as const;
    const first = open(zones);
    const volume = allocateVolume(first.zone);
    fill(first.zone, volume, true, 1);
    const [away] = first.medium.faults;
    if (away !== undefined) away.failure = 'zone-io';
    fill(first.zone, volume, false, 2);
    first.medium.finish();
    first.zone.close();
    for (const zone of zones) zone.kill();
    // The first missed the second filling, the record of the second rotted, the third does not answer.
    zones[1].corruptRecord(volume, 40);
    const medium = new SimulatedZones(zones);
    const settings = {...MIRROR_DEFAULTS, quorum: 2};
    const zone = openMirroredZone({medium, settings, role: 'writer', onEvent: () => undefined});
    const third = medium.faults[2];
    if (third !== undefined) third.hungUntilMs = 1e9;
    const options = {zone, volume, create: false, nodeCacheBytes: 0};
    expect(() => openVolumeIn(options)).toThrow(/2 of 3 zones are needed/);
    if (third !== undefined) third.hungUntilMs = 0;
    for (const one of zones) one.kill();
    const again = open(zones, 'writer');
    check(again.zone, volume, 2);
  });

  test('a volume is opened though its zones answer more slowly than a read waits for', () => {
    const zones = [memory('a'), memory('b')] as const;
    const first = open(zones);
    const volume = allocateVolume(first.zone);
    const options = {volume, nodeCacheBytes: 0} as const;
    const crashed = openVolumeIn({...options, zone: first.zone, create: true});
    crashed.changePage(5, 0, false).fill(7);
    crashed.endOperation();
    crashed.barrier();
    first.medium.finish();
    for (const slow of [0, 1]) {
      for (const zone of zones) zone.kill();
      const medium = new SimulatedZones(zones);
      Object.assign(medium.faults[slow] ?? {}, {delayMs: 3000});
      const parts = {
        medium,
        settings: MIRROR_DEFAULTS,
        role: 'writer',
        onEvent: () => undefined,
      } as const;
      const opened = openVolumeIn({...options, zone: openMirroredZone(parts), create: false});
      const into = Buffer.alloc(PAGE_SIZE_BYTES);
      opened.readPages(5, 0, 1, into, 0);
      expect(into.equals(Buffer.alloc(PAGE_SIZE_BYTES, 7))).toBe(true);
    }
  });

  test('a writer whose zones have all missed something says so, and does not wait for ever', () => {
    const zones = [memory('a'), memory('b'), memory('c')];
    const writer = open(zones, 'writer');
    const volume = allocateVolume(writer.zone);
    const opened = openVolumeIn({zone: writer.zone, volume, create: true, nodeCacheBytes: 0});
    for (const faults of writer.medium.faults) faults.failure = 'zone-full';
    opened.changePage(5, 0, false).fill(7);
    opened.endOperation();
    expect(() => opened.barrier()).toThrow(/2 of 3 zones are needed/);
  });

  test('a zone that fails after it has written a record catches up with that record', () => {
    const zones = [memory('a'), memory('b')];
    const writer = open(zones, 'writer');
    const volume = allocateVolume(writer.zone);
    const opened = openVolumeIn({zone: writer.zone, volume, create: true, nodeCacheBytes: 0});
    opened.changePage(5, 0, false).fill(7);
    opened.endOperation();
    opened.checkpoint();
    const [first] = zones as [MemoryZone, MemoryZone];
    const hold = first.holdRecord.bind(first);
    first.holdRecord = () => {
      first.holdRecord = hold;
      throw new BorealisError('unavailable', 'zone-io', 'simulated');
    };
    const {medium} = writer;
    medium.disks.onWait = () => expect(medium.nowMs()).toBeLessThan(60_000);
    // Writes the record, for which both zones are needed.
    opened.close();
    for (const zone of zones) zone.kill();
    for (const zone of zones) {
      expect(readVolumeRecord(zone, volume)?.record.clean).toBe(true);
      openVolumeIn({zone, volume, create: false, nodeCacheBytes: 0}).close();
    }
  });

  test('a volume that a writer has open is left to it at once when idle ones are levelled', () => {
    const zones = [memory('a'), memory('b'), memory('c')];
    const writer = open(zones, 'writer');
    const volume = allocateVolume(writer.zone);
    const opened = openVolumeIn({zone: writer.zone, volume, create: true, nodeCacheBytes: 0});
    writer.medium.finish();
    const keeper = open(zones);
    const beganMs = keeper.medium.nowMs();
    expect(levelIdleVolumes({zone: keeper.zone, nodeCacheBytes: 0})).toBe(0);
    expect(keeper.medium.nowMs() - beganMs).toBeLessThan(100);
    opened.close();
  });

  test('a record that rots in one zone of two is written anew by the writer that has the volume open', () => {
    const zones = [memory('a'), memory('b')];
    const {zone, medium} = open(zones, 'writer');
    const volume = allocateVolume(zone);
    const opened = openVolumeIn({zone, volume, create: true, nodeCacheBytes: 0});
    medium.disks.onWait = () => expect(medium.nowMs()).toBeLessThan(60_000);
    medium.finish();
    zones[0]?.corruptRecord(volume, 40);
    opened.changePage(5, 0, false).fill(7);
    opened.endOperation();
    opened.checkpoint();
    opened.close();
    for (const one of zones) {
      expect(readVolumeRecord(one, volume)?.record.clean).toBe(true);
    }
  });

  test('a zone that is as it once was brings no volume back that was removed since', () => {
    const zones = [memory('a'), memory('b'), memory('c')] as [MemoryZone, MemoryZone, MemoryZone];
    const keeper = open(zones);
    const volume = allocateVolume(keeper.zone);
    fill(keeper.zone, volume, true, 1);
    keeper.medium.finish();
    const earlier = zones[1].durableCopy();
    removeVolume(keeper.zone, volume);
    const census = new Census(keeper.zone);
    // The marks of the removal go with what it left.
    for (let turn = 0; turn < 2; turn++) sweep(keeper.zone, census);
    census.close();
    keeper.medium.finish();
    keeper.zone.close();
    expect(zones[0].listVolumes()).toEqual([]);

    const now = [zones[0], earlier, zones[2]];
    const sweeper = open(now, 'sweeper');
    expect(readRoots(sweeper.zone)).toEqual([]);
    const again = open(now);
    tick(again, 40);
    expect(again.zone.mirror?.states()).toEqual(healthy);
    tick(sweeper, 5);
    expect(sweeper.zone.mirror?.states()).toEqual(healthy);
    expect(readRoots(sweeper.zone)).toEqual([]);
    sweep(again.zone, new Census(again.zone));
    again.medium.finish();
    for (const zone of now) {
      expect(zone.readVolumeRecord(volume)).toBeNull();
      expect(zone.listSegments(volume)).toEqual([]);
    }
  });

  test('a volume that a zone hears of first, while it catches up, is not removed from the others', () => {
    const zones = [memory('a'), memory('b'), memory('c')] as [MemoryZone, MemoryZone, MemoryZone];
    const keeper = open(zones);
    const volume = allocateVolume(keeper.zone);
    keeper.medium.finish();
    const [, , faults] = keeper.medium.faults;
    if (faults !== undefined) faults.failure = 'zone-io';
    allocateVolume(keeper.zone);
    if (faults !== undefined) faults.failure = null;
    // A writer in another process, to which the third zone is as good as the others.
    const record = encodeVolumeRecord(
      newVolumeRecord(volume, 1, {...EMPTY_BEGINNING, timestampMs: 1}),
    );
    zones[2].writeVolumeRecord(volume, record, null);
    tick(keeper, 5);
    expect(zones[2].readVolumeRecord(volume)).toBeNull();
    for (const zone of zones.slice(0, 2)) zone.writeVolumeRecord(volume, record, null);
    tick(keeper, 20);
    expect(keeper.zone.readVolumeRecord(volume)).toEqual(record);
    for (const zone of zones) expect(zone.readVolumeRecord(volume)).toEqual(record);
  });

  test('a longer copy with bytes out of place fills in no zeros of what a record vouches for', () => {
    const zones = [memory('a'), memory('b'), memory('c')] as [MemoryZone, MemoryZone, MemoryZone];
    const first = open(zones);
    const volume = allocateVolume(first.zone);
    // Pages of zeros: their sectors look as if nothing had been written there.
    for (const create of [true, false]) fill(first.zone, volume, create, 0);
    first.medium.finish();
    first.zone.close();
    for (const {segment, sizeBytes} of zones[2].listSegments(volume)) {
      const file = zones[2].openSegment(volume, segment);
      file.write([Buffer.alloc(sizeBytes, 3)], 40 * 512);
      file.sync();
      file.close();
    }
    const keeper = open(zones);
    tick(keeper, 40);
    keeper.zone.close();
    for (const zone of zones) zone.kill();
    check(zones[0], volume, 0);
    check(zones[1], volume, 0);
  });

  test('a zero sector that rotted in the zone with the newest record spreads to no other one', () => {
    const zones = [memory('a'), memory('b'), memory('c')] as [MemoryZone, MemoryZone, MemoryZone];
    const first = open(zones);
    const volume = allocateVolume(first.zone);
    fill(first.zone, volume, true, 0);
    first.medium.finish();
    first.zone.close();
    const found = readVolumeRecord(zones[2], volume);
    if (found === null) throw new Error('it was made');
    const {record, bytes} = found;
    const {segment, offset} = record.checkpoint;
    const before = zones[2].bytesOf(volume, segment).subarray(0, offset);
    let zeros = 512;
    while (before.subarray(zeros, zeros + 512).some(byte => byte !== 0)) zeros += 512;
    expect(zeros).toBeLessThan(offset);
    zones[2].corrupt(volume, segment, zeros);
    // The next writer ended when it had told the last zone of its epoch, and no other one.
    const next = {...record, revision: record.revision + 1, epoch: record.epoch + 1, clean: false};
    zones[2].writeVolumeRecord(volume, encodeVolumeRecord(next), bytes);
    const keeper = open(zones);
    tick(keeper, 40);
    keeper.zone.close();
    for (const zone of zones) expect(readVolumeRecord(zone, volume)?.record).toEqual(next);
    for (const zone of zones.slice(0, 2)) {
      const copy = zone.bytesOf(volume, segment).subarray(0, offset);
      expect(copy.equals(before)).toBe(true);
    }
  });
});
