/**
 * Drives one DB instance to what its record asks for.
 *
 *     creating, available, starting, failed   the supervisor runs it once its cluster has a volume
 *     available                               and given what a reload of its parameters can bring
 *     modifying, rebooting                    process gone ▸ record changed, starting ▸ it runs again
 *     stopping, stopped                       left to its cluster: see cluster-rest.ts
 *     deleting                                process gone ▸ record gone
 */
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {crashPoint} from '../base/crash-point.ts';
import {mayRun} from './cluster-rest.ts';
import {renameSource} from './event-subscriptions.ts';
import {customEndpointsOf} from './endpoint-set.ts';
import {isSame, reloadableParameters} from './parameter-groups.ts';
import type {EventCategory, InstanceRecord, PendingInstanceChanges} from './records.ts';
import {addEvent, type World} from './world.ts';

export async function reconcileInstance(world: World, identifier: string): Promise<void> {
  const instance = world.catalog.instances.get(identifier);
  if (instance === undefined) return;
  if (instance.status === 'deleting') {
    await remove(world, instance);
    return;
  }
  const cluster = world.catalog.clusters.get(instance.clusterIdentifier);
  if (mayRun(cluster)) {
    if (instance.status === 'modifying' || instance.status === 'rebooting') {
      await restart(world, instance);
    } else {
      world.supervisor.run(identifier);
      if (instance.status === 'available') await configure(world, identifier);
    }
  } else if (cluster?.status === 'failed') failWithCluster(world, instance, cluster.statusReason);
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

/** Hands the engine what its parameter groups say now and a reload can bring. */
async function configure(world: World, identifier: string): Promise<void> {
  const instance = world.catalog.instances.get(identifier);
  const cluster = world.catalog.clusters.get(instance?.clusterIdentifier ?? '');
  const engine = world.supervisor.serving(identifier);
  // One that starts takes them as it does.
  if (instance === undefined || cluster === undefined || engine === undefined) return;
  const parameters = reloadableParameters(world, cluster, instance);
  if (isSame(parameters, instance.parameters ?? {})) return;
  const {isTaken} = await engine.request('configure', {parameters});
  if (!isTaken) return;
  crashPoint('instance.configure.before-record');
  world.catalog.transaction(() => {
    world.catalog.instances.update(identifier, record => ({...record, parameters}));
    const message = 'Finished updating DB parameter group';
    addEvent(world, 'db-instance', identifier, message, 'configuration change');
  });
}

/** Ends the process; the instance begins again with the changes that are due. */
async function restart(world: World, instance: InstanceRecord): Promise<void> {
  const {identifier} = instance;
  crashPoint('instance.restart.before-stop');
  await world.supervisor.stop(identifier);
  crashPoint('instance.restart.before-record');
  const name = world.catalog.transaction(() => changeRecord(world, identifier));
  crashPoint('instance.restart.after-record');
  world.reconciler.enqueue(`instance/${name}`);
}

/** Returns the name that the instance has now. */
function changeRecord(world: World, identifier: string): string {
  const {instances} = world.catalog;
  const instance = instances.get(identifier);
  // A deletion, or a stop of the cluster, that was asked for meanwhile stands.
  if (instance?.status !== 'modifying' && instance?.status !== 'rebooting') return identifier;
  const due = instance.pending?.due === true ? instance.pending : null;
  const wanted = due?.identifier ?? identifier;
  const isTaken = wanted !== identifier && instances.get(wanted) !== undefined;
  const name = isTaken ? identifier : wanted;
  instances.remove(identifier);
  if (name !== identifier) {
    renameMember(world, instance.clusterIdentifier, identifier, name);
    renameSource(world, 'db-instance', identifier, name);
  }
  instances.put(name, {
    ...instance,
    identifier: name,
    instanceClass: due?.instanceClass ?? instance.instanceClass,
    pending: due === null ? instance.pending : null,
    status: 'starting',
  });
  for (const {message, category} of changeEvents(instance, due, isTaken)) {
    addEvent(world, 'db-instance', name, message, category);
  }
  return name;
}

/** Custom endpoints know their members by name. */
function renameMember(world: World, cluster: string, identifier: string, name: string): void {
  const renamed = (members: readonly string[]): string[] =>
    members.map(member => (member === identifier ? name : member));
  for (const endpoint of customEndpointsOf(world, cluster)) {
    world.catalog.clusterEndpoints.put(endpoint.identifier, {
      ...endpoint,
      staticMembers: renamed(endpoint.staticMembers),
      excludedMembers: renamed(endpoint.excludedMembers),
    });
  }
}

function changeEvents(
  {identifier, instanceClass}: InstanceRecord,
  due: PendingInstanceChanges | null,
  isTaken: boolean,
): {message: string; category: EventCategory}[] {
  const events: {message: string; category: EventCategory}[] = [
    {message: 'DB instance shutdown', category: 'availability'},
  ];
  const {identifier: name = null, instanceClass: size = null} = due ?? {};
  if (size !== null && size !== instanceClass) {
    const message = `Finished applying modification to DB instance class from ${instanceClass} to ${size}`;
    events.push({message, category: 'configuration change'});
  }
  if (isTaken) {
    const message = `DB instance could not be renamed: ${name} exists already`;
    events.push({message, category: 'failure'});
  } else if (name !== null) {
    const message = `Renamed instance from ${identifier} to ${name}`;
    events.push({message, category: 'configuration change'});
  }
  return events;
}

async function remove(world: World, instance: InstanceRecord): Promise<void> {
  const {identifier} = instance;
  crashPoint('instance.delete.before-stop');
  await world.supervisor.stop(identifier);
  crashPoint('instance.delete.after-stop');
  rmSync(join(world.instancesDirectory, instance.resourceId), {recursive: true, force: true});
  crashPoint('instance.delete.before-record');
  const clusterIdentifier = world.catalog.transaction(() => {
    addEvent(world, 'db-instance', identifier, 'DB instance deleted', 'deletion');
    // The cluster may have been renamed meanwhile.
    const current = world.catalog.instances.get(identifier);
    world.catalog.instances.remove(identifier);
    return current?.clusterIdentifier ?? instance.clusterIdentifier;
  });
  crashPoint('instance.delete.after-record');
  world.supervisor.reroute(clusterIdentifier);
  world.reconciler.enqueue(`cluster/${clusterIdentifier}`);
}
