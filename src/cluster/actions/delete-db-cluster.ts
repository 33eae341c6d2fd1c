/** DeleteDBCluster: lets go of the volume. Pages that a clone reaches stay. */
import type {DeleteDBClusterMessage, DeleteDBClusterResult} from '@aws-sdk/client-rds';
import {crashPoint} from '../../base/crash-point.ts';
import {
  clusterNotFound,
  invalidClusterState,
  invalidCombination,
  invalidValue,
  refuseUnlessAvailable,
} from '../faults.ts';
import {parseReference} from '../identifiers.ts';
import {instancesOf} from '../instances-of.ts';
import type {ClusterRecord} from '../records.ts';
import {clusterShape} from '../shapes.ts';
import {addEvent, type World} from '../world.ts';

export function deleteDBCluster(
  world: World,
  input: DeleteDBClusterMessage,
): DeleteDBClusterResult {
  const {identity} = world.catalog;
  const identifier = parseReference(
    'DBClusterIdentifier',
    input.DBClusterIdentifier,
    'cluster',
    identity,
  );
  const found = world.catalog.clusters.get(identifier);
  if (found === undefined) throw clusterNotFound(identifier);
  parseFinalSnapshot(input);
  const cluster = world.catalog.transaction(() => {
    const current = deletable(world, identifier);
    const deleting: ClusterRecord = {...current, status: 'deleting'};
    world.catalog.clusters.put(identifier, deleting);
    addEvent(world, 'db-cluster', identifier, 'DB cluster is being deleted', 'deletion');
    return deleting;
  });
  crashPoint('cluster.delete.after-intent');
  world.reconciler.enqueue(`cluster/${identifier}`);
  return {DBCluster: clusterShape(world, cluster)};
}

function deletable(world: World, identifier: string): ClusterRecord {
  const cluster = world.catalog.clusters.get(identifier);
  if (cluster === undefined) throw clusterNotFound(identifier);
  if (cluster.status === 'deleting') {
    throw invalidClusterState(`DB cluster ${identifier} is already being deleted.`);
  }
  refuseUnlessAvailable(cluster, 'creating', 'modifying', 'failed', 'stopped');
  if (cluster.settings.deletionProtection) {
    throw invalidCombination(
      'Cannot delete protected Cluster, please disable deletion protection and try again.',
    );
  }
  if (instancesOf(world, identifier).some(instance => instance.status !== 'deleting')) {
    throw invalidClusterState(
      'Cluster cannot be deleted, it still contains DB instances in non-deleting state.',
    );
  }
  return cluster;
}

function parseFinalSnapshot(input: DeleteDBClusterMessage): void {
  const {SkipFinalSnapshot: skip, FinalDBSnapshotIdentifier: snapshot} = input;
  const named = snapshot !== undefined && snapshot !== '';
  if (skip === true && named) {
    throw invalidCombination(
      'FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is specified.',
    );
  }
  if (named) {
    throw invalidValue(
      'FinalDBSnapshotIdentifier: Borealis does not have snapshots yet. Clone the DB cluster to keep its data, or specify SkipFinalSnapshot.',
    );
  }
  if (skip !== true) {
    throw invalidCombination(
      'FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified. Borealis does not have snapshots yet, so specify SkipFinalSnapshot.',
    );
  }
}
