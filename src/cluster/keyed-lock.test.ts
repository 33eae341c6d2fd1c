import {expect, test} from 'vitest';
import {sleep} from '../base/clock.ts';
import {KeyedLock} from './keyed-lock.ts';

test('a key has one holder at a time, in the order of asking; other keys are free', async () => {
  const lock = new KeyedLock();
  const order: number[] = [];
  let holders = 0;
  const work = (index: number) => async (): Promise<void> => {
    holders++;
    expect(holders).toBe(1);
    await sleep(1);
    order.push(index);
    holders--;
  };
  const all = Promise.all([0, 1, 2, 3].map(index => lock.hold('a', work(index))));
  expect(lock.tryAcquire('a')).toBeUndefined();
  await lock.hold('b', async () => expect(order).toEqual([]));
  await all;
  expect(order).toEqual([0, 1, 2, 3]);
  (await lock.tryAcquire('a'))?.();
});

test('a holder that fails lets go', async () => {
  const lock = new KeyedLock();
  await expect(lock.hold('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await lock.hold('a', async () => undefined);
});
