/** Stop, start, reboot and modify of a cluster that has readers and custom endpoints. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {askAt, ask, freePort} from './testing/line-client.ts';
import {
  clone,
  createCluster,
  createInstance,
  faultOf,
  openTestService,
  settle,
  until,
  type TestService,
} from './testing/test-service.ts';

const READER_ADDRESS = '127.0.0.2';
const CUSTOM_ADDRESS = '127.0.0.3';
const ORDERS = {DBClusterIdentifier: 'orders'} as const;

let directory: string;
let service: TestService;
/** Of the cluster `orders`, with the writer `w`, the reader `r` and the custom endpoint `reports` of `r`. */
let port: number;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-lifecycle-readers-'));
  service = await openTestService(directory, undefined, '310987650000');
  port = await createCluster(service, 'orders');
  await createInstance(service, 'orders', 'w');
  await settle(service);
  await createInstance(service, 'orders', 'r');
  await settle(service);
  await service.plane.createDBClusterEndpoint({
    ...ORDERS,
    DBClusterEndpointIdentifier: 'reports',
    EndpointType: 'READER',
    StaticMembers: ['r'],
  });
  await ask(port, 'put a');
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

function statuses(): string {
  const {clusters, instances} = service.catalog;
  return [...clusters.list(), ...instances.list()].map(({status}) => status).join();
}

function roles(): string {
  const {instances} = service.catalog;
  return instances
    .list()
    .map(({identifier, role}) => `${identifier}:${role}`)
    .join();
}

function launches(name: string): number {
  return service.instances.launched.filter(config => config.name === name).length;
}

async function stop(): Promise<void> {
  await service.plane.stopDBCluster(ORDERS);
  await settle(service);
}

describe('a stopped cluster', () => {
  test('has neither writer nor reader nor fork, refuses at every endpoint, and starts with all', async () => {
    await stop();
    expect(statuses()).toBe('stopped,stopped,stopped');
    for (const record of service.catalog.instances.list()) {
      expect(record).toMatchObject({process: null, scratchVolume: null});
    }
    for (const address of ['127.0.0.1', READER_ADDRESS, CUSTOM_ADDRESS]) {
      expect(await askAt(address, port, 'get').catch(String), address).toContain('StartDBCluster');
    }
    await service.plane.startDBCluster(ORDERS);
    await settle(service);
    expect(statuses()).toBe('available,available,available');
    expect(roles()).toBe('r:reader,w:writer');
    for (const address of [READER_ADDRESS, CUSTOM_ADDRESS]) {
      expect(await askAt(address, port, 'who')).toBe('r');
    }
    expect(await ask(port, 'get')).toBe('golden a');
  });

  test('is available again when its writer does not start, though readers wait for it', async () => {
    await stop();
    service.instances.failWith = 'no memory';
    await service.plane.startDBCluster(ORDERS);
    await until(() => statuses() === 'available,starting,failed');
    service.instances.failWith = null;
    await until(() => statuses() === 'available,available,available');
  });

  test('refuses a failover, another reader, and changes of its custom endpoints', async () => {
    await stop();
    const {plane} = service;
    const endpoint = {DBClusterEndpointIdentifier: 'reports'};
    for (const call of [
      plane.failoverDBCluster(ORDERS),
      createInstance(service, 'orders', 'more'),
      plane.createDBClusterEndpoint({
        ...ORDERS,
        DBClusterEndpointIdentifier: 'more',
        EndpointType: 'ANY',
      }),
      plane.modifyDBClusterEndpoint({...endpoint, EndpointType: 'ANY'}),
      plane.deleteDBClusterEndpoint(endpoint),
    ]) {
      const fault = await faultOf(call);
      expect.soft(fault.code, fault.message).toBe('InvalidDBClusterStateFault');
      expect.soft(fault.message).toContain('stopped');
    }
  });
});

describe('a reader', () => {
  test('reboots on a fresh fork, and the writer goes on', async () => {
    const fork = service.catalog.instances.get('r')?.scratchVolume;
    await service.plane.rebootDBInstance({DBInstanceIdentifier: 'r'});
    await settle(service);
    expect(service.catalog.instances.get('r')?.scratchVolume).not.toBe(fork);
    expect([launches('w'), launches('r')]).toEqual([1, 2]);
    expect(await askAt(READER_ADDRESS, port, 'get')).toBe('golden a');
  });

  test('takes another name, class and tier; custom endpoints know it by the new name', async () => {
    await createInstance(service, 'orders', 's', {PromotionTier: 1});
    await settle(service);
    await service.plane.modifyDBInstance({
      DBInstanceIdentifier: 'r',
      NewDBInstanceIdentifier: 'Renamed',
      DBInstanceClass: 'db.r6g.2xlarge',
      PromotionTier: 0,
      ApplyImmediately: true,
    });
    await settle(service);
    expect(roles()).toBe('renamed:reader,s:reader,w:writer');
    expect(service.catalog.clusterEndpoints.get('reports')?.staticMembers).toEqual(['renamed']);
    expect(await askAt(CUSTOM_ADDRESS, port, 'who')).toBe('renamed');
    await service.plane.failoverDBCluster(ORDERS);
    await settle(service);
    expect(roles()).toBe('renamed:writer,s:reader,w:reader');
  });
});

test('a writer that reboots or is renamed stays the writer, and readers stay', async () => {
  await service.plane.rebootDBInstance({DBInstanceIdentifier: 'w'});
  await settle(service);
  await service.plane.modifyDBInstance({
    DBInstanceIdentifier: 'w',
    NewDBInstanceIdentifier: 'v',
    ApplyImmediately: true,
  });
  await settle(service);
  expect(roles()).toBe('r:reader,v:writer');
  expect(launches('r')).toBe(1);
  expect(await ask(port, 'who')).toBe('v');
});

test('a cluster that is renamed keeps its readers and endpoints, and clones of clones know it', async () => {
  await clone(service, 'orders', 'copy');
  await clone(service, 'copy', 'copy-of-copy');
  await service.plane.modifyDBCluster({
    ...ORDERS,
    NewDBClusterIdentifier: 'sales',
    ApplyImmediately: true,
  });
  await until(() => service.catalog.clusters.get('sales')?.status === 'available');
  await settle(service);
  expect(roles()).toBe('r:reader,w:writer');
  for (const address of [READER_ADDRESS, CUSTOM_ADDRESS]) {
    expect(await askAt(address, port, 'who')).toBe('r');
  }
  expect(service.catalog.clusterEndpoints.get('reports')?.clusterIdentifier).toBe('sales');
  const ancestors = service.catalog.clusters.get('copy-of-copy')?.ancestors;
  expect(ancestors?.map(({identifier}) => identifier)).toEqual(['copy', 'sales']);
});

describe('a cluster that moves to another port', () => {
  test('takes all its endpoints there', async () => {
    const other = await freePort();
    await service.plane.modifyDBCluster({...ORDERS, Port: other, ApplyImmediately: true});
    await settle(service);
    expect(service.catalog.clusters.get('orders')?.port).toBe(other);
    expect(await ask(other, 'who')).toBe('w');
    for (const address of [READER_ADDRESS, CUSTOM_ADDRESS]) {
      expect(await askAt(address, other, 'who')).toBe('r');
      await expect(askAt(address, port, 'who')).rejects.toThrow();
    }
  });

  test('takes no custom endpoint meanwhile', async () => {
    const other = await freePort();
    await service.plane.modifyDBCluster({...ORDERS, Port: other, ApplyImmediately: true});
    const fault = await faultOf(
      service.plane.createDBClusterEndpoint({
        ...ORDERS,
        DBClusterEndpointIdentifier: 'more',
        EndpointType: 'ANY',
      }),
    );
    expect(fault.code, fault.message).toBe('InvalidDBClusterStateFault');
    expect(fault.message).toContain('another port');
    await settle(service);
  });
});
