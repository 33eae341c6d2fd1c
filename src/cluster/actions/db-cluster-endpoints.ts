/** CreateDBClusterEndpoint, ModifyDBClusterEndpoint and DeleteDBClusterEndpoint: custom endpoints. */
import type {
  CreateDBClusterEndpointMessage,
  DBClusterEndpoint,
  DeleteDBClusterEndpointMessage,
  ModifyDBClusterEndpointMessage,
} from '@aws-sdk/client-rds';
import {crashPoint} from '../../base/crash-point.ts';
import {BorealisError} from '../../base/errors.ts';
import {Endpoint} from '../../endpoint/endpoint.ts';
import {customEndpointsOf, customKey, freeCustomAddress} from '../endpoint-set.ts';
import {
  clusterNotFound,
  endpointAlreadyExists,
  endpointNotFound,
  instanceNotFound,
  invalidClusterState,
  invalidCombination,
  invalidInstanceState,
  invalidValue,
  missingParameter,
  refuseUnlessAvailable,
} from '../faults.ts';
import {newResourceId, parseIdentifier, parseReference, quoted} from '../identifiers.ts';
import {refuseBeyondQuota} from '../quotas.ts';
import type {ClusterEndpointRecord, ClusterRecord} from '../records.ts';
import {parseTags} from '../settings.ts';
import {customEndpointShape} from '../shapes-of-endpoints.ts';
import {addEvent, type World} from '../world.ts';

type Members = Pick<ClusterEndpointRecord, 'staticMembers' | 'excludedMembers'>;

export async function createDBClusterEndpoint(
  world: World,
  input: CreateDBClusterEndpointMessage,
): Promise<DBClusterEndpoint> {
  const identifier = parseIdentifier(
    'DBClusterEndpointIdentifier',
    input.DBClusterEndpointIdentifier,
  );
  const clusterIdentifier = parseReference(
    'DBClusterIdentifier',
    input.DBClusterIdentifier,
    'cluster',
    world.catalog.identity,
  );
  const type = parseType(input.EndpointType);
  const tags = parseTags(input.Tags ?? []);
  const {cluster, address} = placeForNew(world, clusterIdentifier, identifier);
  const members = parseMembers(world, clusterIdentifier, input);
  const endpoint = await Endpoint.listen(cluster.port, {}, address);
  const record: ClusterEndpointRecord = {
    identifier,
    clusterIdentifier,
    resourceId: newResourceId('cluster-endpoint'),
    type,
    ...members,
    address,
    tags,
  };
  try {
    crashPoint('endpoint.new.before-record');
    world.catalog.transaction(() => {
      const {cluster: current} = placeForNew(world, clusterIdentifier, identifier);
      refuseMoved(cluster, current);
      world.catalog.clusterEndpoints.put(identifier, record);
      addEvent(
        world,
        'db-cluster',
        clusterIdentifier,
        `Custom endpoint ${identifier} created`,
        'configuration change',
      );
    });
    crashPoint('endpoint.new.after-record');
  } catch (error) {
    await endpoint.close();
    throw error;
  }
  world.endpoints.adopt(customKey(record), endpoint);
  world.supervisor.reroute(clusterIdentifier);
  return customEndpointShape(world, record, 'available');
}

export function modifyDBClusterEndpoint(
  world: World,
  input: ModifyDBClusterEndpointMessage,
): DBClusterEndpoint {
  const found = endpointNamed(world, input.DBClusterEndpointIdentifier);
  const type = input.EndpointType === undefined ? undefined : parseType(input.EndpointType);
  const {identifier, clusterIdentifier} = found;
  const members = parseMembers(world, clusterIdentifier, input);
  const changed = world.catalog.transaction(() => {
    const current = endpointNamed(world, identifier);
    refuseStopped(world, current.clusterIdentifier);
    const record = {
      ...current,
      type: type ?? current.type,
      ...changedMembers(current, input, members),
    };
    world.catalog.clusterEndpoints.put(identifier, record);
    addEvent(
      world,
      'db-cluster',
      clusterIdentifier,
      `Custom endpoint ${identifier} modified`,
      'configuration change',
    );
    return record;
  });
  world.supervisor.reroute(clusterIdentifier);
  return customEndpointShape(world, changed, 'available');
}

export async function deleteDBClusterEndpoint(
  world: World,
  input: DeleteDBClusterEndpointMessage,
): Promise<DBClusterEndpoint> {
  const {identifier} = endpointNamed(world, input.DBClusterEndpointIdentifier);
  const deleted = world.catalog.transaction(() => {
    const current = endpointNamed(world, identifier);
    refuseStopped(world, current.clusterIdentifier);
    world.catalog.clusterEndpoints.remove(identifier);
    addEvent(
      world,
      'db-cluster',
      current.clusterIdentifier,
      `Custom endpoint ${identifier} deleted`,
      'configuration change',
    );
    return current;
  });
  crashPoint('endpoint.delete.after-record');
  await world.endpoints.close(customKey(deleted));
  return customEndpointShape(world, deleted, 'deleting');
}

function endpointNamed(world: World, name: string | undefined): ClusterEndpointRecord {
  const identifier = parseReference(
    'DBClusterEndpointIdentifier',
    name,
    'cluster-endpoint',
    world.catalog.identity,
  );
  const found = world.catalog.clusterEndpoints.get(identifier);
  if (found === undefined) throw endpointNotFound(identifier);
  return found;
}

function placeForNew(
  world: World,
  clusterIdentifier: string,
  identifier: string,
): {cluster: ClusterRecord; address: string} {
  const cluster = world.catalog.clusters.get(clusterIdentifier);
  if (cluster === undefined) throw clusterNotFound(clusterIdentifier);
  refuseUnlessAvailable(cluster, 'creating', 'modifying', 'starting');
  if (world.catalog.clusterEndpoints.get(identifier) !== undefined) {
    throw endpointAlreadyExists(identifier);
  }
  const others = customEndpointsOf(world, clusterIdentifier);
  const address = freeCustomAddress(others);
  refuseBeyondQuota(world, 'CustomEndpointsPerDBCluster', others.length);
  if (address === undefined) {
    throw new BorealisError(
      'quota',
      'DBClusterEndpointQuotaExceededFault',
      `DB cluster ${clusterIdentifier} has ${others.length} custom endpoints, and so every address there is for one. Delete one first.`,
    );
  }
  return {cluster, address};
}

/** The endpoint listens on the port that the cluster had. */
function refuseMoved(seen: ClusterRecord, {identifier, port, pending}: ClusterRecord): void {
  if (port === seen.port && (pending?.due !== true || pending.port === null)) return;
  throw invalidClusterState(
    `DB cluster ${identifier} is moving to another port. Try again when it is available.`,
  );
}

/** Nothing of a stopped cluster can be changed. */
function refuseStopped(world: World, clusterIdentifier: string): void {
  const cluster = world.catalog.clusters.get(clusterIdentifier);
  if (cluster === undefined) throw clusterNotFound(clusterIdentifier);
  refuseUnlessAvailable(cluster, 'creating', 'modifying', 'renaming', 'starting', 'failed');
}

function parseType(value: string | undefined): ClusterEndpointRecord['type'] {
  if (value === undefined || value === '') throw missingParameter('EndpointType');
  const type = value.toUpperCase();
  if (type === 'ANY' || type === 'READER') return type;
  throw invalidValue(
    `The parameter EndpointType must be READER or ANY for a custom endpoint. Given: ${quoted(value)}`,
  );
}

function parseMembers(
  world: World,
  clusterIdentifier: string,
  input: Pick<CreateDBClusterEndpointMessage, 'StaticMembers' | 'ExcludedMembers'>,
): Members {
  const parse = (member: string, names: readonly string[] | undefined): string[] =>
    [...new Set(names ?? [])].map(name => memberNamed(world, clusterIdentifier, member, name));
  const staticMembers = parse('StaticMembers', input.StaticMembers);
  const excludedMembers = parse('ExcludedMembers', input.ExcludedMembers);
  if (staticMembers.length > 0 && excludedMembers.length > 0) {
    throw invalidCombination(
      'The parameters StaticMembers and ExcludedMembers cannot be used together. Specify one of them.',
    );
  }
  return {staticMembers, excludedMembers};
}

function memberNamed(world: World, cluster: string, member: string, name: string): string {
  const identifier = parseReference(member, name, 'db', world.catalog.identity);
  const instance = world.catalog.instances.get(identifier);
  if (instance === undefined) throw instanceNotFound(identifier);
  if (instance.clusterIdentifier !== cluster) {
    throw invalidInstanceState(
      `DB instance ${identifier} does not belong to DB cluster ${cluster}.`,
    );
  }
  return identifier;
}

/** A list that is given replaces its like; one that names somebody empties the other. */
function changedMembers(
  current: Members,
  input: ModifyDBClusterEndpointMessage,
  given: Members,
): Members {
  if (given.staticMembers.length > 0 || given.excludedMembers.length > 0) return given;
  return {
    staticMembers: input.StaticMembers === undefined ? current.staticMembers : [],
    excludedMembers: input.ExcludedMembers === undefined ? current.excludedMembers : [],
  };
}
