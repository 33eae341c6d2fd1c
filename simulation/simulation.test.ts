import {expect, test} from 'vitest';
import type {SegmentNumber, VolumeNumber} from '../src/page-store/ids.ts';
import type {SegmentFile} from '../src/page-store/zone.ts';
import {checkMutations} from './mutate.ts';
import {simulate} from './simulate.ts';
import {oneZone, type StoreFactory} from './store-under-test.ts';

const SEEDS = 60;
const TIMEOUT_MS = 600_000;

test(`volumes on failing disks lose nothing in ${SEEDS} seeds`, {timeout: TIMEOUT_MS}, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const {failure} = simulate({seed});
    expect(failure, `npm run simulate -- --seed ${seed} --trace`).toBeNull();
  }
});

test('a seed gives the same run each time', () => {
  for (const seed of [3, 31, 314]) {
    const traces = [1, 2].map(() => {
      const lines: string[] = [];
      simulate({seed, trace: line => lines.push(line)});
      return lines;
    });
    expect(traces[0]?.length).toBeGreaterThan(20);
    expect(traces[1]).toEqual(traces[0]);
  }
});

test('a disk whose sync does nothing is found out, and the seed fails again in the same step', () => {
  const lyingDisk: StoreFactory = random => {
    const store = oneZone(random);
    const lie = (file: SegmentFile): SegmentFile => Object.assign(file, {sync: () => undefined});
    const {zone} = store;
    const create = zone.createSegment.bind(zone);
    const open = zone.openSegment.bind(zone);
    Object.assign(zone, {
      createSegment: (volume: VolumeNumber, segment: SegmentNumber) => lie(create(volume, segment)),
      openSegment: (volume: VolumeNumber, segment: SegmentNumber) => lie(open(volume, segment)),
    });
    return store;
  };
  const failures = Array.from(
    {length: 10},
    (_, seed) => simulate({seed, store: lyingDisk}).failure,
  );
  const first = failures.find(failure => failure !== null);
  expect(first).toBeDefined();
  expect(simulate({seed: first?.seed ?? 0, store: lyingDisk}).failure).toEqual(first);
});

test('every mutation fits the source', () => {
  expect(() => checkMutations()).not.toThrow();
});
