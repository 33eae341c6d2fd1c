/** What zones report, as events of the service. */
import type {ZoneEvent} from '../page-store/zone.ts';
import type {EventCategory} from './records.ts';
import {addEvent, type World} from './world.ts';

/** Every process that has the store open sees its zones: the service tells of their states, all tell of repairs. */
export function recordZoneEvent(
  world: Pick<World, 'catalog' | 'clock' | 'logger'>,
  event: ZoneEvent,
  reporter: 'service' | 'instance',
): void {
  if (event.type === 'state' && reporter === 'instance') return;
  const zone = event.type === 'state' ? event.state.zone : event.zone;
  const message = zoneMessage(event);
  world.logger.warn({zone}, message);
  world.catalog.transaction(() => addEvent(world, 'service', zone, message, categoryOf(event)));
}

function categoryOf(event: ZoneEvent): EventCategory {
  return event.type === 'state' && event.state.state === 'degraded' ? 'failure' : 'recovery';
}

function zoneMessage(event: ZoneEvent): string {
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
