import {pino} from 'pino';
import {expect, test} from 'vitest';
import {SpaceMonitor} from './space-monitor.ts';

const MIB = 2 ** 20;

test('says once that storage is full and once that it is not, and shows it meanwhile', async () => {
  let freeBytes = 200 * MIB;
  const said: string[] = [];
  const monitor = new SpaceMonitor({
    freeBytes: async () => freeBytes,
    reserveBytes: 128 * MIB,
    onChange: (isLow, message) => said.push(`${isLow} ${message}`),
    logger: pino({level: 'silent'}),
  });
  await monitor.look();
  expect(monitor.shown('available')).toBe('available');
  freeBytes = 100 * MIB;
  await monitor.look();
  await monitor.look();
  expect(monitor.message).toMatch(/100 MiB are free, and 128 MiB are kept in reserve/);
  expect(
    ['available', 'starting', 'deleting', 'failed'].map(status =>
      monitor.shown(status as 'failed'),
    ),
  ).toEqual(['storage-full', 'storage-full', 'deleting', 'failed']);
  freeBytes = 129 * MIB;
  await monitor.look();
  expect(monitor.isLow).toBe(false);
  expect(said).toEqual([
    expect.stringMatching(/^true Storage is full/),
    'false There is space again: writes go on.',
  ]);
});

test('a disk that cannot be asked changes nothing', async () => {
  const monitor = new SpaceMonitor({
    freeBytes: () => Promise.reject(new Error('gone')),
    reserveBytes: 1,
    onChange: () => expect.unreachable(),
    logger: pino({level: 'silent'}),
  });
  await monitor.look();
  expect(monitor.isLow).toBe(false);
});
