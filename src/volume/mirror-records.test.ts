/** Records that fewer zones have than a write quorum: whoever deletes or acknowledges must reckon with all of them. */
import {expect, test} from 'vitest';
import {BorealisError} from '../base/errors.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import type {MirrorRole} from '../page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones} from '../page-store/testing/simulated-zones.ts';
import {ZoneFaults} from '../page-store/testing/zone-faults.ts';
import type {Zone} from '../page-store/zone.ts';
import {Census} from './census.ts';
import {forkIdleVolume} from './idle-volume.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {readPossibleRoots} from './root-snapshot.ts';
import {sweep} from './sweeper.ts';
import {encodeVolumeRecord, readVolumeRecord, volumeExists} from './volume-record.ts';

const SEGMENT_BYTES = 3 * 2 ** 20;
const PAGES = 600;
type Three = [MemoryZone, MemoryZone, MemoryZone];

const three = (): Three => {
  const memory = (name: string): MemoryZone => new MemoryZone(new ZoneFaults(), name);
  return [memory('a'), memory('b'), memory('c')];
};

function mirrorOf(zones: readonly Zone[], role: MirrorRole): {zone: Zone; medium: SimulatedZones} {
  const medium = new SimulatedZones(zones);
  const zone = openMirroredZone({
    ...{medium, role, settings: MIRROR_DEFAULTS, onEvent: () => undefined},
    wallMs: () => medium.nowMs(),
  });
  openStore(zone);
  return {zone, medium};
}

function fill(zone: Zone, volume: VolumeNumber, create: boolean, stamp: number): void {
  const segmentBytes = SEGMENT_BYTES;
  const opened = openVolumeIn({zone, volume, create, nodeCacheBytes: 0, segmentBytes});
  for (let page = 0; page < PAGES; page++) {
    opened.changePage(5, page, false).fill(stamp);
    opened.endOperation();
  }
  opened.close();
}

function stampsOf(zone: Zone, volume: VolumeNumber): Set<number> {
  const opened = openVolumeIn({zone, volume, create: false, nodeCacheBytes: 0});
  const into = Buffer.alloc(PAGE_SIZE_BYTES);
  const stamps = new Set<number>();
  for (let page = 0; page < PAGES; page++) {
    opened.readPages(5, page, 1, into, 0);
    stamps.add(into.readUInt8(0));
  }
  opened.close();
  return stamps;
}

/** A volume of which zones b and c have the first record, and a alone the one after all was written anew. */
function newestInOne(): {zones: Three; volume: VolumeNumber} {
  const zones = three();
  const {zone, medium} = mirrorOf(zones, 'keeper');
  const volume = allocateVolume(zone);
  fill(zone, volume, true, 1);
  medium.finish();
  const first = readVolumeRecord(zones[0], volume)?.bytes as Buffer;
  fill(zone, volume, false, 2);
  medium.finish();
  zone.close();
  for (const one of zones.slice(1)) {
    one.writeVolumeRecord(volume, first, readVolumeRecord(one, volume)?.bytes as Buffer);
  }
  return {zones, volume};
}

test('a sweep leaves what only the record before the newest reaches, as long as an opening may begin with that', () => {
  const {zones, volume} = newestInOne();
  const {zone, medium} = mirrorOf(zones, 'sweeper');
  expect(readPossibleRoots(zone).map(({epoch}) => epoch)).toEqual([2, 1]);
  const census = new Census(zone);
  sweep(zone, census);
  census.close();
  medium.finish();
  zone.close();
  for (const one of zones) one.kill();
  const left = mirrorOf([zones[1], zones[2]], 'writer');
  const [stamp, ...others] = stampsOf(left.zone, volume);
  expect(others).toEqual([]);
  expect([1, 2]).toContain(stamp);
});

test('while a zone is away that may have the record before, no sweep deletes', () => {
  const {zones} = newestInOne();
  const {zone, medium} = mirrorOf(zones, 'sweeper');
  const [, , faults] = medium.faults;
  if (faults !== undefined) faults.failure = 'zone-io';
  const census = new Census(zone);
  const before = zones.map(one => one.contents());
  expect(() => sweep(zone, census)).toThrow(
    expect.objectContaining({kind: 'unavailable', code: 'zone-quorum'}),
  );
  expect(zones.map(one => one.contents())).toEqual(before);
});

test('a record that a quorum has is all that a sweep looks at, with a zone away and one that lags', () => {
  const {zones, volume} = newestInOne();
  const newest = readVolumeRecord(zones[0], volume)?.bytes as Buffer;
  zones[1].writeVolumeRecord(volume, newest, readVolumeRecord(zones[1], volume)?.bytes as Buffer);
  const {zone, medium} = mirrorOf(zones, 'sweeper');
  expect(readPossibleRoots(zone).map(({epoch}) => epoch)).toEqual([2]);
  const [, , faults] = medium.faults;
  if (faults !== undefined) faults.failure = 'zone-io';
  expect(readPossibleRoots(zone).map(({epoch}) => epoch)).toEqual([2]);
});

test('a volume whose removal one zone alone was told of keeps its segments', () => {
  const zones = three();
  const keeper = mirrorOf(zones, 'keeper');
  const volume = allocateVolume(keeper.zone);
  fill(keeper.zone, volume, true, 1);
  keeper.medium.finish();
  keeper.zone.close();
  zones[0].deleteVolumeRecord(volume);
  const {zone, medium} = mirrorOf(zones, 'sweeper');
  const census = new Census(zone);
  sweep(zone, census);
  census.close();
  medium.finish();
  for (const one of zones.slice(1)) one.kill();
  const left = mirrorOf([zones[1], zones[2]], 'writer');
  expect(stampsOf(left.zone, volume)).toEqual(new Set([1]));
});

test('a fork that is repeated is done only once a quorum has the record of the child', () => {
  const zones = three();
  const {zone, medium} = mirrorOf(zones, 'keeper');
  const volume = allocateVolume(zone);
  fill(zone, volume, true, 1);
  const child = allocateVolume(zone);
  const other = allocateVolume(zone);
  forkIdleVolume({zone, volume, nodeCacheBytes: 0}, other);
  medium.finish();
  const made = readVolumeRecord(zones[0], other);
  if (made === null) throw new Error('it was made');
  const record = encodeVolumeRecord({...made.record, volume: child});
  zones[0].writeVolumeRecord(child, record, null);
  expect(forkIdleVolume({zone, volume, nodeCacheBytes: 0}, child).bytesWritten).toBe(0);
  medium.finish();
  for (const one of zones.slice(1)) expect(one.readVolumeRecord(child)).toEqual(record);
  expect(volumeExists(zone, child)).toBe(true);
  expect(volumeExists(zone, (other + 1) as VolumeNumber)).toBe(false);
});

test('a record that vouches for a log is given to no zone only because too few have it', () => {
  const zones = three();
  const {zone, medium} = mirrorOf(zones, 'keeper');
  const volume = allocateVolume(zone);
  fill(zone, volume, true, 1);
  const found = readVolumeRecord(zone, volume);
  medium.finish();
  if (found === null) throw new Error('it was made');
  const strange = (volume + 1) as VolumeNumber;
  const record = encodeVolumeRecord({...found.record, volume: strange});
  zones[0].writeVolumeRecord(strange, record, null);
  expect(() => volumeExists(zone, strange)).toThrow(BorealisError);
  expect(zones[1].readVolumeRecord(strange)).toBeNull();
});

test('a record that rotted is not replaced by an older one while the zone that has it is away', () => {
  const {zones, volume} = newestInOne();
  const newest = readVolumeRecord(zones[0], volume)?.bytes as Buffer;
  zones[1].writeVolumeRecord(volume, newest, readVolumeRecord(zones[1], volume)?.bytes as Buffer);
  const {zone, medium} = mirrorOf(zones, 'keeper');
  const pass = (seconds: number): void => {
    for (let left = seconds * 5; left > 0; left--) {
      medium.advance(200);
      zone.mirror?.tick();
    }
  };
  const [, away] = medium.faults;
  if (away === undefined) throw new Error('there are three zones');
  away.failure = 'zone-io';
  zones[0].corruptRecord(volume, 40);
  const rotten = zones[0].readVolumeRecord(volume);
  pass(40);
  expect(zones[0].readVolumeRecord(volume)).toEqual(rotten);
  away.failure = null;
  pass(40);
  for (const one of zones) expect(one.readVolumeRecord(volume)).toEqual(newest);
});

test('a volume is not unknown because one zone of two was emptied and the other one fails', () => {
  const [a, b] = three();
  const maker = mirrorOf([a, b], 'keeper');
  const volume = allocateVolume(maker.zone);
  fill(maker.zone, volume, true, 1);
  maker.medium.finish();
  const medium = new SimulatedZones([three()[0], b]);
  Object.assign(medium.faults[1] ?? {}, {failure: 'zone-io'});
  const parts = {medium, settings: MIRROR_DEFAULTS, onEvent: () => undefined};
  const zone = openMirroredZone({...parts, role: 'writer'});
  const open = (): unknown => openVolumeIn({zone, volume, create: false, nodeCacheBytes: 0});
  expect(open).toThrow(expect.objectContaining({kind: 'unavailable'}));
});
