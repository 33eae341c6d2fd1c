import {createColors} from 'picocolors';
import {expect, test} from 'vitest';
import type {StorageReport} from '../../cluster/control-plane.ts';
import {renderStorage} from './storage.ts';

const MIB = 2 ** 20;

const REPORT: StorageReport = {
  store: {
    bytesOnDisk: 150 * MIB,
    bytesReachable: 120 * MIB,
    bytesFree: 900 * MIB,
    amplification: 1.25,
    zones: [
      {zone: 'us-east-1a', bytesTotal: 2048 * MIB, bytesFree: 900 * MIB},
      {zone: 'us-east-1b', bytesTotal: null, bytesFree: null},
    ],
    scrub: {running: null, ended: null, last: null, everyHours: null, nextAtMs: null},
  },
  clusters: [
    {
      identifier: 'dev',
      volume: 3,
      logicalBytes: 100 * MIB,
      exclusiveBytes: 20 * MIB,
      sharedBytes: 80 * MIB,
      pageTableBytes: MIB,
      historyBytes: 0,
      heldOfDeleted: [{volume: 2, identifier: 'orders', bytes: 60 * MIB}],
    },
  ],
  golden: [],
  deleted: [
    {
      volume: 2,
      identifier: 'orders',
      bytesOnDisk: 70 * MIB,
      bytesHeld: 60 * MIB,
      heldBy: [{volume: 3, identifier: 'dev', bytes: 60 * MIB}],
    },
    {
      volume: 9,
      identifier: null,
      bytesOnDisk: MIB,
      bytesHeld: MIB,
      heldBy: [{volume: 3, identifier: 'dev', bytes: MIB}],
    },
  ],
};

test('storage names who holds what of deleted clusters, and says how large the store is', () => {
  const text = renderStorage(REPORT, createColors(false));
  expect(text).toContain('dev');
  expect(text).toMatch(/100.*20.*80/);
  expect(text).toContain('of deleted orders (70 MiB on disk) held by dev (60 MiB)');
  expect(text).toContain('of deleted volume 9');
  expect(text).toContain('1.25 times what is reachable');
  expect(text).toContain('zone us-east-1a: 900 MiB free of 2 GiB');
  expect(text).toContain('zone us-east-1b: not there');
  expect(text).toContain('last scrub: none yet');
});
