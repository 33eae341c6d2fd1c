import {pino} from 'pino';
import {expect, test} from 'vitest';
import {sleep} from '../base/clock.ts';
import {
  BACKOFF_MS_MAX,
  backoffMs,
  CONCURRENCY_MAX,
  Reconciler,
  type ResourceKey,
} from './reconciler.ts';

const logger = pino({level: 'silent'});

test('a resource is driven once at a time, and once more when it was asked for meanwhile', async () => {
  let running = 0;
  let runs = 0;
  const reconciler = new Reconciler(async () => {
    runs++;
    running++;
    expect(running).toBe(1);
    await sleep(5);
    running--;
  }, logger);
  for (let i = 0; i < 10; i++) reconciler.enqueue('cluster/a');
  await sleep(2);
  for (let i = 0; i < 10; i++) reconciler.enqueue('cluster/a');
  await sleep(50);
  expect(runs).toBe(2);
  await reconciler.stop();
});

test('no more resources than the limit are driven side by side', async () => {
  let running = 0;
  let most = 0;
  const reconciler = new Reconciler(async () => {
    most = Math.max(most, ++running);
    await sleep(5);
    running--;
  }, logger);
  for (let i = 0; i < 20; i++) reconciler.enqueue(`cluster/${i}`);
  await sleep(100);
  expect(most).toBe(CONCURRENCY_MAX);
  await reconciler.stop();
  expect(running).toBe(0);
});

test('a failure is tried again later, with the attempt counted until it succeeds', async () => {
  const attempts: [ResourceKey, number][] = [];
  const reconciler = new Reconciler(async (key, attempt) => {
    attempts.push([key, attempt]);
    if (attempts.length === 1) throw new Error('not yet');
  }, logger);
  reconciler.enqueue('instance/a');
  await sleep(backoffMs(1) + 100);
  reconciler.enqueue('instance/a');
  await sleep(20);
  expect(attempts).toEqual([
    ['instance/a', 1],
    ['instance/a', 2],
    ['instance/a', 1],
  ]);
  await reconciler.stop();
});

test('the wait doubles up to its limit', () => {
  expect([1, 2, 3, 4].map(backoffMs)).toEqual([200, 400, 800, 1_600]);
  expect(backoffMs(50)).toBe(BACKOFF_MS_MAX);
});
