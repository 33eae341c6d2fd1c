import type {VolumeNumber} from '../page-store/ids.ts';
import type {InstanceRecord} from './records.ts';
import type {World} from './world.ts';

/** The DB instances of a cluster in the order of their names. */
export function instancesOf(world: Pick<World, 'catalog'>, cluster: string): InstanceRecord[] {
  return world.catalog.instances.list().filter(each => each.clusterIdentifier === cluster);
}

/** Volumes of readers: scratch, which no user counts. */
export function readerVolumes({catalog}: Pick<World, 'catalog'>): VolumeNumber[] {
  return catalog.instances.list().flatMap(instance => instance.scratchVolume ?? []);
}
