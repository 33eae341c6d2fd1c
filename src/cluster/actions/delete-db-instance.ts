/**
 * DeleteDBInstance: ends the instance; the cluster and its volume stay. When it is the writer and there
 * are readers, one of them takes over first: one that serves, if any does.
 */
import type {DeleteDBInstanceMessage, DeleteDBInstanceResult} from '@aws-sdk/client-rds';
import {assert} from '../../base/assert.ts';
import {crashPoint} from '../../base/crash-point.ts';
import {failoverOrder} from '../cluster-roles.ts';
import {swapWriter} from '../failover.ts';
import {
  instanceNotFound,
  invalidCombination,
  invalidInstanceState,
  refuseUnlessAvailable,
} from '../faults.ts';
import {parseReference} from '../identifiers.ts';
import {instancesOf} from '../instances-of.ts';
import type {InstanceRecord} from '../records.ts';
import {instanceShape} from '../shapes.ts';
import {addEvent, type World} from '../world.ts';

export function deleteDBInstance(
  world: World,
  input: DeleteDBInstanceMessage,
): DeleteDBInstanceResult {
  const {identity} = world.catalog;
  const identifier = parseReference(
    'DBInstanceIdentifier',
    input.DBInstanceIdentifier,
    'db',
    identity,
  );
  if (input.FinalDBSnapshotIdentifier !== undefined && input.FinalDBSnapshotIdentifier !== '') {
    throw invalidCombination(
      'FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance: the data belongs to the DB cluster.',
    );
  }
  const {instance, successor} = world.catalog.transaction(() => {
    const found = world.catalog.instances.get(identifier);
    if (found === undefined) throw instanceNotFound(identifier);
    if (found.status === 'deleting') {
      throw invalidInstanceState(`Instance ${identifier} is already being deleted.`);
    }
    const cluster = world.catalog.clusters.get(found.clusterIdentifier);
    assert(cluster !== undefined, 'a cluster outlives its instances');
    refuseUnlessAvailable(cluster, 'creating', 'modifying', 'failed', 'starting');
    world.catalog.instances.put(identifier, {...found, status: 'deleting'});
    addEvent(world, 'db-instance', identifier, 'DB instance is being deleted', 'deletion');
    const next = found.role === 'writer' ? successorOf(world, found) : undefined;
    if (next !== undefined) swapWriter(world, found.clusterIdentifier, next);
    const deleting = world.catalog.instances.get(identifier);
    assert(deleting !== undefined, 'it was put there');
    return {instance: deleting, successor: next};
  });
  crashPoint('instance.delete.after-intent');
  if (successor !== undefined) world.supervisor.takeOver(successor, identifier);
  world.reconciler.enqueue(`instance/${identifier}`);
  const cluster = world.catalog.clusters.get(instance.clusterIdentifier);
  assert(cluster !== undefined, 'a cluster outlives its instances');
  return {DBInstance: instanceShape(world, cluster, instance)};
}

function successorOf(world: World, {clusterIdentifier}: InstanceRecord): string | undefined {
  const order = failoverOrder(instancesOf(world, clusterIdentifier));
  const serving = order.find(instance => world.supervisor.isServing(instance));
  return (serving ?? order[0])?.identifier;
}
