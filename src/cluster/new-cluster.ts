/**
 * What CreateDBCluster and RestoreDBClusterToPointInTime share: a name, a listening endpoint and a
 * record, all or none.
 */
import {crashPoint} from '../base/crash-point.ts';
import type {Endpoint} from '../endpoint/endpoint.ts';
import {clusterAlreadyExists, storageFull} from './faults.ts';
import {listenOnFreePort, listenOnPort} from './ports.ts';
import {refuseBeyondQuota} from './quotas.ts';
import type {ClusterRecord} from './records.ts';
import {addEvent, type World} from './world.ts';

export function refuseTakenCluster(world: World, identifier: string): void {
  if (world.catalog.clusters.get(identifier) !== undefined) throw clusterAlreadyExists(identifier);
  refuseBeyondQuota(world, 'DBClusters', world.catalog.clusters.list().length);
}

/** A cluster that could not write would only be stuck. */
export function refuseWithoutSpace({space}: World): void {
  if (space.isLow) throw storageFull('InsufficientStorageClusterCapacityFault', space.message);
}

/** Ports that belong to endpoints, whether they listen now or not. */
function takenPorts(world: World): Set<number> {
  const records = [...world.catalog.clusters.list(), ...world.catalog.instances.list()];
  return new Set(records.map(record => record.port));
}

/** A port for an instance endpoint. It is free now; the engine takes it when it starts. */
export async function freePortForNew(world: World): Promise<number> {
  const endpoint = await listenForNew(world, undefined);
  await endpoint.close();
  return endpoint.port;
}

/** An endpoint that listens on the port asked for, or on a free one. */
export async function listenForNew(world: World, port: number | undefined): Promise<Endpoint> {
  const taken = takenPorts(world);
  return port === undefined
    ? await listenOnFreePort(taken, world.catalog.identity.accountId)
    : await listenOnPort(port, taken);
}

/**
 * Makes the record durable and hands its endpoint over. `makeRecord` runs inside the transaction and
 * throws when the request cannot be met after all; then the endpoint is closed.
 */
export async function recordNewCluster(
  world: World,
  endpoint: Endpoint,
  makeRecord: () => ClusterRecord,
): Promise<ClusterRecord> {
  try {
    crashPoint('cluster.new.before-record');
    const cluster = world.catalog.transaction(() => {
      const record = makeRecord();
      refuseTakenCluster(world, record.identifier);
      world.catalog.clusters.put(record.identifier, record);
      addEvent(world, 'db-cluster', record.identifier, 'DB cluster is being created', 'creation');
      return record;
    });
    crashPoint('cluster.new.after-record');
    world.endpoints.adopt(cluster.identifier, endpoint);
    return cluster;
  } catch (error) {
    await endpoint.close();
    throw error;
  }
}
