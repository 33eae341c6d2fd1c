/**
 * A control plane over the fakes, on a directory that a later one can open again. The ports that it
 * chooses follow from the account: test files that run side by side and open their services again
 * have each its own, or one would take the ports that another has just let go of.
 */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {pino} from 'pino';
import {sleep, systemClock} from '../../base/clock.ts';
import {issueAuthority} from '../../base/x509.ts';
import {Catalog} from '../catalog.ts';
import {Certificates} from '../certificates.ts';
import {createClusterService} from '../cluster-service.ts';
import type {Monitor} from '../metrics/measurements.ts';
import {ServiceCounts} from '../metrics/service-counts.ts';
import type {ControlPlane} from '../control-plane.ts';
import {StoreZones} from '../store-zones.ts';
import {ZoneHealth} from '../zone-health.ts';
import {ZoneSpaces} from '../zone-space.ts';
import {openZonePlan} from '../zone-list.ts';
import {fakeInstances, type FakeInstances} from './fake-instances.ts';
import {FakeStorage} from './fake-storage.ts';

export type TestService = {
  readonly plane: ControlPlane;
  readonly monitor: Monitor;
  readonly catalog: Catalog;
  readonly storage: FakeStorage;
  readonly instances: FakeInstances;
  close(): Promise<void>;
};

export async function openTestService(
  directory: string,
  prepare: (instances: FakeInstances) => void = () => undefined,
  accountId = '123456789012',
  more: {
    readonly startMsMax?: number;
    readonly discardUnknown?: boolean;
    readonly zoneSpaces?: ZoneSpaces;
  } = {},
): Promise<TestService> {
  const instancesDirectory = join(directory, 'instances');
  mkdirSync(instancesDirectory, {recursive: true});
  const catalog = Catalog.open({
    directory,
    region: 'local-1',
    newIdentity: () => ({accountId, region: 'local-1', createdAtMs: 0}),
  });
  const storeZones = new StoreZones(directory, openZonePlan(directory, 'local-1', []));
  const storage = new FakeStorage(directory);
  storage.config = storeZones.config;
  const instances = fakeInstances(storage);
  prepare(instances);
  const service = createClusterService({
    catalog,
    storage,
    launch: instances.launch,
    offers: {
      available: [
        {
          engineVersion: '18.4',
          runtime: 'native',
          postgresBin: '/fake/bin',
          binary: 'fake',
          description: 'a fake engine',
        },
      ],
      others: [],
    },
    storeZones,
    renewSpare: () => undefined,
    instancesDirectory,
    passwordsDirectory: join(directory, 'passwords'),
    zoneSpaces: new ZoneSpaces(async () => ({bytesTotal: 2 ** 40, bytesFree: 2 ** 40})),
    reserveBytes: 0,
    scrubEveryMs: null,
    discardUnknown: false,
    ...more,
    hostMemoryBytes: 2 ** 34,
    scramVerifier: password => `verifier of ${password.length} characters`,
    certificates: new Certificates(
      issueAuthority('test', {notBeforeMs: 0, notAfterMs: 4e12}),
      systemClock,
    ),
    tokenRefusal: token => (token === 'good-token' ? null : 'it is not the good one'),
    clock: systemClock,
    counts: new ServiceCounts(),
    zoneHealth: new ZoneHealth(),
    logger: pino({level: 'silent'}),
  });
  await service.recover();
  return {
    plane: service.controlPlane,
    monitor: service.monitor,
    catalog,
    storage,
    instances,
    async close() {
      await service.close();
      await catalog.close();
    },
  };
}

export const CREATE = {
  Engine: 'aurora-postgresql',
  MasterUsername: 'owner',
  MasterUserPassword: 'correct-horse',
} as const;

export async function createCluster(service: TestService, name: string): Promise<number> {
  const {DBCluster} = await service.plane.createDBCluster({...CREATE, DBClusterIdentifier: name});
  return DBCluster?.Port ?? 0;
}

export async function createWriter(service: TestService, cluster: string): Promise<void> {
  await createInstance(service, cluster, `${cluster}-writer`);
}

export async function createInstance(
  service: TestService,
  cluster: string,
  name: string,
  more: {PromotionTier?: number; DBInstanceClass?: string} = {},
): Promise<void> {
  await service.plane.createDBInstance({
    DBInstanceIdentifier: name,
    DBClusterIdentifier: cluster,
    DBInstanceClass: 'db.r6g.large',
    Engine: 'aurora-postgresql',
    ...more,
  });
}

export async function clone(service: TestService, source: string, name: string): Promise<number> {
  const {DBCluster} = await service.plane.restoreDBClusterToPointInTime({
    SourceDBClusterIdentifier: source,
    DBClusterIdentifier: name,
    RestoreType: 'copy-on-write',
    UseLatestRestorableTime: true,
  });
  return DBCluster?.Port ?? 0;
}

/** Waits until nothing is on its way any more. */
export async function settle(service: TestService): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    const clusters = service.catalog.clusters.list();
    const instances = service.catalog.instances.list();
    const onTheirWay = [...clusters, ...instances].filter(
      ({status}) => status !== 'available' && status !== 'failed' && status !== 'stopped',
    );
    if (onTheirWay.length === 0) return;
    await sleep(10);
  }
  throw new Error('resources did not come to rest within ten seconds');
}

/** The code and words of the fault that a call ends with. */
export async function faultOf(call: Promise<unknown>): Promise<{code: string; message: string}> {
  return await call.then(
    () => ({code: 'none', message: 'the call succeeded'}),
    (error: {code: string; message: string}) => ({code: error.code, message: error.message}),
  );
}

/** Waits until something is so. */
export async function until(fact: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    if (await fact()) return;
    await sleep(10);
  }
  throw new Error('it did not become so within ten seconds');
}
