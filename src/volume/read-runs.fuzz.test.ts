import fc from 'fast-check';
import {beforeEach, expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {allocateVolume, openStore} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones, type Faults} from '../page-store/testing/simulated-zones.ts';
import {ZoneFaults} from '../page-store/testing/zone-faults.ts';
import type {ZoneEvent} from '../page-store/zone.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import type {Volume} from './volume.ts';

const FILE = 5;
const PAGES = 240;

let zones: MemoryZone[];
let medium: SimulatedZones;
let volume: Volume;
let events: ZoneEvent[];
let model: number[];

function begin(count: number): void {
  zones = Array.from({length: count}, (_, index) => {
    return new MemoryZone(new ZoneFaults(), 'abc'.charAt(index));
  });
  events = [];
  model = Array.from({length: PAGES}, () => 0);
  openOn(null);
}

function openOn(number: VolumeNumber | null): void {
  medium = new SimulatedZones(zones);
  const onEvent = (event: ZoneEvent): void => void events.push(event);
  const zone =
    zones.length === 1
      ? (zones[0] as MemoryZone)
      : openMirroredZone({medium, settings: MIRROR_DEFAULTS, role: 'writer', onEvent});
  openStore(zone);
  volume = openVolumeIn({
    ...{zone, volume: number ?? allocateVolume(zone), create: number === null, nodeCacheBytes: 0},
    // Small, so that a read goes over several.
    segmentBytes: 150 * PAGE_SIZE_BYTES,
  });
}

/** As the next process finds it: nothing of what it reads was written by itself. */
function reopen(): void {
  const {number} = volume;
  volume.close();
  medium.finish();
  openOn(number);
}

beforeEach(() => begin(3));

function write(page: number, stamp: number): void {
  volume.changePage(FILE, page, false).fill(stamp);
  volume.endOperation();
  model[page] = stamp;
}

function expectRead(first: number, count: number): void {
  const into = Buffer.alloc(count * PAGE_SIZE_BYTES, 0xee);
  volume.readPages(FILE, first, count, into, 0);
  const pages = Array.from({length: count}, (_, index) =>
    into.subarray(index * PAGE_SIZE_BYTES, (index + 1) * PAGE_SIZE_BYTES),
  );
  const expected = model.slice(first, first + count);
  expect(pages.map(page => page[0])).toEqual(expected);
  expect(
    pages.every((page, index) => page.equals(Buffer.alloc(page.length, expected[index]))),
  ).toBe(true);
}

/** Every page by itself, so that they lie in any order in the log, here and there with others between. */
function scatter(order: readonly number[]): void {
  for (const [index, page] of order.entries()) {
    write(page, 1 + (index % 250));
    if (index % 7 === 0) volume.flush();
  }
  volume.checkpoint();
  medium.finish();
}

const order = fc.shuffledSubarray([...Array(PAGES).keys()], {minLength: PAGES / 2});
const range = fc
  .tuple(fc.nat(PAGES - 1), fc.nat(PAGES - 1))
  .map(([a, b]) => ({first: Math.min(a, b), count: Math.abs(a - b) + 1}));
const write$ = fc.record({page: fc.nat(PAGES - 1), stamp: fc.integer({min: 1, max: 255})});

test('a read of many pages gives what was written last, between writes, in one zone and in three', () => {
  const step = fc.oneof(
    write$.map(
      ({page, stamp}) =>
        () =>
          write(page, stamp),
    ),
    range.map(
      ({first, count}) =>
        () =>
          expectRead(first, count),
    ),
    fc.constantFrom(
      () => volume.flush(),
      () => volume.checkpoint(),
    ),
  );
  const property = fc.property(
    fc.constantFrom(1, 3),
    order,
    fc.array(step, {maxLength: 20}),
    (count, pages, steps) => {
      begin(count);
      scatter(pages);
      for (const run of steps) run();
      expectRead(0, PAGES);
    },
  );
  fc.assert(property, {numRuns: 40});
});

type Rot = {readonly page: number; readonly zone: number};

/** Where the page with this stamp lies in a zone. */
function rot({page, zone}: Rot): string | null {
  const store = zones[zone] as MemoryZone;
  const wanted = Buffer.alloc(PAGE_SIZE_BYTES, model[page]);
  for (const {volume: of, segments} of store.contents()) {
    for (const {segment} of segments) {
      const at = store.bytesOf(of, segment).indexOf(wanted);
      if (at < 0) continue;
      store.corrupt(of, segment, at + 100);
      return `${'abc'.charAt(zone)}:${segment}:${at}`;
    }
  }
  return null;
}

function repairs(): string[] {
  return events.flatMap(event =>
    event.type === 'repaired' ? [`${event.zone}:${event.segment}:${event.offset}`] : [],
  );
}

test('of the pages that are read together those that rotted are repaired, and no other one', () => {
  // At most one zone for each page: another one has it.
  const rots = fc.uniqueArray(fc.record({page: fc.nat(PAGES - 1), zone: fc.nat(2)}), {
    selector: ({page}) => page,
    maxLength: 12,
  });
  const property = fc.property(order, rots, (pages, rotten) => {
    begin(3);
    scatter(pages);
    const places = rotten.filter(({page}) => model[page] !== 0).map(rot);
    expectRead(0, PAGES);
    // One page is read from the first zone.
    for (let page = 0; page < PAGES; page++) expectRead(page, 1);
    medium.finish();
    volume.zone.mirror?.tick();
    const repaired = repairs();
    expect(new Set(repaired).size).toBe(repaired.length);
    for (const place of repaired) expect(places).toContain(place);
    expect(repaired).toEqual(
      expect.arrayContaining(places.filter(place => place?.startsWith('a') === true)),
    );
    // Repaired is what can be read.
    expectRead(0, PAGES);
    medium.finish();
    volume.zone.mirror?.tick();
    expect(repairs()).toEqual(repaired);
  });
  fc.assert(property, {numRuns: 40});
});

test('what is bad in a zone that has a share of a read is repaired at once, and read right', () => {
  scatter([...Array(PAGES).keys()].reverse());
  const places = Array.from({length: PAGES}, (_, page) => rot({page, zone: 2}));
  expectRead(0, PAGES);
  medium.finish();
  volume.zone.mirror?.tick();
  const repaired = repairs();
  expect(repaired.length).toBeGreaterThan(PAGES / 10);
  for (const place of repaired) expect(places).toContain(place);
  expectRead(0, PAGES);
  medium.finish();
  volume.zone.mirror?.tick();
  expect(repairs()).toEqual(repaired);
});

test('a zone whose reads do not come back holds up one read of many pages, and no later one', () => {
  scatter([...Array(PAGES).keys()].reverse());
  for (const hung of [0, 2]) {
    (medium.faults[hung] as Faults).hungUntilMs = medium.nowMs() + 60_000;
    const beganMs = medium.nowMs();
    expectRead(0, PAGES);
    expect(medium.nowMs() - beganMs).toBeLessThan(2 * MIRROR_DEFAULTS.readMs);
    const againMs = medium.nowMs();
    for (let times = 0; times < 20; times++) expectRead(0, PAGES);
    expect(medium.nowMs() - againMs).toBeLessThan(100);
    (medium.faults[hung] as Faults).hungUntilMs = 0;
    medium.finish();
  }
});

test('a segment that one zone lacks is read from the others and copied to it', () => {
  scatter([...Array(PAGES).keys()].reverse());
  reopen();
  const lost = zones[2] as MemoryZone;
  for (const {volume: of, segments} of lost.contents()) {
    const [first] = segments;
    if (first !== undefined) lost.deleteSegment(of, first.segment);
  }
  expectRead(0, PAGES);
  medium.finish();
  volume.zone.mirror?.tick();
  expect(events).toMatchObject([{type: 'repaired', zone: 'c', what: 'lost segment'}]);
});
