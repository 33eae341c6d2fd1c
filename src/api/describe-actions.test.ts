/** What holds of every Describe action alike: filters, pages and their limits, and an answer that can be encoded. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {NormalizedSchema} from '@smithy/core/schema';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {
  createCluster,
  createWriter,
  faultOf,
  openTestService,
  settle,
  type TestService,
} from '../cluster/testing/test-service.ts';
import type {Action} from './action.ts';
import {ACTIONS} from './actions.ts';
import {encodeResult} from './protocol/encode.ts';

const FAMILY = 'aurora-postgresql18';
/** What an action must be given. */
const NEEDED: Readonly<Record<string, object>> = {
  DescribeDBClusterParameters: {DBClusterParameterGroupName: `default.${FAMILY}`},
  DescribeDBLogFiles: {DBInstanceIdentifier: 'orders-writer'},
  DescribeDBParameters: {DBParameterGroupName: `default.${FAMILY}`},
  DescribeEngineDefaultClusterParameters: {DBParameterGroupFamily: FAMILY},
  DescribeEngineDefaultParameters: {DBParameterGroupFamily: FAMILY},
  DescribeOrderableDBInstanceOptions: {Engine: 'aurora-postgresql'},
};

/** Where RDS allows more than 100. */
const MOST_RECORDS: Readonly<Record<string, number>> = {DescribeOrderableDBInstanceOptions: 10_000};

let directory: string;
let service: TestService;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-describe-'));
  service = await openTestService(directory, undefined, '123456720000');
  await createCluster(service, 'orders');
  await createWriter(service, 'orders');
  await settle(service);
});

afterAll(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

function membersOf({schema}: Action): string[] {
  return Array.from(NormalizedSchema.of(schema[4]).structIterator(), ([name]) => name);
}

function run(action: Action, input: object): Promise<object> {
  // oxlint-disable-next-line no-unsafe-type-assertion -- as the decoder would have made it
  const decoded = {...NEEDED[action.name], ...input} as Parameters<Action['run']>[1];
  return action.run(service.plane, decoded);
}

const described = [...ACTIONS.values()].filter(({name}) => name.startsWith('Describe'));

test('there are as many as the list of actions has', () => {
  expect(described.length).toBeGreaterThan(18);
});

describe.each(described.map(action => [action.name, action] as const))('%s', (name, action) => {
  const members = membersOf(action);

  test('answers when nothing but what it needs is given', async () => {
    const answer = await run(action, {});
    expect(encodeResult(action.schema, answer, 'a-request')).toContain(`${name}Result`);
  });

  const most = MOST_RECORDS[name] ?? 100;

  test.runIf(members.includes('MaxRecords'))(`pages from 20 to ${most} records`, async () => {
    for (const MaxRecords of [0, 19, most + 1, -1]) {
      const fault = await faultOf(run(action, {MaxRecords}));
      expect(fault).toMatchObject({code: 'InvalidParameterValue'});
      expect(fault.message).toContain('MaxRecords');
      expect(fault.message).toContain(`from 20 to ${most}`);
    }
    await run(action, {MaxRecords: 20});
    await run(action, {MaxRecords: most, Marker: ''});
  });

  test.runIf(members.includes('MaxRecords'))('refuses a Marker that is none', async () => {
    const fault = await faultOf(run(action, {Marker: 'x'}));
    expect(fault).toMatchObject({code: 'InvalidParameterValue'});
    expect(fault.message).toContain('Marker');
  });

  test.runIf(members.includes('Filters'))('refuses a filter that it does not know', async () => {
    const table: [object, string, string][] = [
      [{Name: 'no-such', Values: ['a']}, 'InvalidParameterValue', 'Unrecognized filter name'],
      [{Name: 'constructor', Values: ['a']}, 'InvalidParameterValue', 'Unrecognized filter name'],
      [{Name: '', Values: ['a']}, 'MissingParameter', 'Name'],
      [{Values: ['a']}, 'MissingParameter', 'Name'],
    ];
    for (const [filter, code, words] of table) {
      const fault = await faultOf(run(action, {Filters: [filter]}));
      expect(fault).toMatchObject({code});
      expect(fault.message).toContain(words);
    }
  });
});
