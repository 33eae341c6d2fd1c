/** DescribeEvents and DescribeEventCategories. */
import type {
  DescribeEventCategoriesMessage,
  DescribeEventsMessage,
  Event,
  EventCategoriesMessage,
  EventsMessage,
} from '@aws-sdk/client-rds';
import {EVENT_AGE_MS_MAX, type NumberedEvent} from '../catalog.ts';
import {EVENT_CATEGORIES, EVENT_SOURCES} from '../events.ts';
import {invalidCombination, invalidValue} from '../faults.ts';
import {arnOf, quoted} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import {parseInteger} from '../members.ts';
import type {EventRecord, EventSource} from '../records.ts';
import type {World} from '../world.ts';

const MINUTE_MS = 60_000;
const DURATION_MINUTES_ABSENT = 60;

export function describeEvents(world: World, input: DescribeEventsMessage): EventsMessage {
  const {startMs, endMs} = parsePeriod(input, world.clock.nowMs());
  const sourceType = parseSourceType(input.SourceType);
  const source = input.SourceIdentifier?.toLowerCase();
  if (source !== undefined && source !== '' && sourceType === undefined) {
    throw invalidCombination('SourceType must also be given if SourceIdentifier is given.');
  }
  const categories = (input.EventCategories ?? []).map(each => each.toLowerCase());
  const fitting = world.catalog
    .events()
    .filter(
      ({event}) =>
        event.timeMs >= startMs &&
        event.timeMs <= endMs &&
        (sourceType === undefined || event.sourceType === sourceType) &&
        (source === undefined || source === '' || event.source.toLowerCase() === source) &&
        (categories.length === 0 || event.categories.some(each => categories.includes(each))),
    );
  const filtered = applyFilters<NumberedEvent>(fitting, input.Filters, {});
  const {records, Marker} = page(filtered, sortableNumber, input);
  return {Events: records.map(({event}) => eventShape(world, event)), Marker};
}

export function describeEventCategories(
  _: World,
  input: DescribeEventCategoriesMessage,
): EventCategoriesMessage {
  const wanted = parseSourceType(input.SourceType);
  const sources = applyFilters<EventSource>(EVENT_SOURCES, input.Filters, {}).filter(
    each => wanted === undefined || each === wanted,
  );
  return {
    EventCategoriesMapList: sources.map(SourceType => ({
      SourceType,
      EventCategories: [...EVENT_CATEGORIES[SourceType]],
    })),
  };
}

/** From StartTime to EndTime, or the Duration that ends (or begins) there; an hour up to now if nothing is given. */
function parsePeriod(
  {StartTime: start, EndTime: end, Duration: duration}: DescribeEventsMessage,
  nowMs: number,
): {startMs: number; endMs: number} {
  const minutes = parseInteger('Duration', duration, {
    min: 1,
    max: EVENT_AGE_MS_MAX / MINUTE_MS,
    absent: DURATION_MINUTES_ABSENT,
  });
  if (duration !== undefined && start !== undefined && end !== undefined) {
    throw invalidCombination('Duration cannot be given together with both StartTime and EndTime.');
  }
  const startMs = start?.getTime() ?? (end?.getTime() ?? nowMs) - minutes * MINUTE_MS;
  const afterStartMs = duration === undefined ? nowMs : startMs + minutes * MINUTE_MS;
  const endMs = end?.getTime() ?? afterStartMs;
  if (startMs > endMs) {
    throw invalidCombination(
      `The period ends before it begins: from ${new Date(startMs).toISOString()} to ${new Date(endMs).toISOString()}.`,
    );
  }
  return {startMs, endMs};
}

function parseSourceType(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined;
  const valid: readonly string[] = [...EVENT_SOURCES, ...SOURCES_WITHOUT_EVENTS];
  if (valid.includes(value)) return value;
  throw invalidValue(`Invalid source type: ${quoted(value)}. Valid are ${valid.join(', ')}.`);
}

/** RDS has events of these; Borealis has none, so an empty list is the true answer. */
const SOURCES_WITHOUT_EVENTS: readonly string[] = [
  'db-security-group',
  'db-snapshot',
  'db-cluster-snapshot',
  'custom-engine-version',
  'db-proxy',
  'blue-green-deployment',
  'db-shard-group',
  'zero-etl',
];

/** Text that sorts as the number does. */
function sortableNumber({number}: NumberedEvent): string {
  return String(number).padStart(16, '0');
}

function eventShape(world: World, event: EventRecord): Event {
  return {
    SourceIdentifier: event.source,
    // oxlint-disable-next-line no-unsafe-type-assertion -- `service` is Borealis's own
    SourceType: event.sourceType as Event['SourceType'],
    Message: event.message,
    EventCategories: [...event.categories],
    Date: new Date(event.timeMs),
    SourceArn: sourceArn(world, event),
  };
}

function sourceArn(world: World, {sourceType, source}: EventRecord): string | undefined {
  const {identity} = world.catalog;
  if (sourceType === 'db-cluster') return arnOf('cluster', identity, source);
  if (sourceType === 'db-instance') return arnOf('db', identity, source);
  return undefined;
}
