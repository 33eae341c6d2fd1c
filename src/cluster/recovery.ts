/**
 * What a start does before anything else, whatever the last service was doing when it ended.
 *
 *     1  end the processes that it left behind: after that nobody has a volume open
 *     2  throw away golden volumes that were not finished
 *     3  finish a clone whose volume the store has recorded; undo one that it has not, for its caller
 *        never got an answer
 *     4  remove the volumes of readers, which take new ones
 *     5  remove volumes that nothing in the catalog names: of a fork that ended after it was given up; but
 *        keep those that the catalog is too old to know. Likewise notes of passwords
 *     6  say `starting` of every instance, listen on every endpoint, and enqueue every resource
 */
import {BorealisError, errorChain} from '../base/errors.ts';
import {becomeAvailable} from './cluster-lifecycle.ts';
import {listenForCluster} from './endpoint-set.ts';
import {discardGoldenVolume} from './golden-volumes.ts';
import {goldenKey} from './engine-versions.ts';
import {endLeftover} from './leftover.ts';
import {forgetOrphanedNotes} from './password-notes.ts';
import type {ClusterRecord} from './records.ts';
import {addEvent, type World} from './world.ts';

export async function recover(world: World): Promise<void> {
  await endLeftovers(world);
  for (const golden of world.catalog.goldenVolumes.list()) {
    if (golden.ready) continue;
    await discardGoldenVolume(world, goldenKey(golden));
  }
  for (const cluster of world.catalog.clusters.list()) {
    if (cluster.status === 'creating' && cluster.origin.kind === 'clone') {
      await settleClone(world, cluster);
    }
  }
  await removeReaderVolumes(world);
  await removeUnknownVolumes(world);
  world.catalog.transaction(() => {
    for (const instance of world.catalog.instances.list()) {
      const status = instance.status === 'available' ? 'starting' : instance.status;
      const fresh = {...instance, status, process: null, scratchVolume: null};
      world.catalog.instances.put(instance.identifier, fresh);
    }
  });
  await listenAgain(world);
  for (const {identifier} of world.catalog.clusters.list()) {
    world.reconciler.enqueue(`cluster/${identifier}`);
  }
  for (const {identifier} of world.catalog.instances.list()) {
    world.reconciler.enqueue(`instance/${identifier}`);
  }
  world.reconciler.enqueue('sweep');
}

async function endLeftovers(world: World): Promise<void> {
  const holders = [...world.catalog.instances.list(), ...world.catalog.goldenVolumes.list()];
  const processes = holders.flatMap(holder => holder.process ?? []);
  const ends = await Promise.all(processes.map(endLeftover));
  const killed = ends.filter(end => end === 'killed').length;
  if (killed > 0) world.logger.warn({killed}, 'ended instance processes of an earlier run');
}

async function settleClone(world: World, cluster: ClusterRecord): Promise<void> {
  const {identifier, volume} = cluster;
  if (volume !== null && (await world.storage.exists(volume))) {
    becomeAvailable(world, identifier, {}, 'DB cluster cloned; the call was cut off by a restart');
    return;
  }
  world.catalog.transaction(() => {
    world.catalog.clusters.update(identifier, record => ({...record, status: 'deleting'}));
    addEvent(
      world,
      'db-cluster',
      identifier,
      'A clone that a restart cut off was undone',
      'failure',
    );
  });
}

async function removeReaderVolumes(world: World): Promise<void> {
  for (const {scratchVolume} of world.catalog.instances.list()) {
    if (scratchVolume !== null) await world.storage.remove(scratchVolume);
  }
}

/**
 * Volumes above what the catalog has ever named are not left over: the catalog is older than the store,
 * as one is that was restored from a backup. They are kept until somebody says otherwise.
 */
async function removeUnknownVolumes(world: World): Promise<void> {
  const {catalog, logger, storage, discardUnknown} = world;
  const known = new Set(
    [...catalog.clusters.list(), ...catalog.goldenVolumes.list()].map(({volume}) => volume),
  );
  const volumes = await storage.volumes();
  const highest = catalog.highestVolume ?? Infinity;
  const unknown = volumes.filter(volume => !known.has(volume));
  const kept = discardUnknown ? [] : unknown.filter(volume => volume > highest);
  for (const volume of unknown) {
    if (kept.includes(volume)) continue;
    logger.warn({volume}, 'removed a volume that no cluster has');
    await storage.remove(volume);
  }
  if (kept.length > 0) {
    const message = `The catalog is older than the store: it never named ${kept.length === 1 ? `volume ${kept[0]}` : `volumes ${kept.join(', ')}`}. They are kept. Restore the newest catalog.mdb, or start once with --discard-unknown to delete them.`;
    logger.error(message);
    catalog.transaction(() => addEvent(world, 'service', 'storage', message, 'failure'));
    return;
  }
  catalog.transaction(() => catalog.noteVolume(Math.max(0, ...volumes)));
  forgetOrphanedNotes(world);
}

/** Binds every endpoint at once, so that clients are held instead of refused while engines recover. */
async function listenAgain(world: World): Promise<void> {
  for (const cluster of world.catalog.clusters.list()) {
    const {identifier, status, port} = cluster;
    if (status === 'deleting') continue;
    try {
      await listenForCluster(world, cluster);
    } catch (error) {
      // The reconciler goes on trying; until then the address is another program's.
      if (!(error instanceof BorealisError)) throw error;
      world.logger.error({cluster: identifier, port}, errorChain(error));
      world.catalog.transaction(() => {
        addEvent(
          world,
          'db-cluster',
          identifier,
          `The endpoint cannot listen: ${error.message}`,
          'failure',
        );
      });
    }
  }
}
