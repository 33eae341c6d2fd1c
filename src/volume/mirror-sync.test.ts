/**
 * A zone whose sync failed may hold what was written in the host's cache only, where it looks as if it were on the
 * disk. Whoever saw the failure may die before it could mend that: then the zone's record tells, which is older.
 */
import {beforeEach, expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import type {MirrorRole} from '../page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {allocateVolume, openStore, removeVolume} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones} from '../page-store/testing/simulated-zones.ts';
import {ZoneFaults} from '../page-store/testing/zone-faults.ts';
import type {Zone} from '../page-store/zone.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import type {Volume} from './volume.ts';

const PAGES = [5, 6, 700];
/** Of what is random in a zone: after a sync that failed its cache keeps what was written. */
const KEEPS_CACHE = 1;

type Process = {zone: Zone; medium: SimulatedZones};
let zones: [MemoryZone, MemoryZone, MemoryZone];
let source: VolumeNumber;
let clone: VolumeNumber;

function start(role: MirrorRole): Process {
  const medium = new SimulatedZones(zones);
  const settings = MIRROR_DEFAULTS;
  const wallMs = (): number => medium.nowMs();
  const zone = openMirroredZone({medium, settings, role, onEvent: () => undefined, wallMs});
  openStore(zone);
  return {zone, medium};
}

function letPass({zone, medium}: Process, seconds: number): void {
  for (let at = 0; at < seconds * 5; at++) {
    medium.advance(200);
    zone.mirror?.tick();
  }
}

function open(zone: Zone, volume: VolumeNumber, create = false): Volume {
  return openVolumeIn({zone, volume, create, nodeCacheBytes: 0});
}

/** What zone c has after a power cut, by itself. */
function demandDurableInLast(volume: VolumeNumber): void {
  const opened = open(zones[2].durableCopy(), volume);
  for (const page of PAGES) {
    const into = Buffer.alloc(PAGE_SIZE_BYTES);
    opened.readPages(5, page, 1, into, 0);
    expect(into.equals(Buffer.alloc(PAGE_SIZE_BYTES, page % 256))).toBe(true);
  }
}

/** A writer checkpoints and forks; the sync of zone c fails meanwhile, and the writer is killed before c was brought up to date. */
beforeEach(() => {
  zones = ['a', 'b', 'c'].map(
    name => new MemoryZone(new ZoneFaults(() => KEEPS_CACHE), name),
  ) as typeof zones;
  const keeper = start('keeper');
  source = allocateVolume(keeper.zone);
  clone = allocateVolume(keeper.zone);
  open(keeper.zone, source, true).close();
  keeper.medium.finish();
  const writer = start('writer');
  const opened = open(writer.zone, source);
  for (const page of PAGES) opened.changePage(5, page, false).fill(page % 256);
  opened.endOperation();
  writer.medium.finish();
  zones[2].faults.arm('sync-error', 0);
  opened.fork(clone);
  writer.medium.finish();
  writer.medium.die();
  for (const zone of zones) zone.kill();
});

test('what a sync forgot is written once more by an opening that cannot do without the zone', () => {
  const {zone, medium} = start('writer');
  Object.assign(medium.faults[1] ?? {}, {failure: 'zone-io'});
  const opened = open(zone, source);
  medium.finish();
  opened.close();
  medium.finish();
  demandDurableInLast(source);
});

test('what a sync forgot is written once more by the keeper', () => {
  letPass(start('keeper'), 40);
  demandDurableInLast(source);
});

test('what a sync forgot is written once more before the volume is removed, for its clones', () => {
  const keeper = start('keeper');
  removeVolume(keeper.zone, source);
  letPass(keeper, 40);
  demandDurableInLast(clone);
});
