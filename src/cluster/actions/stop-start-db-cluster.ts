/**
 * StopDBCluster and StartDBCluster; StopDBInstance and StartDBInstance, which RDS refuses for an
 * instance of an Aurora cluster.
 */
import type {
  StartDBClusterMessage,
  StartDBClusterResult,
  StartDBInstanceMessage,
  StopDBClusterMessage,
  StopDBClusterResult,
  StopDBInstanceMessage,
} from '@aws-sdk/client-rds';
import {crashPoint} from '../../base/crash-point.ts';
import {
  clusterNotFound,
  instanceNotFound,
  invalidClusterState,
  invalidCombination,
  refuseUnlessAvailable,
} from '../faults.ts';
import {parseReference} from '../identifiers.ts';
import {instancesOf} from '../instances-of.ts';
import type {ClusterRecord} from '../records.ts';
import {clusterShape} from '../shapes.ts';
import {addEvent, type World} from '../world.ts';

export function stopDBCluster(world: World, input: StopDBClusterMessage): StopDBClusterResult {
  const cluster = world.catalog.transaction(() => {
    const found = clusterOf(world, input);
    refuseUnlessAvailable(found);
    const stopping = withStatus(world, found, 'stopping');
    addEvent(world, 'db-cluster', found.identifier, 'DB cluster is being stopped');
    return stopping;
  });
  crashPoint('cluster.stop.after-intent');
  world.reconciler.enqueue(`cluster/${cluster.identifier}`);
  return {DBCluster: clusterShape(world, cluster)};
}

export function startDBCluster(world: World, input: StartDBClusterMessage): StartDBClusterResult {
  const cluster = world.catalog.transaction(() => {
    const found = clusterOf(world, input);
    if (found.status !== 'stopped') {
      throw invalidClusterState(
        `DB cluster ${found.identifier} is not in the stopped state: it is ${found.status}.`,
      );
    }
    const starting = withStatus(world, found, 'starting');
    addEvent(world, 'db-cluster', found.identifier, 'DB cluster is being started');
    return starting;
  });
  crashPoint('cluster.start.after-intent');
  world.supervisor.reroute(cluster.identifier);
  world.reconciler.enqueue(`cluster/${cluster.identifier}`);
  return {DBCluster: clusterShape(world, cluster)};
}

export function stopDBInstance(world: World, input: StopDBInstanceMessage): never {
  throw notEligible(world, input.DBInstanceIdentifier);
}

export function startDBInstance(world: World, input: StartDBInstanceMessage): never {
  throw notEligible(world, input.DBInstanceIdentifier);
}

function clusterOf(world: World, input: {DBClusterIdentifier: string | undefined}): ClusterRecord {
  const identifier = parseReference(
    'DBClusterIdentifier',
    input.DBClusterIdentifier,
    'cluster',
    world.catalog.identity,
  );
  const cluster = world.catalog.clusters.get(identifier);
  if (cluster === undefined) throw clusterNotFound(identifier);
  return cluster;
}

/** The instances go with their cluster; one that is being deleted goes on. */
function withStatus(
  world: World,
  cluster: ClusterRecord,
  status: 'stopping' | 'starting',
): ClusterRecord {
  for (const instance of instancesOf(world, cluster.identifier)) {
    if (instance.status === 'deleting') continue;
    world.catalog.instances.put(instance.identifier, {...instance, status});
  }
  const changed: ClusterRecord = {...cluster, status};
  world.catalog.clusters.put(cluster.identifier, changed);
  return changed;
}

function notEligible(world: World, name: string | undefined): Error {
  const {identity, instances} = world.catalog;
  const identifier = parseReference('DBInstanceIdentifier', name, 'db', identity);
  if (instances.get(identifier) === undefined) return instanceNotFound(identifier);
  return invalidCombination(
    `DB instances of Aurora DB clusters are not eligible for stopping and starting. Stop or start the DB cluster instead.`,
  );
}
