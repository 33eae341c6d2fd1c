/** What zones report, as events of the service. */
import type {Damage, ZoneEvent} from '../page-store/zone.ts';
import type {EventCategory} from './records.ts';
import {addEvent, type World} from './world.ts';

type EventWorld = Pick<World, 'catalog' | 'clock' | 'logger'>;

/** A damaged page that a thousand clones share is told of so many of them. */
const CLUSTERS_TOLD_MAX = 20;

/** Every process that has the store open sees its zones: the service tells of their states, all tell of repairs. */
export function recordZoneEvent(
  world: EventWorld & Pick<World, 'counts'> & Partial<Pick<World, 'damage'>>,
  event: ZoneEvent,
  reporter: 'service' | 'instance',
): void {
  if (event.type === 'damaged') {
    // The same page is met again by each read of it.
    if (world.damage?.add(event) !== false) recordDamage(world, event);
    return;
  }
  if (event.type === 'state' && reporter === 'instance') return;
  const zone = event.type === 'state' ? event.state.zone : event.zone;
  if (event.type === 'repaired') world.counts.noteRepair(zone);
  const message = zoneMessage(event);
  world.logger.warn({zone}, message);
  world.catalog.transaction(() => addEvent(world, 'service', zone, message, categoryOf(event)));
}

function categoryOf(event: ZoneEvent): EventCategory {
  return event.type === 'state' && event.state.state === 'degraded' ? 'failure' : 'recovery';
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

function zoneMessage(event: Exclude<ZoneEvent, {type: 'damaged'}>): string {
  if (event.type === 'repaired') {
    const {zone, volume, segment, offset, what} = event;
    return `Zone ${zone}: a bad or missing copy was repaired from another zone: ${what} (volume ${volume}, segment ${segment}, offset ${offset})`;
  }
  const {state} = event;
  switch (state.state) {
    case 'healthy':
      return `Zone ${state.zone} is healthy`;
    case 'catching-up':
      return `Zone ${state.zone} is catching up`;
    case 'degraded':
      return `Zone ${state.zone} is degraded: ${state.reason}`;
  }
}
