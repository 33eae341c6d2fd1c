import {beforeEach, expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones} from '../page-store/testing/simulated-zones.ts';
import type {Faults} from '../page-store/testing/simulated-zones.ts';
import {ZoneFaults} from '../page-store/testing/zone-faults.ts';
import type {Damage, Zone} from '../page-store/zone.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import type {Volume} from './volume.ts';

let zones: MemoryZone[];
let medium: SimulatedZones;
let damages: Damage[];
let volume: Volume;

function openMirror(): Zone {
  medium = new SimulatedZones(zones);
  const settings = MIRROR_DEFAULTS;
  const zone = openMirroredZone({medium, settings, role: 'writer', onEvent: () => undefined});
  openStore(zone);
  return zone;
}

beforeEach(() => {
  zones = ['a', 'b'].map(name => new MemoryZone(new ZoneFaults(), name));
  damages = [];
  const zone = openMirror();
  const number: VolumeNumber = allocateVolume(zone);
  const options = {volume: number, nodeCacheBytes: 0};
  const first = openVolumeIn({zone, ...options, create: true});
  first.changePage(5, 0, false).fill(7);
  first.endOperation();
  first.close();
  medium.finish();
  const onDamage = (damage: Damage): void => void damages.push(damage);
  volume = openVolumeIn({zone: openMirror(), ...options, create: false, onDamage});
});

const faultsOf = (index: number): Faults => medium.faults[index] as Faults;

function read(): Buffer {
  const into = Buffer.alloc(PAGE_SIZE_BYTES);
  volume.readPages(5, 0, 1, into, 0);
  return into;
}

function loseSegments(from: readonly MemoryZone[]): void {
  for (const zone of from) {
    for (const {volume: of, segments} of zone.contents()) {
      for (const {segment} of segments) zone.deleteSegment(of, segment);
    }
  }
  // Files that are open go on being read until they are let go of.
  volume.zone.mirror?.tick();
  medium.finish();
}

test('a page is not lost because every zone fails at the moment', () => {
  for (const faults of medium.faults) faults.failure = 'zone-io';
  expect(read).toThrow(
    /cannot read segment 1 of volume 1 from any zone \(a: simulated: zone-io; b: simulated: zone-io\)/,
  );
  expect(damages).toEqual([]);
  for (const faults of medium.faults) faults.failure = null;
  expect(read()).toEqual(Buffer.alloc(PAGE_SIZE_BYTES, 7));
});

test('a read goes on by itself when a zone that failed answers again in time', () => {
  for (const faults of medium.faults) faults.failure = 'zone-io';
  medium.disks.onWait = () => {
    if (medium.nowMs() > 3000) faultsOf(1).failure = null;
  };
  expect(read()).toEqual(Buffer.alloc(PAGE_SIZE_BYTES, 7));
});

test('a page that one zone lacks is not lost while the other one fails', () => {
  loseSegments(zones.slice(0, 1));
  faultsOf(1).failure = 'zone-lost';
  expect(read).toThrow(/\(a: it lacks it; b: simulated: zone-lost\)/);
  expect(damages).toEqual([]);
  faultsOf(1).failure = null;
  expect(read()).toEqual(Buffer.alloc(PAGE_SIZE_BYTES, 7));
});

test('a page that every zone lacks is lost, and told', () => {
  loseSegments(zones);
  expect(read).toThrow(/segment 1 of volume 1 is in none of the zones tried \(a, b\)/);
  expect(damages).toMatchObject([{segment: 1, zones: ['a', 'b']}]);
});

test('a page that is bad in one zone is not lost while the other one does not answer', () => {
  for (const {volume: of, segments} of zones[0]?.contents() ?? []) {
    for (const {segment} of segments) zones[0]?.corrupt(of, segment, 5000);
  }
  faultsOf(1).hungUntilMs = 60_000;
  expect(read).toThrow(/\(zones a\); zones that cannot be asked: b/);
  expect(damages).toEqual([]);
  faultsOf(1).hungUntilMs = 0;
  expect(read()).toEqual(Buffer.alloc(PAGE_SIZE_BYTES, 7));
});
