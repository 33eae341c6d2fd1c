/** What zones report, as events of the service. */
import type {Damage, ZoneEvent, ZoneState} from '../page-store/zone.ts';
import type {EventCategory} from './records.ts';
import {addEvent, type World} from './world.ts';

type EventWorld = Pick<World, 'catalog' | 'clock' | 'logger'>;
type ZoneEventWorld = EventWorld &
  Pick<World, 'counts' | 'zoneHealth'> &
  Partial<Pick<World, 'damage'>>;

/** A damaged page that a thousand clones share is told of so many of them. */
const CLUSTERS_TOLD_MAX = 20;

/**
 * Every process that has the store open sees its zones. `reporter` is the name of the instance, or null
 * for the service itself.
 */
export function recordZoneEvent(
  world: ZoneEventWorld,
  event: ZoneEvent,
  reporter: string | null,
): void {
  switch (event.type) {
    case 'damaged':
      // The same page is met again by each read of it.
      if (world.damage?.add(event) !== false) recordDamage(world, event);
      return;
    case 'repaired':
      world.counts.noteRepair(event.zone);
      addZoneEvent(world, event.zone, repairMessage(event), 'recovery');
      return;
    case 'state': {
      const changed = world.zoneHealth.note(reporter, event.state);
      if (changed !== null) recordZoneState(world, changed);
    }
  }
}

/** What the process of this instance said of zones holds no more. */
export function forgetZoneStates(world: ZoneEventWorld, instance: string): void {
  for (const state of world.zoneHealth.forget(instance)) recordZoneState(world, state);
}

function recordZoneState(world: EventWorld, state: ZoneState): void {
  const category = state.state === 'degraded' ? 'failure' : 'recovery';
  addZoneEvent(world, state.zone, stateMessage(state), category);
}

function addZoneEvent(
  world: EventWorld,
  zone: string,
  message: string,
  category: EventCategory,
): void {
  world.logger.warn({zone}, message);
  world.catalog.transaction(() => addEvent(world, 'service', zone, message, category));
}

/** `page 3 of file 7 in volume 1: no copy …` */
export function damageMessage({what, volume, segment, offset, zones}: Damage): string {
  const tried = zones.length === 1 ? `zone ${zones[0]}` : `zones ${zones.join(', ')}`;
  return `${what} is damaged, and reads of it fail: no copy is as its checksum says (volume ${volume}, segment ${segment}, offset ${offset}; ${tried} tried)`;
}

function recordDamage(world: EventWorld, damage: Damage): void {
  const message = damageMessage(damage);
  const {catalog, logger} = world;
  const clusters = clustersOf(world, damage);
  logger.error({clusters}, message);
  catalog.transaction(() => {
    for (const cluster of clusters) addEvent(world, 'db-cluster', cluster, message, 'failure');
    if (clusters.length === 0) addEvent(world, 'service', 'storage', message, 'failure');
  });
}

/** Clusters that reach what is damaged, through their own volume or that of a reader. */
export function clustersOf(
  {catalog}: Pick<World, 'catalog'>,
  {readBy}: Pick<Damage, 'readBy'>,
): readonly string[] {
  const own = catalog.clusters
    .list()
    .filter(({volume}) => volume !== null && readBy.includes(volume))
    .map(({identifier}) => identifier);
  const ofReaders = catalog.instances
    .list()
    .filter(({scratchVolume}) => scratchVolume !== null && readBy.includes(scratchVolume))
    .map(({clusterIdentifier}) => clusterIdentifier);
  return [...new Set([...own, ...ofReaders])].slice(0, CLUSTERS_TOLD_MAX);
}

function repairMessage(event: ZoneEvent & {type: 'repaired'}): string {
  const {zone, volume, segment, offset, what} = event;
  return `Zone ${zone}: a bad or missing copy was repaired from another zone: ${what} (volume ${volume}, segment ${segment}, offset ${offset})`;
}

function stateMessage(state: ZoneState): string {
  switch (state.state) {
    case 'healthy':
      return `Zone ${state.zone} is healthy`;
    case 'catching-up':
      return `Zone ${state.zone} is catching up`;
    case 'degraded':
      return `Zone ${state.zone} is degraded: ${state.reason}`;
  }
}
