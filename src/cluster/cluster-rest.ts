/**
 * A cluster at rest: it has no engine that runs, its volume stays as it is, and its endpoints tell
 * clients why they are refused.
 *
 *     stopping   writer and readers stopped, side by side ▸ stopped
 *     starting   the supervisor runs each instance ▸ all of them serve or have failed, or the writer has ▸ available
 */
import {crashPoint} from '../base/crash-point.ts';
import {writerOf} from './cluster-roles.ts';
import {instancesOf} from './instances-of.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import {addEvent, type World} from './world.ts';

/** Whether the instances of such a cluster may run. */
export function mayRun(cluster: ClusterRecord | undefined): boolean {
  if (cluster?.volumeReady !== true) return false;
  const {status} = cluster;
  return status !== 'stopping' && status !== 'stopped' && status !== 'renaming';
}

export async function stop(world: World, cluster: ClusterRecord): Promise<void> {
  const {identifier} = cluster;
  crashPoint('cluster.stop.before-engines');
  await stopEngines(world, identifier);
  crashPoint('cluster.stop.before-record');
  world.catalog.transaction(() => {
    for (const instance of instancesOf(world, identifier)) {
      if (instance.status === 'deleting') continue;
      // As RDS has it, what was pending is forgotten.
      const record: InstanceRecord = {...instance, status: 'stopped', pending: null};
      world.catalog.instances.put(instance.identifier, record);
      addEvent(world, 'db-instance', instance.identifier, 'DB instance stopped');
    }
    addEvent(world, 'db-cluster', identifier, 'DB cluster stopped');
    world.catalog.clusters.update(identifier, record => ({
      ...record,
      status: 'stopped',
      pending: null,
    }));
  });
  crashPoint('cluster.stop.after-record');
  world.supervisor.reroute(identifier);
}

/** Stops all instances of a cluster. Its status must be one in which none is started. */
export async function stopEngines(world: World, cluster: string): Promise<void> {
  const instances = instancesOf(world, cluster);
  await Promise.all(instances.map(({identifier}) => world.supervisor.stop(identifier)));
}

/** Called again with each instance that comes up or fails. */
export function start(world: World, cluster: ClusterRecord): void {
  const {identifier} = cluster;
  const instances = instancesOf(world, identifier).filter(({status}) => status !== 'deleting');
  // Readers wait for the writer; one that has failed may take long to come back.
  const writerFailed = writerOf(instances)?.status === 'failed';
  const onTheirWay = instances.filter(({status}) => status !== 'available' && status !== 'failed');
  for (const instance of onTheirWay) world.reconciler.enqueue(`instance/${instance.identifier}`);
  if (onTheirWay.length > 0 && !writerFailed) return;
  crashPoint('cluster.start.before-record');
  world.catalog.transaction(() => {
    world.catalog.clusters.update(identifier, record => ({...record, status: 'available'}));
    addEvent(world, 'db-cluster', identifier, 'DB cluster started');
  });
  crashPoint('cluster.start.after-record');
}
