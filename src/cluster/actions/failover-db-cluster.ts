/** FailoverDBCluster: a reader becomes the writer, and the writer a reader. The answer shows it done. */
import type {FailoverDBClusterMessage, FailoverDBClusterResult} from '@aws-sdk/client-rds';
import {crashPoint} from '../../base/crash-point.ts';
import {failoverOrder} from '../cluster-roles.ts';
import {swapWriter} from '../failover.ts';
import {
  clusterNotFound,
  instanceNotFound,
  invalidClusterState,
  invalidInstanceState,
  refuseUnlessAvailable,
} from '../faults.ts';
import {parseReference} from '../identifiers.ts';
import {instancesOf} from '../instances-of.ts';
import type {ClusterRecord, InstanceRecord} from '../records.ts';
import {clusterShape} from '../shapes.ts';
import type {World} from '../world.ts';

export function failoverDBCluster(
  world: World,
  input: FailoverDBClusterMessage,
): FailoverDBClusterResult {
  const {identity} = world.catalog;
  const identifier = parseReference(
    'DBClusterIdentifier',
    input.DBClusterIdentifier,
    'cluster',
    identity,
  );
  const {TargetDBInstanceIdentifier: wanted} = input;
  const named =
    wanted === undefined || wanted === ''
      ? undefined
      : parseReference('TargetDBInstanceIdentifier', wanted, 'db', identity);
  const {cluster, target, old} = world.catalog.transaction(() => {
    const found = availableCluster(world, identifier);
    const chosen = named === undefined ? anyTarget(world, found) : namedTarget(world, found, named);
    return {
      cluster: found,
      target: chosen.identifier,
      old: swapWriter(world, identifier, chosen.identifier),
    };
  });
  crashPoint('failover.after-swap');
  world.supervisor.takeOver(target, old);
  return {DBCluster: clusterShape(world, cluster)};
}

function availableCluster(world: World, identifier: string): ClusterRecord {
  const cluster = world.catalog.clusters.get(identifier);
  if (cluster === undefined) throw clusterNotFound(identifier);
  refuseUnlessAvailable(cluster, 'modifying');
  return cluster;
}

function anyTarget(world: World, {identifier}: ClusterRecord): InstanceRecord {
  const order = failoverOrder(instancesOf(world, identifier));
  const target = order.find(instance => world.supervisor.isServing(instance));
  if (target !== undefined) return target;
  throw invalidClusterState(
    order.length === 0
      ? `DB cluster ${identifier} has no Aurora Replica to fail over to. Add a DB instance first.`
      : `DB cluster ${identifier} has no Aurora Replica that is available to fail over to.`,
  );
}

function namedTarget(world: World, {identifier}: ClusterRecord, name: string): InstanceRecord {
  const target = world.catalog.instances.get(name);
  if (target === undefined) throw instanceNotFound(name);
  if (target.clusterIdentifier !== identifier) {
    throw invalidInstanceState(`DB instance ${name} does not belong to DB cluster ${identifier}.`);
  }
  if (target.role === 'writer') {
    throw invalidInstanceState(
      `DB instance ${name} is the writer of DB cluster ${identifier} already.`,
    );
  }
  if (target.status !== 'available' || !world.supervisor.isServing(target)) {
    throw invalidInstanceState(
      `DB instance ${name} is not in the available state: it is ${target.status}.`,
    );
  }
  return target;
}
