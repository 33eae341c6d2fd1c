/** Readers and failover with real servers: a service, a cluster, two readers, and clients under way. */
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {RDS} from '@aws-sdk/client-rds';
import {pino} from 'pino';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep, systemClock} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {openService, type Service as Client} from '../src/cli/service.ts';
import type {ClusterReport} from '../src/cluster/control-plane.ts';
import {processTree} from '../src/instance/testing/instance-bench.ts';
import {startService, type Service} from '../src/server.ts';
import {TEST_ENGINES, type Session, type TestEngine} from './support/test-engines.ts';

const PASSWORD = 'correct-horse-battery';
const fuse = await probeFuse();
const why = !existsSync(entryPoint('instance/main'))
  ? 'npm run build first'
  : fuse.available
    ? null
    : `no FUSE mounts here: ${fuse.reason}`;

let engine: TestEngine;
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
    Engine: engine.name,
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

type Place = {host?: string; port: number};

function connect(place: Place): Promise<Session> {
  return engine.connect({user: 'owner', password: PASSWORD, database: 'shop', ...place});
}

async function query(place: Place, sql: string): Promise<Record<string, unknown>[]> {
  const session = await connect(place);
  try {
    return await session.query(sql);
  } finally {
    await session.end();
  }
}

async function isReader(place: Place): Promise<boolean> {
  const [row] = await query(place, engine.sql.isReader);
  return row?.['reader'] === true || row?.['reader'] === 1;
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
          await session.query(`INSERT INTO ledger VALUES (${entry})`);
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

describe.each(TEST_ENGINES)('readers of $name', tested => {
  const reason = why ?? tested.obstacle;
  describe.skipIf(reason !== null)(reason === null ? 'serve' : `(skipped: ${reason})`, () =>
    readerTests(tested),
  );
});

/** Not in a setting, and not in a file that a master user can read. */
async function expectSecretHidden(reader: Place): Promise<void> {
  if (engine.name === 'aurora-mysql') {
    const file = `SELECT LOAD_FILE('/mnt/engine/config/master.info') AS text`;
    expect(await query(reader, file)).toEqual([{text: null}]);
    const [row] = await query(reader, 'SHOW SLAVE STATUS');
    expect(Object.keys(row ?? {}).filter(name => /password/i.test(name))).toEqual([]);
    return;
  }
  const rows = await query(
    reader,
    `SELECT setting FROM pg_settings WHERE name = 'primary_conninfo'
     UNION ALL SELECT conninfo FROM pg_stat_wal_receiver`,
  );
  expect(rows).not.toEqual([]);
  for (const row of rows) expect(JSON.stringify(row)).not.toMatch(/password=(?!\*)/);
  await expect(
    query(reader, `SELECT pg_read_file('/mnt/engine/config/replication.pass')`),
  ).rejects.toThrow(/permission denied/);
}

/** Breaks the replication of a reader in a way that only a fresh fork mends. */
async function breakReplication(reader: Place, name: string, writer: Place): Promise<void> {
  if (engine.name === 'aurora-mysql') {
    // Whoever writes to mysql.* can give himself more; here, to write where only the writer should.
    await query(
      writer,
      `UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.access', 549755813887) WHERE User = 'owner'`,
    );
    await query(writer, 'FLUSH PRIVILEGES');
    const row = 'INSERT INTO ledger VALUES (-2000000)';
    await until('the reader takes a write', async () => {
      await query(reader, row);
      return true;
    });
    await query(writer, row);
    return;
  }
  const receiver = processTree(processesOf(name)[0] ?? 0).find(({pid}) =>
    commandLine(String(pid)).includes('walreceiver'),
  );
  process.kill(receiver?.pid ?? 0, 'SIGSTOP');
}

function readerTests(tested: TestEngine): void {
  let port = 0;

  beforeAll(async () => {
    engine = tested;
    directory = mkdtempSync(join(tmpdir(), 'borealis-readers-'));
    await start();
    const {DBCluster} = await rds.createDBCluster({
      DBClusterIdentifier: 'orders',
      Engine: engine.name,
      DatabaseName: 'shop',
      MasterUsername: 'owner',
      MasterUserPassword: PASSWORD,
    });
    port = DBCluster?.Port ?? 0;
    await addInstance('orders-1');
    await allAvailable();
    await query({port}, 'CREATE TABLE ledger (entry int PRIMARY KEY)');
    await query(
      {port},
      `INSERT INTO ledger SELECT -n FROM (${engine.sql.series(100_000)}) AS series`,
    );
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
      const rows = await query(reader, 'SELECT entry FROM ledger WHERE entry = -1000001');
      return rows.length === 1;
    });
    await expect(query(reader, 'INSERT INTO ledger VALUES (-5)')).rejects.toThrow(/read-only/);
    await expect(query(reader, 'CREATE TABLE t (n int)')).rejects.toThrow(/read-only/);
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
        const [row] = await session.query(engine.sql.port);
        return row?.['port'];
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
    expect(await query(place, engine.sql.port)).toEqual([{port: await portOf('orders-3')}]);
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

  test('keep their secret out of arguments, the log and what users can read', async () => {
    const all = readdirSync('/proc')
      .filter(entry => /^\d+$/.test(entry))
      .map(commandLine)
      .join('\n');
    expect(all).not.toContain('rdsrepladmin');
    expect(all).not.toContain('passfile');
    expect(logged).not.toContain('rdsrepladmin');
    await expectSecretHidden({port: await portOf('orders-2')});
  });

  test('count as nothing of their cluster', async () => {
    const found = await client.report('orders', {fresh: true});
    expect(found.usage?.ownedPages ?? 0).toBeGreaterThan(500);
  });

  test('that die are forked anew', async () => {
    const reader = {port: await portOf('orders-3')};
    const [before] = await query(reader, engine.sql.server);
    await query({port}, 'CREATE TABLE marker (n int)');
    process.kill(processesOf('orders-3')[0] ?? 0, 'SIGKILL');
    await until('another server answers', async () => {
      const [row] = await query(reader, engine.sql.server);
      return row !== undefined && row['server'] !== before?.['server'];
    });
    expect(await query(reader, 'SELECT n FROM marker')).toEqual([]);
    await allAvailable();
  }, 60_000);

  test('whose replication breaks are forked anew', async () => {
    const reader = {port: await portOf('orders-3')};
    const [before] = await query(reader, engine.sql.server);
    await breakReplication(reader, 'orders-3', {port});
    await query({port}, 'CREATE TABLE unseen (n int)');
    await expect(query(reader, 'SELECT n FROM unseen')).rejects.toThrow(
      /does not exist|doesn't exist/,
    );
    await until('another server answers', async () => {
      const [row] = await query(reader, engine.sql.server);
      return row !== undefined && row['server'] !== before?.['server'];
    });
    expect(await query(reader, 'SELECT n FROM unseen')).toEqual([]);
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
      expect(await isReader(place)).toBe(true);
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
    expect(await isReader({host: '127.0.0.2', port})).toBe(true);
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
    expect(await query({port}, 'SELECT entry FROM ledger WHERE entry = 7')).toHaveLength(1);
  }, 90_000);
}
