/** Readers and failover with real servers: a service, a cluster, two readers, and clients under way. */
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {RDS} from '@aws-sdk/client-rds';
import pg from 'pg';
import {pino} from 'pino';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep, systemClock} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {openService, type Service as Client} from '../src/cli/service.ts';
import type {ClusterReport} from '../src/cluster/control-plane.ts';
import {processTree} from '../src/instance/testing/instance-bench.ts';
import {startService, type Service} from '../src/server.ts';
import {prepareData} from './support/prepared-data.ts';

const PASSWORD = 'correct-horse-battery';
const fuse = await probeFuse();
const why = !existsSync(entryPoint('instance/main'))
  ? 'npm run build first'
  : fuse.available
    ? null
    : `no FUSE mounts here: ${fuse.reason}`;

let directory = '';
let service: Service;
let client: Client;
let rds: RDS;
let logged = '';

async function start(): Promise<void> {
  service = await startService({
    dataDirectory: directory,
    region: 'us-east-1',
    port: 0,
    engineRuntime: 'native',
    postgresBin: null,
    logger: pino({level: 'debug'}, {write: line => void (logged += line)}),
  });
  client = await openService(directory);
  rds = new RDS({endpoint: service.url, region: 'us-east-1', credentials: service.credentials});
}

async function addInstance(name: string, tier = 1): Promise<void> {
  await rds.createDBInstance({
    DBInstanceIdentifier: name,
    DBClusterIdentifier: 'orders',
    DBInstanceClass: 'db.r6g.large',
    Engine: 'aurora-postgresql',
    PromotionTier: tier,
  });
}

async function until<T>(
  what: string,
  look: () => Promise<T | false>,
  limitMs = 60_000,
): Promise<T> {
  const startedMs = systemClock.monotonicMs();
  let last: unknown;
  while (systemClock.monotonicMs() - startedMs < limitMs) {
    try {
      const found = await look();
      if (found !== false) return found;
    } catch (error) {
      last = error;
    }
    await sleep(50);
  }
  throw new Error(`not within ${limitMs} ms: ${what}`, {cause: last});
}

const report = (): Promise<ClusterReport> => client.report('orders');

function allAvailable(): Promise<ClusterReport> {
  return until('every instance is available', async () => {
    const found = await report();
    return found.instances.every(instance => instance.status === 'available') && found;
  });
}

type Place = {host?: string; port?: number; database?: string};

async function connect(place: Place): Promise<pg.Client> {
  const found = new pg.Client({
    host: '127.0.0.1',
    user: 'owner',
    password: PASSWORD,
    database: 'postgres',
    connectionTimeoutMillis: 30_000,
    ...place,
  });
  found.on('error', () => undefined);
  await found.connect();
  return found;
}

async function query(place: Place, sql: string): Promise<Record<string, unknown>[]> {
  const session = await connect(place);
  try {
    return (await session.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await session.end();
  }
}

async function portOf(name: string): Promise<number> {
  const found = (await report()).instances.find(instance => instance.identifier === name);
  return found?.port ?? 0;
}

async function writerName(): Promise<string> {
  return (await report()).instances.find(({role}) => role === 'writer')?.identifier ?? '';
}

/** The processes whose title is that of an instance. */
function processesOf(name: string): number[] {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .filter(entry => commandLine(entry).startsWith(`borealis ${name}`))
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** Inserts one number after the other, and keeps those that were acknowledged. */
class Load {
  readonly acknowledged: number[] = [];
  #ended = false;
  readonly #done: Promise<void>;
  #next = 0;

  constructor(port: number) {
    this.#done = this.#run(port);
  }

  async #run(port: number): Promise<void> {
    while (!this.#ended) {
      try {
        const session = await connect({port});
        while (!this.#ended) {
          const entry = this.#next++;
          await session.query('INSERT INTO ledger VALUES ($1)', [entry]);
          this.acknowledged.push(entry);
        }
        await session.end();
      } catch {
        await sleep(5);
      }
    }
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#done;
  }
}

async function expectLedger(place: Place, load: Load): Promise<void> {
  const rows = await query(place, 'SELECT entry FROM ledger');
  const there = new Set(rows.map(row => Number(row['entry'])));
  expect(load.acknowledged.filter(entry => !there.has(entry))).toEqual([]);
}

describe.skipIf(why !== null)(`readers${why === null ? '' : ` (skipped: ${why})`}`, () => {
  let port = 0;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'borealis-readers-'));
    await prepareData(directory, 'native');
    await start();
    const {DBCluster} = await rds.createDBCluster({
      DBClusterIdentifier: 'orders',
      Engine: 'aurora-postgresql',
      MasterUsername: 'owner',
      MasterUserPassword: PASSWORD,
    });
    port = DBCluster?.Port ?? 0;
    await addInstance('orders-1');
    await allAvailable();
    await query({port}, 'CREATE TABLE ledger (entry int PRIMARY KEY)');
    await query({port}, 'INSERT INTO ledger SELECT -i FROM generate_series(1, 100000) i');
  }, 120_000);

  afterAll(async () => {
    client.close();
    rds.destroy();
    await service.close();
    rmSync(directory, {recursive: true});
  });

  test('are added in seconds and copy nothing', async () => {
    await addInstance('orders-2', 0);
    await addInstance('orders-3', 5);
    const {instances} = await allAvailable();
    expect(instances.map(({identifier, role}) => `${identifier} ${role}`)).toEqual([
      'orders-1 writer',
      'orders-2 reader',
      'orders-3 reader',
    ]);
    const steps = instances[1]?.startSteps.map(step => step.name);
    expect(steps).toContain('fork-volume');
    const {DBClusters} = await rds.describeDBClusters({DBClusterIdentifier: 'orders'});
    expect(DBClusters?.[0]).toMatchObject({ReaderEndpoint: '127.0.0.2', Port: port});
    expect(DBClusters?.[0]?.DBClusterMembers?.map(member => member.IsClusterWriter)).toEqual([
      true,
      false,
      false,
    ]);
  }, 60_000);

  test('see what the writer commits, refuse writes, and tell their lag', async () => {
    await query({port}, 'INSERT INTO ledger VALUES (-1000001)');
    const reader = {port: await portOf('orders-2')};
    await until('the row is there', async () => {
      const rows = await query(reader, 'SELECT FROM ledger WHERE entry = -1000001');
      return rows.length === 1;
    });
    await expect(query(reader, 'INSERT INTO ledger VALUES (-5)')).rejects.toThrow(/read-only/);
    await expect(query(reader, 'CREATE TABLE t ()')).rejects.toThrow(/read-only/);
    const lag = await until('a lag is told', async () => {
      const {instances} = await report();
      return (
        instances.every(
          ({role, replicaLagMs}) => (role === 'reader') === (replicaLagMs !== null),
        ) && instances
      );
    });
    for (const {replicaLagMs} of lag) expect(replicaLagMs ?? 0).toBeLessThan(1_000);
  });

  test('share the connections of the reader endpoint', async () => {
    const sessions = await Promise.all(
      Array.from({length: 6}, () => connect({host: '127.0.0.2', port})),
    );
    const ports = await Promise.all(
      sessions.map(async session => {
        const {rows} = await session.query<{port: number}>(
          `SELECT current_setting('port')::int AS port, pg_is_in_recovery()`,
        );
        return rows[0]?.port;
      }),
    );
    await Promise.all(sessions.map(session => session.end()));
    const readers = [await portOf('orders-2'), await portOf('orders-3')];
    expect(readers.map(each => ports.filter(one => one === each).length)).toEqual([3, 3]);
  });

  test('are told apart by custom endpoints', async () => {
    const made = await rds.createDBClusterEndpoint({
      DBClusterEndpointIdentifier: 'reports',
      DBClusterIdentifier: 'orders',
      EndpointType: 'READER',
      StaticMembers: ['orders-3'],
    });
    expect(made).toMatchObject({Status: 'available', StaticMembers: ['orders-3']});
    const place = {host: made.Endpoint ?? '', port};
    expect(await query(place, `SELECT current_setting('port')::int AS port`)).toEqual([
      {port: await portOf('orders-3')},
    ]);
    const {DBClusterEndpoints} = await rds.describeDBClusterEndpoints({
      DBClusterIdentifier: 'orders',
    });
    expect(DBClusterEndpoints?.map(each => each.EndpointType)).toEqual([
      'WRITER',
      'READER',
      'CUSTOM',
    ]);
    await rds.deleteDBClusterEndpoint({DBClusterEndpointIdentifier: 'reports'});
  });

  test('keep their secret out of settings, arguments, the log and the data directory', async () => {
    const rows = await query(
      {port: await portOf('orders-2')},
      `SELECT setting FROM pg_settings WHERE name = 'primary_conninfo'
       UNION ALL SELECT conninfo FROM pg_stat_wal_receiver`,
    );
    expect(rows).not.toEqual([]);
    for (const row of rows) expect(JSON.stringify(row)).not.toMatch(/password=(?!\*)/);
    const all = readdirSync('/proc')
      .filter(entry => /^\d+$/.test(entry))
      .map(commandLine)
      .join('\n');
    expect(all).not.toContain('passfile');
    expect(logged).not.toContain('rdsrepladmin');
    await expect(
      query(
        {port: await portOf('orders-1')},
        `SELECT pg_read_file('/mnt/engine/config/replication.pass')`,
      ),
    ).rejects.toThrow(/permission denied/);
  });

  test('count as nothing of their cluster', async () => {
    const found = await client.report('orders', {fresh: true});
    expect(found.usage?.ownedPages ?? 0).toBeGreaterThan(500);
  });

  test('that die are forked anew', async () => {
    const reader = {port: await portOf('orders-3')};
    const [before] = await query(reader, 'SELECT pg_postmaster_start_time()::text AS started');
    await query({port}, 'CREATE TABLE marker ()');
    process.kill(processesOf('orders-3')[0] ?? 0, 'SIGKILL');
    await until('another server answers', async () => {
      const [row] = await query(reader, 'SELECT pg_postmaster_start_time()::text AS started');
      return row !== undefined && row['started'] !== before?.['started'];
    });
    expect(await query(reader, 'SELECT FROM marker')).toEqual([]);
    await allAvailable();
  }, 60_000);

  test('whose stream hangs are forked anew', async () => {
    const reader = {port: await portOf('orders-3')};
    const [before] = await query(reader, 'SELECT pg_postmaster_start_time()::text AS started');
    const receiver = processTree(processesOf('orders-3')[0] ?? 0).find(({pid}) =>
      commandLine(String(pid)).includes('walreceiver'),
    );
    process.kill(receiver?.pid ?? 0, 'SIGSTOP');
    await query({port}, 'CREATE TABLE unseen ()');
    await expect(query(reader, 'SELECT FROM unseen')).rejects.toThrow(/does not exist/);
    await until('another server answers', async () => {
      const [row] = await query(reader, 'SELECT pg_postmaster_start_time()::text AS started');
      return row !== undefined && row['started'] !== before?.['started'];
    });
    expect(await query(reader, 'SELECT FROM unseen')).toEqual([]);
    expect(logged).toContain('it lost its writer and is forked anew');
    await allAvailable();
  }, 90_000);

  test('one takes over when it is asked to, and nothing that was acknowledged is lost', async () => {
    const load = new Load(port);
    await sleep(1_000);
    const {DBCluster} = await rds.failoverDBCluster({DBClusterIdentifier: 'orders'});
    expect(
      DBCluster?.DBClusterMembers?.find(each => each.IsClusterWriter)?.DBInstanceIdentifier,
    ).toBe('orders-2');
    const count = load.acknowledged.length;
    await until('writes go on', async () => load.acknowledged.length > count + 50);
    await load.end();
    await expectLedger({port}, load);
    await allAvailable();
    for (const name of ['orders-1', 'orders-3']) {
      const place = {port: await portOf(name)};
      expect(await query(place, 'SELECT pg_is_in_recovery() AS reader')).toEqual([{reader: true}]);
      await until(`${name} has all`, async () => {
        await expectLedger(place, load);
        return true;
      });
    }
    await query({port}, 'DELETE FROM ledger WHERE entry >= 0');
  }, 90_000);

  test('one takes over when the writer is killed, and the old one comes back as a reader', async () => {
    const old = await writerName();
    const load = new Load(port);
    await sleep(1_000);
    for (const pid of processesOf(old)) process.kill(pid, 'SIGKILL');
    const killedMs = systemClock.monotonicMs();
    const count = load.acknowledged.length;
    await until('writes go on', async () => load.acknowledged.length > count + 10);
    const tookMs = systemClock.monotonicMs() - killedMs;
    await load.end();
    await expectLedger({port}, load);
    await allAvailable();
    expect(await writerName()).not.toBe(old);
    expect(tookMs).toBeLessThan(15_000);
    await query({port}, 'DELETE FROM ledger WHERE entry >= 0');
  }, 90_000);

  test('come back with the service at the same endpoints', async () => {
    const ports = (await report()).instances.map(instance => instance.port);
    const writer = await writerName();
    client.close();
    rds.destroy();
    await service.close();
    await start();
    const {instances} = await allAvailable();
    expect(instances.map(instance => instance.port)).toEqual(ports);
    expect(await writerName()).toBe(writer);
    expect(await query({host: '127.0.0.2', port}, 'SELECT pg_is_in_recovery() AS reader')).toEqual([
      {reader: true},
    ]);
  }, 60_000);

  test('the writer that is deleted hands over first, and the last one leaves the cluster', async () => {
    const gone = await writerName();
    await rds.deleteDBInstance({DBInstanceIdentifier: gone, SkipFinalSnapshot: true});
    await until('it is gone', async () => (await report()).instances.length === 2);
    await allAvailable();
    await query({port}, 'INSERT INTO ledger VALUES (7)');
    for (const {identifier} of (await report()).instances) {
      await rds.deleteDBInstance({DBInstanceIdentifier: identifier, SkipFinalSnapshot: true});
    }
    await until('all are gone', async () => (await report()).instances.length === 0);
    await addInstance('orders-9');
    await allAvailable();
    expect(await query({port}, 'SELECT FROM ledger WHERE entry = 7')).toHaveLength(1);
  }, 90_000);
});
