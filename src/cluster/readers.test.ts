/** Readers, failover and custom endpoints by their rules, over the fakes. */
import {mkdtempSync, rmSync} from 'node:fs';
import {createConnection} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {sleep} from '../base/clock.ts';
import {ask} from './testing/line-client.ts';
import {
  clone,
  createCluster,
  createInstance,
  openTestService,
  settle,
  type TestService,
} from './testing/test-service.ts';

const READER_ADDRESS = '127.0.0.2';

let directory: string;
let service: TestService;
let port: number;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-readers-'));
  await open();
  port = await createCluster(service, 'orders');
  await createInstance(service, 'orders', 'w');
  await settle(service);
  await ask(port, 'put a');
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function open(): Promise<void> {
  service = await openTestService(directory, () => undefined, '310987654321');
}

async function until(fact: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (await fact()) return;
    await sleep(10);
  }
  throw new Error('it did not become so within ten seconds');
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'none',
    (error: {code: string}) => error.code,
  );
}

/** Asks at another address than the cluster endpoint's. */
async function askAt(host: string, line: string): Promise<string> {
  const socket = createConnection({host, port});
  try {
    socket.write(`${line}\n`);
    const [answer] = await once(createInterface({input: socket}), 'line');
    return String(answer);
  } finally {
    socket.destroy();
  }
}

async function addReaders(...names: string[]): Promise<void> {
  for (const name of names) await createInstance(service, 'orders', name);
  await settle(service);
}

function roles(): string {
  return service.catalog.instances
    .list()
    .map(({identifier, role}) => `${identifier}:${role}`)
    .join(' ');
}

async function failOver(target?: string): Promise<string | undefined> {
  const {DBCluster} = await service.plane.failoverDBCluster({
    DBClusterIdentifier: 'orders',
    ...(target === undefined ? {} : {TargetDBInstanceIdentifier: target}),
  });
  return DBCluster?.DBClusterMembers?.find(each => each.IsClusterWriter)?.DBInstanceIdentifier;
}

function killProcessOf(name: string): void {
  const index = service.instances.launched.findLastIndex(config => config.name === name);
  service.instances.handles[index]?.kill();
}

describe('a reader', () => {
  test('reads what the writer has, on a private fork, and does not write', async () => {
    await addReaders('r');
    expect(await askAt(READER_ADDRESS, 'who')).toBe('r');
    expect(await askAt(READER_ADDRESS, 'get')).toBe('golden a');
    expect(await askAt(READER_ADDRESS, 'put b')).toBe('read-only');
    const config = service.instances.launched.at(-1);
    expect(config?.volume).not.toBe(service.catalog.clusters.get('orders')?.volume);
    expect(config).toMatchObject({
      role: 'reader',
      source: {port: service.catalog.instances.get('w')?.port},
    });
    expect(service.instances.admitted).toEqual(['verifier of 40 characters']);
    const {clusters} = await service.plane.clusterReports({fresh: false});
    expect(clusters[0]?.instances.map(each => each.role)).toEqual(['reader', 'writer']);
  });

  test('that goes takes its volume with it, and sweeps', async () => {
    const {sweeps} = service.storage;
    const before = service.storage.listVolumes();
    await addReaders('r');
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'r'});
    await until(() => service.storage.sweeps > sweeps);
    expect(service.storage.listVolumes()).toEqual(before);
    expect(await askAt(READER_ADDRESS, 'who')).toBe('w');
  });

  test('takes a new fork each time it starts', async () => {
    await addReaders('r');
    const first = service.catalog.instances.get('r')?.scratchVolume;
    killProcessOf('r');
    await until(() => service.catalog.instances.get('r')?.status !== 'available');
    await settle(service);
    await until(() => !service.storage.listVolumes().some(volume => volume === first));
    expect(service.catalog.instances.get('r')?.scratchVolume).not.toBe(first);
    expect(roles()).toBe('r:reader w:writer');
  });

  test('comes back with the service at the same addresses', async () => {
    await addReaders('r');
    const before = service.catalog.instances.get('r')?.port;
    await service.close();
    await open();
    await settle(service);
    expect(service.catalog.instances.get('r')?.port).toBe(before);
    expect(await askAt(READER_ADDRESS, 'get')).toBe('golden a');
    expect(service.storage.listVolumes()).toHaveLength(3);
    // A new service, a new secret: the writer takes it as it starts.
    expect(service.instances.admitted.length).toBeGreaterThan(0);
  });

  test('of a clone follows the clone', async () => {
    const clonePort = await clone(service, 'orders', 'copy');
    await createInstance(service, 'copy', 'cw');
    await createInstance(service, 'copy', 'cr');
    await settle(service);
    await ask(clonePort, 'put c');
    expect(await ask(service.catalog.instances.get('cr')?.port ?? 0, 'get')).toBe('golden a c');
  });

  test('is one of at most fifteen', async () => {
    await Promise.all(
      Array.from({length: 15}, (_, index) => createInstance(service, 'orders', `r${index}`)),
    );
    expect(await codeOf(createInstance(service, 'orders', 'r15'))).toBe(
      'InvalidDBClusterStateFault',
    );
    await settle(service);
  }, 30_000);

  test('is refused to a cluster on PGlite', async () => {
    service.catalog.transaction(() => {
      service.catalog.clusters.update('orders', cluster => ({...cluster, runtime: 'pglite'}));
    });
    await expect(createInstance(service, 'orders', 'r')).rejects.toThrow(
      /PGlite, which cannot replicate/,
    );
  });
});

describe('a failover', () => {
  test('swaps the roles in its own answer, and loses nothing', async () => {
    await addReaders('r', 's');
    expect(await failOver()).toBe('r');
    expect(roles()).toBe('r:writer s:reader w:reader');
    // The client is held until the new writer serves.
    expect(await ask(port, 'who')).toBe('r');
    expect(await ask(port, 'put b')).toBe('ok');
    await settle(service);
    expect(service.instances.launched.findLast(config => config.name === 'r')?.volume).toBe(
      service.catalog.clusters.get('orders')?.volume,
    );
    for (const name of ['s', 'w']) {
      expect(await ask(service.catalog.instances.get(name)?.port ?? 0, 'get')).toBe('golden a b');
    }
    // The other reader went on; only the two that swapped were started again.
    expect(service.instances.launched.filter(config => config.name === 's')).toHaveLength(1);
    const events = service.catalog.events().map(({event}) => event.message);
    expect(events).toContain('Started failover to DB instance: r');
    expect(events).toContain('Completed failover to DB instance: r');
  });

  test('goes to the lowest promotion tier, or to the one that is named', async () => {
    await createInstance(service, 'orders', 'a', {PromotionTier: 5});
    await createInstance(service, 'orders', 'b', {PromotionTier: 0});
    await settle(service);
    expect(await failOver()).toBe('b');
    await settle(service);
    expect(await failOver('a')).toBe('a');
    await settle(service);
    expect(await ask(port, 'get')).toBe('golden a');
  });

  test('happens by itself when the writer dies and a reader serves', async () => {
    await addReaders('r');
    killProcessOf('w');
    await until(async () => (await ask(port, 'who').catch(() => '')) === 'r');
    await settle(service);
    expect(roles()).toBe('r:writer w:reader');
    expect(await ask(port, 'get')).toBe('golden a');
  });

  test('is not for a lone writer, who starts again', async () => {
    killProcessOf('w');
    await until(() => service.catalog.instances.get('w')?.status !== 'available');
    await settle(service);
    expect(await ask(port, 'who')).toBe('w');
    expect(roles()).toBe('w:writer');
  });

  test('is refused without a reader that is there', async () => {
    const call = (target?: string): Promise<unknown> => failOver(target);
    expect(await codeOf(call())).toBe('InvalidDBClusterStateFault');
    await addReaders('r');
    expect(await codeOf(call('w'))).toBe('InvalidDBInstanceStateFault');
    expect(await codeOf(call('nobody'))).toBe('DBInstanceNotFoundFault');
    await clone(service, 'orders', 'copy');
    await createInstance(service, 'copy', 'cw');
    await settle(service);
    expect(await codeOf(call('cw'))).toBe('InvalidDBInstanceStateFault');
    expect(await codeOf(service.plane.failoverDBCluster({DBClusterIdentifier: 'nobody'}))).toBe(
      'DBClusterNotFoundFault',
    );
  });

  test('comes before the deletion of a writer', async () => {
    await addReaders('r');
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'w'});
    expect(roles()).toBe('r:writer w:reader');
    expect(await ask(port, 'put b')).toBe('ok');
    await until(() => roles() === 'r:writer');
    await settle(service);
    expect(await ask(port, 'get')).toBe('golden a b');
    expect(service.storage.listVolumes()).toHaveLength(2);
  });

  test('is survived by clones, which fork the writer whoever it is', async () => {
    await addReaders('r');
    await failOver();
    const clonePort = await clone(service, 'orders', 'copy');
    await createInstance(service, 'copy', 'cw');
    await settle(service);
    expect(await ask(clonePort, 'get')).toBe('golden a');
  });

  test('after failover goes on for many rounds, with writes between', async () => {
    await addReaders('r', 's');
    const words = ['golden', 'a'];
    for (let round = 0; round < 6; round++) {
      if (round % 2 === 0) await failOver();
      else
        killProcessOf(
          service.catalog.instances.list().find(({role}) => role === 'writer')?.identifier ?? '',
        );
      await until(async () => (await ask(port, `put x${round}`).catch(() => '')) === 'ok');
      words.push(`x${round}`);
      await settle(service);
    }
    expect(await ask(port, 'get')).toBe(words.join(' '));
    expect(service.storage.listVolumes()).toHaveLength(4);
  }, 30_000);
});

describe('a custom endpoint', () => {
  const reports = {DBClusterEndpointIdentifier: 'Reports'};
  const create = {...reports, DBClusterIdentifier: 'orders', EndpointType: 'READER'};

  test('leads to its members, and is changed and deleted', async () => {
    await addReaders('r', 's');
    const made = await service.plane.createDBClusterEndpoint({...create, StaticMembers: ['s']});
    expect(made).toMatchObject({
      DBClusterEndpointIdentifier: 'reports',
      Endpoint: '127.0.0.3',
      EndpointType: 'CUSTOM',
      CustomEndpointType: 'READER',
      StaticMembers: ['s'],
      ExcludedMembers: [],
      DBClusterEndpointArn: 'arn:aws:rds:local-1:310987654321:cluster-endpoint:reports',
    });
    expect(await askAt('127.0.0.3', 'who')).toBe('s');
    await service.plane.modifyDBClusterEndpoint({
      ...reports,
      EndpointType: 'ANY',
      ExcludedMembers: ['r', 's'],
    });
    expect(await askAt('127.0.0.3', 'who')).toBe('w');
    await service.close();
    await open();
    await settle(service);
    expect(await askAt('127.0.0.3', 'who')).toBe('w');
    const {DBClusterEndpoints} = await service.plane.describeDBClusterEndpoints({});
    expect(DBClusterEndpoints?.map(each => [each.EndpointType, each.Endpoint])).toEqual([
      ['WRITER', '127.0.0.1'],
      ['READER', '127.0.0.2'],
      ['CUSTOM', '127.0.0.3'],
    ]);
    const custom = await service.plane.describeDBClusterEndpoints({
      Filters: [{Name: 'db-cluster-endpoint-type', Values: ['custom']}],
    });
    expect(custom.DBClusterEndpoints?.[0]?.ExcludedMembers).toEqual(['r', 's']);
    await service.plane.deleteDBClusterEndpoint(reports);
    await expect(askAt('127.0.0.3', 'who')).rejects.toThrow(/ECONNREFUSED/);
  });

  test('for readers has none while its members are writers', async () => {
    await addReaders('r');
    await service.plane.createDBClusterEndpoint({...create, StaticMembers: ['r']});
    await failOver('r');
    expect(await askAt('127.0.0.3', 'get')).toContain('no DB instance belongs');
  });

  test('goes with its cluster', async () => {
    await service.plane.createDBClusterEndpoint(create);
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'w'});
    await service.plane.deleteDBCluster({DBClusterIdentifier: 'orders', SkipFinalSnapshot: true});
    await until(() => service.catalog.clusters.list().length === 0);
    expect(service.catalog.clusterEndpoints.list()).toEqual([]);
  });

  test('is refused with the faults of RDS', async () => {
    const {plane} = service;
    for (let i = 0; i < 5; i++) {
      await plane.createDBClusterEndpoint({...create, DBClusterEndpointIdentifier: `e${i}`});
    }
    const make = (changes: object): Promise<string> =>
      codeOf(plane.createDBClusterEndpoint({...create, ...changes}));
    expect(await make({})).toBe('DBClusterEndpointQuotaExceededFault');
    await plane.deleteDBClusterEndpoint({DBClusterEndpointIdentifier: 'e0'});
    expect(await make({DBClusterEndpointIdentifier: 'e1'})).toBe(
      'DBClusterEndpointAlreadyExistsFault',
    );
    expect(await make({DBClusterIdentifier: 'nobody'})).toBe('DBClusterNotFoundFault');
    expect(await make({EndpointType: 'WRITER'})).toBe('InvalidParameterValue');
    expect(await make({EndpointType: undefined})).toBe('MissingParameter');
    expect(await make({StaticMembers: ['nobody']})).toBe('DBInstanceNotFoundFault');
    expect(await make({StaticMembers: ['w'], ExcludedMembers: ['w']})).toBe(
      'InvalidParameterCombination',
    );
    const absent = {DBClusterEndpointIdentifier: 'absent'};
    expect(await codeOf(plane.modifyDBClusterEndpoint(absent))).toBe(
      'DBClusterEndpointNotFoundFault',
    );
    expect(await codeOf(plane.deleteDBClusterEndpoint(absent))).toBe(
      'DBClusterEndpointNotFoundFault',
    );
    expect(await codeOf(plane.describeDBClusterEndpoints(absent))).toBe(
      'DBClusterEndpointNotFoundFault',
    );
  });
});
