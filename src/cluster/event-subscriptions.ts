/**
 * Event subscriptions: which events go where. The topic is a webhook, as a URL or as an ARN that has
 * one in the place of a topic's name, for tools that take nothing but an ARN:
 *
 *     http://127.0.0.1:9000/hook
 *     arn:aws:sns:us-east-1:123456789012:http://127.0.0.1:9000/hook
 *
 * Its host must be on loopback: events go nowhere else.
 */
import {isIPv4} from 'node:net';
import type {EventSubscription} from '@aws-sdk/client-rds';
import {BorealisError} from '../base/errors.ts';
import {quoted} from './identifiers.ts';
import type {EventRecord, EventSource, EventSubscriptionRecord} from './records.ts';
import type {World} from './world.ts';

const TOPIC_LENGTH_MAX = 1_024;
const TOPIC_ARN = /^arn:aws[a-z-]*:sns:[a-z0-9-]*:\d*:(.+)$/i;

/** Where the events of a topic are posted. Throws the fault of RDS for what is no topic here. */
export function webhookOf(topic: string): URL {
  const text = TOPIC_ARN.exec(topic)?.[1] ?? topic;
  const isUrl = /^https?:\/\//i.test(text) && URL.canParse(text);
  if (topic.length > TOPIC_LENGTH_MAX || !isUrl) {
    const isArn = topic.startsWith('arn:');
    throw new BorealisError(
      isArn ? 'not-found' : 'invalid',
      isArn ? 'SNSTopicArnNotFoundFault' : 'SNSInvalidTopicFault',
      `The topic ${quoted(topic)} is not there. A topic is a webhook: an http or https URL on loopback, or an ARN with one as its name, such as arn:aws:sns:us-east-1:123456789012:http://127.0.0.1:9000/hook.`,
    );
  }
  const url = new URL(text);
  if (isLoopback(url.hostname)) return url;
  throw new BorealisError(
    'invalid',
    'SNSNoAuthorizationFault',
    `Events cannot be sent to the host ${quoted(url.hostname)}: a webhook must be on loopback (127.0.0.1, ::1 or localhost).`,
  );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}

export function wantsEvent(
  {sourceType, sourceIds, categories}: EventSubscriptionRecord,
  event: EventRecord,
): boolean {
  return (
    (sourceType === null || event.sourceType === sourceType) &&
    (sourceIds.length === 0 || sourceIds.includes(event.source.toLowerCase())) &&
    (categories.length === 0 || event.categories.some(each => categories.includes(each)))
  );
}

/** Call it inside the transaction that renames a resource. */
export function renameSource(
  {catalog}: Pick<World, 'catalog'>,
  type: EventSource,
  name: string,
  newName: string,
): void {
  for (const subscription of catalog.eventSubscriptions.list()) {
    if (subscription.sourceType !== type || !subscription.sourceIds.includes(name)) continue;
    const sourceIds = subscription.sourceIds.map(each => (each === name ? newName : each));
    catalog.eventSubscriptions.put(subscription.name, {...subscription, sourceIds});
  }
}

export function subscriptionArn({catalog}: Pick<World, 'catalog'>, name: string): string {
  const {region, accountId} = catalog.identity;
  return `arn:aws:rds:${region}:${accountId}:es:${name}`;
}

export function subscriptionShape(
  world: Pick<World, 'catalog'>,
  subscription: EventSubscriptionRecord,
  status: string = subscription.status,
): EventSubscription {
  const {name, topic, sourceType, sourceIds, categories, isEnabled, createdAtMs} = subscription;
  return {
    CustomerAwsId: world.catalog.identity.accountId,
    CustSubscriptionId: name,
    SnsTopicArn: topic,
    Status: status,
    // As RDS writes it: `2026-11-28 12:00:00.000`.
    SubscriptionCreationTime: new Date(createdAtMs)
      .toISOString()
      .replace('T', ' ')
      .replace('Z', ''),
    SourceType: sourceType ?? undefined,
    SourceIdsList: [...sourceIds],
    EventCategoriesList: [...categories],
    Enabled: isEnabled,
    EventSubscriptionArn: subscriptionArn(world, name),
  };
}
