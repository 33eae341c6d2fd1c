/**
 * Where the endpoints of a cluster lead, from what its instances are and which of them serve.
 *
 *     cluster   the writer
 *     reader    readers that serve; the writer while none does
 *     custom    of its members those that serve, and for READER only while they are readers
 *
 * Clients are held while an instance is on its way that could serve them, and told why when none is.
 */
import type {EndpointTarget} from '../endpoint/endpoint.ts';
import {writerOf} from './cluster-roles.ts';
import type {ClusterEndpointRecord, ClusterRecord, InstanceRecord} from './records.ts';

/** The port of an instance that serves in the role that its record tells; undefined while it does not. */
export type ServingPort = (identifier: string) => number | undefined;

export type Routes = {
  readonly cluster: EndpointTarget;
  readonly reader: EndpointTarget;
  /** By identifier of the custom endpoint. */
  readonly custom: ReadonlyMap<string, EndpointTarget>;
};

export function routesOf(
  cluster: ClusterRecord,
  instances: readonly InstanceRecord[],
  endpoints: readonly ClusterEndpointRecord[],
  servingPort: ServingPort,
): Routes {
  if (cluster.status === 'stopped') return routesAtRest(cluster, endpoints);
  const writer = writerRoute(cluster, instances, servingPort);
  const writerPorts = writer.state === 'ready' ? writer.ports : [];
  const readers = portsOf(
    instances.filter(instance => instance.role === 'reader'),
    servingPort,
  );
  const reader: EndpointTarget =
    readers.length > 0 ? {state: 'ready', ports: readers, staying: writerPorts} : writer;
  const custom = endpoints.map(
    endpoint =>
      [
        endpoint.identifier,
        customRoute(endpoint, membersOf(endpoint, instances), servingPort),
      ] as const,
  );
  return {cluster: writer, reader, custom: new Map(custom)};
}

/** Clients are told so at once instead of being held. */
function routesAtRest(
  {identifier}: ClusterRecord,
  endpoints: readonly ClusterEndpointRecord[],
): Routes {
  const reason = `DB cluster "${identifier}" is stopped; start it with StartDBCluster`;
  const none: EndpointTarget = {state: 'none', reason};
  const custom = endpoints.map(endpoint => [endpoint.identifier, none] as const);
  return {cluster: none, reader: none, custom: new Map(custom)};
}

function writerRoute(
  {identifier}: ClusterRecord,
  instances: readonly InstanceRecord[],
  servingPort: ServingPort,
): EndpointTarget {
  const writer = writerOf(instances);
  if (writer === undefined) {
    const reason = `DB cluster "${identifier}" has no DB instance; create one with CreateDBInstance`;
    return {state: 'none', reason};
  }
  const port = servingPort(writer.identifier);
  if (port !== undefined) return {state: 'ready', ports: [port]};
  return writer.status === 'failed' ? notStarting(writer) : {state: 'starting'};
}

/** The instances that a custom endpoint may lead to now. */
export function membersOf(
  endpoint: ClusterEndpointRecord,
  instances: readonly InstanceRecord[],
): InstanceRecord[] {
  const {staticMembers, excludedMembers, type} = endpoint;
  return instances.filter(
    ({identifier, role}) =>
      (staticMembers.length > 0
        ? staticMembers.includes(identifier)
        : !excludedMembers.includes(identifier)) &&
      (type === 'ANY' || role === 'reader'),
  );
}

function customRoute(
  {identifier}: ClusterEndpointRecord,
  members: readonly InstanceRecord[],
  servingPort: ServingPort,
): EndpointTarget {
  const ports = portsOf(members, servingPort);
  if (ports.length > 0) return {state: 'ready', ports};
  if (members.some(member => member.status !== 'failed')) return {state: 'starting'};
  const [failed] = members;
  if (failed !== undefined) return notStarting(failed);
  return {
    state: 'none',
    reason: `no DB instance belongs to the custom endpoint "${identifier}" now`,
  };
}

function notStarting({identifier}: InstanceRecord): EndpointTarget {
  const reason = `DB instance "${identifier}" does not start; its status tells why`;
  return {state: 'none', reason};
}

function portsOf(instances: readonly InstanceRecord[], servingPort: ServingPort): number[] {
  return instances.flatMap(({identifier}) => servingPort(identifier) ?? []);
}
