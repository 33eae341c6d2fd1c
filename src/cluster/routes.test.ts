import {describe, expect, test} from 'vitest';
import {failoverOrder, sizeOf, writerOf} from './cluster-roles.ts';
import type {ClusterEndpointRecord, ClusterRecord, InstanceRecord} from './records.ts';
import {routesOf} from './routes.ts';

type Changes = Partial<InstanceRecord>;

function instance(
  identifier: string,
  role: InstanceRecord['role'],
  changes: Changes = {},
): InstanceRecord {
  return {
    identifier,
    clusterIdentifier: 'orders',
    resourceId: `db-${identifier}`,
    role,
    scratchVolume: null,
    instanceClass: 'db.r6g.large',
    status: 'available',
    statusReason: null,
    createdAtMs: 0,
    port: 0,
    availabilityZone: 'local-1a',
    promotionTier: 1,
    preferredMaintenanceWindow: '',
    autoMinorVersionUpgrade: true,
    tags: [],
    pending: null,
    parameterGroupName: null,
    parameters: null,
    startSteps: [],
    process: null,
    ...changes,
  };
}

function custom(changes: Partial<ClusterEndpointRecord>): ClusterEndpointRecord {
  return {
    identifier: 'reports',
    clusterIdentifier: 'orders',
    resourceId: 'cluster-endpoint-x',
    type: 'ANY',
    staticMembers: [],
    excludedMembers: [],
    address: '127.0.0.3',
    tags: [],
    ...changes,
  };
}

const CLUSTER = {identifier: 'orders'} as ClusterRecord;
const ALL = [instance('w', 'writer'), instance('a', 'reader'), instance('b', 'reader')];
const PORTS: Readonly<Record<string, number>> = {w: 1, a: 2, b: 3};

function routes(
  instances: readonly InstanceRecord[],
  serving: string,
  endpoints: readonly ClusterEndpointRecord[] = [],
): ReturnType<typeof routesOf> {
  return routesOf(CLUSTER, instances, endpoints, name =>
    serving.includes(name) ? PORTS[name] : undefined,
  );
}

describe('the reader endpoint leads to', () => {
  test.each([
    ['wab', {state: 'ready', ports: [2, 3], staying: [1]}],
    ['wa', {state: 'ready', ports: [2], staying: [1]}],
    ['ab', {state: 'ready', ports: [2, 3], staying: []}],
    ['w', {state: 'ready', ports: [1]}],
    ['', {state: 'starting'}],
  ])('with %j serving, %j', (serving, target) => {
    expect(routes(ALL, serving).reader).toEqual(target);
  });
});

test('the cluster endpoint leads to the writer, holds while it starts, and says why it does not', () => {
  expect(routes(ALL, 'wab').cluster).toEqual({state: 'ready', ports: [1]});
  expect(routes(ALL, 'ab').cluster).toEqual({state: 'starting'});
  const failed = [instance('w', 'writer', {status: 'failed'}), instance('a', 'reader')];
  expect(routes(failed, 'a').cluster).toMatchObject({
    state: 'none',
    reason: expect.stringMatching(/"w" does not start/),
  });
  expect(routes([], '').reader).toMatchObject({
    state: 'none',
    reason: expect.stringMatching(/no DB instance/),
  });
});

test.each<[string, Partial<ClusterEndpointRecord>, unknown]>([
  ['wab', {}, {state: 'ready', ports: [1, 2, 3]}],
  ['wab', {type: 'READER'}, {state: 'ready', ports: [2, 3]}],
  ['wab', {staticMembers: ['w', 'b']}, {state: 'ready', ports: [1, 3]}],
  ['wab', {type: 'READER', staticMembers: ['w', 'b']}, {state: 'ready', ports: [3]}],
  ['wab', {excludedMembers: ['w', 'b']}, {state: 'ready', ports: [2]}],
  ['wb', {excludedMembers: ['w', 'b']}, {state: 'starting'}],
  ['wab', {type: 'READER', staticMembers: ['w']}, {state: 'none'}],
])('with %j serving, the custom endpoint %j leads to %j', (serving, changes, target) => {
  const endpoint = custom(changes);
  expect(routes(ALL, serving, [endpoint]).custom.get('reports')).toMatchObject(target as object);
});

test('readers take over by promotion tier, then size, then name; those that go do not', () => {
  const order = failoverOrder([
    instance('e', 'reader', {promotionTier: 0, status: 'deleting'}),
    instance('d', 'reader', {promotionTier: 2, instanceClass: 'db.r6g.16xlarge'}),
    instance('c', 'reader'),
    instance('b', 'reader'),
    instance('a', 'reader', {instanceClass: 'db.t4g.medium'}),
    instance('w', 'writer', {promotionTier: 0}),
    instance('x', 'reader', {instanceClass: 'db.r6g.2xlarge'}),
  ]);
  expect(order.map(each => each.identifier)).toEqual(['x', 'b', 'c', 'a', 'd']);
});

test('a writer that is being deleted is one only while there is no other', () => {
  const going = instance('a', 'writer', {status: 'deleting'});
  expect(writerOf([going])).toBe(going);
  expect(writerOf([going, instance('b', 'writer')])?.identifier).toBe('b');
  expect(writerOf([instance('c', 'reader')])).toBeUndefined();
});

test.each([
  ['db.t4g.micro', 'db.t4g.medium'],
  ['db.t4g.medium', 'db.r6g.large'],
  ['db.r6g.large', 'db.r6g.xlarge'],
  ['db.r6g.xlarge', 'db.r6g.2xlarge'],
  ['db.r6g.8xlarge', 'db.r6g.16xlarge'],
  ['db.strange', 'db.t4g.nano'],
])('%s is smaller than %s', (small, large) => {
  expect(sizeOf(small)).toBeLessThan(sizeOf(large));
});
