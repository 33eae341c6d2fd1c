import {describe, expect, test} from 'vitest';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import type {MirrorRole} from '../page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {openStore} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {ZoneFaults} from '../page-store/testing/zone-faults.ts';
import {SimulatedZones, type Faults} from '../page-store/testing/simulated-zones.ts';
import type {Zone, ZoneEvent} from '../page-store/zone.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import type {Volume} from './volume.ts';

const VOLUME = 1 as VolumeNumber;
const SEGMENT_BYTES = 3 * 2 ** 20;

type Running = {medium: SimulatedZones; zone: Zone; volume: Volume; events: ZoneEvent[]};

function start(zones: readonly Zone[], create: boolean, role: MirrorRole = 'writer'): Running {
  const medium = new SimulatedZones(zones);
  const {zone, events} = mirrorOn(medium, role);
  openStore(zone);
  const volume = openVolumeIn({
    ...{zone, volume: VOLUME, create, nodeCacheBytes: 0},
    segmentBytes: SEGMENT_BYTES,
  });
  return {medium, zone, volume, events};
}

function mirrorOn(medium: SimulatedZones, role: MirrorRole): {zone: Zone; events: ZoneEvent[]} {
  const events: ZoneEvent[] = [];
  const zone = openMirroredZone({
    ...{medium, role, onEvent: event => events.push(event)},
    settings: {...MIRROR_DEFAULTS},
    wallMs: () => medium.nowMs(),
  });
  return {zone, events};
}

function put(volume: Volume, page: number, stamp: number): void {
  volume.changePage(5, page, false).fill(stamp);
  volume.endOperation();
}

function get(volume: Volume, page: number): number {
  const into = Buffer.alloc(PAGE_SIZE_BYTES);
  volume.readPages(5, page, 1, into, 0);
  expect(into.equals(Buffer.alloc(PAGE_SIZE_BYTES, into.readUInt8(0)))).toBe(true);
  return into.readUInt8(0);
}

/** Lets the mirror work for a while. */
function settle({medium, zone}: Pick<Running, 'medium' | 'zone'>, seconds = 10): void {
  for (let tick = 0; tick < seconds * 10; tick++) {
    medium.advance(100);
    zone.mirror?.tick();
  }
}

function states(zone: Zone): string[] {
  return (zone.mirror?.states() ?? []).map(({state}) => state);
}

const three = (): MemoryZone[] =>
  ['a', 'b', 'c'].map(name => new MemoryZone(new ZoneFaults(), name));
const pick = (index: number, faults: readonly Faults[]): Faults => faults[index] as Faults;

describe('a volume on three zones', () => {
  test('is the same in each of them', () => {
    const zones = three();
    const {volume, zone} = start(zones, true);
    for (let page = 0; page < 50; page++) put(volume, page, page + 1);
    volume.close();
    zone.close();
    for (const alone of zones) {
      const again = openVolumeIn({zone: alone, volume: VOLUME, create: false, nodeCacheBytes: 0});
      for (let page = 0; page < 50; page++) expect(get(again, page)).toBe(page + 1);
      again.close();
    }
  });

  test('a zone that hangs holds up no barrier, is shown as degraded, and goes on by itself', () => {
    const {volume, zone, medium, events} = start(three(), true);
    put(volume, 1, 1);
    volume.barrier();
    pick(2, medium.faults).hungUntilMs = medium.nowMs() + 60_000;
    const beganMs = medium.nowMs();
    for (let page = 0; page < 20; page++) {
      put(volume, page, page + 1);
      volume.barrier();
    }
    expect(medium.nowMs() - beganMs).toBeLessThan(5000);
    settle({medium, zone}, 20);
    expect(states(zone)).toEqual(['healthy', 'healthy', 'degraded']);
    settle({medium, zone}, 60);
    expect(states(zone)).toEqual(['healthy', 'healthy', 'healthy']);
    expect(events.map(event => event.type === 'state' && event.state.state)).toEqual([
      'degraded',
      'healthy',
    ]);
    volume.close();
  });

  test('a zone that cannot keep up is left behind, and catches up', () => {
    const zones = three();
    const {volume, zone, medium} = start(zones, true);
    pick(1, medium.faults).delayMs = 2000;
    const beganMs = medium.nowMs();
    for (let page = 0; page < 2000; page++) {
      put(volume, page, (page % 250) + 1);
      if (page % 100 === 99) volume.barrier();
    }
    expect(medium.nowMs() - beganMs).toBeLessThan(5000);
    expect(states(zone)).toEqual(['healthy', 'degraded', 'healthy']);
    pick(1, medium.faults).delayMs = 0;
    for (let page = 0; page < 300; page++) {
      put(volume, page, (page % 250) + 2);
      volume.barrier();
      medium.advance(50);
      zone.mirror?.tick();
    }
    settle({medium, zone});
    expect(states(zone)).toEqual(['healthy', 'healthy', 'healthy']);
    volume.close();
    // The one that was slow is enough by itself.
    const alone = openVolumeIn({
      ...{zone: zones[1] as Zone, volume: VOLUME, create: false, nodeCacheBytes: 0},
    });
    for (let page = 0; page < 2000; page++) {
      expect(get(alone, page)).toBe(page < 300 ? (page % 250) + 2 : (page % 250) + 1);
    }
  });

  test('without a quorum nothing is acknowledged, reads go on, and writes do when a zone is back', () => {
    const {volume, zone, medium} = start(three(), true);
    put(volume, 1, 1);
    volume.checkpoint();
    pick(1, medium.faults).failure = 'zone-io';
    pick(2, medium.faults).failure = 'zone-full';
    put(volume, 1, 2);
    const {lsn, isDurable, fds} = volume.barrierTarget();
    expect({isDurable, fds}).toEqual({isDurable: false, fds: []});
    settle({medium, zone}, 30);
    expect(zone.mirror?.durableLsn()).toBeLessThan(lsn);
    expect(zone.mirror?.isWritable()).toBe(false);
    expect(get(volume, 1)).toBe(2);
    put(volume, 2, 3);
    volume.onIdle();
    expect(get(volume, 2)).toBe(3);
    pick(1, medium.faults).failure = null;
    settle({medium, zone}, 5);
    expect(zone.mirror?.durableLsn()).toBe(lsn);
    volume.noteDurable(lsn);
    volume.barrier();
    expect(states(zone)).toEqual(['healthy', 'healthy', 'degraded']);
    volume.close();
  });

  test('a barrier that waits for a quorum returns when a zone is back', () => {
    const {volume, medium} = start(three(), true);
    put(volume, 1, 1);
    pick(1, medium.faults).hungUntilMs = medium.nowMs() + 100_000;
    pick(2, medium.faults).hungUntilMs = medium.nowMs() + 200_000;
    volume.barrier();
    expect(medium.nowMs()).toBeGreaterThanOrEqual(100_000);
    expect(medium.nowMs()).toBeLessThan(150_000);
    volume.close();
  });

  test('after one zone is lost, any page of a second may rot: the third has it, and repairs', () => {
    const zones = three();
    const first = start(zones, true);
    for (let page = 0; page < 600; page++) put(first.volume, page, (page % 250) + 1);
    first.volume.close();
    settle(first);
    first.zone.close();
    const rotten = zones[1] as MemoryZone;
    for (const {segment, sizeBytes} of rotten.listSegments(VOLUME)) {
      for (let at = 600; at < sizeBytes; at += PAGE_SIZE_BYTES) rotten.corrupt(VOLUME, segment, at);
    }
    const again = start(
      [new MemoryZone(new ZoneFaults(), 'a'), rotten, zones[2] as MemoryZone],
      false,
    );
    for (let page = 0; page < 600; page++) expect(get(again.volume, page)).toBe((page % 250) + 1);
    settle(again, 20);
    expect(states(again.zone)).toEqual(['healthy', 'healthy', 'healthy']);
    const repaired = again.events.filter(event => event.type === 'repaired');
    expect(repaired.length).toBeGreaterThan(600);
    expect(repaired[0]).toMatchObject({zone: 'b', volume: VOLUME, bytes: PAGE_SIZE_BYTES});
    again.volume.close();
    // The bad copies are good again.
    const alone = openVolumeIn({zone: rotten, volume: VOLUME, create: false, nodeCacheBytes: 0});
    for (let page = 0; page < 600; page++) expect(get(alone, page)).toBe((page % 250) + 1);
  });

  test('a page that no zone holds is an error that names the zones tried', () => {
    const zones = three();
    const {volume} = start(zones, true);
    put(volume, 7, 1);
    volume.checkpoint();
    for (const zone of zones) zone.corrupt(VOLUME, 1 as SegmentNumber, 512 + 512 + 100);
    expect(() => get(volume, 7)).toThrow(/page 7 of file 5 in volume 1.*zones a, b, c/);
    volume.close();
  });
});

describe('an opening after a crash', () => {
  /** The processes die; nothing that the zones were still to do is done. */
  function die(zones: readonly MemoryZone[]): void {
    for (const zone of zones) zone.kill();
  }

  function alone(zone: Zone): Volume {
    return openVolumeIn({zone, volume: VOLUME, create: false, nodeCacheBytes: 0});
  }

  test('levels the log: a zone that was behind has all of it afterwards', () => {
    const zones = three();
    const {volume, medium} = start(zones, true);
    put(volume, 0, 1);
    volume.barrier();
    medium.advance(1000);
    pick(2, medium.faults).delayMs = 5000;
    for (let page = 1; page < 10; page++) {
      put(volume, page, page + 1);
      volume.barrier();
    }
    die(zones);
    const again = start(zones, false);
    settle(again, 1);
    expect(states(again.zone)).toEqual(['healthy', 'healthy', 'healthy']);
    die(zones);
    for (const zone of zones) {
      const one = alone(zone);
      for (let page = 0; page < 10; page++) expect(get(one, page)).toBe(page + 1);
    }
  });

  test('finds what was acknowledged in whichever zone has it', () => {
    const zones = three();
    const {volume, medium} = start(zones, true);
    put(volume, 0, 1);
    volume.barrier();
    medium.advance(1000);
    pick(0, medium.faults).delayMs = 5000;
    put(volume, 1, 2);
    volume.barrier();
    die(zones);
    // Of the two that have it one does not answer.
    const later = new SimulatedZones(zones);
    pick(1, later.faults).hungUntilMs = 1e9;
    const {zone} = mirrorOn(later, 'writer');
    const again = openVolumeIn({zone, volume: VOLUME, create: false, nodeCacheBytes: 0});
    expect(get(again, 1)).toBe(2);
    put(again, 2, 3);
    again.barrier();
  });

  test('takes the newest record, and a zone with an older one is brought there or left out', () => {
    const zones = three();
    const {volume, medium} = start(zones, true);
    pick(0, medium.faults).hungUntilMs = 1e9;
    for (let page = 0; page < 900; page++) put(volume, page, (page % 250) + 1);
    volume.checkpoint();
    die(zones);
    const later = new SimulatedZones(zones);
    pick(2, later.faults).hungUntilMs = 1e9;
    const {zone} = mirrorOn(later, 'writer');
    const again = openVolumeIn({zone, volume: VOLUME, create: false, nodeCacheBytes: 0});
    for (let page = 0; page < 900; page++) expect(get(again, page)).toBe((page % 250) + 1);
    again.close();
    // There was no quorum without the first zone, so it was given all that it lacked.
    const one = alone(zones[0] as Zone);
    for (let page = 0; page < 900; page++) expect(get(one, page)).toBe((page % 250) + 1);
  });

  test('never counts a zone that was emptied', () => {
    const zones = three();
    const {volume, medium} = start(zones, true);
    put(volume, 0, 1);
    volume.barrier();
    medium.advance(1000);
    pick(2, medium.faults).hungUntilMs = 1e9;
    put(volume, 1, 2);
    volume.barrier();
    die(zones);
    const emptied = [new MemoryZone(new ZoneFaults(), 'a'), zones[1], zones[2]] as MemoryZone[];
    const later = new SimulatedZones(emptied);
    // The one zone that holds what was acknowledged last is away: the other two must not decide.
    pick(1, later.faults).hungUntilMs = 1e9;
    const {zone} = mirrorOn(later, 'writer');
    const options = {zone, volume: VOLUME, create: false, nodeCacheBytes: 0};
    expect(() => openVolumeIn(options)).toThrow(/2 of 3 zones are needed/);
  });

  test('a zone that catches up while another one is behind lacks nothing', () => {
    const zones = three();
    const {volume, zone, medium} = start(zones, true);
    pick(2, medium.faults).failure = 'zone-io';
    for (let page = 0; page < 300; page++) put(volume, page, (page % 250) + 1);
    volume.barrier();
    expect(states(zone)).toEqual(['healthy', 'healthy', 'degraded']);
    pick(2, medium.faults).failure = null;
    // What is copied from is written late, while the writer goes on.
    for (const faults of medium.faults.slice(0, 2)) faults.delayMs = 30;
    for (let round = 0; round < 200; round++) {
      put(volume, 300 + round, (round % 250) + 1);
      volume.flush();
      medium.advance(20);
      zone.mirror?.tick();
    }
    volume.barrier();
    settle({medium, zone}, 30);
    expect(states(zone)).toEqual(['healthy', 'healthy', 'healthy']);
    die(zones);
    const one = alone(zones[2] as Zone);
    for (let page = 0; page < 500; page++) {
      expect(get(one, page)).toBe(((page < 300 ? page : page - 300) % 250) + 1);
    }
  });
});

describe('a writer that was paused', () => {
  for (const count of [1, 3]) {
    test(`acknowledges nothing once another one took over (zones: ${count})`, () => {
      const zones = three().slice(0, count);
      const open = (create: boolean): Volume =>
        count === 1
          ? openVolumeIn({zone: zones[0] as Zone, volume: VOLUME, create, nodeCacheBytes: 0})
          : start(zones, create).volume;
      const stale = open(true);
      put(stale, 1, 1);
      stale.barrier();
      put(stale, 1, 2);
      stale.flush();
      for (const zone of zones) zone.kill();
      const fresh = open(false);
      const seen = get(fresh, 1);
      put(stale, 1, 3);
      expect(() => stale.barrier()).toThrow(/another writer/);
      put(fresh, 2, 9);
      for (const zone of zones) zone.kill();
      // The one that took over died before it wrote anything: what it had found is still the end.
      const last = open(false);
      expect(get(last, 1)).toBe(seen);
      last.close();
    });
  }

  test('cannot begin a segment', () => {
    const [zone] = three() as [MemoryZone];
    const options = {zone, volume: VOLUME, nodeCacheBytes: 0, segmentBytes: SEGMENT_BYTES};
    const stale = openVolumeIn({...options, create: true});
    put(stale, 1, 1);
    stale.barrier();
    zone.kill();
    const fresh = openVolumeIn({...options, create: false});
    expect(() => {
      for (let page = 0; page < 1000; page++) put(stale, page, 2);
    }).toThrow(/another writer/);
    put(fresh, 2, 2);
    fresh.barrier();
    expect(get(fresh, 1)).toBe(1);
  });
});
