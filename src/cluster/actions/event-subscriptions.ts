/**
 * CreateEventSubscription, ModifyEventSubscription, DeleteEventSubscription, DescribeEventSubscriptions,
 * AddSourceIdentifierToSubscription and RemoveSourceIdentifierFromSubscription.
 */
import type {
  AddSourceIdentifierToSubscriptionMessage,
  AddSourceIdentifierToSubscriptionResult,
  CreateEventSubscriptionMessage,
  CreateEventSubscriptionResult,
  DeleteEventSubscriptionMessage,
  DeleteEventSubscriptionResult,
  DescribeEventSubscriptionsMessage,
  EventSubscriptionsMessage,
  ModifyEventSubscriptionMessage,
  ModifyEventSubscriptionResult,
  RemoveSourceIdentifierFromSubscriptionMessage,
  RemoveSourceIdentifierFromSubscriptionResult,
} from '@aws-sdk/client-rds';
import {BorealisError} from '../../base/errors.ts';
import {subscriptionShape, webhookOf} from '../event-subscriptions.ts';
import {EVENT_CATEGORIES, EVENT_SOURCES} from '../events.ts';
import {
  invalidCombination,
  invalidValue,
  missingParameter,
  subscriptionNotFound,
} from '../faults.ts';
import {quoted} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import {refuseBeyondQuota} from '../quotas.ts';
import type {EventCategory, EventSource, EventSubscriptionRecord} from '../records.ts';
import {parseTags} from '../settings.ts';
import type {World} from '../world.ts';

/** As in RDS. */
const NAME = /^[a-z](?:[-_]?[a-z0-9])*$/i;
const NAME_LENGTH_MAX = 254;
const SOURCES_MAX = 100;

export function createEventSubscription(
  world: World,
  input: CreateEventSubscriptionMessage,
): CreateEventSubscriptionResult {
  const name = parseName(input.SubscriptionName);
  const topic = parseTopic(input.SnsTopicArn);
  const sourceType = parseSourceType(input.SourceType) ?? null;
  const categories = parseCategories(sourceType, input.EventCategories ?? []);
  const tags = parseTags(input.Tags ?? []);
  const {eventSubscriptions} = world.catalog;
  const record = world.catalog.transaction(() => {
    if (eventSubscriptions.get(name) !== undefined) {
      throw new BorealisError(
        'conflict',
        'SubscriptionAlreadyExistFault',
        `Subscription ${name} already exists.`,
      );
    }
    const sourceIds = parseSources(world, sourceType, input.SourceIds ?? []);
    refuseBeyondQuota(world, 'EventSubscriptions', eventSubscriptions.list().length);
    const made: EventSubscriptionRecord = {
      name,
      topic,
      sourceType,
      sourceIds,
      categories,
      isEnabled: input.Enabled ?? true,
      createdAtMs: world.clock.nowMs(),
      tags,
      status: 'active',
      place: world.catalog.lastEventNumber(),
    };
    eventSubscriptions.put(name, made);
    return made;
  });
  return {EventSubscription: subscriptionShape(world, record)};
}

/** Categories without a source type are of any source. */
export function modifyEventSubscription(
  world: World,
  input: ModifyEventSubscriptionMessage,
): ModifyEventSubscriptionResult {
  const topic = input.SnsTopicArn === undefined ? undefined : parseTopic(input.SnsTopicArn);
  const sourceType = parseSourceType(input.SourceType);
  return change(world, input.SubscriptionName, old => {
    const type = sourceType ?? old.sourceType;
    if (type !== old.sourceType && old.sourceIds.length > 0) {
      throw invalidCombination(
        `The SourceType of ${old.name} cannot be changed while it has source identifiers. Remove them first.`,
      );
    }
    const isEnabled = input.Enabled ?? old.isEnabled;
    const kept: readonly string[] = type === old.sourceType ? old.categories : [];
    return {
      ...old,
      topic: topic ?? old.topic,
      sourceType: type,
      categories: parseCategories(type, input.EventCategories ?? kept),
      isEnabled,
      status: 'active',
      // What happened while it was off is not sent.
      place: isEnabled && !old.isEnabled ? world.catalog.lastEventNumber() : old.place,
    };
  });
}

export function addSourceIdentifierToSubscription(
  world: World,
  input: AddSourceIdentifierToSubscriptionMessage,
): AddSourceIdentifierToSubscriptionResult {
  const source = parseSource(input.SourceIdentifier);
  return change(world, input.SubscriptionName, old => ({
    ...old,
    sourceIds: parseSources(world, old.sourceType, [...old.sourceIds, source]),
  }));
}

export function removeSourceIdentifierFromSubscription(
  world: World,
  input: RemoveSourceIdentifierFromSubscriptionMessage,
): RemoveSourceIdentifierFromSubscriptionResult {
  const source = parseSource(input.SourceIdentifier);
  return change(world, input.SubscriptionName, old => {
    if (!old.sourceIds.includes(source)) throw sourceNotFound(source);
    return {...old, sourceIds: old.sourceIds.filter(each => each !== source)};
  });
}

export function deleteEventSubscription(
  world: World,
  input: DeleteEventSubscriptionMessage,
): DeleteEventSubscriptionResult {
  const name = parseName(input.SubscriptionName);
  const deleted = world.catalog.transaction(() => {
    const record = found(world, name);
    world.catalog.eventSubscriptions.remove(name);
    return record;
  });
  return {EventSubscription: subscriptionShape(world, deleted, 'deleting')};
}

export function describeEventSubscriptions(
  world: World,
  input: DescribeEventSubscriptionsMessage,
): EventSubscriptionsMessage {
  const {SubscriptionName: wanted = ''} = input;
  const all = world.catalog.eventSubscriptions.list();
  const records = wanted === '' ? all : [found(world, parseName(wanted))];
  const fitting = applyFilters<EventSubscriptionRecord>(records, input.Filters, {});
  const {records: shown, Marker} = page(fitting, each => each.name, input);
  return {EventSubscriptionsList: shown.map(each => subscriptionShape(world, each)), Marker};
}

function change(
  world: World,
  name: string | undefined,
  changed: (old: EventSubscriptionRecord) => EventSubscriptionRecord,
): {EventSubscription: ReturnType<typeof subscriptionShape>} {
  const key = parseName(name);
  const record = world.catalog.transaction(() => {
    const now = changed(found(world, key));
    world.catalog.eventSubscriptions.put(key, now);
    return now;
  });
  return {EventSubscription: subscriptionShape(world, record)};
}

function found({catalog}: World, name: string): EventSubscriptionRecord {
  const record = catalog.eventSubscriptions.get(name);
  if (record !== undefined) return record;
  throw subscriptionNotFound(name);
}

function parseName(value: string | undefined): string {
  if (value === undefined || value === '') throw missingParameter('SubscriptionName');
  if (value.length <= NAME_LENGTH_MAX && NAME.test(value)) return value.toLowerCase();
  throw invalidValue(
    `The parameter SubscriptionName must begin with a letter and have at most ${NAME_LENGTH_MAX} letters, digits, single hyphens and underscores. Given: ${quoted(value)}`,
  );
}

function parseTopic(value: string | undefined): string {
  if (value === undefined || value === '') throw missingParameter('SnsTopicArn');
  webhookOf(value);
  return value;
}

function parseSourceType(value: string | undefined): EventSource | undefined {
  if (value === undefined || value === '') return undefined;
  const type = EVENT_SOURCES.find(each => each === value);
  if (type !== undefined) return type;
  throw invalidValue(
    `Invalid source type: ${quoted(value)}. Events here are of ${EVENT_SOURCES.join(', ')}.`,
  );
}

function parseCategories(type: EventSource | null, values: readonly string[]): EventCategory[] {
  const types = type === null ? EVENT_SOURCES : [type];
  const known = types.flatMap(each => EVENT_CATEGORIES[each]);
  return [...new Set(values)].map(value => {
    const category = known.find(each => each === value.toLowerCase());
    if (category !== undefined) return category;
    throw new BorealisError(
      'not-found',
      'SubscriptionCategoryNotFoundFault',
      `The event category ${quoted(value)} is not one of ${type ?? 'any source'}. See DescribeEventCategories.`,
    );
  });
}

function parseSource(value: string | undefined): string {
  if (value === undefined || value === '') throw missingParameter('SourceIdentifier');
  return value.toLowerCase();
}

function parseSources(world: World, type: EventSource | null, values: readonly string[]): string[] {
  const sources = [...new Set(values.map(value => value.toLowerCase()))];
  if (sources.length > 0 && type === null) {
    throw invalidCombination('SourceType must also be given if source identifiers are given.');
  }
  if (sources.length > SOURCES_MAX) {
    throw invalidValue(`A subscription has at most ${SOURCES_MAX} source identifiers.`);
  }
  const missing = sources.find(source => type !== null && !isThere(world, type, source));
  if (missing !== undefined) throw sourceNotFound(missing);
  return sources;
}

function isThere({catalog}: World, type: EventSource, name: string): boolean {
  switch (type) {
    case 'db-cluster':
      return catalog.clusters.get(name) !== undefined;
    case 'db-instance':
      return catalog.instances.get(name) !== undefined;
    case 'db-parameter-group':
      return (
        catalog.clusterParameterGroups.get(name) !== undefined ||
        catalog.instanceParameterGroups.get(name) !== undefined
      );
    case 'service':
      return true;
  }
}

function sourceNotFound(name: string): BorealisError {
  return new BorealisError(
    'not-found',
    'SourceNotFoundFault',
    `The source ${quoted(name)} could not be found.`,
  );
}
