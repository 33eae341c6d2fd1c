/** DeleteDBInstance: ends the instance; the cluster and its volume stay. */
import type {DeleteDBInstanceMessage, DeleteDBInstanceResult} from '@aws-sdk/client-rds';
import {assert} from '../../base/assert.ts';
import {crashPoint} from '../../base/crash-point.ts';
import {
  instanceNotFound,
  invalidCombination,
  invalidInstanceState,
  refuseUnlessAvailable,
} from '../faults.ts';
import {parseReference} from '../identifiers.ts';
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
  const instance = world.catalog.transaction((): InstanceRecord => {
    const found = world.catalog.instances.get(identifier);
    if (found === undefined) throw instanceNotFound(identifier);
    if (found.status === 'deleting') {
      throw invalidInstanceState(`Instance ${identifier} is already being deleted.`);
    }
    const cluster = world.catalog.clusters.get(found.clusterIdentifier);
    assert(cluster !== undefined, 'a cluster outlives its instances');
    refuseUnlessAvailable(cluster, 'creating', 'modifying', 'failed', 'starting');
    const deleting: InstanceRecord = {...found, status: 'deleting'};
    world.catalog.instances.put(identifier, deleting);
    addEvent(world, 'db-instance', identifier, 'DB instance is being deleted', 'deletion');
    return deleting;
  });
  crashPoint('instance.delete.after-intent');
  world.reconciler.enqueue(`instance/${identifier}`);
  const cluster = world.catalog.clusters.get(instance.clusterIdentifier);
  assert(cluster !== undefined, 'a cluster outlives its instances');
  return {DBInstance: instanceShape(world, cluster, instance)};
}
