/**
 * Drives one DB cluster to what its record asks for. Each step is durable before the next one and may
 * be run again after a crash.
 *
 *     creating (golden)   golden volume ▸ take a number ▸ fork ▸ available
 *     creating (clone)    the clone call itself does it; recovery.ts finishes or undoes one cut off
 *     modifying, renaming see cluster-changes.ts
 *     stopping, starting  see cluster-rest.ts
 *     deleting            instances gone ▸ endpoint closed ▸ volume let go ▸ record gone ▸ sweep
 */
import {crashPoint} from '../base/crash-point.ts';
import {BorealisError, errorChain} from '../base/errors.ts';
import {assert, unreachable} from '../base/assert.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {kindOf} from './engine-kinds.ts';
import {offerFor} from './engine-versions.ts';
import {customEndpointsOf, listenForCluster} from './endpoint-set.ts';
import {goldenVolume} from './golden-volumes.ts';
import {instancesOf} from './instances-of.ts';
import {applyChanges, rename} from './cluster-changes.ts';
import {start, stop} from './cluster-rest.ts';
import {forgetPasswordNote} from './password-notes.ts';
import type {ClusterRecord} from './records.ts';
import {refreshTls} from './tls-refresh.ts';
import {addEvent, type World} from './world.ts';

/** An engine that cannot initialise three times over will not the fourth time. */
const CREATE_ATTEMPTS_MAX = 3;

export async function reconcileCluster(
  world: World,
  identifier: string,
  attempt: number,
): Promise<void> {
  const cluster = world.catalog.clusters.get(identifier);
  if (cluster === undefined) return;
  if (cluster.status !== 'deleting') {
    await listenForCluster(world, cluster);
    world.supervisor.reroute(identifier);
    await refreshTls(world, cluster);
  }
  switch (cluster.status) {
    case 'creating':
      return await create(world, cluster, attempt);
    case 'modifying':
      return await applyChanges(world, cluster);
    case 'renaming':
      return await rename(world, cluster);
    case 'stopping':
      return await stop(world, cluster);
    case 'starting':
      return start(world, cluster);
    case 'deleting':
      return await remove(world, cluster);
    case 'available':
    case 'stopped':
    case 'failed':
      return;
    default:
      unreachable(cluster.status, 'a cluster has one of its statuses');
  }
}

async function create(world: World, cluster: ClusterRecord, attempt: number): Promise<void> {
  assert(cluster.origin.kind === 'golden', 'the clone call or recovery finishes a clone');
  try {
    const volume = await takeVolumeNumber(world, cluster);
    const offer = offerFor(world.offers, cluster);
    if (offer === undefined) {
      throw new BorealisError(
        'unavailable',
        'engine-missing',
        `${kindOf(cluster.engine).product} ${cluster.engineVersion} (${cluster.runtime}) cannot run here any more.`,
      );
    }
    const golden = await goldenVolume(world, offer);
    crashPoint('cluster.create.before-fork');
    await world.volumeLocks.hold(String(golden), () => world.storage.forkIdle(golden, volume));
    crashPoint('cluster.create.after-fork');
  } catch (error) {
    if (attempt < CREATE_ATTEMPTS_MAX) throw error;
    markFailed(world, cluster.identifier, errorChain(error));
    return;
  }
  becomeAvailable(world, cluster.identifier, {}, 'DB cluster created');
  crashPoint('cluster.create.after-available');
}

async function takeVolumeNumber(world: World, cluster: ClusterRecord): Promise<VolumeNumber> {
  if (cluster.volume !== null) return cluster.volume;
  const volume = await world.storage.allocateVolume();
  crashPoint('cluster.create.before-volume-record');
  world.catalog.transaction(() => {
    world.catalog.clusters.update(cluster.identifier, record => ({...record, volume}));
  });
  crashPoint('cluster.create.after-volume-record');
  return volume;
}

/** The volume exists: the cluster is there, and so may its instances be. */
export function becomeAvailable(
  world: World,
  identifier: string,
  changes: Partial<ClusterRecord>,
  message: string,
): ClusterRecord {
  const record = world.catalog.transaction(() => {
    addEvent(world, 'db-cluster', identifier, message, 'creation');
    return world.catalog.clusters.update(identifier, cluster => ({
      ...cluster,
      ...changes,
      volumeReady: true,
      // A deletion that was asked for meanwhile stands.
      status: cluster.status === 'creating' ? 'available' : cluster.status,
      statusReason: null,
    }));
  });
  assert(record !== undefined, 'a cluster that is being made has its record');
  for (const instance of instancesOf(world, identifier)) {
    world.reconciler.enqueue(`instance/${instance.identifier}`);
  }
  return record;
}

function markFailed(world: World, identifier: string, reason: string): void {
  world.catalog.transaction(() => {
    world.catalog.clusters.update(identifier, cluster => ({
      ...cluster,
      status: cluster.status === 'creating' ? 'failed' : cluster.status,
      statusReason: reason,
    }));
    addEvent(
      world,
      'db-cluster',
      identifier,
      `DB cluster could not be created: ${reason}`,
      'failure',
    );
  });
  for (const instance of instancesOf(world, identifier)) {
    world.reconciler.enqueue(`instance/${instance.identifier}`);
  }
}

async function remove(world: World, cluster: ClusterRecord): Promise<void> {
  const {identifier, volume} = cluster;
  // The last instance that goes enqueues its cluster.
  if (instancesOf(world, identifier).length > 0) return;
  await world.endpoints.closeCluster(identifier);
  if (volume !== null) {
    crashPoint('cluster.delete.before-volume');
    await world.volumeLocks.hold(String(volume), () => world.storage.remove(volume));
    crashPoint('cluster.delete.after-volume');
  }
  forgetPasswordNote(world, cluster.resourceId);
  world.catalog.transaction(() => {
    world.catalog.clusters.remove(identifier);
    for (const endpoint of customEndpointsOf(world, identifier)) {
      world.catalog.clusterEndpoints.remove(endpoint.identifier);
    }
    addEvent(world, 'db-cluster', identifier, 'DB cluster deleted', 'deletion');
  });
  world.certificates.forget(cluster.resourceId);
  crashPoint('cluster.delete.after-record');
  world.reconciler.enqueue('sweep');
}
