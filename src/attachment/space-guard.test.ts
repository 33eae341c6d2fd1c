import {expect, test} from 'vitest';
import {SpaceGuard} from './space-guard.ts';

const MIB = 2 ** 20;

function guarded(freeBytes: number, reserveBytes: number) {
  const disk = {freeBytes, looks: 0};
  const guard = new SpaceGuard({
    freeBytes: () => {
      disk.looks++;
      return disk.freeBytes;
    },
    reserveBytes,
  });
  return {disk, guard};
}

test('writers that look in turn stay out of the reserve together', () => {
  const {disk, guard: first} = guarded(300 * MIB, 100 * MIB);
  const guards = [first];
  while (guards.length < 40) {
    guards.push(new SpaceGuard({freeBytes: () => disk.freeBytes, reserveBytes: 100 * MIB}));
  }
  let waiting = 0;
  while (waiting < guards.length) {
    waiting = 0;
    for (const guard of guards) {
      if (guard.mustWait(MIB / 8)) waiting++;
      else disk.freeBytes -= MIB / 8;
    }
  }
  expect(disk.freeBytes).toBeLessThan(110 * MIB);
  // A write in flight of each is all that may go beyond.
  expect(disk.freeBytes).toBeGreaterThan(100 * MIB - (40 * MIB) / 8);
});

test('writes wait until a look finds space, and the disk is not asked for each of them', () => {
  const {disk, guard} = guarded(100 * MIB, 100 * MIB);
  expect(guard.mustWait(1)).toBe(true);
  disk.freeBytes = 10_000 * MIB;
  const {looks} = disk;
  expect(guard.mustWait(1)).toBe(true);
  expect(disk.looks).toBe(looks);
  expect(guard.look()).toBe(true);
  for (let write = 0; write < 16; write++) expect(guard.mustWait(MIB)).toBe(false);
  expect(disk.looks).toBe(looks + 1);
});

test('without a reserve nothing waits', () => {
  expect(guarded(0, 0).guard.mustWait(MIB)).toBe(false);
});
