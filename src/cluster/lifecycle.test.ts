/** Stop, start, reboot and modify: the states, what clients see meanwhile, and the faults. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {ask, freePort} from './testing/line-client.ts';
import {isWithinWindow} from './settings.ts';
import {
  clone,
  createCluster,
  createWriter,
  faultOf,
  openTestService,
  settle,
  until,
  type TestService,
} from './testing/test-service.ts';

let directory: string;
let service: TestService;
/** Of the cluster `orders`, with an instance and the word `a`. */
let port: number;
const ORDERS = {DBClusterIdentifier: 'orders'} as const;
const WRITER = {DBInstanceIdentifier: 'orders-writer'} as const;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-lifecycle-'));
  service = await openTestService(directory, undefined, '123456780000');
  port = await createCluster(service, 'orders');
  await createWriter(service, 'orders');
  await settle(service);
  await ask(port, 'put a');
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function reopen(): Promise<void> {
  await service.close();
  service = await openTestService(directory, undefined, '123456780000');
}

async function stop(): Promise<void> {
  const {DBCluster} = await service.plane.stopDBCluster(ORDERS);
  expect(DBCluster?.Status).toBe('stopping');
  await settle(service);
}

function statuses(): string[] {
  const {clusters, instances} = service.catalog;
  return [...clusters.list(), ...instances.list()].map(({status}) => status);
}

async function expectFaults(table: readonly [Promise<unknown>, string, string][]): Promise<void> {
  for (const [call, code, words] of table) {
    const fault = await faultOf(call);
    expect.soft(fault.code, fault.message).toBe(code);
    expect.soft(fault.message).toContain(words);
  }
}

function messagesOf(source: string): string[] {
  return service.catalog
    .events()
    .filter(({event}) => event.source === source)
    .map(({event}) => event.message);
}

describe('a stopped cluster', () => {
  test('has no process, keeps its data, says why it refuses, and starts again', async () => {
    await stop();
    expect(statuses()).toEqual(['stopped', 'stopped']);
    expect(service.catalog.instances.get('orders-writer')?.process).toBeNull();
    expect(await ask(port, 'get').catch(String)).toContain('StartDBCluster');
    await reopen();
    await settle(service);
    expect(statuses()).toEqual(['stopped', 'stopped']);
    expect(service.instances.launched).toEqual([]);
    expect(await ask(port, 'get').catch(String)).toContain('is stopped');
    const {DBCluster} = await service.plane.startDBCluster(ORDERS);
    expect(DBCluster?.Status).toBe('starting');
    expect(await ask(port, 'get')).toBe('golden a');
    await settle(service);
    expect(statuses()).toEqual(['available', 'available']);
    expect(messagesOf('orders')).toContain('DB cluster started');
  });

  test('can be cloned and restored from, but not changed', async () => {
    await stop();
    const clonePort = await clone(service, 'orders', 'copy');
    await createWriter(service, 'copy');
    await settle(service);
    expect(await ask(clonePort, 'get')).toBe('golden a');
    const {plane} = service;
    await expectFaults([
      [plane.stopDBCluster(ORDERS), 'InvalidDBClusterStateFault', 'stopped'],
      [
        plane.modifyDBCluster({...ORDERS, DeletionProtection: true}),
        'InvalidDBClusterStateFault',
        'stopped',
      ],
      [plane.modifyDBInstance(WRITER), 'InvalidDBClusterStateFault', 'stopped'],
      [plane.rebootDBInstance(WRITER), 'InvalidDBClusterStateFault', 'stopped'],
      [plane.deleteDBInstance(WRITER), 'InvalidDBClusterStateFault', 'stopped'],
      [createWriter(service, 'orders'), 'DBInstanceAlreadyExistsFault', 'orders-writer'],
      [
        plane.deleteDBCluster({...ORDERS, SkipFinalSnapshot: true}),
        'InvalidDBClusterStateFault',
        'still contains',
      ],
      [
        plane.startDBCluster({DBClusterIdentifier: 'copy'}),
        'InvalidDBClusterStateFault',
        'available',
      ],
      [plane.startDBCluster({DBClusterIdentifier: 'nobody'}), 'DBClusterNotFoundFault', 'nobody'],
      [plane.stopDBCluster({DBClusterIdentifier: 'nobody'}), 'DBClusterNotFoundFault', 'nobody'],
      [
        plane.stopDBInstance(WRITER),
        'InvalidParameterCombination',
        'not eligible for stopping and starting',
      ],
      [plane.startDBInstance(WRITER), 'InvalidParameterCombination', 'not eligible'],
      [plane.stopDBInstance({DBInstanceIdentifier: 'x'}), 'DBInstanceNotFoundFault', 'x'],
      [plane.startDBInstance({DBInstanceIdentifier: undefined}), 'MissingParameter', 'DBInstance'],
    ]);
  });

  test('is available again even when its instance does not start', async () => {
    await stop();
    service.instances.failWith = 'no memory';
    await service.plane.startDBCluster(ORDERS);
    await until(() => statuses().join() === 'available,failed');
    service.instances.failWith = null;
    await until(() => statuses().join() === 'available,available');
    expect(await ask(port, 'get')).toBe('golden a');
  });

  test('without instances stops, starts and is deleted', async () => {
    await createCluster(service, 'empty');
    await settle(service);
    const empty = {DBClusterIdentifier: 'empty'};
    await service.plane.stopDBCluster(empty);
    await settle(service);
    await service.plane.startDBCluster(empty);
    await settle(service);
    await service.plane.stopDBCluster(empty);
    await settle(service);
    await service.plane.deleteDBCluster({...empty, SkipFinalSnapshot: true});
    await until(() => service.catalog.clusters.get('empty') === undefined);
  });
});

describe('an instance', () => {
  test('reboots: a new process at the same address, clients held', async () => {
    const launched = service.instances.launched.length;
    const {DBInstance} = await service.plane.rebootDBInstance(WRITER);
    expect(DBInstance?.DBInstanceStatus).toBe('rebooting');
    await settle(service);
    expect(await ask(port, 'get')).toBe('golden a');
    expect(service.instances.launched).toHaveLength(launched + 1);
    expect(messagesOf('orders-writer').slice(-2)).toEqual([
      'DB instance shutdown',
      'DB instance restarted',
    ]);
  });

  test('changes tier, window and upgrades at once, without a restart', async () => {
    const launched = service.instances.launched.length;
    const {DBInstance} = await service.plane.modifyDBInstance({
      ...WRITER,
      PromotionTier: 0,
      PreferredMaintenanceWindow: 'Mon:01:00-Mon:02:00',
      AutoMinorVersionUpgrade: false,
    });
    expect(DBInstance).toMatchObject({
      PromotionTier: 0,
      PreferredMaintenanceWindow: 'mon:01:00-mon:02:00',
      AutoMinorVersionUpgrade: false,
      DBInstanceStatus: 'available',
    });
    expect(service.instances.launched).toHaveLength(launched);
  });

  test('takes another name and class with ApplyImmediately, else they wait', async () => {
    const later = await service.plane.modifyDBInstance({
      ...WRITER,
      NewDBInstanceIdentifier: 'Renamed',
      DBInstanceClass: 'db.r6g.xlarge',
    });
    expect(later.DBInstance).toMatchObject({
      DBInstanceStatus: 'available',
      PendingModifiedValues: {DBInstanceIdentifier: 'renamed', DBInstanceClass: 'db.r6g.xlarge'},
    });
    await reopen();
    await settle(service);
    const now = await service.plane.modifyDBInstance({...WRITER, ApplyImmediately: true});
    expect(now.DBInstance?.DBInstanceStatus).toBe('modifying');
    await settle(service);
    expect(await ask(port, 'get')).toBe('golden a');
    expect(service.catalog.instances.list()).toMatchObject([
      {identifier: 'renamed', instanceClass: 'db.r6g.xlarge', status: 'available', pending: null},
    ]);
    expect(messagesOf('renamed')).toContain('Renamed instance from orders-writer to renamed');
  });

  test('forgets what waits when the old value is asked for', async () => {
    await service.plane.modifyDBInstance({...WRITER, DBInstanceClass: 'db.r6g.xlarge'});
    await service.plane.modifyDBInstance({...WRITER, DBInstanceClass: 'db.r6g.large'});
    expect(service.catalog.instances.get('orders-writer')?.pending).toBeNull();
  });

  test('is not changed in a way that makes no sense', async () => {
    await createCluster(service, 'other');
    await createWriter(service, 'other');
    await settle(service);
    const {plane} = service;
    const modify = (more: object): Promise<unknown> => plane.modifyDBInstance({...WRITER, ...more});
    await expectFaults([
      [plane.modifyDBInstance({DBInstanceIdentifier: 'x'}), 'DBInstanceNotFoundFault', 'x'],
      [plane.rebootDBInstance({DBInstanceIdentifier: 'x'}), 'DBInstanceNotFoundFault', 'x'],
      [
        modify({NewDBInstanceIdentifier: 'OTHER-writer'}),
        'DBInstanceAlreadyExistsFault',
        'other-writer',
      ],
      [modify({NewDBInstanceIdentifier: 'a--b'}), 'InvalidParameterValue', 'hyphens'],
      [modify({PromotionTier: 16}), 'InvalidParameterValue', '15'],
      [modify({DBInstanceClass: 'huge'}), 'InvalidParameterValue', 'huge'],
      [modify({MasterUserPassword: 'a-password'}), 'InvalidParameterCombination', 'DB cluster'],
      [modify({DBPortNumber: 5432}), 'InvalidParameterCombination', 'DBPortNumber'],
      [modify({EngineVersion: '9.6'}), 'InvalidParameterCombination', '9.6'],
      [modify({PreferredMaintenanceWindow: 'noon'}), 'InvalidParameterValue', 'ddd'],
      [
        plane.rebootDBInstance({...WRITER, ForceFailover: true}),
        'InvalidParameterCombination',
        'FailoverDBCluster',
      ],
    ]);
    await plane.rebootDBInstance(WRITER);
    await expectFaults([
      [plane.rebootDBInstance(WRITER), 'InvalidDBInstanceStateFault', 'rebooting'],
      [modify({PromotionTier: 1}), 'InvalidDBInstanceStateFault', 'rebooting'],
      [plane.stopDBCluster({DBClusterIdentifier: 'other'}), 'none', ''],
    ]);
    await settle(service);
  });
});

describe('a cluster', () => {
  test('takes another name: same address, same data, and its clones know it', async () => {
    await clone(service, 'orders', 'copy');
    const {DBCluster} = await service.plane.modifyDBCluster({
      ...ORDERS,
      NewDBClusterIdentifier: 'Sales',
      ApplyImmediately: true,
    });
    expect(DBCluster?.Status).toBe('renaming');
    await until(() => service.catalog.clusters.get('sales')?.status === 'available');
    await settle(service);
    expect(await ask(port, 'get')).toBe('golden a');
    expect(service.catalog.clusters.get('orders')).toBeUndefined();
    expect(service.catalog.instances.get('orders-writer')?.clusterIdentifier).toBe('sales');
    const {clusters} = await service.plane.clusterReports({fresh: false});
    expect(clusters.find(each => each.identifier === 'copy')?.clonedFrom).toBe('sales');
    expect(messagesOf('sales')).toContain('Renamed cluster from orders to sales');
    await reopen();
    expect(await ask(port, 'get')).toBe('golden a');
  });

  test('waits with another name or port for its window unless told otherwise', async () => {
    const other = await freePort();
    const {DBCluster} = await service.plane.modifyDBCluster({
      ...ORDERS,
      NewDBClusterIdentifier: 'sales',
      Port: other,
    });
    expect(DBCluster).toMatchObject({
      Status: 'available',
      Port: port,
      PendingModifiedValues: {DBClusterIdentifier: 'sales'},
    });
    await reopen();
    await settle(service);
    await service.plane.modifyDBCluster({...ORDERS, ApplyImmediately: true});
    await until(() => service.catalog.clusters.get('sales')?.status === 'available');
    await settle(service);
    expect(service.catalog.clusters.get('sales')).toMatchObject({port: other, pending: null});
    expect(await ask(other, 'get')).toBe('golden a');
    await expect(ask(port, 'get')).rejects.toThrow();
  });

  test('gives up a port or a name that was taken meanwhile, and says so', async () => {
    const other = await freePort();
    await service.plane.modifyDBCluster({...ORDERS, NewDBClusterIdentifier: 'sales', Port: other});
    await createCluster(service, 'sales');
    await settle(service);
    await service.plane.modifyDBCluster({...ORDERS, ApplyImmediately: true});
    await settle(service);
    expect(messagesOf('orders')).toContain('DB cluster could not be renamed: sales exists already');
    expect(await ask(port, 'get')).toBe('golden a');
    expect(service.catalog.clusters.get('orders')?.pending).toBeNull();
  });

  test('keeps the settings that are changed', async () => {
    const {DBCluster} = await service.plane.modifyDBCluster({
      ...ORDERS,
      BackupRetentionPeriod: 7,
      BacktrackWindow: 3_600,
      DeletionProtection: true,
      CopyTagsToSnapshot: true,
      PreferredBackupWindow: '01:00-02:00',
    });
    expect(DBCluster).toMatchObject({
      BackupRetentionPeriod: 7,
      BacktrackWindow: 3_600,
      DeletionProtection: true,
      CopyTagsToSnapshot: true,
      PreferredBackupWindow: '01:00-02:00',
    });
    const {plane} = service;
    const modify = (more: object): Promise<unknown> => plane.modifyDBCluster({...ORDERS, ...more});
    await createCluster(service, 'other');
    await settle(service);
    await expectFaults([
      [modify({NewDBClusterIdentifier: 'OTHER'}), 'DBClusterAlreadyExistsFault', 'other'],
      [modify({NewDBClusterIdentifier: 'a--b'}), 'InvalidParameterValue', 'hyphens'],
      [modify({Port: 80}), 'InvalidParameterValue', '1150'],
      [
        modify({Port: service.catalog.clusters.get('other')?.port}),
        'InvalidParameterValue',
        'another DB cluster',
      ],
      [modify({BacktrackWindow: 259_201}), 'InvalidParameterValue', '259200'],
      [modify({EngineVersion: '9.6'}), 'InvalidParameterCombination', 'EngineVersion'],
    ]);
  });
});

test.each([
  ['sun:04:00-sun:04:30', '2026-11-22T04:00:00Z', true],
  ['sun:04:00-sun:04:30', '2026-11-22T04:30:00Z', false],
  ['sun:04:00-sun:04:30', '2026-11-23T04:10:00Z', false],
  ['sat:23:45-sun:00:15', '2026-11-22T00:05:00Z', true],
  ['sat:23:45-sun:00:15', '2026-11-21T23:50:00Z', true],
  ['sat:23:45-sun:00:15', '2026-11-21T23:44:00Z', false],
])('the window %s at %s is open: %j', (window, at, isOpen) => {
  expect(isWithinWindow(window, Date.parse(at))).toBe(isOpen);
});
