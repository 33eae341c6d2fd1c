/** The service with real engines on real volumes. Needs the compiled program (`npm run build`). */
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {once} from 'node:events';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {
  CreateDBClusterCommand,
  CreateDBInstanceCommand,
  DeleteDBClusterCommand,
  DeleteDBInstanceCommand,
  DescribeDBClustersCommand,
  RDSClient,
  RestoreDBClusterToPointInTimeCommand,
  waitUntilDBInstanceAvailable,
} from '@aws-sdk/client-rds';
import {pino} from 'pino';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {startService, type Service, type ServiceOptions} from '../src/server.ts';
import {POSTGRES, query, TEST_ENGINES, type TestEngine} from './support/test-engines.ts';

const PASSWORD = 'correct-horse-battery';
/** Several starts of engines on a machine that does much else. */
const MAIN_PATH_MS_MAX = 240_000;
const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));

let root: string;
let service: Service | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-server-'));
});

afterEach(async () => {
  await service?.close();
  service = undefined;
  rmSync(root, {recursive: true});
});

async function start(options: Partial<ServiceOptions> = {}): Promise<Service> {
  service = await startService({
    dataDirectory: join(root, 'data'),
    port: 0,
    region: 'us-east-1',
    engineRuntime: 'auto',
    postgresBin: null,
    logger: pino({level: 'silent'}),
    ...options,
  });
  return service;
}

function client({url, region, credentials}: Service): RDSClient {
  return new RDSClient({endpoint: url, region, credentials});
}

async function addWriter(rds: RDSClient, engine: TestEngine, cluster: string): Promise<void> {
  await rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: `${cluster}-writer`,
      DBClusterIdentifier: cluster,
      DBInstanceClass: 'db.r6g.large',
      Engine: engine.name,
    }),
  );
  await waitUntilDBInstanceAvailable(
    {client: rds, maxWaitTime: 120, minDelay: 0.2, maxDelay: 0.5},
    {DBInstanceIdentifier: `${cluster}-writer`},
  );
}

async function portOf(rds: RDSClient, cluster: string): Promise<number> {
  const {DBClusters} = await rds.send(
    new DescribeDBClustersCommand({DBClusterIdentifier: cluster}),
  );
  return DBClusters?.[0]?.Port ?? 0;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'none',
    (error: {code: string}) => error.code,
  );
}

async function mainPath(engine: TestEngine, options: Partial<ServiceOptions>): Promise<void> {
  let rds = client(await start(options));
  await rds.send(
    new CreateDBClusterCommand({
      DBClusterIdentifier: 'orders',
      Engine: engine.name,
      MasterUsername: 'owner',
      MasterUserPassword: PASSWORD,
      DatabaseName: 'shop',
    }),
  );
  await addWriter(rds, engine, 'orders');
  const ask = (port: number, sql: string): Promise<Record<string, unknown>[]> =>
    query(engine, {port, user: 'owner', password: PASSWORD, database: 'shop'}, sql);
  const count = async (port: number): Promise<number> =>
    Number((await ask(port, 'SELECT count(*) AS n FROM t'))[0]?.['n']);
  const port = await portOf(rds, 'orders');
  await ask(port, `CREATE TABLE t AS ${engine.sql.series(1000)}`);
  await rds.send(
    new RestoreDBClusterToPointInTimeCommand({
      SourceDBClusterIdentifier: 'orders',
      DBClusterIdentifier: 'copy',
      RestoreType: 'copy-on-write',
      UseLatestRestorableTime: true,
    }),
  );
  await ask(port, 'DELETE FROM t WHERE n > 10');
  await addWriter(rds, engine, 'copy');
  const copyPort = await portOf(rds, 'copy');
  expect(await count(copyPort)).toBe(1000);
  expect(await count(port)).toBe(10);

  await service?.close();
  rds = client(await start(options));
  expect(await portOf(rds, 'orders')).toBe(port);
  expect(await count(port)).toBe(10);
  expect(await count(copyPort)).toBe(1000);

  await rds.send(new DeleteDBInstanceCommand({DBInstanceIdentifier: 'orders-writer'}));
  await rds.send(
    new DeleteDBClusterCommand({DBClusterIdentifier: 'orders', SkipFinalSnapshot: true}),
  );
  for (let i = 0; i < 200; i++) {
    const {DBClusters} = await rds.send(new DescribeDBClustersCommand({}));
    if (DBClusters?.length === 1) break;
    await sleep(100);
  }
  const [sum] = await ask(copyPort, 'SELECT sum(n) AS n FROM t');
  expect(Number(sum?.['n'])).toBe(500_500);
}

describe.runIf(built)('the service', () => {
  test.runIf(fuse.available).for(TEST_ENGINES)(
    'creates, clones, restarts and deletes native clusters of $name',
    {timeout: MAIN_PATH_MS_MAX},
    async (engine, {skip}) => {
      if (engine.obstacle !== null) skip(engine.obstacle);
      await mainPath(engine, {engineRuntime: 'native'});
    },
  );

  test('creates, clones, restarts and deletes PGlite clusters', {timeout: MAIN_PATH_MS_MAX}, () =>
    mainPath(POSTGRES, {engineRuntime: 'pglite'}),
  );

  test('is one for each data directory, and says who has it', async () => {
    const {dataDirectory} = await start();
    const second = startService({
      dataDirectory,
      port: 0,
      region: 'us-east-1',
      engineRuntime: 'auto',
      postgresBin: null,
      logger: pino({level: 'silent'}),
    });
    await expect(second).rejects.toThrow(new RegExp(`process id ${process.pid}`));
    expect(await codeOf(second)).toBe('data-directory-in-use');
  });

  test('refuses a port in use, a foreign directory, another region and an engine that does not start', async () => {
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    expect(await codeOf(start({port}))).toBe('port-in-use');
    other.close();
    expect(await codeOf(start({region: 'eu-west-1'}))).toBe('data-directory-region');
    expect(await codeOf(start({region: 'Europe!'}))).toBe('region-invalid');
    expect(await codeOf(start({postgresBin: root}))).toBe('engine-binary');
    const foreign = mkdtempSync(join(root, 'foreign-'));
    writeFileSync(join(foreign, 'thesis.tex'), '');
    expect(await codeOf(start({dataDirectory: foreign}))).toBe('data-directory-foreign');
    // Nothing of it was left locked.
    await start();
  });
});

test.skipIf(built)(
  'SKIPPED: run `npm run build` first, for instances run the compiled program',
  () => undefined,
);
test.skipIf(fuse.available)(
  `SKIPPED: native clusters, because ${fuse.reason ?? ''}`,
  () => undefined,
);
