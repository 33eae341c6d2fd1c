/** A service on three zones that loses one, gets it back, and reads rotten pages. Needs the compiled program. */
import {existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync} from 'node:fs';
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
import {sleep, systemClock} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {openService} from '../src/cli/service.ts';
import {startService, type Service} from '../src/server.ts';

const PASSWORD = 'correct-horse-battery';
const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));

let root: string;
let service: Service | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-zones-'));
});

afterEach(async () => {
  await service?.close();
  service = undefined;
  rmSync(root, {recursive: true});
});

describe.skipIf(!built).each(['native', 'pglite'] as const)('three zones, on %s', runtime => {
  test.skipIf(runtime === 'native' && !fuse.available)(
    'go on without one, bring it up to date, and lose nothing when another is lost',
    {timeout: 180_000},
    async () => {
      let rds = await start(runtime);
      const {DBClusters: none = []} = await rds.send(new DescribeDBClustersCommand({}));
      expect(none).toEqual([]);
      const port = await createCluster(rds);
      const {DBClusters = []} = await rds.send(new DescribeDBClustersCommand({}));
      expect(DBClusters[0]?.AvailabilityZones).toEqual(['us-east-1a', 'us-east-1b', 'us-east-1c']);
      await query(port, 'CREATE TABLE t (a int)');
      await query(port, 'INSERT INTO t SELECT generate_series(1, 100000)');

      renameSync(zone('c'), `${zone('c')}-gone`);
      for (let commit = 1; commit <= 20; commit++)
        await query(port, `INSERT INTO t VALUES (${-commit})`);
      await untilZone('us-east-1c', 'degraded');
      await query(port, 'INSERT INTO t VALUES (0)');

      rmSync(`${zone('c')}-gone`, {recursive: true});
      mkdirSync(zone('c'));
      await untilZone('us-east-1c', 'healthy');
      await query(port, 'INSERT INTO t VALUES (1)');
      await stop(rds);

      // What a and b held alone, c holds now: without a, b and c are a quorum.
      rmSync(zone('a'), {recursive: true});
      rds = await start(runtime);
      const again = await portOf(rds);
      expect(await query(again, 'SELECT count(*)::int AS n, sum(a)::int8 AS s FROM t')).toEqual([
        {n: 100_022, s: String(5_000_050_000 - 210 + 1)},
      ]);
      await untilZone('us-east-1a', 'healthy');
      await stop(rds);
      const segments = ['a', 'b', 'c'].map(letter => volumesIn(letter));
      expect(segments[0]).toEqual(segments[1]);
    },
  );
});

function volumesIn(letter: string): string[] {
  const directory = join(zone(letter), 'volumes');
  return readdirSync(directory).filter(name => existsSync(join(directory, name, 'record')));
}

function zone(letter: string): string {
  return join(root, `zone-${letter}`);
}

async function start(engineRuntime: 'native' | 'pglite'): Promise<RDSClient> {
  service = await startService({
    dataDirectory: join(root, 'data'),
    port: 0,
    region: 'us-east-1',
    engineRuntime,
    postgresBin: null,
    zones: ['a', 'b', 'c'].map(letter => ({letter, directory: zone(letter)})),
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

async function createCluster(rds: RDSClient): Promise<number> {
  await rds.send(
    new CreateDBClusterCommand({
      DBClusterIdentifier: 'orders',
      Engine: 'aurora-postgresql',
      MasterUsername: 'owner',
      MasterUserPassword: PASSWORD,
    }),
  );
  await rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: 'writer',
      DBClusterIdentifier: 'orders',
      DBInstanceClass: 'db.r6g.large',
      Engine: 'aurora-postgresql',
    }),
  );
  await waitUntilDBInstanceAvailable(
    {client: rds, maxWaitTime: 90, minDelay: 1, maxDelay: 1},
    {DBInstanceIdentifier: 'writer'},
  );
  return await portOf(rds);
}

async function portOf(rds: RDSClient): Promise<number> {
  const {DBClusters = []} = await rds.send(new DescribeDBClustersCommand({}));
  return DBClusters[0]?.Port ?? 0;
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

async function untilZone(name: string, wanted: string): Promise<void> {
  const client = await openService(join(root, 'data'));
  const deadlineMs = systemClock.monotonicMs() + 60_000;
  try {
    for (;;) {
      const {zones} = (await client.reports()).store;
      const found = zones.find(state => state.zone === name);
      if (found?.state === wanted) return;
      if (systemClock.monotonicMs() > deadlineMs) {
        expect(found).toMatchObject({state: wanted});
        return;
      }
      await sleep(200);
    }
  } finally {
    client.close();
  }
}
