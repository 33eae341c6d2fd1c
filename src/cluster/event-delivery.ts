/**
 * Brings events to the webhooks of subscriptions. The queue is the events themselves, which the catalog
 * keeps for a fortnight, 50,000 at most; each subscription has a place in it:
 *
 *     events   … 41 42 43 44 45 …           subscription.place 42: all up to 42 is delivered, or not wanted
 *
 * Rules:  one subscription's events come in their order, one at a time; a webhook that hangs holds up
 *         nobody else. The place moves after the answer, so after a crash the last event may come
 *         twice, under the same message id.
 * Limits: an event that was not taken is tried again, waiting twice as long each time, up to five
 *         minutes; after ATTEMPTS_MAX, about an hour, it is given up and the next one is tried.
 * Form:   that of a notification of SNS, without its signature.
 */
import {createHash} from 'node:crypto';
import {after, every, sleep} from '../base/clock.ts';
import {errorMessage} from '../base/errors.ts';
import {subscriptionArn, wantsEvent, webhookOf} from './event-subscriptions.ts';
import {arnOf} from './identifiers.ts';
import type {NumberedEvent} from './catalog.ts';
import type {EventSubscriptionRecord} from './records.ts';
import type {World} from './world.ts';

type DeliveryWorld = Pick<World, 'catalog' | 'clock' | 'logger'>;
type Status = EventSubscriptionRecord['status'];

const LOOK_PERIOD_MS = 500;
const POST_MS_MAX = 10_000;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 5 * 60_000;
const ATTEMPTS_MAX = 20;
/** Events that are looked at between two turns of the event loop. */
const LOOK_COUNT_MAX = 1_000;

export class EventDelivery {
  readonly #world: DeliveryWorld;
  readonly #retryMsMin: number;
  readonly #attemptsMax: number;
  /** By the subscription's name, while one works on it. */
  readonly #running = new Map<string, Promise<void>>();
  /** Up to where a subscription wanted nothing; written to its record with the next delivery. */
  readonly #seen = new Map<string, number>();
  readonly #closing = new AbortController();
  #stopLooking: () => void = () => undefined;

  constructor(
    world: DeliveryWorld,
    {
      retryMsMin = RETRY_MS_MIN,
      attemptsMax = ATTEMPTS_MAX,
    }: {retryMsMin?: number; attemptsMax?: number} = {},
  ) {
    this.#world = world;
    this.#retryMsMin = retryMsMin;
    this.#attemptsMax = attemptsMax;
  }

  start(): void {
    this.#stopLooking = every(LOOK_PERIOD_MS, () => this.look());
  }

  async stop(): Promise<void> {
    this.#stopLooking();
    this.#closing.abort();
    await Promise.all(this.#running.values());
  }

  /** Begins to deliver what waits. */
  look(): void {
    if (this.#closing.signal.aborted) return;
    for (const {name, isEnabled} of this.#world.catalog.eventSubscriptions.list()) {
      if (!isEnabled || this.#running.has(name) || !this.#mayHaveMore(name)) continue;
      const running = this.#deliver(name)
        .catch((error: unknown) => {
          // The catalog could not be written (a full disk): the next look tries again.
          this.#world.logger.error({subscription: name}, errorMessage(error));
        })
        .finally(() => this.#running.delete(name));
      this.#running.set(name, running);
    }
  }

  #mayHaveMore(name: string): boolean {
    const {catalog} = this.#world;
    const place = Math.max(
      catalog.eventSubscriptions.get(name)?.place ?? 0,
      this.#seen.get(name) ?? 0,
    );
    return place < catalog.lastEventNumber();
  }

  async #deliver(name: string): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const next = this.#nextWanted(name);
      if (next === 'none') return;
      if (next !== 'look-on') await this.#deliverOne(name, next);
    }
  }

  #nextWanted(name: string): NumberedEvent | 'none' | 'look-on' {
    const {catalog} = this.#world;
    const subscription = catalog.eventSubscriptions.get(name);
    if (subscription?.isEnabled !== true) return 'none';
    const place = Math.max(subscription.place, this.#seen.get(name) ?? 0);
    const waiting = catalog.events({after: place, countMax: LOOK_COUNT_MAX});
    const wanted = waiting.find(({event}) => wantsEvent(subscription, event));
    if (wanted !== undefined) return wanted;
    const last = waiting.at(-1)?.number;
    if (last === undefined) return 'none';
    this.#seen.set(name, last);
    return 'look-on';
  }

  async #deliverOne(name: string, event: NumberedEvent): Promise<void> {
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      const subscription = this.#world.catalog.eventSubscriptions.get(name);
      if (subscription?.isEnabled !== true || !wantsEvent(subscription, event.event)) return;
      const status = await this.#post(subscription, event);
      if (this.#closing.signal.aborted) return;
      const isDone = status === 'active' || attempt >= this.#attemptsMax;
      if (isDone && status !== 'active') {
        const message = `event ${event.number} was given up after ${attempt} attempts`;
        this.#world.logger.error({subscription: name}, message);
      }
      this.#record(subscription, status, isDone ? event.number : null);
      if (isDone) return;
      const delayMs = Math.min(this.#retryMsMin * 2 ** (attempt - 1), RETRY_MS_MAX);
      await sleep(delayMs, this.#closing.signal);
    }
  }

  /** `place`: null while the event still waits. A subscription that was made anew meanwhile is another one. */
  #record(
    {name, createdAtMs}: EventSubscriptionRecord,
    status: Status,
    place: number | null,
  ): void {
    const {catalog} = this.#world;
    const now = catalog.eventSubscriptions.get(name);
    if (now?.createdAtMs !== createdAtMs || (place === null && now.status === status)) return;
    catalog.transaction(() => {
      catalog.eventSubscriptions.put(name, {
        ...now,
        status,
        place: Math.max(now.place, place ?? 0),
      });
    });
  }

  /** `active` when the webhook took it. */
  async #post(subscription: EventSubscriptionRecord, event: NumberedEvent): Promise<Status> {
    const {name, topic} = subscription;
    const message = notification(this.#world, subscription, event);
    const deadline = new AbortController();
    const cancel = after(POST_MS_MAX, () => deadline.abort());
    try {
      const answer = await fetch(webhookOf(topic), {
        method: 'POST',
        headers: {
          'content-type': 'text/plain; charset=UTF-8',
          'x-amz-sns-message-type': message.Type,
          'x-amz-sns-message-id': message.MessageId,
          'x-amz-sns-topic-arn': message.TopicArn,
        },
        body: JSON.stringify(message),
        // Where it leads may be beyond loopback.
        redirect: 'manual',
        signal: AbortSignal.any([deadline.signal, this.#closing.signal]),
      });
      await answer.body?.cancel();
      if (answer.ok) return 'active';
      this.#world.logger.warn({subscription: name}, `the webhook answered ${answer.status}`);
      if (answer.status === 404 || answer.status === 410) return 'topic-not-exist';
      return answer.status === 401 || answer.status === 403 ? 'no-permission' : 'failing';
    } catch (error) {
      // The URL may have a secret in it, so it is not told.
      this.#world.logger.warn({subscription: name}, `the webhook took nothing: ${causeOf(error)}`);
      return 'failing';
    } finally {
      cancel();
    }
  }
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? code : 'no answer';
}

function notification(
  world: DeliveryWorld,
  subscription: EventSubscriptionRecord,
  {number, event}: NumberedEvent,
): Record<'Type' | 'MessageId' | 'TopicArn' | 'Subject' | 'Message' | 'Timestamp', string> {
  const arn = subscriptionArn(world, subscription.name);
  const time = new Date(event.timeMs).toISOString();
  const {identity} = world.catalog;
  const type =
    event.sourceType === 'db-cluster'
      ? 'cluster'
      : event.sourceType === 'db-instance'
        ? 'db'
        : null;
  const message = {
    'Event Source': event.sourceType,
    'Event Time': time,
    'Source ID': event.source,
    ...(type === null ? {} : {'Source ARN': arnOf(type, identity, event.source)}),
    'Event Categories': event.categories,
    'Event Message': event.message,
  };
  return {
    Type: 'Notification',
    MessageId: messageId(`${arn} ${subscription.createdAtMs} ${number}`),
    TopicArn: subscription.topic.startsWith('arn:') ? subscription.topic : arn,
    Subject: 'RDS Notification Message',
    Message: JSON.stringify(message),
    Timestamp: time,
  };
}

/** The same for the same event and subscription, in the form of a UUID. */
function messageId(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join('-');
}
