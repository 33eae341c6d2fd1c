/**
 * Makes the changes that ModifyDBCluster asked for.
 *
 *     modifying   endpoints on another port ▸ the master user handed to the writer ▸ available
 *     renaming    engines stopped, of readers too ▸ records under the new name ▸ modifying, engines start again
 *
 * A rename restarts the engines: all that runs for a cluster knows it by its name. Clients that
 * connect meanwhile are held, as in any restart.
 */
import {crashPoint} from '../base/crash-point.ts';
import {BorealisError} from '../base/errors.ts';
import type {Endpoint} from '../endpoint/endpoint.ts';
import {stopEngines} from './cluster-rest.ts';
import {renameSource} from './event-subscriptions.ts';
import {customEndpointsOf, listenOnAnotherPort, type EndpointKey} from './endpoint-set.ts';
import {instancesOf} from './instances-of.ts';
import type {ClusterRecord, InstanceRecord, PendingClusterChanges} from './records.ts';
import {addEvent, type World} from './world.ts';

export async function applyChanges(world: World, cluster: ClusterRecord): Promise<void> {
  const {pending, port} = cluster;
  if (pending?.due === true && pending.port !== null && pending.port !== port) {
    await changePort(world, cluster, pending.port);
  }
  await applyMaster(world, cluster);
}

async function changePort(world: World, cluster: ClusterRecord, port: number): Promise<void> {
  const {identifier} = cluster;
  let endpoints: Map<EndpointKey, Endpoint>;
  try {
    endpoints = await listenOnAnotherPort(world, cluster, port);
  } catch (error) {
    if (!(error instanceof BorealisError)) throw error;
    giveUp(world, identifier, `The port could not be changed to ${port}: ${error.message}`);
    return;
  }
  crashPoint('cluster.port.before-record');
  world.catalog.transaction(() => {
    world.catalog.clusters.update(identifier, record => ({...record, port}));
    const message = `Updated the port from ${cluster.port} to ${port}`;
    addEvent(world, 'db-cluster', identifier, message, 'configuration change');
  });
  crashPoint('cluster.port.after-record');
  for (const [key, endpoint] of endpoints) await world.endpoints.replace(key, endpoint);
}

/** A change that cannot be made is forgotten; events tell why. */
function giveUp(world: World, identifier: string, message: string): void {
  world.catalog.transaction(() => {
    world.catalog.clusters.update(identifier, record => ({
      ...record,
      pending: null,
      status: record.status === 'renaming' ? 'modifying' : record.status,
    }));
    addEvent(world, 'db-cluster', identifier, message, 'failure');
  });
}

async function applyMaster(world: World, cluster: ClusterRecord): Promise<void> {
  const {identifier, masterRevision} = cluster;
  const isNew = cluster.masterApplied < masterRevision;
  const writer = isNew ? world.supervisor.writer(identifier) : 'none';
  // A writer that starts later takes the master user as it starts.
  if (writer === 'starting') return;
  if (writer !== 'none') await writer.request('setMaster', {master: cluster.master});
  crashPoint('cluster.modify.before-record');
  world.catalog.transaction(() => {
    world.catalog.clusters.update(identifier, record => {
      const applied = writer === 'none' ? record.masterApplied : masterRevision;
      const isMade = record.pending?.due === true && isSame(record.pending, cluster.pending);
      const pending = isMade ? null : record.pending;
      const isLatest = record.masterRevision === masterRevision && pending?.due !== true;
      return {
        ...record,
        pending,
        masterApplied: Math.max(record.masterApplied, applied),
        status: record.status === 'modifying' && isLatest ? 'available' : record.status,
      };
    });
    if (writer !== 'none') {
      addEvent(world, 'db-cluster', identifier, 'Reset master credentials', 'configuration change');
    }
  });
  crashPoint('cluster.modify.after-record');
}

/** Unless they are, another change was asked for since `seen` was read: it is made in the next round. */
function isSame(now: PendingClusterChanges, seen: PendingClusterChanges | null): boolean {
  return now.port === seen?.port && now.identifier === seen.identifier;
}

export async function rename(world: World, cluster: ClusterRecord): Promise<void> {
  const {identifier, pending} = cluster;
  const name = pending?.identifier ?? identifier;
  crashPoint('cluster.rename.before-engines');
  await stopEngines(world, identifier);
  crashPoint('cluster.rename.before-record');
  if (name !== identifier && world.catalog.clusters.get(name) !== undefined) {
    giveUp(world, identifier, `DB cluster could not be renamed: ${name} exists already`);
    runAgain(world, identifier);
    return;
  }
  world.catalog.transaction(() => renameRecords(world, identifier, name));
  crashPoint('cluster.rename.after-record');
  world.endpoints.renameCluster(identifier, name);
  runAgain(world, name);
}

function runAgain(world: World, identifier: string): void {
  world.reconciler.enqueue(`cluster/${identifier}`);
  for (const instance of instancesOf(world, identifier)) {
    world.reconciler.enqueue(`instance/${instance.identifier}`);
  }
}

function renameRecords(world: World, identifier: string, name: string): void {
  const {clusters, instances, clusterEndpoints} = world.catalog;
  const cluster = clusters.get(identifier);
  if (cluster === undefined) return;
  clusters.remove(identifier);
  clusters.put(name, {
    ...cluster,
    identifier: name,
    status: 'modifying',
    pending: cluster.pending === null ? null : {...cluster.pending, identifier: null},
  });
  for (const instance of instancesOf(world, identifier)) {
    const renamed: InstanceRecord = {
      ...instance,
      clusterIdentifier: name,
      status: instance.status === 'available' ? 'starting' : instance.status,
    };
    instances.put(instance.identifier, renamed);
  }
  for (const endpoint of customEndpointsOf(world, identifier)) {
    clusterEndpoints.put(endpoint.identifier, {...endpoint, clusterIdentifier: name});
  }
  for (const clone of clusters.list()) {
    clusters.put(clone.identifier, withSourceRenamed(clone, cluster, name));
  }
  renameSource(world, 'db-cluster', identifier, name);
  addEvent(world, 'db-cluster', name, `Renamed cluster from ${identifier} to ${name}`);
}

function withSourceRenamed(
  clone: ClusterRecord,
  {resourceId, volume}: ClusterRecord,
  name: string,
): ClusterRecord {
  const {origin, ancestors} = clone;
  const isSource = origin.kind === 'clone' && origin.sourceResourceId === resourceId;
  return {
    ...clone,
    origin: isSource ? {...origin, sourceIdentifier: name} : origin,
    ...(ancestors === undefined
      ? {}
      : {
          ancestors: ancestors.map(each =>
            each.volume === volume ? {...each, identifier: name} : each,
          ),
        }),
  };
}
