/**
 * Failover: two instances of a cluster swap roles.
 *
 *     records swapped (one transaction) ▸ both processes killed ▸ lock of the cluster volume free
 *       target   opens the cluster volume at its durable head, recovers from its own WAL, serves
 *       old one  waits for it, takes a fresh fork, follows
 *
 * The new writer serves the cluster volume itself and not the fork that it had as a reader, because
 * what was acknowledged is durable there and may not have reached the reader. The lock is released
 * when the old process is gone, and each opening of a volume takes the next epoch, so there are
 * never two who write. After a crash of the service all instances start by their records, swapped or not.
 */
import {writerOf} from './cluster-roles.ts';
import {instancesOf} from './instances-of.ts';
import {addEvent, type World} from './world.ts';

/** Call it inside a transaction. Returns the identifier of the old writer. */
export function swapWriter(
  world: Pick<World, 'catalog' | 'clock'>,
  clusterIdentifier: string,
  target: string,
): string | undefined {
  const {instances} = world.catalog;
  const old = writerOf(instancesOf(world, clusterIdentifier));
  if (old !== undefined) {
    instances.update(old.identifier, record => ({...record, role: 'reader'}));
  }
  instances.update(target, record => ({...record, role: 'writer'}));
  const message = `Started failover to DB instance: ${target}`;
  addEvent(world, 'db-cluster', clusterIdentifier, message, 'failover');
  return old?.identifier;
}
