/**
 * PostgreSQL under load on three zones of which one or two hang, are full, rot or are lost. Two of the
 * zones are disks of their own, which needs root and loop devices. Needs the compiled program. The
 * tests go on from one another.
 */
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {Load} from './support/load.ts';
import {canMountLoops, LoopDisk} from './support/loop-disk.ts';
import {ZoneService} from './support/zone-service.ts';

const fuse = await probeFuse();
const isPossible = fuse.available && canMountLoops() && existsSync(entryPoint('instance/main'));
const DISK_BYTES = 768 * 2 ** 20;
const LIMIT = {timeout: 240_000};
const SET_UP_MS_MAX = 300_000;

let root: string;
let service: ZoneService;
let disks: {b: LoopDisk; c: LoopDisk};
let load: Load | undefined;
let port: number;

describe.skipIf(!isPossible)('three zones under load', () => {
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'borealis-zone-failures-'));
    service = new ZoneService(root);
    disks = {
      b: new LoopDisk(service.zone('b'), DISK_BYTES),
      c: new LoopDisk(service.zone('c'), DISK_BYTES),
    };
    await service.startPrepared(['a', 'b', 'c']);
    port = await service.createCluster();
    load = await Load.start(port);
  }, SET_UP_MS_MAX);

  afterAll(async () => {
    for (const disk of Object.values(disks)) disk.thaw();
    try {
      await load?.stop();
      await service.stop();
    } finally {
      for (const disk of Object.values(disks)) disk.remove();
      rmSync(root, {recursive: true});
    }
  }, SET_UP_MS_MAX);

  afterEach(() => {
    for (const disk of Object.values(disks)) {
      disk.thaw();
      disk.empty();
    }
  });

  /** Commits of so many seconds; none of them failed. */
  const commits = async (seconds: number): Promise<number> => {
    const count = (await load?.run(seconds)) ?? 0;
    expect(load?.errors).toEqual([]);
    return count;
  };

  test('one that takes no writes does not slow commits, and is shown', LIMIT, async () => {
    await commits(1);
    const before = await commits(3);
    disks.c.freeze();
    const during = await commits(3);
    const {reason} = {reason: '', ...(await service.untilZone('c', 'degraded'))};
    // The last one is of a zone that was given up and is asked again.
    const hangs = /it does not answer|it is too slow for what is written|it has not answered yet/;
    expect(reason).toMatch(hangs);
    const after = await commits(3);
    process.stdout.write(
      `commits in 3 s: ${before} before, ${during} hung, ${after} known to hang\n`,
    );
    expect(during).toBeGreaterThan(before / 2);
    expect(after).toBeGreaterThan(before / 2);
    expect(await service.zoneMetric('borealis_zone_healthy', 'c')).toBe(0);
    expect(await service.zoneMetric('borealis_zone_healthy', 'b')).toBe(1);
    const told = (await service.zoneEvents('c')).at(-1);
    expect(told).toMatch(/^Zone us-east-1c is degraded: /);
    expect(told).toMatch(hangs);
  });

  test(
    'without a quorum commits wait, without an error, and go on by themselves',
    LIMIT,
    async () => {
      // The last one catches up since a moment ago, and may copy from the one that hangs now.
      disks.b.freeze();
      disks.c.freeze();
      await commits(1);
      // Longer than a zone may hang.
      expect(await commits(12)).toBe(0);
      disks.c.thaw();
      for (let round = 0; (await commits(0.5)) === 0; round++) expect(round).toBeLessThan(60);
      disks.b.thaw();
      for (const zone of ['b', 'c']) {
        await service.untilZone(zone, 'healthy');
        expect(await service.zoneMetric('borealis_zone_healthy', zone)).toBe(1);
        const messages = await service.zoneEvents(zone);
        expect(messages.at(-1)).toBe(`Zone us-east-1${zone} is healthy`);
      }
      expect(await commits(1)).toBeGreaterThan(0);
    },
  );

  test('one that is full is done without until there is room', LIMIT, async () => {
    disks.c.fill();
    await service.untilZone('c', 'degraded');
    expect(await commits(1)).toBeGreaterThan(0);
    disks.c.empty();
    await service.untilZone('c', 'healthy');
  });

  test('after one is lost, no page of a second that rots is lost', LIMIT, async () => {
    await load?.stop();
    await service.stop();
    rmSync(service.zone('a'), {recursive: true});
    expect(rot(service.zone('b'))).toBeGreaterThan(100);
    await service.start([]);
    await load?.verify(await service.port());
    await service.untilZone('a', 'healthy');
  });
});

/** Changes a byte of every page of every segment; returns of how many. */
function rot(zone: string): number {
  let pages = 0;
  const volumes = join(zone, 'volumes');
  for (const volume of readdirSync(volumes)) {
    for (const name of readdirSync(join(volumes, volume))) {
      if (!name.endsWith('.seg')) continue;
      const file = join(volumes, volume, name);
      const bytes = readFileSync(file);
      for (let at = 4096; at < bytes.length; at += 8192, pages++) {
        bytes[at] = (bytes[at] ?? 0) ^ 0x55;
      }
      writeFileSync(file, bytes);
    }
  }
  return pages;
}
