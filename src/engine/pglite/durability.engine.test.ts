import {fork, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {renameSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {sleep} from '../../base/clock.ts';
import {entryPoint} from '../../base/entry-point.ts';
import type {VolumeNumber} from '../../page-store/ids.ts';
import {startPglite} from './pglite-engine.ts';
import {connect, sqlState, value} from './testing/client.ts';
import {makeScratchStore, type ScratchStore} from './testing/scratch-store.ts';

const KILL_ROUNDS = 5;
const FORK_ROUNDS = 6;
let store: ScratchStore;
const children: ChildProcess[] = [];

beforeAll(async () => {
  store = await makeScratchStore();
});

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  store.remove();
});

async function serve(volume: VolumeNumber): Promise<{child: ChildProcess; port: number}> {
  const child = fork(
    entryPoint('engine/pglite/testing/instance-process'),
    [JSON.stringify(store.config(volume))],
    {execArgv: []},
  );
  children.push(child);
  const [message] = (await once(child, 'message')) as [{port: number}];
  return {child, port: message.port};
}

/** Inserts 1, 2, 3 … into `acked`, one commit each, until the server goes. Returns the last acknowledged. */
async function insertUntilGone(
  port: number,
  from: number,
  onAcknowledged: (n: number) => void,
): Promise<void> {
  const client = await connect(port);
  let n = from;
  try {
    for (;;) {
      await client.query('BEGIN');
      await client.query(`INSERT INTO acked VALUES ($1, repeat('x', 500))`, [n]);
      await client.query(`INSERT INTO twin VALUES ($1)`, [n]);
      await client.query('COMMIT');
      onAcknowledged(n++);
    }
  } catch {
    // The kill that the test is about. What counts is what was acknowledged before it.
    return;
  }
}

async function check(port: number, atLeast: number): Promise<number> {
  const client = await connect(port);
  const highest = Number(await value(client, 'SELECT coalesce(max(n), 0) FROM acked'));
  expect(highest).toBeGreaterThanOrEqual(atLeast);
  // Each commit whole, in order, without a gap, and its index sound.
  expect(await value(client, 'SELECT count(*)::int FROM acked')).toBe(highest);
  expect(await value(client, 'SELECT count(*)::int FROM acked JOIN twin USING (n)')).toBe(highest);
  expect(await value(client, 'SELECT count(*)::int FROM twin')).toBe(highest);
  await client.query(`SELECT bt_index_check('acked_pkey', true)`);
  await client.end();
  return highest;
}

async function createTables(port: number): Promise<void> {
  const client = await connect(port);
  await client.query('CREATE TABLE acked (n int PRIMARY KEY, t text); CREATE TABLE twin (n int)');
  await client.end();
}

test(
  `every commit that was acknowledged is there after each of ${KILL_ROUNDS} kills`,
  {timeout: 180_000},
  async () => {
    const volume = store.cluster();
    let acknowledged = 0;
    for (let round = 0; round < KILL_ROUNDS; round++) {
      const {child, port} = await serve(volume);
      if (round === 0) await createTables(port);
      const found = await check(port, acknowledged);
      const stopAt = found + 20 + round * 17;
      await insertUntilGone(port, found + 1, n => {
        acknowledged = n;
        if (n === stopAt) child.kill('SIGKILL');
      });
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    const {child, port} = await serve(volume);
    await check(port, acknowledged);
    child.kill('SIGKILL');
    await once(child, 'exit');
  },
);

test(
  `${FORK_ROUNDS} forks taken while it writes, in the middle of transactions, recover with every acknowledged commit`,
  {timeout: 180_000},
  async () => {
    const {child, port} = await serve(store.cluster());
    await createTables(port);
    const progress = {acknowledged: 0};
    const writing = insertUntilGone(port, 1, n => {
      progress.acknowledged = n;
    });
    const forks: {volume: VolumeNumber; atLeast: number}[] = [];
    for (let round = 0; round < FORK_ROUNDS; round++) {
      const target = progress.acknowledged + 15;
      while (progress.acknowledged < target) await sleep(5);
      const volume = store.nextVolume();
      const atLeast = progress.acknowledged;
      const answered = once(child, 'message');
      child.send({fork: volume});
      await answered;
      forks.push({volume, atLeast});
    }
    child.kill('SIGKILL');
    await writing;
    for (const {volume, atLeast} of forks) {
      const running = await store.start(volume);
      await check(running.port, atLeast);
      await running.stop('immediate');
      await running.attachment.detach();
    }
  },
);

test(
  'a fork does not wait for a transaction or for a statement that reads and writes',
  {timeout: 60_000},
  async () => {
    const running = await store.start(store.cluster());
    const client = await connect(running.port);
    await client.query('CREATE TABLE open_ended (n int)');
    await client.query('BEGIN');
    await client.query('INSERT INTO open_ended VALUES (1)');
    const inTransaction = await running.attachment.fork(store.nextVolume());
    expect(inTransaction.bytesCopied).toBe(0);
    await client.query('COMMIT');
    let isDone = false;
    const long = client
      .query('INSERT INTO open_ended SELECT n FROM generate_series(1, 400000) n')
      .then(() => (isDone = true));
    const during = store.nextVolume();
    await running.attachment.fork(during);
    expect(isDone).toBe(false);
    await long;
    await client.end();
    await running.stop('fast');
    await running.attachment.detach();
    const clone = await store.start(during);
    const reader = await connect(clone.port);
    expect(await value(reader, 'SELECT count(*)::int FROM open_ended')).toBe(1);
    await reader.end();
    await clone.stop('fast');
    await clone.attachment.detach();
  },
);

test(
  'the database to serve is made at the first start and found at the next',
  {timeout: 60_000},
  async () => {
    const config = {...store.config(store.cluster()), databaseName: 'Orders 1'};
    for (const expected of ['created', 'found']) {
      const steps: string[] = [];
      const running = await startPglite(config, ({name}) => steps.push(name));
      expect(steps.some(name => name.startsWith('create-database'))).toBe(expected === 'created');
      if ('settings' in running) throw new Error('a writer serves');
      const client = await connect(running.port, {database: 'Orders 1'});
      await client.query('CREATE TABLE IF NOT EXISTS public.mine (n int)');
      await client.end();
      await running.stop('fast');
      await running.attachment.detach();
    }
  },
);

test(
  'when the volume fails nothing more is acknowledged, clients are told, and the instance is to end',
  {timeout: 60_000},
  async () => {
    const running = await store.start(store.cluster());
    const client = await connect(running.port);
    const waiting = await connect(running.port);
    await client.query('CREATE TABLE doomed (t text)');
    const zone = join(store.directory, 'zone');
    // Segments that are open stay so; the next one cannot be made.
    renameSync(zone, `${zone}.gone`);
    let acknowledged = 0;
    const writing = (async () => {
      for (; acknowledged < 10_000; acknowledged++) {
        await client.query(
          `INSERT INTO doomed SELECT repeat(md5(n::text), 100) FROM generate_series(1, 2000) n`,
        );
      }
    })();
    const codes = await Promise.all([
      sqlState(writing),
      running.failed.then(error => error.message),
    ]);
    expect(codes[0]).toBe('57P02');
    expect(codes[1]).toContain('the volume failed');
    expect(await sqlState(waiting.query('SELECT 1'))).not.toBe('succeeded');
    expect(await sqlState(connect(running.port))).toBe('ECONNREFUSED');
    await running.stop('immediate');
    await running.attachment.detach();
    renameSync(`${zone}.gone`, zone);
  },
);
