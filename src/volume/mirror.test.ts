import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';
import {sleep, systemClock} from '../base/clock.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import type {MirrorRole} from '../page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {openZones} from '../page-store/open-zones.ts';
import {openStore} from '../page-store/store.ts';
import {zonesOfThreads} from '../page-store/thread-channel.ts';
import {ZoneBoard} from '../page-store/zone-board.ts';
import type {Zone, ZoneEvent} from '../page-store/zone.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import type {Volume} from './volume.ts';

const VOLUME = 1 as VolumeNumber;
const NAMES = ['a', 'b', 'c'];
let base: string;
let opened: Volume[] = [];

beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'borealis-mirror-'));
  for (const name of NAMES) fs.mkdirSync(path.join(base, name));
});

afterEach(() => {
  for (const volume of opened) volume.close();
  opened = [];
  fs.rmSync(base, {recursive: true, force: true});
});

const zones = () => NAMES.map(name => ({name, directory: path.join(base, name)}));

function open(create: boolean): {volume: Volume; zone: Zone; events: ZoneEvent[]} {
  const events: ZoneEvent[] = [];
  const onZoneEvent = (event: ZoneEvent): void => void events.push(event);
  const zone = openZones({zones: zones(), zoneHangMs: 3000}, {role: 'writer', onZoneEvent});
  return {...openOn(zone, create), events};
}

/** On threads whose disks stall while a file says so. */
function openStallingZone(role: MirrorRole): Zone {
  const entry = path.join(import.meta.dirname, '../page-store/testing/stalling-zone-worker.mjs');
  return openMirroredZone({
    medium: zonesOfThreads(zones(), new ZoneBoard(), entry),
    // Longer than threads take to start on a busy machine.
    settings: {...MIRROR_DEFAULTS, hangMs: 3000, probeMs: 100},
    ...{role, onEvent: () => undefined},
  });
}

function openStalling(): {volume: Volume; zone: Zone} {
  return openOn(openStallingZone('writer'), true);
}

function openOn(zone: Zone, create: boolean): {volume: Volume; zone: Zone} {
  openStore(zone);
  const options = {zone, volume: VOLUME, create, nodeCacheBytes: 0, ownsZone: true};
  const volume = openVolumeIn({...options, segmentBytes: 3 * 2 ** 20});
  opened.push(volume);
  return {volume, zone};
}

/** What one zone alone holds. */
function openOne(name: string): Volume {
  const zone = openZones({zones: zones().filter(one => one.name === name)}, {role: 'writer'});
  return openOn(zone, false).volume;
}

function put(volume: Volume, page: number, stamp: number): void {
  volume.changePage(5, page, false).fill(stamp);
  volume.endOperation();
}

function checkAll(volume: Volume, count: number, stamp: (page: number) => number): void {
  const into = Buffer.alloc(PAGE_SIZE_BYTES);
  for (let page = 0; page < count; page++) {
    volume.readPages(5, page, 1, into, 0);
    expect(into.equals(Buffer.alloc(PAGE_SIZE_BYTES, stamp(page)))).toBe(true);
  }
}

async function until(zone: Zone, states: string[]): Promise<void> {
  for (let round = 0; round < 300; round++) {
    zone.mirror?.tick();
    const now = zone.mirror?.states().map(({state}) => state) ?? [];
    if (JSON.stringify(now) === JSON.stringify(states)) return;
    await sleep(50);
  }
  expect(zone.mirror?.states()).toEqual(states);
}

const stampOf = (page: number): number => (page % 250) + 1;

describe('three directories with threads of their own', () => {
  test('a volume is written to all of them and read back', async () => {
    const {volume, zone} = open(true);
    for (let page = 0; page < 1000; page++) put(volume, page, stampOf(page));
    volume.barrier();
    checkAll(volume, 1000, stampOf);
    await until(zone, ['healthy', 'healthy', 'healthy']);
    volume.close();
    checkAll(open(false).volume, 1000, stampOf);
  });

  test('one that is removed is left out, and catches up when it is there again, empty', async () => {
    const {volume, zone, events} = open(true);
    for (let page = 0; page < 800; page++) put(volume, page, stampOf(page));
    volume.checkpoint();
    fs.rmSync(path.join(base, 'b'), {recursive: true});
    for (let page = 0; page < 100; page++) {
      put(volume, page, stampOf(page + 1));
      volume.barrier();
    }
    await until(zone, ['healthy', 'degraded', 'healthy']);
    fs.mkdirSync(path.join(base, 'b'));
    for (let page = 100; page < 200; page++) {
      put(volume, page, stampOf(page + 1));
      volume.barrier();
      zone.mirror?.tick();
      await sleep(10);
    }
    await until(zone, ['healthy', 'healthy', 'healthy']);
    expect(events.some(e => e.type === 'state' && e.state.state === 'catching-up')).toBe(true);
    volume.close();
    // It and another one that is lost now.
    fs.rmSync(path.join(base, 'a'), {recursive: true});
    const again = open(false);
    const stamp = (page: number): number => stampOf(page < 200 ? page + 1 : page);
    checkAll(again.volume, 800, stamp);
  });

  test('one in whose place another directory stands is left out, though its files are open, and filled', async () => {
    const {volume, zone, events} = open(true);
    for (let page = 0; page < 800; page++) put(volume, page, stampOf(page));
    volume.barrier();
    await until(zone, ['healthy', 'healthy', 'healthy']);
    fs.renameSync(path.join(base, 'b'), path.join(base, 'moved'));
    fs.mkdirSync(path.join(base, 'b'));
    // Nothing is written meanwhile that would miss it.
    const isMoved = (event: ZoneEvent): boolean =>
      event.type === 'state' && event.state.state === 'degraded';
    for (let round = 0; round < 100 && !events.some(isMoved); round++) {
      zone.mirror?.tick();
      await sleep(50);
    }
    expect(events.find(isMoved)).toMatchObject({
      state: {zone: 'b', reason: 'the directory of zone b was moved away'},
    });
    await until(zone, ['healthy', 'healthy', 'healthy']);
    for (let page = 0; page < 100; page++) put(volume, page, stampOf(page + 1));
    volume.barrier();
    volume.close();
    for (const gone of ['a', 'moved']) fs.rmSync(path.join(base, gone), {recursive: true});
    const stamp = (page: number): number => stampOf(page < 100 ? page + 1 : page);
    checkAll(open(false).volume, 800, stamp);
  });

  test('after one is lost, pages of a second that rotted are read from the third and repaired', async () => {
    const first = open(true);
    for (let page = 0; page < 800; page++) put(first.volume, page, stampOf(page));
    first.volume.checkpoint();
    await until(first.zone, ['healthy', 'healthy', 'healthy']);
    first.volume.close();
    fs.rmSync(path.join(base, 'a'), {recursive: true});
    const directory = path.join(base, 'b', 'volumes', '00000001');
    for (const name of fs.readdirSync(directory).filter(file => file.endsWith('.seg'))) {
      const bytes = fs.readFileSync(path.join(directory, name));
      for (let at = 700; at < bytes.length; at += 5000) bytes[at] = (bytes[at] ?? 0) ^ 1;
      fs.writeFileSync(path.join(directory, name), bytes);
    }
    const {volume, zone, events} = open(false);
    checkAll(volume, 800, stampOf);
    // A repair is reported once it is durable.
    for (let seen = -1; events.length > seen;) {
      seen = events.length;
      await sleep(500);
      zone.mirror?.tick();
    }
    expect(zone.mirror?.states().map(({state}) => state)).toEqual([
      'degraded',
      'healthy',
      'healthy',
    ]);
    const repaired = events.filter(event => event.type === 'repaired');
    expect(new Set(repaired.map(event => event.zone))).toEqual(new Set(['b']));
    expect(repaired.length).toBeGreaterThan(500);
    const before = repaired.length;
    checkAll(volume, 800, stampOf);
    expect(events.filter(event => event.type === 'repaired').length).toBe(before);
  });

  test('one whose disk hangs holds up nobody, and goes on where it was', async () => {
    const {volume, zone} = openStalling();
    put(volume, 0, 1);
    volume.barrier();
    const stall = path.join(base, 'c', 'stall');
    fs.writeFileSync(stall, '');
    const beganMs = systemClock.monotonicMs();
    for (let page = 0; page < 50; page++) {
      put(volume, page, stampOf(page));
      volume.barrier();
    }
    checkAll(volume, 50, stampOf);
    // Far below 50 times what a hung disk would be waited for.
    expect(systemClock.monotonicMs() - beganMs).toBeLessThan(15_000);
    await until(zone, ['healthy', 'healthy', 'degraded']);
    fs.rmSync(stall);
    await until(zone, ['healthy', 'healthy', 'healthy']);
    volume.barrier();
  });

  test('one that takes no writes is seen by a keeper that has nothing to write', async () => {
    const zone = openStallingZone('keeper');
    openStore(zone);
    await until(zone, ['healthy', 'healthy', 'healthy']);
    const stall = path.join(base, 'c', 'stall');
    fs.writeFileSync(stall, '');
    await until(zone, ['healthy', 'healthy', 'degraded']);
    expect(zone.mirror?.states()[2]).toMatchObject({reason: 'it does not answer'});
    fs.rmSync(stall);
    await until(zone, ['healthy', 'healthy', 'healthy']);
    zone.close();
  });

  test('one that is copied from a zone that hangs is copied from another one', async () => {
    const {volume, zone} = openStalling();
    for (let page = 0; page < 100; page++) put(volume, page, stampOf(page));
    volume.checkpoint();
    fs.rmSync(path.join(base, 'c'), {recursive: true});
    put(volume, 100, stampOf(100));
    volume.barrier();
    await until(zone, ['healthy', 'healthy', 'degraded']);
    // The first is who it begins to copy from.
    const hangs = ['stall', 'hang'].map(name => path.join(base, 'a', name));
    for (const hang of hangs) fs.writeFileSync(hang, '');
    fs.mkdirSync(path.join(base, 'c'));
    await until(zone, ['healthy', 'healthy', 'catching-up']);
    put(volume, 101, stampOf(101));
    const {lsn} = volume.barrierTarget();
    await until(zone, ['degraded', 'healthy', 'healthy']);
    await vi.waitFor(() => expect(zone.mirror?.durableLsn()).toBe(lsn), 5000);
    for (const hang of hangs) fs.rmSync(hang);
    await until(zone, ['healthy', 'healthy', 'healthy']);
    volume.close();
    fs.rmSync(path.join(base, 'a'), {recursive: true});
    fs.rmSync(path.join(base, 'b'), {recursive: true});
    checkAll(openOne('c'), 102, stampOf);
  });

  test('while two of three hang a barrier is not answered, and reads are', async () => {
    const {volume, zone} = openStalling();
    put(volume, 0, 1);
    volume.barrier();
    await until(zone, ['healthy', 'healthy', 'healthy']);
    const stalls = ['b', 'c'].map(name => path.join(base, name, 'stall'));
    for (const stall of stalls) fs.writeFileSync(stall, '');
    put(volume, 1, 2);
    const {lsn, isDurable} = volume.barrierTarget();
    expect(isDurable).toBe(false);
    await until(zone, ['healthy', 'degraded', 'degraded']);
    expect(volume.zone.mirror?.durableLsn()).toBeLessThan(lsn);
    expect(volume.isWritable()).toBe(false);
    checkAll(volume, 2, page => page + 1);
    for (const stall of stalls) fs.rmSync(stall);
    await until(zone, ['healthy', 'healthy', 'healthy']);
    expect(volume.zone.mirror?.durableLsn()).toBe(lsn);
  });
});
