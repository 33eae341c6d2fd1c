import {describe, expect, test} from 'vitest';
import {BorealisError} from '../base/errors.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {KeyedLock} from './keyed-lock.ts';
import type {LaunchedProcess} from './launched-processes.ts';
import {levelAll, type LevelWorld} from './level-volumes.ts';

const numbers = (...volumes: number[]): VolumeNumber[] => volumes as VolumeNumber[];

/** A store where `unclean` are to be levelled; `open` are had by processes. */
function worldOf(unclean: VolumeNumber[], open: VolumeNumber[], settle = (): void => undefined) {
  const settled: VolumeNumber[] = [];
  const membership = {
    unclean: async () => unclean,
    settle: async (volume: VolumeNumber) => {
      settle();
      settled.push(volume);
    },
  };
  const volumeLocks = new KeyedLock();
  const world = {
    storage: {membership},
    volumeLocks,
    // oxlint-disable-next-line no-unsafe-type-assertion -- of a process only this is asked
    processes: {list: () => open.map(volume => ({config: {volume}}) as LaunchedProcess)},
  };
  // oxlint-disable-next-line no-unsafe-type-assertion -- of the store only this is asked
  return {world: world as unknown as LevelWorld, volumeLocks, settled};
}

describe('levelling', () => {
  test('takes the volumes that nobody has, and does not try those of processes', async () => {
    const {world, settled} = worldOf(numbers(1, 2, 3, 4), numbers(2, 4));
    expect(await levelAll(world)).toEqual([]);
    expect(settled).toEqual([1, 3]);
  });

  test('leaves a volume alone that is about to be opened, and holds those that it opens', async () => {
    const {world, volumeLocks, settled} = worldOf(numbers(1, 2), []);
    const release = await volumeLocks.acquire('1');
    expect(await levelAll(world)).toEqual(['volume 1 is being opened']);
    expect(settled).toEqual([2]);
    release();
    const holding = worldOf(numbers(7), [], () => {
      expect(holding.volumeLocks.tryAcquire('7')).toBeUndefined();
    });
    expect(await levelAll(holding.world)).toEqual([]);
    expect(holding.volumeLocks.tryAcquire('7')).toBeDefined();
  });

  test('says what it could not do, and takes a volume that is gone for none', async () => {
    const failing = worldOf(numbers(1), [], () => {
      throw new BorealisError('unavailable', 'zone-quorum', 'too few zones');
    });
    expect(await levelAll(failing.world)).toEqual(['volume 1: too few zones']);
    const gone = worldOf(numbers(1), [], () => {
      throw new BorealisError('not-found', 'no-such-volume', 'no such volume');
    });
    expect(await levelAll(gone.world)).toEqual([]);
  });
});
