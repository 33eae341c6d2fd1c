/** Parameter groups over the fakes: what a group takes, what an engine gets, and when. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Parameter} from '@aws-sdk/client-rds';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {evaluate, isFormula} from './formula.ts';
import {classMemoryBytes, INSTANCE_CLASSES} from './instance-classes.ts';
import {
  createCluster,
  createInstance,
  createWriter,
  faultOf,
  openTestService,
  settle,
  until,
  type TestService,
} from './testing/test-service.ts';

const FAMILY = 'aurora-postgresql18';
const ORDERS = {DBClusterIdentifier: 'orders'} as const;
const WRITER = {DBInstanceIdentifier: 'orders-writer'} as const;
const GROUP = {DBClusterParameterGroupName: 'tuned'} as const;
const INSTANCE_GROUP = {DBParameterGroupName: 'tuned'} as const;
const ARN = 'arn:aws:rds:local-1:123456700000';

let directory: string;
let service: TestService;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-parameters-'));
  service = await openTestService(directory, undefined, '123456700000');
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function createGroups(): Promise<void> {
  const common = {DBParameterGroupFamily: FAMILY, Description: 'tuned'};
  await service.plane.createDBClusterParameterGroup({...GROUP, ...common});
  await service.plane.createDBParameterGroup({...INSTANCE_GROUP, ...common});
}

/** A cluster that uses the cluster group, with an instance of the default one. */
async function createTuned(): Promise<void> {
  await createGroups();
  await createCluster(service, 'orders');
  await createWriter(service, 'orders');
  await settle(service);
  await service.plane.modifyDBCluster({...ORDERS, ...GROUP});
}

async function set(name: string, value: string, method?: 'immediate' | 'pending-reboot') {
  const parameter = {ParameterName: name, ParameterValue: value, ApplyMethod: method};
  return await service.plane.modifyDBClusterParameterGroup({...GROUP, Parameters: [parameter]});
}

async function setForInstances(name: string, value: string) {
  const parameter = {ParameterName: name, ParameterValue: value};
  return await service.plane.modifyDBParameterGroup({...INSTANCE_GROUP, Parameters: [parameter]});
}

async function shownParameter(name: string): Promise<Parameter | undefined> {
  const {Parameters} = await service.plane.describeDBClusterParameters({
    ...GROUP,
    Filters: [{Name: 'parameter-name', Values: [name]}],
  });
  return Parameters?.[0];
}

async function applyStatus(): Promise<string | undefined> {
  const {DBClusters} = await service.plane.describeDBClusters(ORDERS);
  return DBClusters?.[0]?.DBClusterMembers?.[0]?.DBClusterParameterGroupStatus;
}

function launchedWith(): Readonly<Record<string, string>> | undefined {
  return service.instances.launched.at(-1)?.parameters;
}

describe('a reader', () => {
  async function createReader(): Promise<void> {
    await createInstance(service, 'orders', 'r');
    await settle(service);
  }

  function parametersOf(name: string): Readonly<Record<string, string>> | null | undefined {
    return service.catalog.instances.get(name)?.parameters;
  }

  async function statusOf(name: string): Promise<string | undefined> {
    const {DBClusters} = await service.plane.describeDBClusters(ORDERS);
    return DBClusters?.[0]?.DBClusterMembers?.find(each => each.DBInstanceIdentifier === name)
      ?.DBClusterParameterGroupStatus;
  }

  test('gets what its class, the group of the cluster and its own group say', async () => {
    await createTuned();
    await createReader();
    await service.plane.modifyDBInstance({DBInstanceIdentifier: 'r', ...INSTANCE_GROUP});
    await set('random_page_cost', '2');
    await setForInstances('work_mem', '8192');
    await until(() => parametersOf('r')?.['work_mem'] === '8192');
    await until(() => parametersOf('r')?.['random_page_cost'] === '2');
    await until(() => parametersOf('orders-writer')?.['random_page_cost'] === '2');
    expect(parametersOf('orders-writer')).not.toHaveProperty('work_mem');
  });

  test('never has fewer connections than its writer runs with, whatever the group says now', async () => {
    await createTuned();
    await set('max_connections', '50', 'pending-reboot');
    await createReader();
    expect(parametersOf('r')?.['max_connections']).toBe('450');
    expect(await statusOf('r')).toBe('pending-reboot');
    await service.plane.rebootDBInstance(WRITER);
    await settle(service);
    await service.plane.rebootDBInstance({DBInstanceIdentifier: 'r'});
    await settle(service);
    expect(parametersOf('r')?.['max_connections']).toBe('50');
    expect(await statusOf('r')).toBe('in-sync');
  });

  test('starts again when its writer comes back with more than it has', async () => {
    await createTuned();
    await createReader();
    await set('max_connections', '600', 'pending-reboot');
    await service.plane.rebootDBInstance(WRITER);
    await until(() => parametersOf('r')?.['max_connections'] === '600');
    await settle(service);
    expect(await statusOf('r')).toBe('in-sync');
  });

  test('follows from the largest class of its cluster in what all must have alike', async () => {
    await createGroups();
    await createCluster(service, 'orders');
    await createInstance(service, 'orders', 'w', {DBInstanceClass: 'db.t4g.medium'});
    await settle(service);
    await createInstance(service, 'orders', 'small', {DBInstanceClass: 'db.t4g.medium'});
    await createInstance(service, 'orders', 'r', {DBInstanceClass: 'db.r6g.large'});
    await settle(service);
    const of = (name: string): number => Number(parametersOf(name)?.['max_connections']);
    expect(of('small')).toBe(of('r'));
    expect(of('small')).toBeGreaterThanOrEqual(of('w'));
  });
});

describe('what an instance gets', () => {
  test('follows from its class, and no class counts for more than a quarter of the machine', async () => {
    await createTuned();
    expect(launchedWith()).toEqual({
      effective_cache_size: '262144',
      maintenance_work_mem: '65536',
      max_connections: '450',
      shared_buffers: '65536',
    });
    expect(await applyStatus()).toBe('in-sync');
  });

  test('dynamic: comes by a reload, without a restart', async () => {
    await createTuned();
    const launched = service.instances.launched.length;
    await set('work_mem', '8192');
    await until(() => service.instances.configured.length === 1);
    expect(service.instances.configured[0]).toMatchObject({work_mem: '8192'});
    expect(service.instances.launched).toHaveLength(launched);
    await until(async () => (await applyStatus()) === 'in-sync');
    await service.plane.resetDBClusterParameterGroup({...GROUP, ResetAllParameters: true});
    await until(() => service.instances.configured.length === 2);
    expect(service.instances.configured[1]).not.toHaveProperty('work_mem');
    const messages = service.catalog.events().map(({event}) => event.message);
    expect(messages).toContain('Updated parameter work_mem to 8192 with apply method immediate');
    expect(messages).toContain('Reset parameter work_mem');
  });

  test('static, or told to wait: comes with the next start', async () => {
    await createTuned();
    await set('max_connections', '200', 'pending-reboot');
    await set('autovacuum', '0', 'pending-reboot');
    await until(async () => (await applyStatus()) === 'pending-reboot');
    const {DBInstances} = await service.plane.describeDBInstances(WRITER);
    expect(DBInstances?.[0]?.DBParameterGroups?.[0]).toEqual({
      DBParameterGroupName: `default.${FAMILY}`,
      ParameterApplyStatus: 'pending-reboot',
    });
    expect(service.instances.configured).toEqual([]);
    await service.plane.rebootDBInstance(WRITER);
    await settle(service);
    expect(launchedWith()).toMatchObject({max_connections: '200', autovacuum: '0'});
    expect(await applyStatus()).toBe('in-sync');
  });

  test('of both groups: the instance group wins, and another group brings its values', async () => {
    await createTuned();
    await set('work_mem', '8192');
    await setForInstances('work_mem', '16384');
    await service.plane.modifyDBInstance({...WRITER, ...INSTANCE_GROUP});
    await until(() => service.instances.configured.at(-1)?.['work_mem'] === '16384');
    await service.plane.modifyDBInstance({...WRITER, DBParameterGroupName: `default.${FAMILY}`});
    await until(() => service.instances.configured.at(-1)?.['work_mem'] === '8192');
    await service.plane.modifyDBCluster({
      ...ORDERS,
      DBClusterParameterGroupName: `default.${FAMILY}`,
    });
    await until(() => service.instances.configured.at(-1)?.['work_mem'] === undefined);
  });

  test('by a formula: what it comes to, within the limits', async () => {
    await createTuned();
    await set('work_mem', 'LEAST({DBInstanceClassMemory/1048576},9999999)');
    await until(() => service.instances.configured.at(-1)?.['work_mem'] === '4096');
    await set('work_mem', 'SUM(1,2)');
    await until(() => service.instances.configured.at(-1)?.['work_mem'] === '64');
  });

  test('is there after a restart of the service, and from the first start of a clone', async () => {
    await createTuned();
    await set('work_mem', '8192');
    await service.close();
    service = await openTestService(directory, undefined, '123456700000');
    await settle(service);
    expect(launchedWith()).toMatchObject({work_mem: '8192'});
    await service.plane.restoreDBClusterToPointInTime({
      SourceDBClusterIdentifier: 'orders',
      DBClusterIdentifier: 'copy',
      RestoreType: 'copy-on-write',
      UseLatestRestorableTime: true,
    });
    await createWriter(service, 'copy');
    await settle(service);
    expect(service.instances.launched.at(-1)).toMatchObject({parameters: {work_mem: '8192'}});
  });
});

describe('a group', () => {
  test('shows its parameters with source, type, allowed values and method', async () => {
    await createGroups();
    await set('work_mem', '8192');
    expect(await shownParameter('work_mem')).toMatchObject({
      ParameterValue: '8192',
      Source: 'user',
      ApplyType: 'dynamic',
      ApplyMethod: 'immediate',
      DataType: 'integer',
      AllowedValues: '64-2147483647',
      IsModifiable: true,
      Description: '(kB) A setting',
    });
    expect(await shownParameter('log_statement')).toMatchObject({
      ParameterValue: 'none',
      Source: 'engine-default',
      DataType: 'list',
      AllowedValues: 'none,ddl,all',
    });
    expect(await shownParameter('max_connections')).toMatchObject({
      ParameterValue: 'LEAST(GREATEST({DBInstanceClassMemory/9531392},100),5000)',
      Source: 'system',
      ApplyType: 'static',
      AllowedValues: '10-262143',
    });
    expect(await shownParameter('fsync')).toMatchObject({Source: 'system', IsModifiable: false});
    const {Parameters} = await service.plane.describeDBClusterParameters({
      ...GROUP,
      Source: 'user',
    });
    expect(Parameters?.map(each => each.ParameterName)).toEqual(['work_mem']);
    const instances = await service.plane.describeDBParameters(INSTANCE_GROUP);
    const names = instances.Parameters?.map(each => each.ParameterName);
    expect(names).toContain('work_mem');
    expect(names).not.toContain('max_connections');
  });

  test('takes what its engine takes, and says why not otherwise', async () => {
    await createGroups();
    for (const [name, value] of [
      ['autovacuum', 'off'],
      ['AUTOVACUUM', '1'],
      ['log_statement', 'DDL'],
      ['random_page_cost', '1.1'],
      ['search_path', '"$user", shop'],
      ['max_connections', '10'],
    ] as const) {
      expect((await faultOf(set(name, value))).code, name).toBe('none');
    }
    const table: [Promise<unknown>, string, string][] = [
      [set('work_mem', '63'), 'InvalidParameterValue', '64-2147483647 (in kB)'],
      [set('work_mem', '64MB'), 'InvalidParameterValue', 'work_mem'],
      [set('work_mem', '{AllocatedStorage}'), 'InvalidParameterValue', 'work_mem'],
      [set('max_connections', '9'), 'InvalidParameterValue', '10-'],
      [set('random_page_cost', '-1'), 'InvalidParameterValue', '0-1000'],
      [set('random_page_cost', 'x'), 'InvalidParameterValue', '0-1000'],
      [set('autovacuum', 'maybe'), 'InvalidParameterValue', '0,1'],
      [set('log_statement', 'some'), 'InvalidParameterValue', 'none,ddl,all'],
      [set('search_path', 'a\nfsync = off'), 'InvalidParameterValue', 'one line'],
      [set('search_path', 'x'.repeat(1_001)), 'InvalidParameterValue', 'one line'],
      // Only the engine itself knows what is wrong with it.
      [set('search_path', '"'), 'InvalidParameterValue', 'List syntax is invalid.'],
      [set('colour', 'red'), 'InvalidParameterValue', 'colour'],
      [set('fsync', '0'), 'InvalidParameterCombination', 'would not be safe'],
      [set('block_size', '4096'), 'InvalidParameterCombination', 'how the engine was built'],
      [set('zero_damaged_pages', '1'), 'InvalidParameterCombination', 'work on the engine'],
      [set('max_connections', '50', 'immediate'), 'InvalidParameterCombination', 'static'],
      [set('work_mem', '64', 'later' as 'immediate'), 'InvalidParameterValue', 'later'],
      [setForInstances('max_connections', '50'), 'InvalidParameterValue', 'max_connections'],
    ];
    for (const [call, code, words] of table) {
      const fault = await faultOf(call);
      expect.soft(fault.code, fault.message).toBe(code);
      expect.soft(fault.message).toContain(words);
    }
  });

  test('is copied, tagged, listed by name, family and page, and deleted when nobody uses it', async () => {
    await createTuned();
    const {plane} = service;
    await set('work_mem', '8192');
    await plane.copyDBClusterParameterGroup({
      SourceDBClusterParameterGroupIdentifier: `${ARN}:cluster-pg:tuned`,
      TargetDBClusterParameterGroupIdentifier: 'Copy',
      TargetDBClusterParameterGroupDescription: 'a copy',
      Tags: [{Key: 'a', Value: '1'}],
    });
    await plane.copyDBParameterGroup({
      SourceDBParameterGroupIdentifier: `default.${FAMILY}`,
      TargetDBParameterGroupIdentifier: 'copy',
      TargetDBParameterGroupDescription: 'a copy',
    });
    const copied = await plane.describeDBClusterParameters({
      DBClusterParameterGroupName: 'copy',
      Source: 'user',
    });
    expect(copied.Parameters?.[0]).toMatchObject({
      ParameterName: 'work_mem',
      ParameterValue: '8192',
    });
    const {TagList} = await plane.listTagsForResource({ResourceName: `${ARN}:cluster-pg:copy`});
    expect(TagList).toEqual([{Key: 'a', Value: '1'}]);
    const all = await plane.describeDBClusterParameterGroups({
      Filters: [{Name: 'db-parameter-group-family', Values: [FAMILY]}],
    });
    expect(all.DBClusterParameterGroups?.map(group => group.DBClusterParameterGroupName)).toEqual([
      'copy',
      `default.${FAMILY}`,
      'tuned',
    ]);
    const one = await plane.describeDBParameterGroups({DBParameterGroupName: `${ARN}:pg:TUNED`});
    expect(one.DBParameterGroups).toEqual([
      {
        DBParameterGroupName: 'tuned',
        DBParameterGroupFamily: FAMILY,
        Description: 'tuned',
        DBParameterGroupArn: `${ARN}:pg:tuned`,
      },
    ]);
    expect((await faultOf(plane.deleteDBClusterParameterGroup(GROUP))).code).toBe(
      'InvalidDBParameterGroupStateFault',
    );
    await plane.deleteDBParameterGroup(INSTANCE_GROUP);
    await plane.deleteDBClusterParameterGroup({DBClusterParameterGroupName: 'copy'});
    const left = await plane.describeDBParameterGroups({});
    expect(left.DBParameterGroups?.map(group => group.DBParameterGroupName)).toEqual([
      'copy',
      `default.${FAMILY}`,
    ]);
  });

  test('of a family is described before the engine was ever used', async () => {
    const {EngineDefaults} = await service.plane.describeEngineDefaultClusterParameters({
      DBParameterGroupFamily: FAMILY,
    });
    expect(EngineDefaults?.Parameters).toHaveLength(10);
    const instances = await service.plane.describeEngineDefaultParameters({
      DBParameterGroupFamily: FAMILY,
    });
    expect(instances.EngineDefaults?.Parameters).toHaveLength(9);
  });

  test('that is not there, or not for that, is refused', async () => {
    await createGroups();
    await createCluster(service, 'orders');
    await settle(service);
    const {plane} = service;
    const common = {DBParameterGroupFamily: FAMILY, Description: 'd'};
    const nobody = {DBClusterParameterGroupName: 'nobody'};
    const notThere = 'DBParameterGroupNotFoundFault';
    const state = 'InvalidDBParameterGroupStateFault';
    const standard = {DBClusterParameterGroupName: `default.${FAMILY}`};
    const writer = {
      DBInstanceIdentifier: 'w',
      DBClusterIdentifier: 'orders',
      DBInstanceClass: 'db.r6g.large',
      Engine: 'aurora-postgresql',
    };
    const copy = {
      SourceDBParameterGroupIdentifier: 'nobody',
      TargetDBParameterGroupIdentifier: 'x',
      TargetDBParameterGroupDescription: 'x',
    };
    const table: [Promise<unknown>, string, string][] = [
      [
        plane.createDBClusterParameterGroup({...GROUP, ...common}),
        'DBParameterGroupAlreadyExistsFault',
        'tuned',
      ],
      [plane.createDBClusterParameterGroup({...standard, ...common}), state, 'default'],
      [
        plane.createDBParameterGroup({...common, DBParameterGroupName: 'a--b'}),
        'InvalidParameterValue',
        'hyphens',
      ],
      [
        plane.createDBParameterGroup({...common, DBParameterGroupName: undefined}),
        'MissingParameter',
        'Name',
      ],
      [
        plane.createDBParameterGroup({
          ...common,
          DBParameterGroupName: 'x',
          DBParameterGroupFamily: 'mysql8.0',
        }),
        'InvalidParameterValue',
        FAMILY,
      ],
      [
        plane.createDBParameterGroup({
          ...common,
          DBParameterGroupName: 'x',
          Description: undefined,
        }),
        'MissingParameter',
        'Description',
      ],
      [
        plane.createDBParameterGroup({
          ...common,
          DBParameterGroupName: 'x',
          DBParameterGroupFamily: undefined,
        }),
        'MissingParameter',
        'Family',
      ],
      [plane.modifyDBClusterParameterGroup({...standard, Parameters: []}), state, 'default'],
      [plane.modifyDBClusterParameterGroup({...nobody, Parameters: []}), notThere, 'nobody'],
      [
        plane.modifyDBClusterParameterGroup({...GROUP, Parameters: []}),
        'MissingParameter',
        'Parameters',
      ],
      [
        plane.modifyDBClusterParameterGroup({
          ...GROUP,
          Parameters: Array.from({length: 21}, () => ({ParameterName: 'work_mem'})),
        }),
        'InvalidParameterValue',
        '20',
      ],
      [
        plane.modifyDBClusterParameterGroup({...GROUP, Parameters: [{ParameterName: 'work_mem'}]}),
        'InvalidParameterValue',
        'ParameterValue',
      ],
      [
        plane.resetDBClusterParameterGroup(GROUP),
        'InvalidParameterCombination',
        'ResetAllParameters',
      ],
      [
        plane.resetDBParameterGroup({
          ...INSTANCE_GROUP,
          ResetAllParameters: true,
          Parameters: [{ParameterName: 'work_mem'}],
        }),
        'InvalidParameterCombination',
        'ResetAllParameters',
      ],
      [
        plane.resetDBParameterGroup({DBParameterGroupName: 'nobody', ResetAllParameters: true}),
        notThere,
        'nobody',
      ],
      [plane.deleteDBParameterGroup({DBParameterGroupName: 'nobody'}), notThere, 'nobody'],
      [plane.deleteDBParameterGroup({DBParameterGroupName: `default.${FAMILY}`}), state, 'default'],
      [plane.copyDBParameterGroup(copy), notThere, 'nobody'],
      [
        plane.copyDBParameterGroup({...copy, TargetDBParameterGroupDescription: ''}),
        'MissingParameter',
        'Description',
      ],
      [plane.describeDBClusterParameters(nobody), notThere, 'nobody'],
      [plane.describeDBParameters({DBParameterGroupName: 'nobody'}), notThere, 'nobody'],
      [
        plane.describeDBClusterParameters({...GROUP, Source: 'moon'}),
        'InvalidParameterValue',
        'moon',
      ],
      [plane.describeDBClusterParameterGroups(nobody), notThere, 'nobody'],
      [
        plane.describeEngineDefaultParameters({DBParameterGroupFamily: 'x'}),
        'InvalidParameterValue',
        FAMILY,
      ],
      [
        plane.modifyDBCluster({...ORDERS, ...nobody}),
        'DBClusterParameterGroupNotFoundFault',
        'nobody',
      ],
      [plane.createDBInstance({...writer, DBParameterGroupName: 'nobody'}), notThere, 'nobody'],
    ];
    for (const [call, code, words] of table) {
      const fault = await faultOf(call);
      expect.soft(fault.code, fault.message).toBe(code);
      expect.soft(fault.message).toContain(words);
    }
  });
});

const GIB = 2 ** 30;

test.each([
  ['{DBInstanceClassMemory/9531392}', 1_802],
  ['{DBInstanceClassMemory*3/4}', 12 * GIB],
  ['LEAST({DBInstanceClassMemory/9531392}, 5000)', 1_802],
  ['GREATEST(1,SUM(2,3),LEAST(9,4))', 5],
  ['sum(1,-2)', -1],
  ['{DBInstanceClassMemory/0}', null],
  ['{DBInstanceClassMemory', null],
  ['{}', null],
  ['AVG(1,2)', null],
  ['LEAST()', null],
  ['LEAST(1', null],
  ['process.exit()', null],
  [`SUM(${'1,'.repeat(200)}1)`, null],
])('the formula %s is %j', (formula, value) => {
  expect(evaluate(formula, 16 * GIB)).toBe(value);
});

test.each([
  ['db.r6g.large', 64, 16],
  ['db.r6g.large', 16, 4],
  ['db.r6g.2xlarge', 1_024, 64],
  ['db.x2g.large', 1_024, 32],
  ['db.t4g.medium', 64, 4],
  ['db.unknown', 1_024, 16],
])('the class %s on a machine of %d GiB counts for %d', (name, host, expected) => {
  expect(classMemoryBytes(name, host * GIB)).toBe(expected * GIB);
});

test('values are formulas, and classes have the form of one', () => {
  expect(isFormula('100')).toBe(false);
  expect(isFormula('least(1,2)')).toBe(true);
  for (const name of INSTANCE_CLASSES) expect(name).toMatch(/^db\.[a-z0-9]+\.[a-z0-9]+$/);
});
