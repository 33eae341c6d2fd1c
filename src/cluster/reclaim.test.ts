import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {sleep} from '../base/clock.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {
  clone,
  createCluster,
  createWriter,
  openTestService,
  settle,
  type TestService,
} from './testing/test-service.ts';

let directory: string;
let service: TestService;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-reclaim-'));
  service = await openTestService(directory);
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function deleteCluster(name: string): Promise<void> {
  await service.plane.deleteDBCluster({DBClusterIdentifier: name, SkipFinalSnapshot: true});
  while (service.catalog.clusters.get(name) !== undefined) await sleep(5);
}

const volumeOf = (name: string): VolumeNumber =>
  service.catalog.clusters.get(name)?.volume ?? (0 as VolumeNumber);

describe('the sweep', () => {
  test('comes again while a turn leaves more to do', async () => {
    await createCluster(service, 'orders');
    await settle(service);
    service.storage.turnsLeft = 3;
    const before = service.storage.sweeps;
    await deleteCluster('orders');
    while (service.storage.sweeps < before + 4) await sleep(5);
    await sleep(50);
    expect(service.storage.sweeps).toBe(before + 4);
  });

  test('has writers with much log behind their checkpoint write a new one first', async () => {
    await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await createCluster(service, 'other');
    await settle(service);
    service.storage.unsettled = [volumeOf('orders'), volumeOf('other')];
    const before = service.instances.checkpoints;
    await deleteCluster('other');
    while (service.instances.checkpoints === before) await sleep(5);
    expect(service.instances.checkpoints).toBe(before + 1);
  });
});

test('storage names deleted clusters, also those two clones back, and who holds how much of them', async () => {
  await createCluster(service, 'first');
  await settle(service);
  await clone(service, 'first', 'second');
  await clone(service, 'second', 'third');
  const [first, second, third] = ['first', 'second', 'third'].map(volumeOf) as [
    VolumeNumber,
    VolumeNumber,
    VolumeNumber,
  ];
  await deleteCluster('second');
  await deleteCluster('first');
  const unknown = 999 as VolumeNumber;
  service.storage.removed = [first, second, unknown].map((volume, index) => ({
    volume,
    bytesOnDisk: 20_000,
    bytesHeld: 8_192 * (index + 1),
    holders: [{volume: third, bytes: 8_192 * (index + 1)}],
  }));
  const report = await service.plane.storageReport({fresh: false});
  expect(report.deleted).toMatchObject([
    {identifier: 'first', bytesHeld: 8_192, heldBy: [{identifier: 'third', bytes: 8_192}]},
    {identifier: 'second', bytesHeld: 16_384},
    {identifier: null, volume: 999},
  ]);
  expect(report.clusters).toMatchObject([
    {
      identifier: 'third',
      volume: third,
      logicalBytes: 3 * 8_192,
      pageTableBytes: 2 * 8_192,
      historyBytes: 0,
      heldOfDeleted: [{identifier: 'first'}, {identifier: 'second'}, {identifier: null}],
    },
  ]);
  expect(report.golden).toMatchObject([{engineVersion: '18.4'}]);
  expect(report.store.amplification).toBeNull();
});
