/**
 * `kill -9` of the service with real engines on real volumes: what was acknowledged is there after the
 * next start, at the same address, and nothing of the killed one runs on. Needs `npm run build`.
 */
import {execFileSync, spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {
  CreateDBClusterCommand,
  CreateDBInstanceCommand,
  DescribeDBClustersCommand,
  FailoverDBClusterCommand,
  RDSClient,
  RestoreDBClusterToPointInTimeCommand,
} from '@aws-sdk/client-rds';
import pg from 'pg';
import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {openCredentials, type ServiceFile} from '../src/cluster/data-directory.ts';
import {prepareData} from './support/prepared-data.ts';

const PASSWORD = 'correct-horse-battery';
const TOKEN = 'BOREALIS_CRASH_TEST';
const fuse = await probeFuse();
const ready = fuse.available && existsSync(entryPoint('cli/main'));

let root: string;
let child: ChildProcess | undefined;
/** Where a data directory with the cluster of `create` was left by a service that stopped in order. */
let prepared = '';

beforeAll(async () => {
  if (!ready) return;
  root = mkdtempSync(join(tmpdir(), 'borealis-kill-'));
  prepared = root;
  await prepareData(join(root, 'data'), 'native');
  const {rds} = await up();
  await create(rds);
  await query((await clusters(rds)).get('orders') ?? 0, 'SELECT 1');
  await end();
});

afterAll(() => {
  if (prepared !== '') rmSync(prepared, {recursive: true});
});

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-kill-'));
});

afterEach(async () => {
  await end();
  rmSync(root, {recursive: true});
});

async function end(): Promise<void> {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await eventually('no process is left', () => leftovers().length === 0);
}

/** As `up` and `create`, on a copy of what is prepared. */
async function upWithCluster(crashAt?: string): ReturnType<typeof up> {
  execFileSync('cp', ['-a', join(prepared, 'data'), join(root, 'data')]);
  return up(crashAt);
}

/** Starts the service in a process of its own and connects to it. */
async function up(crashAt?: string): Promise<{rds: RDSClient; service: ChildProcess}> {
  const data = join(root, 'data');
  const arguments_ = ['up', '--json', '--data', data, '--port', '0', '--engine-runtime', 'native'];
  const environment = {...process.env, [TOKEN]: root, BOREALIS_LOG_LEVEL: 'silent'};
  const service = spawn(process.execPath, [entryPoint('cli/main'), ...arguments_], {
    env: crashAt === undefined ? environment : {...environment, BOREALIS_CRASH_AT: crashAt},
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child = service;
  await Promise.race([once(service.stdout, 'data'), once(service, 'exit')]);
  const file = JSON.parse(readFileSync(join(data, 'service.json'), 'utf8')) as ServiceFile;
  const credentials = openCredentials(data);
  const rds = new RDSClient({endpoint: file.url, region: file.region, credentials, maxAttempts: 1});
  return {rds, service};
}

async function gone(service: ChildProcess): Promise<void> {
  if (service.exitCode === null && service.signalCode === null) await once(service, 'exit');
}

/** Processes that were started below a service of this test. */
function leftovers(): string[] {
  return readdirSync('/proc').filter(name => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/environ`, 'latin1').includes(`${TOKEN}=${root}\0`);
    } catch {
      // It went meanwhile.
      return false;
    }
  });
}

async function eventually(what: string, fact: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await fact()) return;
    await sleep(50);
  }
  throw new Error(`not within twenty seconds: ${what}`);
}

async function create(rds: RDSClient): Promise<void> {
  await rds.send(
    new CreateDBClusterCommand({
      DBClusterIdentifier: 'orders',
      Engine: 'aurora-postgresql',
      MasterUsername: 'owner',
      MasterUserPassword: PASSWORD,
    }),
  );
  await addWriter(rds, 'orders');
}

async function addWriter(rds: RDSClient, cluster: string): Promise<void> {
  await addInstance(rds, cluster, `${cluster}-writer`);
}

async function addInstance(rds: RDSClient, cluster: string, name: string): Promise<void> {
  await rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: name,
      DBClusterIdentifier: cluster,
      DBInstanceClass: 'db.r6g.large',
      Engine: 'aurora-postgresql',
    }),
  );
}

async function clone(rds: RDSClient): Promise<void> {
  await rds.send(
    new RestoreDBClusterToPointInTimeCommand({
      SourceDBClusterIdentifier: 'orders',
      DBClusterIdentifier: 'copy',
      RestoreType: 'copy-on-write',
      UseLatestRestorableTime: true,
    }),
  );
}

async function clusters(rds: RDSClient): Promise<Map<string, number>> {
  const {DBClusters = []} = await rds.send(new DescribeDBClustersCommand({}));
  return new Map(
    DBClusters.map(({DBClusterIdentifier: name, Port: port}) => [name ?? '', port ?? 0]),
  );
}

async function connect(port: number, host = '127.0.0.1'): Promise<pg.Client> {
  const connection = new pg.Client({
    host,
    port,
    user: 'owner',
    password: PASSWORD,
    database: 'postgres',
  });
  connection.on('error', () => undefined);
  await connection.connect();
  return connection;
}

/** As soon as there is an instance: before that, the endpoint says that there is none. */
async function query(port: number, sql: string, host?: string): Promise<Record<string, unknown>[]> {
  const connection = await connect(port, host);
  try {
    return (await connection.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await connection.end();
  }
}

describe.runIf(ready)('after kill -9', () => {
  test('while clients write, every acknowledged row is there at the same address', async () => {
    const first = await upWithCluster();
    const port = (await clusters(first.rds)).get('orders') ?? 0;
    await query(port, 'CREATE TABLE t (n int PRIMARY KEY)');
    let acknowledged = 0;
    const connection = await connect(port);
    const writing = (async () => {
      for (;;) {
        await connection.query('INSERT INTO t VALUES ($1)', [acknowledged + 1]);
        acknowledged++;
        if (acknowledged === 200) first.service.kill('SIGKILL');
      }
    })();
    await expect(writing).rejects.toThrow();
    await gone(first.service);
    await eventually('the killed service has no process', () => leftovers().length === 0);
    const second = await up();
    expect((await clusters(second.rds)).get('orders')).toBe(port);
    const [row] = await query(port, 'SELECT count(*)::int AS n, max(n) AS last FROM t');
    expect(row?.['n']).toBe(row?.['last']);
    expect(row?.['n']).toBeGreaterThanOrEqual(acknowledged);
  });

  test.each([null, 'failover.after-swap'])(
    'with readers (at %s) all come back at the same addresses',
    async crashAt => {
      const first = await upWithCluster(crashAt ?? undefined);
      const port = (await clusters(first.rds)).get('orders') ?? 0;
      await query(port, 'CREATE TABLE t AS SELECT 1 AS n');
      await addInstance(first.rds, 'orders', 'orders-reader');
      const isReader = async (): Promise<boolean> => {
        const [row] = await query(port, 'SELECT pg_is_in_recovery() AS it', '127.0.0.2');
        return row?.['it'] === true;
      };
      await eventually('the reader serves', isReader);
      await query(port, 'INSERT INTO t VALUES (2)');
      if (crashAt === null) first.service.kill('SIGKILL');
      else {
        const failover = new FailoverDBClusterCommand({DBClusterIdentifier: 'orders'});
        await first.rds.send(failover).catch(() => undefined);
      }
      await gone(first.service);
      await eventually('the killed service has no process', () => leftovers().length === 0);
      const {rds} = await up();
      expect(await query(port, 'SELECT n FROM t')).toEqual([{n: 1}, {n: 2}]);
      await eventually('the reader serves again', isReader);
      const {DBClusters} = await rds.send(new DescribeDBClustersCommand({}));
      const members = DBClusters?.[0]?.DBClusterMembers ?? [];
      expect(members.find(each => each.IsClusterWriter)?.DBInstanceIdentifier).toBe(
        crashAt === null ? 'orders-writer' : 'orders-reader',
      );
    },
    60_000,
  );

  test.each(['golden.after-record', 'cluster.create.after-fork', 'instance.start.after-spawn'])(
    'at %s the cluster is finished by the next start',
    async crashAt => {
      const isFirstUse = crashAt.startsWith('golden.');
      if (!isFirstUse) await prepareData(join(root, 'data'), 'native');
      const first = await up(crashAt);
      await create(first.rds).catch(() => undefined);
      await gone(first.service);
      const {rds} = await up();
      const port = (await clusters(rds)).get('orders') ?? 0;
      // The crash may have come before the writer was asked for.
      await addWriter(rds, 'orders').catch(() => undefined);
      expect(await query(port, 'SELECT 1 AS one')).toEqual([{one: 1}]);
    },
  );

  test.each([
    ['cluster.clone.before-fork', false],
    ['cluster.clone.after-fork', true],
  ])('at %s the clone is there whole or not at all', async (crashAt, isThere) => {
    const first = await upWithCluster(crashAt);
    const port = (await clusters(first.rds)).get('orders') ?? 0;
    await query(port, 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS n');
    await expect(clone(first.rds)).rejects.toThrow();
    await gone(first.service);
    const {rds} = await up();
    await eventually(
      'the clone is settled',
      async () => (await clusters(rds)).has('copy') === isThere,
    );
    const sum = 'SELECT sum(n)::int AS n FROM t';
    expect(await query(port, sum)).toEqual([{n: 500_500}]);
    if (!isThere) await clone(rds);
    await addWriter(rds, 'copy');
    expect(await query((await clusters(rds)).get('copy') ?? 0, sum)).toEqual([{n: 500_500}]);
  });
});

test.skipIf(ready)(
  `SKIPPED: needs npm run build and native clusters (${fuse.reason ?? 'not built'})`,
  () => undefined,
);
