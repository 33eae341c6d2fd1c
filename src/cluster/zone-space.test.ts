import {expect, test} from 'vitest';
import {ZoneSpaces} from './zone-space.ts';

const ZONES = ['a', 'b', 'c'].map(name => ({name, directory: `/zones/${name}`}));
const space = (bytesFree: number) => ({bytesTotal: 1_000, bytesFree});
const never = new Promise<never>(() => undefined);

test('a write quorum has the room of its fullest zone', async () => {
  const free: Record<string, number> = {'/zones/a': 10, '/zones/b': 700, '/zones/c': 300};
  const spaces = new ZoneSpaces(async directory => space(free[directory] ?? 0));
  expect(await spaces.quorumBytesFree(ZONES)).toBe(300);
  expect(await spaces.quorumBytesFree(ZONES.slice(0, 1))).toBe(10);
});

test('a disk that hangs holds nothing up, and is asked once', async () => {
  const asked: string[] = [];
  const spaces = new ZoneSpaces(directory => {
    asked.push(directory);
    return directory === '/zones/b' ? never : Promise.resolve(space(500));
  }, 20);
  expect(await spaces.quorumBytesFree(ZONES)).toBe(500);
  expect(await spaces.of(ZONES)).toContainEqual({zone: 'b', bytesTotal: null, bytesFree: null});
  expect(asked.filter(directory => directory === '/zones/b')).toHaveLength(1);
});

test('of the only zone it is unknown when its disk is gone', async () => {
  const spaces = new ZoneSpaces(() => Promise.reject(new Error('ENOENT')));
  await expect(spaces.quorumBytesFree(ZONES.slice(0, 1))).rejects.toMatchObject({
    kind: 'unavailable',
    message: 'The disk of zone a does not answer.',
  });
  expect(await spaces.quorumBytesFree(ZONES)).toBe(0);
});
