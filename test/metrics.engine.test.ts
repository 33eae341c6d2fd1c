/** Scrapes a service with a writer and a reader on three zones, while it works and while parts of it fail. Needs the compiled program. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
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
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {parsePage, valueOf, type ParsedFamily} from '../src/api/testing/prometheus-text.ts';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep, systemClock} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {processTree} from '../src/instance/testing/instance-bench.ts';
import {startService, type Service} from '../src/server.ts';
import {prepareData} from './support/prepared-data.ts';

const PASSWORD = 'correct-horse-battery';
const COMMITS = 200;
const READY = {code: 200, status: 'ready'};
/** A server tells what a session committed once it goes idle, at most once a second. */
const TOLD_MS = 1_500;
const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));

type Page = Map<string, ParsedFamily>;

let root = '';
let service: Service;
let rds: RDSClient;
let port = 0;

const zone = (letter: string): string => join(root, `zone-${letter}`);
const token = (): string => readFileSync(join(root, 'data', 'metrics-token'), 'utf8').trim();

async function start(engineRuntime: 'native' | 'pglite', letters: string): Promise<void> {
  root = mkdtempSync(join(tmpdir(), 'borealis-metrics-'));
  const zones = letters.split('').map(letter => ({letter, directory: zone(letter)}));
  await prepareData(join(root, 'data'), engineRuntime, zones);
  service = await startService({
    dataDirectory: join(root, 'data'),
    ...{port: 0, region: 'us-east-1', engineRuntime, postgresBin: null},
    zones,
    logger: pino({level: 'silent'}),
  });
  const {url, region, credentials} = service;
  rds = new RDSClient({endpoint: url, region, credentials});
  await rds.send(
    new CreateDBClusterCommand({
      ...{DBClusterIdentifier: 'orders', Engine: 'aurora-postgresql'},
      ...{MasterUsername: 'owner', MasterUserPassword: PASSWORD},
    }),
  );
  await addInstance('orders-writer');
  const {DBClusters = []} = await rds.send(new DescribeDBClustersCommand({}));
  port = DBClusters[0]?.Port ?? 0;
}

/** Also when the start failed. */
async function stop(): Promise<void> {
  (rds as RDSClient | undefined)?.destroy();
  await (service as Service | undefined)?.close();
  rmSync(root, {recursive: true});
}

async function addInstance(name: string): Promise<void> {
  await rds.send(
    new CreateDBInstanceCommand({
      ...{DBInstanceIdentifier: name, DBClusterIdentifier: 'orders'},
      ...{DBInstanceClass: 'db.r6g.large', Engine: 'aurora-postgresql'},
    }),
  );
  await waitUntilDBInstanceAvailable(
    {client: rds, maxWaitTime: 90, minDelay: 1, maxDelay: 1},
    {DBInstanceIdentifier: name},
  );
}

async function scrape(): Promise<Page> {
  const response = await fetch(`${service.url}/metrics`, {
    headers: {authorization: `Bearer ${token()}`},
  });
  expect(response.status).toBe(200);
  return parsePage(await response.text());
}

async function ready(): Promise<object> {
  const answer = await fetch(`${service.url}/health/ready`);
  return {code: answer.status, ...((await answer.json()) as object)};
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({
    ...{host: '127.0.0.1', port, user: 'owner', password: PASSWORD, database: 'postgres'},
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Of the writer. */
function of(page: Page, name: string, labels: Record<string, string> = {}): number {
  const found = valueOf(page, name, {cluster: 'orders', instance: 'orders-writer', ...labels});
  expect(found, name).toBeDefined();
  return found ?? Number.NaN;
}

async function untilPage(is: (page: Page) => boolean, timeoutMs = 60_000): Promise<Page> {
  const deadlineMs = systemClock.monotonicMs() + timeoutMs;
  for (;;) {
    const page = await scrape();
    if (is(page) || systemClock.monotonicMs() > deadlineMs) return page;
    await sleep(250);
  }
}

async function commit(count: number): Promise<void> {
  const client = await connect();
  await client.query('CREATE TABLE IF NOT EXISTS t (a int)');
  for (let n = 0; n < count; n++) await client.query('INSERT INTO t VALUES ($1)', [n]);
  await sleep(TOLD_MS);
  await client.end();
}

describe.skipIf(!built || !fuse.available)('metrics of native engines on three zones', () => {
  beforeAll(async () => {
    await start('native', 'abc');
    await addInstance('orders-reader');
  }, 180_000);
  afterAll(stop, 60_000);

  test('are for who has the token, in a file for its owner alone', async () => {
    expect(statSync(join(root, 'data', 'metrics-token')).mode & 0o777).toBe(0o600);
    expect((await fetch(`${service.url}/metrics`)).status).toBe(403);
    const headers = {authorization: `Bearer ${token()}x`};
    expect((await fetch(`${service.url}/metrics`, {headers})).status).toBe(401);
    expect(await ready()).toEqual(READY);
  });

  test('move by what was done', {timeout: 60_000}, async () => {
    const before = await scrape();
    const beganMs = systemClock.monotonicMs();
    await commit(COMMITS);
    const idle = await Promise.all([connect(), connect(), connect()]);
    const after = await scrape();
    const elapsedS = (systemClock.monotonicMs() - beganMs) / 1000;
    const moved = (name: string, labels: Record<string, string> = {}): number =>
      of(after, name, labels) - of(before, name, labels);

    // Autovacuum and logins commit too.
    expect(moved('borealis_commits_total')).toBeGreaterThanOrEqual(COMMITS);
    expect(moved('borealis_commits_total')).toBeLessThan(COMMITS * 1.5);
    const barriers = moved('borealis_commit_latency_seconds_count');
    expect(barriers).toBeGreaterThanOrEqual(COMMITS);
    expect(barriers).toBeLessThanOrEqual(moved('borealis_volume_barriers_total') + 1);
    // One after the other, and a few of PostgreSQL's own beside them.
    const waitedS = moved('borealis_commit_latency_seconds_sum');
    expect(waitedS).toBeGreaterThan(COMMITS * 0.00005);
    expect(waitedS).toBeLessThan(elapsedS * 2);
    expect(moved('borealis_commit_latency_seconds_bucket', {le: '+Inf'})).toBe(barriers);
    const pages = moved('borealis_volume_written_pages_total');
    expect(pages).toBeGreaterThanOrEqual(COMMITS);
    expect(moved('borealis_volume_written_bytes_total')).toBe(pages * 8192);
    expect(moved('borealis_volume_appended_bytes_total')).toBeGreaterThan(pages * 8192);
    expect(moved('borealis_volume_requests_total')).toBeGreaterThan(COMMITS);
    expect(of(after, 'borealis_volume_cached_node_bytes')).toBeGreaterThan(0);

    expect(of(after, 'borealis_database_connections')).toBe(3);
    const endpoint = {cluster: 'orders', endpoint: 'cluster'};
    expect(valueOf(after, 'borealis_endpoint_connections', endpoint)).toBe(3);
    const accepted = 'borealis_endpoint_connections_accepted_total';
    expect(valueOf(after, accepted, endpoint)).toBe((valueOf(before, accepted, endpoint) ?? 0) + 4);
    for (const client of idle) await client.end();

    const orders = {cluster: 'orders'};
    expect(valueOf(after, 'borealis_volume_used_bytes', orders)).toBeGreaterThan(5 * 2 ** 20);
    expect(valueOf(after, 'borealis_cluster_status', {...orders, status: 'available'})).toBe(1);
    expect(valueOf(after, 'borealis_store_amplification_ratio')).toBeGreaterThan(0.5);
    expect(valueOf(after, 'borealis_sweep_runs_total')).toBeGreaterThan(0);
    expect(valueOf(after, 'borealis_events_total', {category: 'creation'})).toBeGreaterThan(0);
    const action = {action: 'CreateDBInstance', status: '200'};
    expect(valueOf(after, 'borealis_api_requests_total', action)).toBe(2);
  });

  test('tell of a reader how far it is behind', async () => {
    const reader = {cluster: 'orders', instance: 'orders-reader'};
    const page = await untilPage(
      each => valueOf(each, 'borealis_replica_lag_seconds', reader) !== undefined,
    );
    expect(valueOf(page, 'borealis_replica_lag_seconds', reader)).toBeLessThan(30);
    expect(valueOf(page, 'borealis_instance_role', {...reader, role: 'reader'})).toBe(1);
    expect(valueOf(page, 'borealis_instance_up', reader)).toBe(1);
    const writer = {...reader, instance: 'orders-writer'};
    expect(valueOf(page, 'borealis_replica_lag_seconds', writer)).toBeUndefined();
  });

  test('do without an instance that hangs, and have it again', {timeout: 60_000}, async () => {
    const pids = processTree(process.pid)
      .map(({pid}) => pid)
      .filter(pid => titleOf(pid).startsWith('borealis orders-writer'));
    expect(pids).toHaveLength(1);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      const beganMs = systemClock.monotonicMs();
      const [page] = await Promise.all([scrape(), scrape(), scrape()]);
      expect(systemClock.monotonicMs() - beganMs).toBeLessThan(5_000);
      expect(of(page, 'borealis_instance_answered')).toBe(0);
      expect(valueOf(page, 'borealis_commits_total', {instance: 'orders-writer'})).toBeUndefined();
      expect(valueOf(page, 'borealis_scrape_missing', {part: 'instances'})).toBe(1);
      const reader = {instance: 'orders-reader'};
      expect(valueOf(page, 'borealis_instance_answered', reader)).toBe(1);
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    const again = await untilPage(page => of(page, 'borealis_instance_answered') === 1);
    expect(of(again, 'borealis_commits_total')).toBeGreaterThan(COMMITS);
  });

  test('show a zone that is lost, and its return', {timeout: 180_000}, async () => {
    const health = (page: Page): number | undefined =>
      valueOf(page, 'borealis_zone_healthy', {zone: 'us-east-1c'});
    expect(health(await untilPage(page => health(page) === 1))).toBe(1);
    renameSync(zone('c'), `${zone('c')}-gone`);
    await commit(20);
    const degraded = {zone: 'us-east-1c', state: 'degraded'};
    const lost = await untilPage(page => valueOf(page, 'borealis_zone_state', degraded) === 1);
    expect(valueOf(lost, 'borealis_zone_state', degraded)).toBe(1);
    expect(health(lost)).toBe(0);
    expect(valueOf(lost, 'borealis_zone_healthy', {zone: 'us-east-1a'})).toBe(1);
    expect(valueOf(lost, 'borealis_ready')).toBe(1);
    expect(await ready()).toEqual(READY);

    renameSync(zone('b'), `${zone('b')}-gone`);
    expect(await ready()).toEqual({
      ...{code: 503, status: 'not-ready'},
      reason: 'Of 3 zones 2 must be healthy for a write, and 1 are.',
    });
    renameSync(`${zone('b')}-gone`, zone('b'));

    rmSync(`${zone('c')}-gone`, {recursive: true});
    mkdirSync(zone('c'));
    const back = await untilPage(
      page => health(page) === 1 && valueOf(page, 'borealis_ready') === 1,
      120_000,
    );
    expect(health(back)).toBe(1);
    expect(await ready()).toEqual(READY);
    await commit(5);
  });
});

/** Empty for a process that has ended meanwhile. */
function titleOf(pid: number): string {
  return existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
}

describe.skipIf(!built)('metrics of PGlite on one zone', () => {
  beforeAll(() => start('pglite', 'a'), 180_000);
  afterAll(stop, 60_000);

  test('tell what can be told without stopping its one backend', {timeout: 60_000}, async () => {
    const before = await scrape();
    const client = await connect();
    await client.query('CREATE TABLE t (a int)');
    for (let n = 0; n < 20; n++) await client.query('INSERT INTO t VALUES (1)');
    const after = await scrape();
    await client.end();
    expect(of(after, 'borealis_database_connections')).toBe(1);
    expect(valueOf(after, 'borealis_commits_total', {cluster: 'orders'})).toBeUndefined();
    const moved = (name: string): number => of(after, name) - of(before, name);
    expect(moved('borealis_commit_latency_seconds_count')).toBeGreaterThanOrEqual(20);
    expect(moved('borealis_volume_written_pages_total')).toBeGreaterThanOrEqual(20);
    expect(valueOf(after, 'borealis_zone_healthy', {zone: 'us-east-1a'})).toBe(1);
  });
});
