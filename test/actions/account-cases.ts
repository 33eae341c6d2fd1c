/** Tags, events and their subscriptions, and what describes the service itself. */
import {
  AddSourceIdentifierToSubscriptionCommand,
  AddTagsToResourceCommand,
  CreateEventSubscriptionCommand,
  DeleteEventSubscriptionCommand,
  DescribeAccountAttributesCommand,
  DescribeCertificatesCommand,
  DescribeDBEngineVersionsCommand,
  DescribeEventCategoriesCommand,
  DescribeEventSubscriptionsCommand,
  DescribeEventsCommand,
  DescribeOrderableDBInstanceOptionsCommand,
  DescribePendingMaintenanceActionsCommand,
  DescribeSourceRegionsCommand,
  ListTagsForResourceCommand,
  ModifyEventSubscriptionCommand,
  RemoveSourceIdentifierFromSubscriptionCommand,
  RemoveTagsFromResourceCommand,
  type CreateEventSubscriptionMessage,
  type ModifyEventSubscriptionMessage,
} from '@aws-sdk/client-rds';
import {expect} from 'vitest';
import {WEBHOOK, type ActionCases, type Context} from './context.ts';

const NOBODY = 'nobody';
const TAG = {Key: 'team', Value: 'storage'};

const addTags = (c: Context, arn: string) =>
  c.rds.send(new AddTagsToResourceCommand({ResourceName: arn, Tags: [TAG]}));
const listTags = (c: Context, arn: string) =>
  c.rds.send(new ListTagsForResourceCommand({ResourceName: arn}));
const removeTags = (c: Context, arn: string) =>
  c.rds.send(new RemoveTagsFromResourceCommand({ResourceName: arn, TagKeys: [TAG.Key]}));

export const TAG_CASES: ActionCases = {
  AddTagsToResource: {
    success: async c => addTags(c, c.arn('cluster', await c.cluster())),
    DBClusterNotFoundFault: c => addTags(c, c.arn('cluster', NOBODY)),
    DBInstanceNotFoundFault: c => addTags(c, c.arn('db', NOBODY)),
  },
  ListTagsForResource: {
    success: async c => {
      const arn = c.arn('db', `${await c.cluster(1)}-0`);
      await addTags(c, arn);
      expect((await listTags(c, arn)).TagList).toEqual([TAG]);
    },
    DBClusterNotFoundFault: c => listTags(c, c.arn('cluster', NOBODY)),
    DBInstanceNotFoundFault: c => listTags(c, c.arn('db', NOBODY)),
  },
  RemoveTagsFromResource: {
    success: async c => {
      const arn = c.arn('cluster', await c.cluster());
      await addTags(c, arn);
      await removeTags(c, arn);
      expect((await listTags(c, arn)).TagList).toEqual([]);
    },
    DBClusterNotFoundFault: c => removeTags(c, c.arn('cluster', NOBODY)),
    DBInstanceNotFoundFault: c => removeTags(c, c.arn('db', NOBODY)),
  },
};

const subscribe = (c: Context, more: Partial<CreateEventSubscriptionMessage> = {}) =>
  c.rds.send(
    new CreateEventSubscriptionCommand({
      SubscriptionName: c.name(),
      SnsTopicArn: WEBHOOK,
      SourceType: 'db-cluster',
      ...more,
    }),
  );

async function subscription(c: Context): Promise<string> {
  const {EventSubscription} = await subscribe(c);
  return EventSubscription?.CustSubscriptionId ?? '';
}

const modify = (c: Context, name: string, more: Partial<ModifyEventSubscriptionMessage>) =>
  c.rds.send(new ModifyEventSubscriptionCommand({SubscriptionName: name, ...more}));

const addSource = (c: Context, name: string, source: string) =>
  c.rds.send(
    new AddSourceIdentifierToSubscriptionCommand({
      SubscriptionName: name,
      SourceIdentifier: source,
    }),
  );

const removeSource = (c: Context, name: string, source: string) =>
  c.rds.send(
    new RemoveSourceIdentifierFromSubscriptionCommand({
      SubscriptionName: name,
      SourceIdentifier: source,
    }),
  );

const STRANGE_TOPIC = 'arn:aws:sns:local-1:123456780000:no-webhook';
const FAR_TOPIC = 'https://192.0.2.1/hook';

export const EVENT_CASES: ActionCases = {
  CreateEventSubscription: {
    success: async c => {
      const {EventSubscription} = await subscribe(c, {EventCategories: ['failover']});
      expect(EventSubscription?.EventCategoriesList).toEqual(['failover']);
    },
    EventSubscriptionQuotaExceededFault: async c => {
      await subscription(c);
      await c.fill('EventSubscriptions');
      return await subscribe(c);
    },
    SNSInvalidTopicFault: c => subscribe(c, {SnsTopicArn: 'not a topic'}),
    SNSNoAuthorizationFault: c => subscribe(c, {SnsTopicArn: FAR_TOPIC}),
    SNSTopicArnNotFoundFault: c => subscribe(c, {SnsTopicArn: STRANGE_TOPIC}),
    SourceNotFoundFault: c => subscribe(c, {SourceIds: [NOBODY]}),
    SubscriptionAlreadyExistFault: async c =>
      subscribe(c, {SubscriptionName: await subscription(c)}),
    SubscriptionCategoryNotFoundFault: c => subscribe(c, {EventCategories: ['weather']}),
  },
  ModifyEventSubscription: {
    success: async c => {
      const {EventSubscription} = await modify(c, await subscription(c), {Enabled: false});
      expect(EventSubscription?.Enabled).toBe(false);
    },
    SNSInvalidTopicFault: async c => modify(c, await subscription(c), {SnsTopicArn: 'not a topic'}),
    SNSNoAuthorizationFault: async c => modify(c, await subscription(c), {SnsTopicArn: FAR_TOPIC}),
    SNSTopicArnNotFoundFault: async c =>
      modify(c, await subscription(c), {SnsTopicArn: STRANGE_TOPIC}),
    SubscriptionCategoryNotFoundFault: async c =>
      modify(c, await subscription(c), {EventCategories: ['weather']}),
    SubscriptionNotFoundFault: c => modify(c, NOBODY, {Enabled: false}),
  },
  DeleteEventSubscription: {
    success: async c =>
      c.rds.send(new DeleteEventSubscriptionCommand({SubscriptionName: await subscription(c)})),
    SubscriptionNotFoundFault: c =>
      c.rds.send(new DeleteEventSubscriptionCommand({SubscriptionName: NOBODY})),
  },
  DescribeEventSubscriptions: {
    success: async c => {
      const name = await subscription(c);
      const {EventSubscriptionsList} = await c.rds.send(
        new DescribeEventSubscriptionsCommand({SubscriptionName: name}),
      );
      expect(EventSubscriptionsList).toMatchObject([{CustSubscriptionId: name}]);
    },
    SubscriptionNotFoundFault: c =>
      c.rds.send(new DescribeEventSubscriptionsCommand({SubscriptionName: NOBODY})),
  },
  AddSourceIdentifierToSubscription: {
    success: async c => {
      const source = await c.cluster();
      const {EventSubscription} = await addSource(c, await subscription(c), source);
      expect(EventSubscription?.SourceIdsList).toEqual([source]);
    },
    SourceNotFoundFault: async c => addSource(c, await subscription(c), NOBODY),
    SubscriptionNotFoundFault: async c => addSource(c, NOBODY, await c.cluster()),
  },
  RemoveSourceIdentifierFromSubscription: {
    success: async c => {
      const [name, source] = [await subscription(c), await c.cluster()];
      await addSource(c, name, source);
      const {EventSubscription} = await removeSource(c, name, source);
      expect(EventSubscription?.SourceIdsList).toEqual([]);
    },
    SourceNotFoundFault: async c => removeSource(c, await subscription(c), NOBODY),
    SubscriptionNotFoundFault: c => removeSource(c, NOBODY, NOBODY),
  },
  DescribeEvents: {
    success: async c => {
      const name = await c.cluster();
      const {Events} = await c.rds.send(
        new DescribeEventsCommand({SourceType: 'db-cluster', SourceIdentifier: name}),
      );
      expect(Events?.map(event => event.Message)).toContain('DB cluster created');
    },
  },
  DescribeEventCategories: {
    success: async c => {
      const {EventCategoriesMapList} = await c.rds.send(
        new DescribeEventCategoriesCommand({SourceType: 'db-cluster'}),
      );
      expect(EventCategoriesMapList?.[0]?.EventCategories).toContain('failover');
    },
  },
};

export const SERVICE_CASES: ActionCases = {
  DescribeAccountAttributes: {
    success: async c => {
      const {AccountQuotas} = await c.rds.send(new DescribeAccountAttributesCommand({}));
      expect(AccountQuotas).toContainEqual(
        expect.objectContaining({AccountQuotaName: 'DBClusters', Max: 40}),
      );
    },
  },
  DescribeCertificates: {
    success: async c => {
      const {Certificates} = await c.rds.send(new DescribeCertificatesCommand({}));
      expect(Certificates).toHaveLength(1);
    },
    CertificateNotFoundFault: c =>
      c.rds.send(new DescribeCertificatesCommand({CertificateIdentifier: NOBODY})),
  },
  DescribeDBEngineVersions: {
    success: async c => {
      const {DBEngineVersions} = await c.rds.send(new DescribeDBEngineVersionsCommand({}));
      expect(DBEngineVersions).toMatchObject([{Engine: 'aurora-postgresql'}]);
    },
  },
  DescribeOrderableDBInstanceOptions: {
    success: async c => {
      const {OrderableDBInstanceOptions} = await c.rds.send(
        new DescribeOrderableDBInstanceOptionsCommand({Engine: 'aurora-postgresql'}),
      );
      expect(OrderableDBInstanceOptions?.length).toBeGreaterThan(0);
    },
  },
  DescribePendingMaintenanceActions: {
    success: async c => {
      const {PendingMaintenanceActions} = await c.rds.send(
        new DescribePendingMaintenanceActionsCommand({}),
      );
      expect(PendingMaintenanceActions).toEqual([]);
    },
    ResourceNotFoundFault: c =>
      c.rds.send(
        new DescribePendingMaintenanceActionsCommand({
          ResourceIdentifier: c.arn('cluster', NOBODY),
        }),
      ),
  },
  DescribeSourceRegions: {
    success: async c => {
      const {SourceRegions} = await c.rds.send(new DescribeSourceRegionsCommand({}));
      expect(SourceRegions).toEqual([]);
    },
  },
};
