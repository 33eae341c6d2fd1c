import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {DescribeEventsMessage} from '@aws-sdk/client-rds';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {systemClock} from '../base/clock.ts';
import {EVENT_CATEGORIES} from './events.ts';
import {
  createCluster,
  createWriter,
  faultOf,
  openTestService,
  settle,
  until,
  type TestService,
} from './testing/test-service.ts';

let directory: string;
let service: TestService;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-events-'));
  service = await openTestService(directory);
  await createCluster(service, 'orders');
  await createWriter(service, 'orders');
  await settle(service);
  await createCluster(service, 'gone');
  await settle(service);
  await service.plane.deleteDBCluster({DBClusterIdentifier: 'gone', SkipFinalSnapshot: true});
  await until(() => service.catalog.clusters.get('gone') === undefined);
});

afterAll(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function messages(input: DescribeEventsMessage): Promise<(string | undefined)[]> {
  const {Events = []} = await service.plane.describeEvents(input);
  return Events.map(event => event.Message);
}

describe('DescribeEvents', () => {
  test('tells the life of a cluster in order, with its ARN and categories', async () => {
    const {Events} = await service.plane.describeEvents({
      SourceType: 'db-cluster',
      SourceIdentifier: 'GONE',
    });
    expect(Events?.map(event => [event.Message, event.EventCategories])).toEqual([
      ['DB cluster is being created', ['creation']],
      ['DB cluster created', ['creation']],
      ['DB cluster is being deleted', ['deletion']],
      ['DB cluster deleted', ['deletion']],
    ]);
    expect(Events?.[0]).toMatchObject({
      SourceIdentifier: 'gone',
      SourceType: 'db-cluster',
      SourceArn: 'arn:aws:rds:local-1:123456789012:cluster:gone',
    });
    expect(Events?.[0]?.Date).toBeInstanceOf(Date);
  });

  test('takes only what the source type, the categories and the period ask for', async () => {
    expect(await messages({SourceType: 'db-instance'})).toEqual([
      'DB instance is being created',
      'DB instance created',
    ]);
    expect(await messages({EventCategories: ['deletion']})).toEqual([
      'DB cluster is being deleted',
      'DB cluster deleted',
    ]);
    expect(await messages({SourceType: 'db-cluster-snapshot'})).toEqual([]);
    const now = service.catalog.events().at(-1)?.event.timeMs ?? 0;
    expect(await messages({EndTime: new Date(now - 600_000)})).toEqual([]);
    expect(await messages({StartTime: new Date(now - 600_000), Duration: 5})).toEqual([]);
    const all = await messages({Duration: 20_160});
    expect(all.length).toBeGreaterThan(7);
    expect(await messages({StartTime: new Date(0)})).toEqual(all);
  });

  test('pages without loss', async () => {
    service.catalog.transaction(() => {
      for (let number = 0; number < 45; number++) {
        service.catalog.addEvent({
          timeMs: systemClock.nowMs(),
          sourceType: 'db-parameter-group',
          source: 'many',
          message: String(number),
          categories: ['configuration change'],
        });
      }
    });
    const shown: (string | undefined)[] = [];
    let Marker: string | undefined;
    do {
      const input = {SourceType: 'db-parameter-group', MaxRecords: 20, Marker} as const;
      const page = await service.plane.describeEvents(input);
      shown.push(...(page.Events ?? []).map(event => event.Message));
      ({Marker} = page);
    } while (Marker !== undefined);
    expect(shown).toEqual(Array.from({length: 45}, (_, number) => String(number)));
  });

  test('refuses what makes no sense', async () => {
    const {plane} = service;
    const at = new Date();
    const table: [Promise<unknown>, string, string][] = [
      [
        plane.describeEvents({SourceIdentifier: 'orders'}),
        'InvalidParameterCombination',
        'SourceType',
      ],
      [
        plane.describeEvents({SourceType: 'db-nothing' as 'db-cluster'}),
        'InvalidParameterValue',
        'db-nothing',
      ],
      [plane.describeEvents({Duration: 0}), 'InvalidParameterValue', 'Duration'],
      [plane.describeEvents({Duration: 20_161}), 'InvalidParameterValue', '20160'],
      [
        plane.describeEvents({StartTime: at, EndTime: at, Duration: 5}),
        'InvalidParameterCombination',
        'Duration',
      ],
      [
        plane.describeEvents({StartTime: at, EndTime: new Date(0)}),
        'InvalidParameterCombination',
        'ends before it begins',
      ],
      [
        plane.describeEvents({Filters: [{Name: 'a', Values: ['b']}]}),
        'InvalidParameterValue',
        'filter',
      ],
      [plane.describeEvents({MaxRecords: 1}), 'InvalidParameterValue', 'MaxRecords'],
      [plane.describeEvents({Marker: 'x'}), 'InvalidParameterValue', 'Marker'],
      [
        plane.describeEventCategories({SourceType: 'nothing'}),
        'InvalidParameterValue',
        'db-cluster',
      ],
    ];
    for (const [call, code, words] of table) {
      const fault = await faultOf(call);
      expect.soft(fault.code, fault.message).toBe(code);
      expect.soft(fault.message).toContain(words);
    }
  });
});

test('DescribeEventCategories lists them for each source, or for one', async () => {
  const all = await service.plane.describeEventCategories({});
  expect(all.EventCategoriesMapList?.map(each => each.SourceType)).toEqual(
    Object.keys(EVENT_CATEGORIES),
  );
  const one = await service.plane.describeEventCategories({SourceType: 'db-cluster'});
  expect(one.EventCategoriesMapList).toEqual([
    {SourceType: 'db-cluster', EventCategories: [...EVENT_CATEGORIES['db-cluster']]},
  ]);
});

test('every event that was written has a category of its source', () => {
  for (const {event} of service.catalog.events()) {
    for (const category of event.categories) {
      expect(EVENT_CATEGORIES[event.sourceType], event.message).toContain(category);
    }
  }
});
