/**
 * Zones are added and removed on a running service, under load. Needs the compiled program.
 */
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {Load} from './support/load.ts';
import {ZoneService} from './support/zone-service.ts';

const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));

let root: string;
let service: ZoneService;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-zone-changes-'));
  service = new ZoneService(root);
});

afterEach(async () => {
  await service.stop();
  rmSync(root, {recursive: true});
});

describe.skipIf(!built || !fuse.available)('a service under load', () => {
  test(
    'gets a third zone and loses its first without cutting a connection or losing a commit',
    {timeout: 400_000},
    async () => {
      await service.startPrepared(['a', 'b']);
      const port = await service.createCluster();
      const load = await Load.start(port);
      await load.run(1);
      const servers = await load.serverStarts();

      await service.change('add', 'c');
      expect(await service.zoneNames()).toEqual(['us-east-1a', 'us-east-1b', 'us-east-1c']);
      await service.change('remove', 'a');
      expect(await service.zoneNames()).toEqual(['us-east-1b', 'us-east-1c']);
      await load.run(1);
      expect(await load.serverStarts()).toEqual(servers);
      expect(load.errors).toEqual([]);
      await load.stop();

      // What was removed is not needed, and is told that it is no part of the store.
      expect(readFileSync(join(service.zone('a'), 'store'), 'utf8')).toContain('"removed"');
      await service.stop();
      rmSync(service.zone('a'), {recursive: true});
      await service.start([]);
      await load.verify(await service.port());
      // The new zone has everything: with it alone of the old ones the store is whole.
      expect(readdirSync(join(service.zone('c'), 'volumes')).length).toBeGreaterThan(0);
    },
  );

  test(
    'goes from one zone to two with each engine started anew once, and back without',
    {timeout: 500_000},
    async () => {
      await service.startPrepared(['a']);
      const port = await service.createCluster();
      const load = await Load.start(port);
      await load.run(1);
      await service.change('add', 'b');
      expect(await service.zoneNames()).toEqual(['us-east-1a', 'us-east-1b']);
      // Their server was stopped in order, and the endpoint holds whoever comes until the next one serves.
      expect(load.errors.length).toBeGreaterThan(0);
      await load.resume(port);
      expect(await service.events('db-instance', 'writer')).toEqual([
        'DB instance is being created',
        'DB instance created',
        'Recovery of the DB instance has started: the store gets a second zone',
        'DB instance restarted',
      ]);
      const servers = await load.serverStarts();
      await load.run(1);
      await service.change('remove', 'a');
      await load.run(1);
      expect(await load.serverStarts()).toEqual(servers);
      await load.stop();
      await load.verify(port);
      await service.stop();
      rmSync(service.zone('a'), {recursive: true});
      await service.start([]);
      await load.verify(await service.port());
    },
  );

  test(
    'killed in the middle of a change goes on with it at the next start',
    {timeout: 500_000},
    async () => {
      await service.startPrepared(['a', 'b'], 'zone.joint.after-plan');
      const load = await Load.start(await service.createCluster());
      await load.run(1);
      await service.begin('add', 'c');
      await service.died();
      await load.stop();
      await service.start([], 'zone.leaving.after-plan');
      await service.untilChanged();
      expect(await service.zoneNames()).toEqual(['us-east-1a', 'us-east-1b', 'us-east-1c']);
      await load.verify(await service.port());
      await service.begin('remove', 'b');
      await service.died();
      await service.start([]);
      await service.untilChanged();
      expect(await service.zoneNames()).toEqual(['us-east-1a', 'us-east-1c']);
      await load.verify(await service.port());
      expect(readFileSync(join(service.zone('b'), 'store'), 'utf8')).toContain('"removed"');
    },
  );

  test(
    'is not opened with an old list of zones, nor with a zone that was removed',
    {timeout: 500_000},
    async () => {
      await service.start(['a', 'b', 'c']);
      await service.change('remove', 'c');
      const list = join(service.data, 'zones.json');
      const now = readFileSync(list, 'utf8');
      await service.stop();
      const zones = ['a', 'b', 'c'].map(letter => {
        return {name: `us-east-1${letter}`, directory: service.zone(letter)};
      });
      for (const old of [zones, zones.slice(2)]) {
        writeFileSync(list, JSON.stringify({formatVersion: 1, zones: old}));
        await expect(service.start([])).rejects.toThrow();
        await service.died();
      }
      writeFileSync(list, now);
      await service.start([]);
    },
  );
});
