/** A service on a disk that fills up: a small ext4 file system on a loop device, so only root can run it. */
import {execFileSync} from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
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
import pg from 'pg';
import {pino} from 'pino';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep, systemClock} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {startService, type Service} from '../src/server.ts';
import {prepareData} from './support/prepared-data.ts';

const PASSWORD = 'correct-horse-battery';
const MIB = 2 ** 20;
const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));
const canMount = canMountLoop();

let root: string;
let disk: string;
let service: Service | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-full-'));
  disk = join(root, 'disk');
  mountSmallDisk(root, disk, 640 * MIB);
});

afterEach(async () => {
  await service?.close();
  service = undefined;
  // Lazily: a process that was killed may not be gone yet.
  execFileSync('umount', ['-l', disk]);
  rmSync(root, {recursive: true});
});

describe.skipIf(!built || !canMount).each(['native', 'pglite'] as const)(
  `on %s, a full disk${canMount ? '' : ' (SKIPPED: loop devices need root)'}`,
  runtime => {
    test.skipIf(runtime === 'native' && !fuse.available)(
      'makes writes wait, says so, and lets them go on when there is room',
      {timeout: 180_000},
      async () => {
        await prepareData(join(disk, 'data'), runtime);
        const rds = await start(runtime);
        const port = await createCluster(rds);
        const ballast = join(disk, 'ballast');
        writeFileSync(ballast, Buffer.alloc(150 * MIB, 1));

        const writer = new pg.Client(connection(port));
        writer.on('error', () => undefined);
        await writer.connect();
        await writer.query('CREATE TABLE filler (body text)');
        // Random text, so that it is neither compressed nor the same page twice: 400 MiB in all.
        const filling = fill(writer, 100);
        await untilStatus(rds, 'storage-full');
        await untilWaiting(filling);
        await untilStatus(rds, 'storage-full');
        expect(filling.error).toBeNull();
        await expect(
          rds.send(
            new RestoreDBClusterToPointInTimeCommand({
              DBClusterIdentifier: 'clone',
              SourceDBClusterIdentifier: 'orders',
              RestoreType: 'copy-on-write',
              UseLatestRestorableTime: true,
            }),
          ),
        ).rejects.toMatchObject({name: 'InsufficientStorageClusterCapacityFault'});

        rmSync(ballast);
        await untilStatus(rds, 'available');
        const until = filling.done + 2;
        await waitFor(() => filling.done >= until || filling.error !== null);
        expect(filling.error).toBeNull();
        filling.stop();
        await filling.ended;
        const {rows} = await writer.query<{count: number}>(
          'SELECT count(*)::int AS count FROM filler',
        );
        expect(rows[0]?.count).toBe(filling.done * 4);
        await writer.end();
        rds.destroy();
        expect(engineLogs()).not.toMatch(/PANIC/);
      },
    );

    // What frees space is the service's: on one runtime is enough.
    if (runtime === (fuse.available ? 'native' : 'pglite')) {
      test(
        'can be stopped, started again and emptied while it is full',
        {timeout: 180_000},
        async () => {
          await prepareData(join(disk, 'data'), runtime);
          let rds = await start(runtime);
          const writer = new pg.Client(connection(await createCluster(rds)));
          writer.on('error', () => undefined);
          await writer.connect();
          await writer.query('CREATE TABLE filler (body text)');
          const filling = fill(writer, 200);
          await untilStatus(rds, 'storage-full');
          rds.destroy();
          await service?.close();
          await filling.ended;
          // So that no compaction of the next run gives back enough.
          writeFileSync(join(disk, 'ballast'), Buffer.alloc(freeBytes() - 40 * MIB, 1));

          rds = await start(runtime);
          await untilStatus(rds, 'storage-full');
          const full = freeBytes();
          await rds.send(new DeleteDBInstanceCommand({DBInstanceIdentifier: 'writer'}));
          await rds.send(
            new DeleteDBClusterCommand({DBClusterIdentifier: 'orders', SkipFinalSnapshot: true}),
          );
          await waitFor(async () => {
            const {DBClusters = []} = await rds.send(new DescribeDBClustersCommand({}));
            return DBClusters.length === 0;
          });
          await waitFor(() => freeBytes() > full + 50 * MIB);
          expect(freeBytes()).toBeGreaterThan(full + 50 * MIB);
          rmSync(join(disk, 'ballast'));
          await waitFor(async () => (await createCluster(rds).catch(() => 0)) > 0);
          await untilStatus(rds, 'available');
          rds.destroy();
        },
      );
    }
  },
);

async function start(engineRuntime: 'native' | 'pglite'): Promise<RDSClient> {
  service = await startService({
    dataDirectory: join(disk, 'data'),
    port: 0,
    region: 'us-east-1',
    engineRuntime,
    postgresBin: null,
    logger: pino({level: 'silent'}),
  });
  const {url, region, credentials} = service;
  return new RDSClient({endpoint: url, region, credentials, maxAttempts: 1});
}

function freeBytes(): number {
  const {bavail, bsize} = statfsSync(disk);
  return bavail * bsize;
}

function engineLogs(): string {
  return execFileSync('find', [join(disk, 'data', 'instances'), '-name', 'engine.log'], {
    encoding: 'utf8',
  })
    .split('\n')
    .filter(path => path !== '')
    .map(path => readFileSync(path, 'utf8'))
    .join('\n');
}

type Filling = {done: number; error: unknown; ended: Promise<void>; stop(): void};

/** Statements of 4 MiB one after the other. */
function fill(client: pg.Client, statements: number): Filling {
  const stopping = new AbortController();
  const filling: Filling = {
    done: 0,
    error: null,
    ended: Promise.resolve(),
    stop: () => stopping.abort(),
  };
  const run = async (): Promise<void> => {
    for (let each = 0; each < statements && !stopping.signal.aborted; each++) {
      await client.query(
        `INSERT INTO filler SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 4 * 32768) GROUP BY generate_series % 4`,
      );
      filling.done++;
    }
  };
  filling.ended = run().catch((error: unknown) => {
    filling.error = error;
  });
  return filling;
}

/** Until no more than a statement that was under way ends in 3 s. What compaction gives back lets some go on before. */
async function untilWaiting(filling: Filling): Promise<void> {
  let passed = Infinity;
  await waitFor(async () => {
    const before = filling.done;
    await sleep(3_000);
    passed = filling.done - before;
    return passed <= 1;
  });
  expect(passed).toBeLessThanOrEqual(1);
}

async function createCluster(rds: RDSClient): Promise<number> {
  await rds.send(
    new CreateDBClusterCommand({
      DBClusterIdentifier: 'orders',
      Engine: 'aurora-postgresql',
      MasterUsername: 'admin1',
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
    {client: rds, maxWaitTime: 60, minDelay: 1, maxDelay: 1},
    {DBInstanceIdentifier: 'writer'},
  );
  const {DBClusters = []} = await rds.send(new DescribeDBClustersCommand({}));
  return DBClusters[0]?.Port ?? 0;
}

function connection(port: number): pg.ClientConfig {
  return {host: '127.0.0.1', port, user: 'admin1', password: PASSWORD, database: 'postgres'};
}

async function untilStatus(rds: RDSClient, status: string): Promise<void> {
  let seen: string | undefined;
  await waitFor(async () => {
    const {DBClusters = []} = await rds.send(new DescribeDBClustersCommand({}));
    seen = DBClusters[0]?.Status;
    return seen === status;
  });
  expect(seen).toBe(status);
}

async function waitFor(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + 60_000;
  while (!(await condition())) {
    if (systemClock.monotonicMs() > deadlineMs) return;
    await sleep(100);
  }
}

function mountSmallDisk(base: string, directory: string, sizeBytes: number): void {
  const image = join(base, 'image');
  execFileSync('truncate', ['-s', String(sizeBytes), image]);
  execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
  mkdirSync(directory);
  execFileSync('mount', ['-o', 'loop', image, directory]);
}

function canMountLoop(): boolean {
  if (process.getuid?.() !== 0) return false;
  const base = mkdtempSync(join(tmpdir(), 'borealis-loop-'));
  const directory = join(base, 'disk');
  try {
    mountSmallDisk(base, directory, 8 * MIB);
    execFileSync('umount', [directory]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(base, {recursive: true});
  }
}
