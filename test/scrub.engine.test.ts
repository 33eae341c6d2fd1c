/** Rotten pages under a real engine: what is good nowhere fails alone, all else is put right. Needs the compiled program. */
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {
  CreateDBClusterCommand,
  CreateDBInstanceCommand,
  DescribeDBClustersCommand,
  RDSClient,
  waitUntilDBInstanceAvailable,
} from '@aws-sdk/client-rds';
import pg from 'pg';
import {pino} from 'pino';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {openService} from '../src/cli/service.ts';
import {Catalog} from '../src/cluster/catalog.ts';
import type {EventRecord, ScrubResult} from '../src/cluster/records.ts';
import {openDirectoryZone} from '../src/page-store/directory-zone.ts';
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {startService, type Service} from '../src/server.ts';
import {FileTable} from '../src/volume/file-table.ts';
import {openVolumeIn} from '../src/volume/open-volume.ts';
import {PageReader} from '../src/volume/page-reader.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES, type Pointer} from '../src/volume/pointer.ts';
import {readVolumeRecord} from '../src/volume/volume-record.ts';
import {openVolumeFs} from '../src/volume-fs/volume-fs.ts';
import {ROOT_INO, type Ino} from '../src/volume-fs/types.ts';
import {prepareData} from './support/prepared-data.ts';

const PASSWORD = 'correct-horse-battery';
const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));

let root: string;
let service: Service | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-scrub-'));
});

afterEach(async () => {
  await service?.close();
  service = undefined;
  rmSync(root, {recursive: true});
});

type Runtime = 'native' | 'pglite';
const skips = (runtime: Runtime): boolean => runtime === 'native' && !fuse.available;

describe.skipIf(!built).each(['native', 'pglite'] as const)('on %s', runtime => {
  test.skipIf(skips(runtime))(
    'a page that is good in no zone fails its query and nothing else, and is named',
    {timeout: 480_000},
    async () => {
      const rds = await start(runtime, ['a']);
      const orders = await createCluster(rds, 'orders');
      const other = await createCluster(rds, 'other');
      await fill(orders);
      await query(other, 'CREATE TABLE u AS SELECT 1 AS a');
      const path = await filePath(orders);
      const volume = await volumeOf('orders');
      await stop(rds);

      const {pointer, ino} = findPage('a', volume, runtime, path, 1);
      spoil('a', pointer);

      const again = await start(runtime, ['a']);
      const [ordersPort, otherPort] = [await ready(again, 'orders'), await ready(again, 'other')];
      await expect(query(ordersPort, 'SELECT sum(length(b)) FROM t')).rejects.toMatchObject({
        code: '58030',
      });
      expect(await query(ordersPort, 'SELECT count(*)::int AS n FROM u')).toEqual([{n: 1}]);
      expect(await query(ordersPort, `INSERT INTO u VALUES (2) RETURNING a`)).toEqual([{a: 2}]);
      expect(await query(otherPort, 'SELECT a FROM u')).toEqual([{a: 1}]);

      const name = `page 1 of file ${ino} in volume ${volume}`;
      const {store} = await ask(client => client.reports());
      expect(store.damage).toMatchObject([{clusters: ['orders']}]);
      expect(store.damage[0]?.message).toContain(name);
      expect(store.damage[0]?.message).toContain('zone us-east-1a tried');

      const result = await scrubAll();
      expect(result.outcome).toBe('damaged');
      expect(result.report?.damaged).toMatchObject([{what: name, zones: ['us-east-1a']}]);
      await stop(again);
      const told = (await events()).filter(({message}) => message.includes(name));
      expect(told).toMatchObject([{sourceType: 'db-cluster', source: 'orders'}]);
    },
  );

  // Whose reads find the rot makes no difference to what puts it right.
  if (runtime !== (fuse.available ? 'native' : 'pglite')) return;
  test(
    'of three zones two may be rotten: no client sees it, and both are put right',
    {timeout: 480_000},
    async () => {
      const rds = await start(runtime, ['a', 'b', 'c']);
      const orders = await createCluster(rds, 'orders');
      await fill(orders);
      const path = await filePath(orders);
      const volume = await volumeOf('orders');
      await stop(rds);

      const read = findPage('c', volume, runtime, path, 1).pointer;
      const unread = findPage('c', volume, runtime, path, 2).pointer;
      for (const letter of ['a', 'b']) spoil(letter, read);
      spoil('c', unread);

      const again = await start(runtime, ['a', 'b', 'c']);
      const port = await ready(again, 'orders');
      expect(
        await query(port, 'SELECT count(*)::int AS n, sum(length(b))::int AS s FROM t'),
      ).toEqual([{n: 4000, s: 4000 * 100}]);
      const writing = keepWriting(port);
      const result = await scrubAll();
      expect(await writing.end()).toBeGreaterThan(0);
      expect(result.outcome).toBe('repaired');
      expect(result.report?.damaged).toEqual([]);
      expect(result.report?.zones.map(({unread: missed}) => missed)).toEqual([0, 0, 0]);
      expect((await scrubAll()).outcome).toBe('clean');
      await stop(again);

      for (const letter of ['a', 'b', 'c']) {
        for (const pointer of [read, unread]) expect(isGood(letter, pointer)).toBe(true);
      }
      const messages = (await events()).map(({message}) => message);
      for (const letter of ['a', 'b', 'c']) {
        const told = `Zone us-east-1${letter}: a bad or missing copy was repaired`;
        expect(messages.some(message => message.startsWith(told))).toBe(true);
      }
      expect(messages.some(message => message.startsWith('A scrub of the store ended'))).toBe(true);
    },
  );
});

// ── the store, looked at while no service runs ──

function zoneAt(letter: string): ReturnType<typeof openDirectoryZone> {
  return openDirectoryZone(`us-east-1${letter}`, join(root, `zone-${letter}`));
}

/** Where a page of a file lies, as the volume's own tables tell. */
function findPage(
  letter: string,
  volume: VolumeNumber,
  runtime: Runtime,
  path: string,
  page: number,
): {pointer: Pointer; ino: Ino} {
  const zone = zoneAt(letter);
  const opened = openVolumeIn({zone, volume, create: false, nodeCacheBytes: 2 ** 20});
  const fs = openVolumeFs(opened);
  let ino = ROOT_INO;
  for (const name of [runtime === 'native' ? 'pgdata' : 'pglite', ...path.split('/')]) {
    ino = fs.lookup(ino, name).ino;
  }
  opened.close();
  const reader = new PageReader(zone);
  const load = (pointer: Pointer): Uint32Array => reader.loadNode(pointer, () => 'a node');
  const rootPointer = readVolumeRecord(zone, volume)?.record.checkpoint.root ?? null;
  const files = new FileTable({load, nodesLoaded: 0, nodesDirty: 0}, rootPointer, 2 ** 20);
  const pointer = files.tree(ino).find(page);
  reader.close();
  if (pointer === null) throw new Error(`page ${page} of ${path} is a hole`);
  return {pointer, ino};
}

function spoil(letter: string, {volume, segment, sector}: Pointer): void {
  const file = zoneAt(letter).openSegment(volume, segment);
  file.write([Buffer.from('rotten')], sector * SECTOR_SIZE_BYTES + 4000);
  file.sync();
  file.close();
}

function isGood(letter: string, pointer: Pointer): boolean {
  const reader = new PageReader(zoneAt(letter));
  try {
    reader.readPage(pointer, Buffer.alloc(PAGE_SIZE_BYTES), 0, () => 'a page');
    return true;
  } catch {
    return false;
  } finally {
    reader.close();
  }
}

async function events(): Promise<EventRecord[]> {
  const catalog = Catalog.open({
    directory: join(root, 'data'),
    region: 'us-east-1',
    newIdentity: () => {
      throw new Error('the catalog is there');
    },
  });
  const all = catalog.events().map(({event}) => event);
  await catalog.close();
  return all;
}

// ── the service ──

async function start(engineRuntime: Runtime, letters: readonly string[]): Promise<RDSClient> {
  const zones = letters.map(letter => ({letter, directory: join(root, `zone-${letter}`)}));
  const data = join(root, 'data');
  if (!existsSync(data)) await prepareData(data, engineRuntime, zones);
  service = await startService({
    dataDirectory: data,
    port: 0,
    region: 'us-east-1',
    engineRuntime,
    postgresBin: null,
    zones,
    logger: pino({level: 'silent'}),
  });
  const {url, region, credentials} = service;
  return new RDSClient({endpoint: url, region, credentials});
}

async function stop(rds: RDSClient): Promise<void> {
  rds.destroy();
  await service?.close();
  service = undefined;
}

async function ask<T>(
  question: (client: Awaited<ReturnType<typeof openService>>) => Promise<T>,
): Promise<T> {
  const client = await openService(join(root, 'data'));
  try {
    return await question(client);
  } finally {
    client.close();
  }
}

function scrubAll(): Promise<ScrubResult> {
  return ask(async client => {
    const {id} = await client.beginScrub({cluster: null, bytesPerSecond: null});
    for (;;) {
      const {ended} = await client.scrub();
      if (ended?.id === id) return ended;
      await sleep(100);
    }
  });
}

async function createCluster(rds: RDSClient, name: string): Promise<number> {
  await rds.send(
    new CreateDBClusterCommand({
      DBClusterIdentifier: name,
      Engine: 'aurora-postgresql',
      MasterUsername: 'owner',
      MasterUserPassword: PASSWORD,
    }),
  );
  await rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: `${name}-writer`,
      DBClusterIdentifier: name,
      DBInstanceClass: 'db.r6g.large',
      Engine: 'aurora-postgresql',
    }),
  );
  return await ready(rds, name);
}

async function ready(rds: RDSClient, name: string): Promise<number> {
  await waitUntilDBInstanceAvailable(
    {client: rds, maxWaitTime: 180, minDelay: 1, maxDelay: 1},
    {DBInstanceIdentifier: `${name}-writer`},
  );
  const {DBClusters = []} = await rds.send(
    new DescribeDBClustersCommand({DBClusterIdentifier: name}),
  );
  return DBClusters[0]?.Port ?? 0;
}

async function volumeOf(name: string): Promise<VolumeNumber> {
  const report = await ask(client => client.report(name));
  return report.usage?.volume as VolumeNumber;
}

async function fill(port: number): Promise<void> {
  await query(
    port,
    `CREATE TABLE t AS SELECT i, repeat('x', 100) AS b FROM generate_series(1, 4000) i`,
  );
  await query(port, 'CREATE TABLE u AS SELECT 1 AS a');
  await query(port, 'CHECKPOINT');
}

async function filePath(port: number): Promise<string> {
  const [row] = await query(port, `SELECT pg_relation_filepath('t') AS path`);
  return String((row as {path: unknown}).path);
}

/** Commits one row after the other, until it is ended; tells how many. */
function keepWriting(port: number): {end: () => Promise<number>} {
  let isEnding = false;
  const work = (async (): Promise<number> => {
    for (let count = 0; ; count++) {
      if (isEnding) return count;
      await query(port, 'INSERT INTO u VALUES (3)');
    }
  })();
  return {
    end: () => {
      isEnding = true;
      return work;
    },
  };
}

async function query(port: number, sql: string): Promise<unknown[]> {
  const client = new pg.Client({
    ...{host: '127.0.0.1', port, user: 'owner', password: PASSWORD, database: 'postgres'},
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
