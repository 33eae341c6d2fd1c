/** What a service does in crash tests: the control plane over the fakes of a directory. */
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {ask} from './line-client.ts';
import {sleep} from '../../base/clock.ts';
import {
  clone,
  createCluster,
  createInstance,
  createWriter,
  openTestService,
  settle,
  until,
  type TestService,
} from './test-service.ts';

export type CrashReport = {
  clusters: {identifier: string; status: string; port: number; volume: number | null}[];
  instances: {identifier: string; role: string; status: string; port: number}[];
  /** Volumes of readers. */
  scratch: number[];
  zones: string[];
  endpoints: string[];
  /** What each instance was started or reloaded with. */
  parameters: Record<string, Readonly<Record<string, string>> | null>;
  golden: number[];
  volumes: number[];
  /** What each cluster's volume holds. */
  words: Record<string, string>;
};

const SCENARIOS: Record<string, (service: TestService, directory: string) => Promise<void>> = {
  /** A cluster with a writer and an acknowledged word, the start of all others. */
  create: async (service, directory) => {
    await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    await acknowledge(service, directory, 'a');
  },
  clone: async service => {
    await settle(service);
    await clone(service, 'orders', 'copy');
    await createWriter(service, 'copy');
    await settle(service);
  },
  modify: async service => {
    await settle(service);
    await service.plane.modifyDBCluster({
      DBClusterIdentifier: 'orders',
      MasterUserPassword: 'another-password',
    });
    await settle(service);
  },
  delete: async service => {
    await settle(service);
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'orders-writer'});
    await service.plane.deleteDBCluster({
      DBClusterIdentifier: 'orders',
      SkipFinalSnapshot: true,
    });
    await settle(service);
  },
  reader: async service => {
    await settle(service);
    await createInstance(service, 'orders', 'orders-reader');
    await settle(service);
  },
  failover: async (service, directory) => {
    await SCENARIOS['reader']?.(service, directory);
    await service.plane.failoverDBCluster({DBClusterIdentifier: 'orders'});
    await settle(service);
    await acknowledge(service, directory, 'b');
  },
  /** The writer dies, and the reader takes over. */
  death: async (service, directory) => {
    await SCENARIOS['reader']?.(service, directory);
    const died = service.instances.handles.findIndex(
      (_, index) => service.instances.launched[index]?.role === 'writer',
    );
    service.instances.handles[died]?.kill();
    await sleep(100);
    await settle(service);
  },
  'delete-writer': async (service, directory) => {
    await SCENARIOS['reader']?.(service, directory);
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'orders-writer'});
    await settle(service);
  },
  'delete-reader': async (service, directory) => {
    await SCENARIOS['reader']?.(service, directory);
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'orders-reader'});
    await settle(service);
  },
  endpoint: async service => {
    await settle(service);
    const endpoint = {DBClusterEndpointIdentifier: 'reports'};
    await service.plane.createDBClusterEndpoint({
      ...endpoint,
      DBClusterIdentifier: 'orders',
      EndpointType: 'ANY',
    });
    await service.plane.deleteDBClusterEndpoint(endpoint);
  },
  'zone-add': async (service, directory) => {
    await settle(service);
    await service.plane.addZone({letter: 'b', directory: join(directory, 'zone-b')});
    await untilZonesRest(service);
  },
  'zone-undo': async (service, directory) => {
    await settle(service);
    // So it is not filled before it is given up.
    service.storage.filled = ['local-1a'];
    await service.plane.addZone({letter: 'b', directory: join(directory, 'zone-b')});
    await service.plane.removeZone({letter: 'b'});
    await untilZonesRest(service);
  },
  'zone-remove': async service => {
    await settle(service);
    await service.plane.removeZone({letter: 'b'});
    await untilZonesRest(service);
  },
  stop: async service => {
    await settle(service);
    await service.plane.stopDBCluster({DBClusterIdentifier: 'orders'});
    await settle(service);
  },
  start: async service => {
    await settle(service);
    await service.plane.startDBCluster({DBClusterIdentifier: 'orders'});
    await settle(service);
  },
  configure: async service => {
    await settle(service);
    const group = {DBClusterParameterGroupName: 'tuned'};
    await service.plane.createDBClusterParameterGroup({
      ...group,
      DBParameterGroupFamily: 'aurora-postgresql18',
      Description: 'tuned',
    });
    await service.plane.modifyDBClusterParameterGroup({
      ...group,
      Parameters: [{ParameterName: 'work_mem', ParameterValue: '8192'}],
    });
    await service.plane.modifyDBCluster({DBClusterIdentifier: 'orders', ...group});
    await until(
      () => service.catalog.instances.get('orders-writer')?.parameters?.['work_mem'] === '8192',
    );
  },
  reboot: async service => {
    await settle(service);
    await service.plane.rebootDBInstance({DBInstanceIdentifier: 'orders-writer'});
    await settle(service);
  },
  resize: async service => {
    await settle(service);
    await service.plane.modifyDBInstance({
      DBInstanceIdentifier: 'orders-writer',
      NewDBInstanceIdentifier: 'renamed-writer',
      DBInstanceClass: 'db.r6g.xlarge',
      ApplyImmediately: true,
    });
    await settle(service);
  },
  rename: async service => {
    await settle(service);
    await service.plane.modifyDBCluster({
      DBClusterIdentifier: 'orders',
      NewDBClusterIdentifier: 'renamed',
      ApplyImmediately: true,
    });
    await settle(service);
  },
  port: async service => {
    await settle(service);
    await service.plane.modifyDBCluster({
      DBClusterIdentifier: 'orders',
      Port: Number(process.env['ANOTHER_PORT']),
      ApplyImmediately: true,
    });
    await settle(service);
  },
  look: async service => {
    await settle(service);
    await untilZonesRest(service);
  },
};

async function untilZonesRest(service: TestService): Promise<void> {
  while ((await service.plane.zoneReport({})).change !== null) await sleep(10);
}

async function acknowledge(service: TestService, directory: string, word: string): Promise<void> {
  const port = service.catalog.clusters.get('orders')?.port ?? 0;
  await ask(port, `put ${word}`);
  const path = join(directory, 'acknowledged');
  writeFileSync(path, `${readAcknowledged(path)} ${word}`);
}

function readAcknowledged(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function report(service: TestService): Promise<CrashReport> {
  const {zones} = await service.plane.zoneReport({});
  const clusters = service.catalog.clusters.list();
  return {
    clusters: clusters.map(({identifier, status, port, volume}) => ({
      identifier,
      status,
      port,
      volume,
    })),
    instances: service.catalog.instances
      .list()
      .map(({identifier, role, status, port}) => ({identifier, role, status, port})),
    zones: zones.map(({name}) => name),
    scratch: service.catalog.instances.list().flatMap(instance => instance.scratchVolume ?? []),
    endpoints: service.catalog.clusterEndpoints.list().map(endpoint => endpoint.identifier),
    parameters: Object.fromEntries(
      service.catalog.instances.list().map(each => [each.identifier, each.parameters]),
    ),
    golden: service.catalog.goldenVolumes.list().map(golden => golden.volume),
    volumes: service.storage.listVolumes(),
    words: Object.fromEntries(
      clusters.map(({identifier, volume}) => [
        identifier,
        service.storage.read(volume ?? 0).join(' '),
      ]),
    ),
  };
}

/** Opens the service of `directory`, plays `scenario`, closes, and returns what was there. */
export async function playScenario(directory: string, scenario: string): Promise<CrashReport> {
  const play = SCENARIOS[scenario];
  if (play === undefined) throw new Error(`there is no scenario ${scenario}`);
  const service = await openTestService(directory, () => undefined, '210987652321');
  try {
    await play(service, directory);
    return await report(service);
  } finally {
    await service.close();
  }
}
