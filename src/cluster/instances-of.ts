/** Which records belong together. */
import type {VolumeNumber} from '../page-store/ids.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import type {World} from './world.ts';

type WithCatalog = Pick<World, 'catalog'>;

/** The DB instances of a cluster in the order of their names. */
export function instancesOf(world: WithCatalog, cluster: string): InstanceRecord[] {
  return world.catalog.instances.list().filter(each => each.clusterIdentifier === cluster);
}

/** The cluster of that resource id, whatever its name is now. */
export function clusterOfResource(
  world: WithCatalog,
  resourceId: string,
): ClusterRecord | undefined {
  return world.catalog.clusters.list().find(cluster => cluster.resourceId === resourceId);
}

/** Volumes of readers: scratch, which no user counts. */
export function readerVolumes({catalog}: WithCatalog): VolumeNumber[] {
  return catalog.instances.list().flatMap(instance => instance.scratchVolume ?? []);
}
