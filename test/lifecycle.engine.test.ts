/** Stop, start, rename, reboot and parameters through the SDK, with real engines. Needs `npm run build`. */
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {RDS} from '@aws-sdk/client-rds';
import pg from 'pg';
import {pino} from 'pino';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {startService, type Service} from '../src/server.ts';
import {prepareData} from './support/prepared-data.ts';

const PASSWORD = 'correct-horse-battery';
const FAMILY = 'aurora-postgresql18';
/** Two minutes: other tests run beside it. */
const WAIT_ATTEMPTS_MAX = 1_200;
const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));
const runtimes = fuse.available ? (['native', 'pglite'] as const) : (['pglite'] as const);

test('the program is built and its engines are tried', () => {
  expect(built, 'run `npm run build` first').toBe(true);
});

describe.each(runtimes)('a cluster on %s', engineRuntime => {
  let root: string;
  let service: Service;
  let rds: RDS;
  let port: number;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'borealis-lifecycle-'));
    await prepareData(join(root, 'data'), engineRuntime);
    service = await startService({
      dataDirectory: join(root, 'data'),
      port: 0,
      region: 'us-east-1',
      engineRuntime,
      postgresBin: null,
      logger: pino({level: 'silent'}),
    });
    const {url: endpoint, region, credentials} = service;
    rds = new RDS({endpoint, region, credentials});
  });

  afterAll(async () => {
    rds.destroy();
    await service.close();
    rmSync(root, {recursive: true});
  });

  beforeEach(async () => {
    const created = await rds.createDBCluster({
      DBClusterIdentifier: 'orders',
      Engine: 'aurora-postgresql',
      MasterUsername: 'owner',
      MasterUserPassword: PASSWORD,
    });
    port = created.DBCluster?.Port ?? 0;
    await rds.createDBInstance({
      DBInstanceIdentifier: 'w',
      DBClusterIdentifier: 'orders',
      DBInstanceClass: 'db.r6g.large',
      Engine: 'aurora-postgresql',
    });
    await instanceIs('available');
  });

  afterEach(async () => {
    const {DBInstances = []} = await rds.describeDBInstances({});
    for (const {DBInstanceIdentifier} of DBInstances) {
      await rds.deleteDBInstance({DBInstanceIdentifier});
    }
    const {DBClusters = []} = await rds.describeDBClusters({});
    for (const {DBClusterIdentifier} of DBClusters) {
      await rds.deleteDBCluster({DBClusterIdentifier, SkipFinalSnapshot: true});
    }
    await becomes(async () => (await rds.describeDBClusters({})).DBClusters?.length, 0);
    const {DBClusterParameterGroups = []} = await rds.describeDBClusterParameterGroups({});
    for (const {DBClusterParameterGroupName} of DBClusterParameterGroups) {
      if (DBClusterParameterGroupName !== 'tuned') continue;
      await rds.deleteDBClusterParameterGroup({DBClusterParameterGroupName});
    }
  });

  async function instanceIs(status: string): Promise<void> {
    for (let attempt = 0; attempt < WAIT_ATTEMPTS_MAX; attempt++) {
      const {DBInstances} = await rds.describeDBInstances({});
      if (DBInstances?.[0]?.DBInstanceStatus === status) return;
      await sleep(100);
    }
    throw new Error(`the instance did not become ${status} in time`);
  }

  async function clusterIs(name: string, status: string): Promise<void> {
    for (let attempt = 0; attempt < WAIT_ATTEMPTS_MAX; attempt++) {
      const {DBClusters} = await rds.describeDBClusters({});
      const [cluster] = DBClusters ?? [];
      if (cluster?.DBClusterIdentifier === name && cluster.Status === status) return;
      await sleep(100);
    }
    throw new Error(`the cluster did not become ${name}, ${status} in time`);
  }

  async function allAre(status: string): Promise<void> {
    const others = async (): Promise<number> => {
      const {DBInstances = []} = await rds.describeDBInstances({});
      return DBInstances.filter(each => each.DBInstanceStatus !== status).length;
    };
    await becomes(others, 0);
  }

  /** What cannot be asked now (an engine starts again) is asked again. */
  async function becomes(ask: () => Promise<unknown>, wanted: unknown): Promise<void> {
    let last: unknown;
    for (let attempt = 0; attempt < WAIT_ATTEMPTS_MAX; attempt++) {
      last = await ask().catch(String);
      if (last === wanted) return;
      await sleep(100);
    }
    expect(last).toBe(wanted);
  }

  /** A cluster parameter group that the cluster uses. */
  async function group(): Promise<void> {
    const DBClusterParameterGroupName = 'tuned';
    await rds.createDBClusterParameterGroup({
      DBClusterParameterGroupName,
      DBParameterGroupFamily: FAMILY,
      Description: 'tuned',
    });
    await rds.modifyDBCluster({DBClusterIdentifier: 'orders', DBClusterParameterGroupName});
  }

  async function query(
    sql: string,
    host = '127.0.0.1',
  ): Promise<Record<string, unknown> | undefined> {
    const client = new pg.Client({
      host,
      port,
      user: 'owner',
      password: PASSWORD,
      database: 'postgres',
    });
    client.on('error', () => undefined);
    await client.connect();
    try {
      const {rows} = await client.query<Record<string, unknown>>(sql);
      return rows[0];
    } finally {
      await client.end();
    }
  }

  test('stops and starts, is renamed and rebooted, and keeps what was written', async () => {
    await query('CREATE TABLE kept AS SELECT 42 AS answer');
    await rds.stopDBCluster({DBClusterIdentifier: 'orders'});
    await instanceIs('stopped');
    await expect(query('SELECT 1')).rejects.toThrow('StartDBCluster');
    await rds.startDBCluster({DBClusterIdentifier: 'orders'});
    // Held until the engine is there.
    expect(await query('SELECT answer FROM kept')).toEqual({answer: 42});
    await instanceIs('available');
    await rds.rebootDBInstance({DBInstanceIdentifier: 'w'});
    await instanceIs('available');
    await clusterIs('orders', 'available');
    await rds.modifyDBCluster({
      DBClusterIdentifier: 'orders',
      NewDBClusterIdentifier: 'sales',
      ApplyImmediately: true,
    });
    await clusterIs('sales', 'available');
    await instanceIs('available');
    expect(await query('SELECT answer FROM kept')).toEqual({answer: 42});
    const {Events = []} = await rds.describeEvents({Duration: 60});
    const messages = Events.map(event => event.Message);
    for (const message of [
      'DB cluster stopped',
      'DB cluster started',
      'Renamed cluster from orders to sales',
    ]) {
      expect(messages).toContain(message);
    }
  });

  test.runIf(engineRuntime === 'native')(
    'has readers that take its parameters, and follow a writer that starts with larger ones',
    async () => {
      await query('CREATE TABLE kept AS SELECT 42 AS answer');
      await rds.createDBInstance({
        DBInstanceIdentifier: 'r',
        DBClusterIdentifier: 'orders',
        DBInstanceClass: 'db.r6g.large',
        Engine: 'aurora-postgresql',
      });
      await allAre('available');
      await group();
      await rds.modifyDBClusterParameterGroup({
        DBClusterParameterGroupName: 'tuned',
        Parameters: [
          {ParameterName: 'work_mem', ParameterValue: '8192', ApplyMethod: 'immediate'},
          {ParameterName: 'max_connections', ParameterValue: '777', ApplyMethod: 'pending-reboot'},
        ],
      });
      const shown = async (name: string): Promise<unknown> =>
        (await query(`SHOW ${name}`, '127.0.0.2'))?.[name];
      await becomes(() => shown('work_mem'), '8MB');
      expect(await shown('max_connections')).not.toBe('777');
      await rds.rebootDBInstance({DBInstanceIdentifier: 'w'});
      await becomes(() => shown('max_connections'), '777');
      await query('INSERT INTO kept VALUES (43)');
      await becomes(
        async () => (await query('SELECT count(*)::int AS n FROM kept', '127.0.0.2'))?.['n'],
        2,
      );
      await allAre('available');
      // Fewer: a reader that starts before its writer does must have what the writer still has.
      await rds.modifyDBClusterParameterGroup({
        DBClusterParameterGroupName: 'tuned',
        Parameters: [
          {ParameterName: 'max_connections', ParameterValue: '60', ApplyMethod: 'pending-reboot'},
        ],
      });
      await rds.rebootDBInstance({DBInstanceIdentifier: 'r'});
      await allAre('available');
      expect(await shown('max_connections')).toBe('777');
      expect(await query('SELECT pg_is_in_recovery() AS standby', '127.0.0.2')).toEqual({
        standby: true,
      });
    },
  );

  test('shows the log of its engine', async () => {
    const log = {DBInstanceIdentifier: 'w', LogFileName: 'error/engine.log'};
    const {DescribeDBLogFiles} = await rds.describeDBLogFiles({DBInstanceIdentifier: 'w'});
    expect(DescribeDBLogFiles?.map(file => file.LogFileName)).toContain(log.LogFileName);
    await expect(query('SELECT 1 / 0')).rejects.toThrow('division by zero');
    const {LogFileData} = await rds.downloadDBLogFilePortion({...log, Marker: '0'});
    expect(LogFileData).toContain('division by zero');
  });

  test('takes parameters: by a reload where the engine can, else with the next start', async () => {
    const {DBInstances} = await rds.describeDBInstances({});
    expect(DBInstances?.[0]?.DBParameterGroups?.[0]?.ParameterApplyStatus).toBe('in-sync');
    await group();
    await rds.modifyDBClusterParameterGroup({
      DBClusterParameterGroupName: 'tuned',
      Parameters: [
        {ParameterName: 'work_mem', ParameterValue: '8192', ApplyMethod: 'immediate'},
        {ParameterName: 'wal_buffers', ParameterValue: '512', ApplyMethod: 'pending-reboot'},
      ],
    });
    const shown = async (name: string): Promise<unknown> => (await query(`SHOW ${name}`))?.[name];
    if (engineRuntime === 'native') {
      for (let attempt = 0; attempt < 100 && (await shown('work_mem')) !== '8MB'; attempt++) {
        await sleep(50);
      }
      expect(await shown('work_mem')).toBe('8MB');
    }
    expect(await shown('wal_buffers')).not.toBe('4MB');
    const waiting = await rds.describeDBInstances({});
    expect(waiting.DBInstances?.[0]?.DBParameterGroups?.[0]?.ParameterApplyStatus).toBe(
      'pending-reboot',
    );
    await rds.rebootDBInstance({DBInstanceIdentifier: 'w'});
    await instanceIs('available');
    expect(await shown('wal_buffers')).toBe('4MB');
    expect(await shown('work_mem')).toBe('8MB');
  });
});
