/**
 * Drives one DB instance to what its record asks for.
 *
 *     creating, available, starting, failed   the supervisor runs it once its cluster has a volume
 *     deleting                                process gone ▸ record gone
 */
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {crashPoint} from '../base/crash-point.ts';
import type {InstanceRecord} from './records.ts';
import {addEvent, type World} from './world.ts';

export async function reconcileInstance(world: World, identifier: string): Promise<void> {
  const instance = world.catalog.instances.get(identifier);
  if (instance === undefined) return;
  if (instance.status === 'deleting') {
    await remove(world, instance);
    return;
  }
  const cluster = world.catalog.clusters.get(instance.clusterIdentifier);
  if (cluster?.volumeReady === true) world.supervisor.run(identifier);
  else if (cluster?.status === 'failed') failWithCluster(world, instance, cluster.statusReason);
  // Otherwise the cluster enqueues its instances when its volume is there.
}

function failWithCluster(world: World, instance: InstanceRecord, reason: string | null): void {
  if (instance.status === 'failed') return;
  const statusReason = `Its DB cluster could not be created: ${reason ?? 'unknown reason'}`;
  world.catalog.transaction(() => {
    world.catalog.instances.update(instance.identifier, record => ({
      ...record,
      status: record.status === 'deleting' ? record.status : 'failed',
      statusReason,
    }));
    addEvent(world, 'db-instance', instance.identifier, statusReason, 'failure');
  });
}

async function remove(world: World, instance: InstanceRecord): Promise<void> {
  const {identifier, clusterIdentifier} = instance;
  crashPoint('instance.delete.before-stop');
  await world.supervisor.stop(identifier);
  crashPoint('instance.delete.after-stop');
  rmSync(join(world.instancesDirectory, instance.resourceId), {recursive: true, force: true});
  crashPoint('instance.delete.before-record');
  world.catalog.transaction(() => {
    world.catalog.instances.remove(identifier);
    addEvent(world, 'db-instance', identifier, 'DB instance deleted', 'deletion');
  });
  crashPoint('instance.delete.after-record');
  world.supervisor.reroute(clusterIdentifier);
  world.reconciler.enqueue(`cluster/${clusterIdentifier}`);
}
