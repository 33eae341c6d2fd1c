/** A log of which a zone that is away holds what no other one has whole. */
import {expect, test} from 'vitest';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones} from '../page-store/testing/simulated-zones.ts';
import {ZoneFaults} from '../page-store/testing/zone-faults.ts';
import type {Zone} from '../page-store/zone.ts';
import {looksLikeHeader} from './batch.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES} from './pointer.ts';
import type {Volume} from './volume.ts';

/** Of a batch, counted from where its header begins. */
const LSN_AT = 40;

type Three = [MemoryZone, MemoryZone, MemoryZone];
type Process = {zone: Zone; medium: SimulatedZones};

/** A process of its own; the named zones fail for it. */
function start(zones: Three, failing: readonly string[] = []): Process {
  const medium = new SimulatedZones(zones);
  for (const [index, faults] of medium.faults.entries()) {
    if (failing.includes(zones[index]?.name ?? '')) faults.failure = 'zone-io';
  }
  const settings = MIRROR_DEFAULTS;
  const zone = openMirroredZone({medium, settings, role: 'writer', onEvent: () => undefined});
  openStore(zone);
  return {zone, medium};
}

function open({zone}: Process, volume: VolumeNumber, create = false): Volume {
  return openVolumeIn({zone, volume, create, nodeCacheBytes: 0});
}

function commit(volume: Volume, page: number): void {
  volume.changePage(5, page, false).fill(page);
  volume.endOperation();
  volume.barrier();
}

/** Pages 1 and 2 committed to zones a and c; the header of the first batch rotted in the named zones. */
function rotten(names: readonly string[]): {zones: Three; volume: VolumeNumber} {
  const zones = ['a', 'b', 'c'].map(name => new MemoryZone(new ZoneFaults(), name)) as Three;
  const maker = start(zones);
  const volume = allocateVolume(maker.zone);
  open(maker, volume, true).close();
  maker.medium.finish();
  maker.zone.close();
  const writer = start(zones, ['b']);
  const opened = open(writer, volume);
  const before = headersOf(zones[2], volume);
  for (const page of [1, 2]) commit(opened, page);
  writer.medium.finish();
  const place = headersOf(zones[2], volume).find(at => !before.includes(at)) as string;
  const [segment, offset] = place.split(':').map(Number) as [SegmentNumber, number];
  for (const zone of zones) {
    if (names.includes(zone.name)) zone.corrupt(volume, segment, offset + LSN_AT);
    zone.kill();
  }
  return {zones, volume};
}

/** Where the batches of a log begin, each as its segment and its offset. */
function headersOf(zone: MemoryZone, volume: VolumeNumber): string[] {
  return zone.listSegments(volume).flatMap(({segment}) => {
    const bytes = zone.bytesOf(volume, segment);
    const places = Array.from({length: bytes.length / SECTOR_SIZE_BYTES}, (_, sector) => sector);
    return places
      .map(sector => sector * SECTOR_SIZE_BYTES)
      .filter(at => looksLikeHeader(bytes, at))
      .map(at => `${segment}:${at}`);
  });
}

test('a log is not corrupt while a zone is away that may hold what is missing, and whole once it is back', () => {
  const {zones, volume} = rotten(['c']);
  const without = start(zones, ['a']);
  expect(() => open(without, volume)).toThrow(
    expect.objectContaining({
      kind: 'unavailable',
      message: expect.stringContaining('zones that cannot be asked: a'),
    }),
  );
  without.zone.close();
  for (const zone of zones) zone.kill();

  const opened = open(start(zones), volume);
  const into = Buffer.alloc(2 * PAGE_SIZE_BYTES);
  opened.readPages(5, 1, 2, into, 0);
  expect([into[0], into[PAGE_SIZE_BYTES]]).toEqual([1, 2]);
  opened.close();
});

test('a log is corrupt once every zone was asked and none has what is missing', () => {
  const {zones, volume} = rotten(['a', 'c']);
  expect(() => open(start(zones), volume)).toThrow(
    expect.objectContaining({
      kind: 'corrupt',
      message: expect.stringContaining('(zones a, b, c)'),
    }),
  );
});
