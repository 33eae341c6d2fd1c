/** Event subscriptions, with real webhooks. */
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {createServer, type Server} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {pino} from 'pino';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {systemClock} from '../base/clock.ts';
import {Catalog} from './catalog.ts';
import {EventDelivery} from './event-delivery.ts';
import {
  createCluster,
  createWriter,
  faultOf,
  openTestService,
  settle,
  until,
  type TestService,
} from './testing/test-service.ts';

const ACCOUNT = '123456740000';
const NAME = {SubscriptionName: 'hook'} as const;

type Taken = {readonly id: string; readonly event: Readonly<Record<string, unknown>>};

let directory: string;
let service: TestService;
let hook: Server;
let url: string;
/** What the webhook took, and what it answers next; 200 when there is nothing. */
let taken: Taken[];
let answers: (number | 'hang')[];

beforeEach(async () => {
  taken = [];
  answers = [];
  directory = mkdtempSync(join(tmpdir(), 'borealis-subscriptions-'));
  service = await openTestService(directory, undefined, ACCOUNT);
  hook = createServer((request, response) => {
    void text(request).then(body => {
      const answer = answers.shift() ?? 200;
      if (answer === 'hang') return;
      if (answer === 200) {
        const {MessageId: id, Message: message} = JSON.parse(body) as Record<string, string>;
        taken.push({id: id ?? '', event: JSON.parse(message ?? '') as Taken['event']});
      }
      response.writeHead(answer, {location: 'http://127.0.0.1:1/'}).end();
    });
  });
  hook.listen(0, '127.0.0.1');
  await once(hook, 'listening');
  const address = hook.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/hook?token=secret`;
});

afterEach(async () => {
  await service.close();
  hook.closeAllConnections();
  hook.close();
  rmSync(directory, {recursive: true});
});

async function subscribe(more: object = {}): Promise<void> {
  await service.plane.createEventSubscription({...NAME, SnsTopicArn: url, ...more});
}

function messages(): unknown[] {
  return taken.map(({event}) => event['Event Message']);
}

async function shown(): Promise<string | undefined> {
  const {EventSubscriptionsList} = await service.plane.describeEventSubscriptions(NAME);
  return EventSubscriptionsList?.[0]?.Status;
}

async function expectFaults(table: readonly [Promise<unknown>, string, string][]): Promise<void> {
  const faults = await Promise.all(table.map(([call]) => faultOf(call)));
  for (const [index, [, code, words]] of table.entries()) {
    expect.soft(faults[index]?.code, faults[index]?.message).toBe(code);
    expect.soft(faults[index]?.message).toContain(words);
  }
}

describe('a webhook', () => {
  test('gets every event that is wanted, once, in order, and none from before', async () => {
    await createCluster(service, 'before');
    await settle(service);
    await subscribe({SourceType: 'db-cluster', EventCategories: ['creation']});
    await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    await until(() => taken.length === 2);
    expect(taken.map(({event}) => event)).toMatchObject([
      {
        'Event Source': 'db-cluster',
        'Source ID': 'orders',
        'Source ARN': `arn:aws:rds:local-1:${ACCOUNT}:cluster:orders`,
        'Event Categories': ['creation'],
        'Event Message': 'DB cluster is being created',
      },
      {'Event Message': 'DB cluster created'},
    ]);
    expect(new Set(taken.map(({id}) => id)).size).toBe(2);
    // Nothing comes again with the next service.
    await service.close();
    service = await openTestService(directory, undefined, ACCOUNT);
    await createCluster(service, 'more');
    await until(() => messages().length === 4);
    expect(messages().slice(2)).toEqual(['DB cluster is being created', 'DB cluster created']);
  });

  test('that fails gets the event again, and then the rest', async () => {
    answers = [500, 302];
    await subscribe({SourceType: 'db-cluster'});
    await createCluster(service, 'orders');
    await until(async () => (await shown()) === 'failing');
    await until(() => messages().length === 2);
    expect(messages()).toEqual(['DB cluster is being created', 'DB cluster created']);
    expect(await shown()).toBe('active');
  });

  test.each([
    [404, 'topic-not-exist'],
    [403, 'no-permission'],
  ])('that answers %i shows as %s', async (answer, status) => {
    answers = [answer];
    await subscribe();
    await createCluster(service, 'orders');
    await until(async () => (await shown()) === status);
  });

  test('has what waits kept for it while the service is down', async () => {
    answers = Array.from({length: 100}, () => 500);
    await subscribe({SourceType: 'db-cluster'});
    await createCluster(service, 'orders');
    await settle(service);
    await service.close();
    answers = [];
    service = await openTestService(directory, undefined, ACCOUNT);
    await until(() => messages().length === 2);
    expect(messages()[0]).toBe('DB cluster is being created');
  });

  test('that hangs holds up nobody, not even the end of the service', async () => {
    answers = ['hang'];
    await subscribe({SubscriptionName: 'hanging'});
    await createCluster(service, 'orders');
    await until(() => answers.length === 0);
    await subscribe({SourceType: 'db-cluster'});
    await createCluster(service, 'more');
    await until(() => messages().length === 2);
    const beganMs = systemClock.monotonicMs();
    await service.close();
    expect(systemClock.monotonicMs() - beganMs).toBeLessThan(8_000);
    service = await openTestService(directory, undefined, ACCOUNT);
  });

  test('gets nothing while the subscription is off, and nothing of that time later', async () => {
    await subscribe({Enabled: false, SourceType: 'db-cluster'});
    await createCluster(service, 'unseen');
    await settle(service);
    await service.plane.modifyEventSubscription({...NAME, Enabled: true});
    await createCluster(service, 'seen');
    await until(() => taken.length === 2);
    expect(taken.map(({event}) => event['Source ID'])).toEqual(['seen', 'seen']);
  });
});

test('an event that is never taken is given up, and the next one comes', async () => {
  await subscribe();
  await service.close();
  const catalog = Catalog.open({directory, region: 'local-1', newIdentity: () => unreachable()});
  catalog.transaction(() => {
    for (const message of ['first', 'second']) {
      catalog.addEvent({
        timeMs: systemClock.nowMs(),
        sourceType: 'service',
        source: 'storage',
        message,
        categories: ['notification'],
      });
    }
  });
  answers = [500, 500, 500];
  const delivery = new EventDelivery(
    {catalog, clock: systemClock, logger: pino({level: 'silent'})},
    {retryMsMin: 1, attemptsMax: 3},
  );
  delivery.look();
  await until(() => taken.length === 1);
  expect(messages()).toEqual(['second']);
  await delivery.stop();
  await catalog.close();
  service = await openTestService(directory, undefined, ACCOUNT);
});

function unreachable(): never {
  throw new Error('the catalog has its identity');
}

test('source identifiers are added and removed, and follow a resource that is renamed', async () => {
  await createCluster(service, 'orders');
  await createCluster(service, 'other');
  await createWriter(service, 'orders');
  await settle(service);
  await subscribe({SourceType: 'db-cluster', SourceIds: ['ORDERS']});
  const {plane} = service;
  const source = (
    SourceIdentifier: string,
  ): {SubscriptionName: string; SourceIdentifier: string} => ({
    ...NAME,
    SourceIdentifier,
  });
  const added = await plane.addSourceIdentifierToSubscription(source('other'));
  expect(added.EventSubscription?.SourceIdsList).toEqual(['orders', 'other']);
  const removed = await plane.removeSourceIdentifierFromSubscription(source('Other'));
  expect(removed.EventSubscription?.SourceIdsList).toEqual(['orders']);
  await plane.modifyDBCluster({
    DBClusterIdentifier: 'orders',
    NewDBClusterIdentifier: 'sales',
    ApplyImmediately: true,
  });
  await until(() => service.catalog.clusters.get('sales')?.status === 'available');
  await settle(service);
  expect(service.catalog.eventSubscriptions.get('hook')?.sourceIds).toEqual(['sales']);
  await until(() => messages().includes('Renamed cluster from orders to sales'));
  const own = {SubscriptionName: 'instances', SnsTopicArn: url, SourceType: 'db-instance'};
  await plane.createEventSubscription({...own, SourceIds: ['orders-writer']});
  await plane.modifyDBInstance({
    DBInstanceIdentifier: 'orders-writer',
    NewDBInstanceIdentifier: 'sales-writer',
    ApplyImmediately: true,
  });
  await settle(service);
  expect(service.catalog.eventSubscriptions.get('instances')?.sourceIds).toEqual(['sales-writer']);
});

test('subscriptions are shown, changed, tagged and deleted', async () => {
  const {plane} = service;
  const arn = `arn:aws:sns:us-east-1:${ACCOUNT}:${url}`;
  const {EventSubscription} = await plane.createEventSubscription({
    SubscriptionName: 'Hook',
    SnsTopicArn: arn,
    Tags: [{Key: 'a', Value: '1'}],
  });
  expect(EventSubscription).toMatchObject({
    CustSubscriptionId: 'hook',
    SnsTopicArn: arn,
    Status: 'active',
    Enabled: true,
    SourceIdsList: [],
    EventCategoriesList: [],
    EventSubscriptionArn: `arn:aws:rds:local-1:${ACCOUNT}:es:hook`,
  });
  expect(EventSubscription?.SubscriptionCreationTime).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
  const ResourceName = EventSubscription?.EventSubscriptionArn;
  expect(await plane.listTagsForResource({ResourceName})).toEqual({
    TagList: [{Key: 'a', Value: '1'}],
  });
  const modified = await plane.modifyEventSubscription({
    ...NAME,
    SnsTopicArn: url,
    SourceType: 'db-instance',
    EventCategories: ['Failover'],
    Enabled: false,
  });
  expect(modified.EventSubscription).toMatchObject({
    SnsTopicArn: url,
    SourceType: 'db-instance',
    EventCategoriesList: ['failover'],
    Enabled: false,
  });
  const deleted = await plane.deleteEventSubscription(NAME);
  expect(deleted.EventSubscription?.Status).toBe('deleting');
  expect(await plane.describeEventSubscriptions({})).toMatchObject({EventSubscriptionsList: []});
});

test('what makes no sense is refused', async () => {
  await subscribe({SourceType: 'service', SourceIds: ['storage']});
  const {plane} = service;
  const make = (more: object): Promise<unknown> =>
    plane.createEventSubscription({SubscriptionName: 'new', SnsTopicArn: url, ...more});
  const nobody = {SubscriptionName: 'nobody'};
  await plane.setQuota({name: 'EventSubscriptions', limit: 1});
  await expectFaults([
    [make(NAME), 'SubscriptionAlreadyExistFault', 'hook'],
    [make({}), 'EventSubscriptionQuotaExceededFault', '1 event subscriptions'],
    [make({SubscriptionName: ''}), 'MissingParameter', 'SubscriptionName'],
    [make({SubscriptionName: '1a'}), 'InvalidParameterValue', 'letter'],
    [make({SnsTopicArn: undefined}), 'MissingParameter', 'SnsTopicArn'],
    [make({SnsTopicArn: 'ftp://127.0.0.1/'}), 'SNSInvalidTopicFault', 'webhook'],
    [make({SnsTopicArn: 'arn:aws:sns:us-east-1:1:topic'}), 'SNSTopicArnNotFoundFault', 'webhook'],
    [make({SnsTopicArn: 'https://example.com/'}), 'SNSNoAuthorizationFault', 'loopback'],
    [make({SnsTopicArn: 'http://127.0.0.1.evil/'}), 'SNSNoAuthorizationFault', 'loopback'],
    [make({SnsTopicArn: 'http://169.254.169.254/'}), 'SNSNoAuthorizationFault', 'loopback'],
    [make({SourceType: 'db-nothing'}), 'InvalidParameterValue', 'db-nothing'],
    [make({SourceIds: ['a']}), 'InvalidParameterCombination', 'SourceType'],
    [make({SourceType: 'db-cluster', SourceIds: ['a']}), 'SourceNotFoundFault', 'a'],
    [
      make({SourceType: 'db-cluster', EventCategories: ['low storage']}),
      'SubscriptionCategoryNotFoundFault',
      'low storage',
    ],
    [plane.modifyEventSubscription(nobody), 'SubscriptionNotFoundFault', 'nobody'],
    [
      plane.modifyEventSubscription({...NAME, SourceType: 'db-cluster'}),
      'InvalidParameterCombination',
      'Remove them first',
    ],
    [plane.deleteEventSubscription(nobody), 'SubscriptionNotFoundFault', 'nobody'],
    [plane.describeEventSubscriptions(nobody), 'SubscriptionNotFoundFault', 'nobody'],
    [
      plane.removeSourceIdentifierFromSubscription({...NAME, SourceIdentifier: 'x'}),
      'SourceNotFoundFault',
      'x',
    ],
    [
      plane.addSourceIdentifierToSubscription({...NAME, SourceIdentifier: undefined}),
      'MissingParameter',
      'SourceIdentifier',
    ],
    [
      plane.addSourceIdentifierToSubscription({...nobody, SourceIdentifier: 'x'}),
      'SubscriptionNotFoundFault',
      'nobody',
    ],
  ]);
});
