import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {
  createCluster,
  createWriter,
  faultOf,
  openTestService,
  settle,
  type TestService,
} from './testing/test-service.ts';

const ARN = 'arn:aws:rds:local-1:123456790000';
let directory: string;
let service: TestService;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-tags-'));
  service = await openTestService(directory, undefined, '123456790000');
  await createCluster(service, 'orders');
  await createWriter(service, 'orders');
  await settle(service);
  await service.plane.createDBClusterEndpoint({
    DBClusterIdentifier: 'orders',
    DBClusterEndpointIdentifier: 'reports',
    EndpointType: 'ANY',
  });
});

afterAll(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

test.each([`${ARN}:cluster:Orders`, `${ARN}:db:orders-writer`, `${ARN}:cluster-endpoint:reports`])(
  'tags of %s are added, changed, listed and removed',
  async ResourceName => {
    const {plane} = service;
    await plane.addTagsToResource({ResourceName, Tags: [{Key: 'a', Value: '1'}, {Key: 'b'}]});
    await plane.addTagsToResource({ResourceName, Tags: [{Key: 'a', Value: '2'}]});
    expect(await plane.listTagsForResource({ResourceName})).toEqual({
      TagList: [
        {Key: 'b', Value: ''},
        {Key: 'a', Value: '2'},
      ],
    });
    await plane.removeTagsFromResource({ResourceName, TagKeys: ['b', 'nothing']});
    expect(await plane.listTagsForResource({ResourceName})).toEqual({
      TagList: [{Key: 'a', Value: '2'}],
    });
  },
);

test('tags are shown with their cluster', async () => {
  const {DBClusters} = await service.plane.describeDBClusters({DBClusterIdentifier: 'orders'});
  expect(DBClusters?.[0]?.TagList).toEqual([{Key: 'a', Value: '2'}]);
});

test('refuse what RDS refuses', async () => {
  const {plane} = service;
  const orders = `${ARN}:cluster:orders`;
  const many = Array.from({length: 50}, (_, index) => ({Key: `k${index}`}));
  const table: [Promise<unknown>, string, string][] = [
    [plane.listTagsForResource({ResourceName: undefined}), 'MissingParameter', 'ResourceName'],
    [plane.listTagsForResource({ResourceName: 'orders'}), 'InvalidParameterValue', 'ARN'],
    [
      plane.listTagsForResource({ResourceName: 'arn:aws:rds:mars-1:123456790000:cluster:orders'}),
      'InvalidParameterValue',
      'mars-1',
    ],
    [plane.listTagsForResource({ResourceName: `${ARN}:og:x`}), 'InvalidParameterValue', 'og'],
    [plane.listTagsForResource({ResourceName: `${ARN}:cluster:x`}), 'DBClusterNotFoundFault', 'x'],
    [plane.listTagsForResource({ResourceName: `${ARN}:db:x`}), 'DBInstanceNotFoundFault', 'x'],
    [
      plane.listTagsForResource({ResourceName: `${ARN}:cluster-endpoint:x`}),
      'DBClusterEndpointNotFoundFault',
      'x',
    ],
    [
      plane.addTagsToResource({ResourceName: `${ARN}:db:x`, Tags: []}),
      'DBInstanceNotFoundFault',
      'x',
    ],
    [plane.addTagsToResource({ResourceName: orders, Tags: undefined}), 'MissingParameter', 'Tags'],
    [
      plane.addTagsToResource({ResourceName: orders, Tags: [{Key: 'aws:x'}]}),
      'InvalidParameterValue',
      'reserved',
    ],
    [plane.addTagsToResource({ResourceName: orders, Tags: many}), 'InvalidParameterValue', '50'],
    [
      plane.removeTagsFromResource({ResourceName: orders, TagKeys: undefined}),
      'MissingParameter',
      'TagKeys',
    ],
    [
      plane.listTagsForResource({ResourceName: orders, Filters: [{Name: 'a', Values: ['b']}]}),
      'InvalidParameterValue',
      'filter',
    ],
  ];
  for (const [call, code, words] of table) {
    const fault = await faultOf(call);
    expect.soft(fault.code, fault.message).toBe(code);
    expect.soft(fault.message).toContain(words);
  }
});
