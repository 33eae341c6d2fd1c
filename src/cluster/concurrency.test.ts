/** A hundred calls of mixed kinds at once: whatever each answers, the catalog and the store agree afterwards. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {BorealisError} from '../base/errors.ts';
import {
  clone,
  createCluster,
  createInstance,
  openTestService,
  settle,
  type TestService,
} from './testing/test-service.ts';

const CALLS = 100;
const ACCOUNT = '123456760000';

type Call = {readonly kind: keyof typeof KINDS; readonly a: number; readonly b: number};

/** Few names, so that calls get in each other's way. */
const cluster = (number: number): string => `c${number % 4}`;
const instance = (number: number): string => `i${number % 8}`;

const KINDS = {
  createCluster: (service: TestService, {a}: Call) => createCluster(service, cluster(a)),
  clone: (service: TestService, {a, b}: Call) => clone(service, cluster(a), cluster(b)),
  createInstance: (service: TestService, {a, b}: Call) =>
    createInstance(service, cluster(a), instance(b)),
  deleteInstance: ({plane}: TestService, {b}: Call) =>
    plane.deleteDBInstance({DBInstanceIdentifier: instance(b)}),
  deleteCluster: ({plane}: TestService, {a}: Call) =>
    plane.deleteDBCluster({DBClusterIdentifier: cluster(a), SkipFinalSnapshot: true}),
  stop: ({plane}: TestService, {a}: Call) => plane.stopDBCluster({DBClusterIdentifier: cluster(a)}),
  start: ({plane}: TestService, {a}: Call) =>
    plane.startDBCluster({DBClusterIdentifier: cluster(a)}),
  reboot: ({plane}: TestService, {b}: Call) =>
    plane.rebootDBInstance({DBInstanceIdentifier: instance(b)}),
  failover: ({plane}: TestService, {a}: Call) =>
    plane.failoverDBCluster({DBClusterIdentifier: cluster(a)}),
  renameCluster: ({plane}: TestService, {a, b}: Call) =>
    plane.modifyDBCluster({
      DBClusterIdentifier: cluster(a),
      NewDBClusterIdentifier: cluster(b),
      ApplyImmediately: true,
    }),
  renameInstance: ({plane}: TestService, {a, b}: Call) =>
    plane.modifyDBInstance({
      DBInstanceIdentifier: instance(a),
      NewDBInstanceIdentifier: instance(b),
      ApplyImmediately: true,
    }),
  password: ({plane}: TestService, {a}: Call) =>
    plane.modifyDBCluster({
      DBClusterIdentifier: cluster(a),
      MasterUserPassword: 'another-password',
    }),
  endpoint: ({plane}: TestService, {a, b}: Call) =>
    plane.createDBClusterEndpoint({
      DBClusterIdentifier: cluster(a),
      DBClusterEndpointIdentifier: `e${b % 3}`,
      EndpointType: 'ANY',
    }),
  describe: ({plane}: TestService) => plane.describeDBClusters({}),
} satisfies Record<string, (service: TestService, call: Call) => Promise<unknown>>;

const calls: fc.Arbitrary<Call[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...(Object.keys(KINDS) as (keyof typeof KINDS)[])),
    a: fc.nat(15),
    b: fc.nat(15),
  }),
  {minLength: CALLS, maxLength: CALLS},
);

/** Names that are free or taken as they come, and two clusters with a writer each to begin with. */
async function prepare(service: TestService): Promise<void> {
  for (const number of [0, 1]) {
    await createCluster(service, cluster(number));
    await settle(service);
    await createInstance(service, cluster(number), instance(number));
    await settle(service);
  }
}

function expectConsistent({catalog, storage}: TestService): void {
  const clusters = catalog.clusters.list();
  const instances = catalog.instances.list();
  for (const each of instances) {
    expect(catalog.clusters.get(each.clusterIdentifier), each.identifier).toBeDefined();
  }
  for (const {identifier, status} of clusters) {
    const own = instances.filter(each => each.clusterIdentifier === identifier);
    const writers = own.filter(({role}) => role === 'writer');
    expect(writers.length, `writers of ${identifier}`).toBe(own.length > 0 ? 1 : 0);
    for (const each of own) expect(each.status === 'stopped').toBe(status === 'stopped');
  }
  for (const endpoint of catalog.clusterEndpoints.list()) {
    expect(catalog.clusters.get(endpoint.clusterIdentifier), endpoint.identifier).toBeDefined();
  }
  const ports = [...clusters, ...instances].map(({port}) => port);
  expect(new Set(ports).size).toBe(ports.length);
  const owned = [
    ...catalog.goldenVolumes.list().map(({volume}) => volume),
    ...clusters.flatMap(({volume}) => volume ?? []),
    ...instances.flatMap(({scratchVolume}) => scratchVolume ?? []),
  ];
  expect(storage.listVolumes()).toEqual(owned.sort((x, y) => x - y));
}

test('leave a consistent catalog, now and after a restart', async () => {
  await fc.assert(
    fc.asyncProperty(calls, async list => {
      const directory = mkdtempSync(join(tmpdir(), 'borealis-concurrency-'));
      let service = await openTestService(directory, undefined, ACCOUNT);
      try {
        await prepare(service);
        const answers = await Promise.allSettled(
          list.map(async call => await KINDS[call.kind](service, call)),
        );
        for (const answer of answers) {
          // A fault is an answer like any other; anything else is a bug.
          if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(BorealisError);
        }
        await settle(service);
        await service.close();
        service = await openTestService(directory, undefined, ACCOUNT);
        await settle(service);
        expectConsistent(service);
      } finally {
        await service.close();
        rmSync(directory, {recursive: true});
      }
    }),
    {numRuns: 8},
  );
}, 600_000);
