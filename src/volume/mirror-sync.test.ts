/**
 * A zone whose sync failed may hold what was written in the host's cache only, where it looks as if it were on the
 * disk. Whoever saw the failure may die before it could mend that: then the zone's record tells, which is older.
 */
import {beforeEach, describe, expect, test} from 'vitest';
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

/** More than one segment takes. */
const PAGES: readonly number[] = Array.from({length: 300}, (_, page) => page * 3);
const SEGMENT_BYTES = 1_150_000;
const BATCH_PAGES = 50;
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
  const segmentBytes = SEGMENT_BYTES;
  return openVolumeIn({zone, volume, create, nodeCacheBytes: 0, segmentBytes});
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

/**
 * A writer checkpoints and forks; a sync of zone c fails meanwhile, and the writer is killed before c was brought up
 * to date.
 */
function crash(syncsToGo: number): void {
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
  for (const [index, page] of PAGES.entries()) {
    opened.changePage(5, page, false).fill(page % 256);
    opened.endOperation();
    if (index % BATCH_PAGES === 0) opened.flush();
  }
  expect(zones[2].listSegments(source).length).toBeGreaterThan(1);
  writer.medium.finish();
  zones[2].faults.arm('sync-error', syncsToGo);
  opened.fork(clone);
  writer.medium.finish();
  writer.medium.die();
  for (const zone of zones) zone.kill();
}

/** That of a sealed segment, or of the one in use. */
describe.each([0, 1])('what sync %i forgot is written once more', syncsToGo => {
  beforeEach(() => crash(syncsToGo));

  test('by an opening that cannot do without the zone', () => {
    const {zone, medium} = start('writer');
    Object.assign(medium.faults[1] ?? {}, {failure: 'zone-io'});
    const opened = open(zone, source);
    medium.finish();
    opened.close();
    medium.finish();
    demandDurableInLast(source);
  });

  test('by the keeper', () => {
    letPass(start('keeper'), 40);
    demandDurableInLast(source);
  });

  test('before the volume is removed, for its clones', () => {
    const keeper = start('keeper');
    removeVolume(keeper.zone, source);
    letPass(keeper, 40);
    demandDurableInLast(clone);
  });
});
