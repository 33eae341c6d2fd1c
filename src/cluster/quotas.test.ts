/** Quotas, subnet groups and Availability Zones over the fakes. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {
  clone,
  CREATE,
  createCluster,
  createInstance,
  createWriter,
  faultOf,
  openTestService,
  settle,
  type TestService,
} from './testing/test-service.ts';

const ACCOUNT = '123456710000';
const ARN = `arn:aws:rds:local-1:${ACCOUNT}`;
const ZONES = ['local-1a', 'local-1b', 'local-1c'];
let directory: string;
let service: TestService;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-quotas-'));
  service = await openTestService(directory, undefined, ACCOUNT);
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function expectFaults(table: readonly [Promise<unknown>, string, string][]): Promise<void> {
  for (const [call, code, words] of table) {
    const fault = await faultOf(call);
    expect.soft(fault.code, fault.message).toBe(code);
    expect.soft(fault.message).toContain(words);
  }
}

describe('a quota', () => {
  test('of clones counts clones of clones, and a deleted one makes room', async () => {
    await service.plane.setQuota({name: 'copyonwriteclonespercopy', limit: 2});
    await createCluster(service, 'orders');
    await createCluster(service, 'other');
    await settle(service);
    await clone(service, 'orders', 'one');
    await clone(service, 'one', 'two');
    await expectFaults([
      [clone(service, 'orders', 'three'), 'DBClusterQuotaExceededFault', 'clones of clones'],
      [clone(service, 'two', 'three'), 'DBClusterQuotaExceededFault', 'borealis quota'],
      [clone(service, 'other', 'of-other'), 'none', ''],
    ]);
    await service.plane.deleteDBCluster({DBClusterIdentifier: 'two', SkipFinalSnapshot: true});
    await settle(service);
    await expectFaults([[clone(service, 'one', 'three'), 'none', '']]);
  });

  test('of clusters, instances and groups holds, is kept, and 0 lifts it', async () => {
    const {plane} = service;
    for (const name of ['DBClusters', 'DBInstances', 'DBParameterGroups', 'DBSubnetGroups']) {
      await plane.setQuota({name, limit: 1});
    }
    await createCluster(service, 'orders');
    await settle(service);
    await createWriter(service, 'orders');
    const group = {
      DBParameterGroupFamily: 'aurora-postgresql18',
      Description: 'd',
      DBParameterGroupName: 'a',
    };
    const subnets = {
      DBSubnetGroupName: 'a',
      DBSubnetGroupDescription: 'd',
      SubnetIds: ['subnet-1', 'subnet-2'],
    };
    await plane.createDBParameterGroup(group);
    await plane.createDBSubnetGroup(subnets);
    await service.close();
    service = await openTestService(directory, undefined, ACCOUNT);
    await expectFaults([
      [createCluster(service, 'second'), 'DBClusterQuotaExceededFault', '1 DB clusters'],
      [createWriter(service, 'second'), 'InstanceQuotaExceededFault', '1 DB instances'],
      [
        service.plane.createDBParameterGroup({...group, DBParameterGroupName: 'b'}),
        'DBParameterGroupQuotaExceededFault',
        '1 DB parameter groups',
      ],
      [
        service.plane.createDBSubnetGroup({...subnets, DBSubnetGroupName: 'b'}),
        'DBSubnetGroupQuotaExceededFault',
        '1 DB subnet groups',
      ],
    ]);
    await service.plane.setQuota({name: 'DBClusters', limit: 0});
    await expectFaults([[createCluster(service, 'second'), 'none', '']]);
    await settle(service);
  });

  test('of readers and of custom endpoints holds for each cluster', async () => {
    const {plane} = service;
    await plane.setQuota({name: 'ReadReplicasPerMaster', limit: 1});
    await plane.setQuota({name: 'CustomEndpointsPerDBCluster', limit: 1});
    for (const cluster of ['orders', 'other']) {
      await createCluster(service, cluster);
      await settle(service);
      await createWriter(service, cluster);
      await createInstance(service, cluster, `${cluster}-reader`);
    }
    const endpoint = (DBClusterIdentifier: string, name: string): Promise<unknown> =>
      plane.createDBClusterEndpoint({
        DBClusterIdentifier,
        DBClusterEndpointIdentifier: name,
        EndpointType: 'ANY',
      });
    await endpoint('orders', 'first');
    await expectFaults([
      [createInstance(service, 'orders', 'more'), 'InvalidDBClusterStateFault', '1 readers'],
      [endpoint('orders', 'second'), 'DBClusterEndpointQuotaExceededFault', '1 custom endpoints'],
      [endpoint('other', 'second'), 'none', ''],
      [
        plane.setQuota({name: 'ReadReplicasPerMaster', limit: 31}),
        'InvalidParameterValue',
        'from 1 to 30.',
      ],
      [plane.setQuota({name: 'ReadReplicasPerMaster', limit: 0}), 'InvalidParameterValue', '30.'],
    ]);
    const {quotas} = await plane.quotas({});
    for (const name of ['ReadReplicasPerMaster', 'CustomEndpointsPerDBCluster']) {
      expect(quotas.find(each => each.name === name)).toMatchObject({used: 1, limit: 1});
    }
    await plane.setQuota({name: 'CustomEndpointsPerDBCluster', limit: 0});
    await expectFaults([[endpoint('orders', 'third'), 'none', '']]);
    await settle(service);
  });

  test('is told with what is used of it', async () => {
    await createCluster(service, 'orders');
    await settle(service);
    await clone(service, 'orders', 'copy');
    await service.plane.setQuota({name: 'DBInstances', limit: 0});
    const {AccountQuotas} = await service.plane.describeAccountAttributes({});
    expect(AccountQuotas).toContainEqual({AccountQuotaName: 'DBClusters', Used: 2, Max: 40});
    expect(AccountQuotas).toContainEqual({
      AccountQuotaName: 'CopyOnWriteClonesPerCopy',
      Used: 1,
      Max: 15,
    });
    expect(AccountQuotas).toContainEqual({
      AccountQuotaName: 'DBInstances',
      Used: 0,
      Max: 2 ** 31 - 1,
    });
    const {quotas} = await service.plane.quotas({});
    expect(quotas.find(each => each.name === 'ReadReplicasPerMaster')?.limit).toBe(15);
    await expectFaults([
      [service.plane.setQuota({name: 'Colours', limit: 1}), 'InvalidParameterValue', 'DBClusters'],
      [service.plane.setQuota({name: 'DBClusters', limit: -1}), 'InvalidParameterValue', '-1'],
      [service.plane.setQuota({name: 'DBClusters', limit: 1.5}), 'InvalidParameterValue', '1.5'],
      [service.plane.setQuota({name: 'DBClusters', limit: 2e6}), 'InvalidParameterValue', '0 for'],
    ]);
  });
});

describe('subnet groups', () => {
  const GROUP = {
    DBSubnetGroupName: 'Two Zones',
    DBSubnetGroupDescription: 'two of three',
    SubnetIds: ['subnet-local-1a', 'subnet-local-1c'],
  };

  test('are made, changed, listed, tagged and deleted', async () => {
    const {plane} = service;
    const created = await plane.createDBSubnetGroup({...GROUP, Tags: [{Key: 'a', Value: '1'}]});
    expect(created.DBSubnetGroup).toMatchObject({
      DBSubnetGroupName: 'two zones',
      SubnetGroupStatus: 'Complete',
      DBSubnetGroupArn: `${ARN}:subgrp:two zones`,
      Subnets: [
        {SubnetIdentifier: 'subnet-local-1a', SubnetAvailabilityZone: {Name: 'local-1a'}},
        {SubnetIdentifier: 'subnet-local-1c', SubnetAvailabilityZone: {Name: 'local-1c'}},
      ],
    });
    const {TagList} = await plane.listTagsForResource({ResourceName: `${ARN}:subgrp:two zones`});
    expect(TagList).toEqual([{Key: 'a', Value: '1'}]);
    const modified = await plane.modifyDBSubnetGroup({
      DBSubnetGroupName: 'two zones',
      SubnetIds: ['subnet-x', 'subnet-y', 'subnet-z', 'subnet-x'],
    });
    expect(modified.DBSubnetGroup?.Subnets?.map(each => each.SubnetAvailabilityZone?.Name)).toEqual(
      ZONES,
    );
    const other = await plane.createDBSubnetGroup({
      ...GROUP,
      DBSubnetGroupName: 'other',
      SubnetIds: ['subnet-z', 'subnet-y'],
    });
    expect(other.DBSubnetGroup?.Subnets?.map(each => each.SubnetAvailabilityZone?.Name)).toEqual([
      'local-1c',
      'local-1b',
    ]);
    const listed = await plane.describeDBSubnetGroups({});
    expect(listed.DBSubnetGroups?.map(group => group.DBSubnetGroupName)).toEqual([
      'default',
      'other',
      'two zones',
    ]);
    await plane.deleteDBSubnetGroup({DBSubnetGroupName: 'other'});
    const left = await plane.describeDBSubnetGroups({DBSubnetGroupName: 'Two zones'});
    expect(left.DBSubnetGroups).toHaveLength(1);
  });

  test('say where a cluster and its instances are, and its clones must be there too', async () => {
    const {plane} = service;
    await plane.createDBSubnetGroup(GROUP);
    await plane.createDBSubnetGroup({
      ...GROUP,
      DBSubnetGroupName: 'same zones',
      SubnetIds: ['c-local-1c', 'a-local-1a'],
    });
    const created = await plane.createDBCluster({
      ...CREATE,
      DBClusterIdentifier: 'orders',
      DBSubnetGroupName: 'two zones',
    });
    // Where its pages are; its instances may be in both zones of the group.
    expect(created.DBCluster?.AvailabilityZones).toEqual(['local-1a']);
    await settle(service);
    const writer = {
      DBInstanceIdentifier: 'w',
      DBClusterIdentifier: 'orders',
      DBInstanceClass: 'db.r6g.large',
      Engine: 'aurora-postgresql',
    };
    const restore = {
      SourceDBClusterIdentifier: 'orders',
      RestoreType: 'copy-on-write',
      UseLatestRestorableTime: true,
    };
    await expectFaults([
      [
        plane.createDBInstance({...writer, AvailabilityZone: 'local-1b'}),
        'InvalidParameterValue',
        'local-1b',
      ],
      [
        plane.restoreDBClusterToPointInTime({
          ...restore,
          DBClusterIdentifier: 'copy',
          DBSubnetGroupName: 'default',
        }),
        'InvalidVPCNetworkStateFault',
        'same Availability Zones',
      ],
      [
        plane.modifyDBSubnetGroup({
          DBSubnetGroupName: 'two zones',
          SubnetIds: ['subnet-local-1a', 'subnet-local-1b'],
        }),
        'SubnetAlreadyInUse',
        'local-1c',
      ],
      [
        plane.deleteDBSubnetGroup({DBSubnetGroupName: 'two zones'}),
        'InvalidDBSubnetGroupStateFault',
        'orders',
      ],
      [
        plane.restoreDBClusterToPointInTime({
          ...restore,
          SourceDBClusterIdentifier: `arn:aws:rds:mars-1:${ACCOUNT}:cluster:orders`,
          DBClusterIdentifier: 'copy',
        }),
        'InvalidParameterValue',
        'AWS Region of its source',
      ],
      [
        plane.createDBCluster({
          ...CREATE,
          DBClusterIdentifier: 'x',
          DBSubnetGroupName: 'two zones',
          AvailabilityZones: ['local-1b'],
        }),
        'InvalidParameterValue',
        'local-1b',
      ],
      [
        plane.createDBCluster({...CREATE, DBClusterIdentifier: 'x', DBSubnetGroupName: 'nobody'}),
        'DBSubnetGroupNotFoundFault',
        'nobody',
      ],
    ]);
    const {DBCluster} = await plane.restoreDBClusterToPointInTime({
      ...restore,
      DBClusterIdentifier: 'copy',
      DBSubnetGroupName: 'same zones',
    });
    expect(DBCluster).toMatchObject({
      DBSubnetGroup: 'same zones',
      AvailabilityZones: ['local-1a'],
    });
    const named = await plane.createDBCluster({
      ...CREATE,
      DBClusterIdentifier: 'named',
      AvailabilityZones: ['local-1c', 'local-1b'],
    });
    await settle(service);
    const {DBClusters} = await plane.describeDBClusters({DBClusterIdentifier: 'named'});
    for (const shown of [named.DBCluster, DBClusters?.[0]]) {
      expect(shown?.AvailabilityZones).toEqual(ZONES);
    }
    const {DBInstance} = await plane.createDBInstance({...writer, AvailabilityZone: 'local-1c'});
    expect(DBInstance).toMatchObject({
      AvailabilityZone: 'local-1c',
      DBSubnetGroup: {DBSubnetGroupName: 'two zones', SubnetGroupStatus: 'Complete'},
    });
    await settle(service);
  });

  test('place an instance in a zone that has a copy of its pages, if they reach one', async () => {
    const {plane} = service;
    const SubnetIds = ['subnet-local-1b', 'subnet-local-1c'];
    await plane.createDBSubnetGroup({...GROUP, SubnetIds});
    await createCluster(service, 'orders');
    await plane.createDBCluster({
      ...CREATE,
      DBClusterIdentifier: 'elsewhere',
      DBSubnetGroupName: 'two zones',
    });
    await settle(service);
    const zones: Record<string, (string | undefined)[]> = {};
    for (const cluster of ['orders', 'elsewhere']) {
      for (const name of [`${cluster}-1`, `${cluster}-2`]) {
        await createInstance(service, cluster, name);
        const {DBInstances} = await plane.describeDBInstances({DBInstanceIdentifier: name});
        (zones[cluster] ??= []).push(DBInstances?.[0]?.AvailabilityZone);
      }
    }
    expect(zones).toEqual({
      orders: ['local-1a', 'local-1a'],
      elsewhere: ['local-1b', 'local-1c'],
    });
    const {DBClusters} = await plane.describeDBClusters({});
    expect(DBClusters?.map(each => [each.DBClusterIdentifier, each.MultiAZ])).toEqual([
      ['elsewhere', true],
      ['orders', false],
    ]);
    await settle(service);
  });

  test('that make no sense are refused', async () => {
    const {plane} = service;
    const standard = {DBSubnetGroupName: 'Default'};
    const nobody = {DBSubnetGroupName: 'nobody'};
    const state = 'InvalidDBSubnetGroupStateFault';
    const notFound = 'DBSubnetGroupNotFoundFault';
    await plane.createDBSubnetGroup(GROUP);
    const many = Array.from({length: 21}, (_, index) => `subnet-${index}`);
    await expectFaults([
      [plane.createDBSubnetGroup(GROUP), 'DBSubnetGroupAlreadyExistsFault', 'two zones'],
      [plane.createDBSubnetGroup({...GROUP, ...standard}), state, 'default'],
      [plane.modifyDBSubnetGroup({...standard, SubnetIds: GROUP.SubnetIds}), state, 'default'],
      [plane.deleteDBSubnetGroup(standard), state, 'default'],
      [
        plane.createDBSubnetGroup({...GROUP, DBSubnetGroupName: 'a/b'}),
        'InvalidParameterValue',
        'a/b',
      ],
      [plane.createDBSubnetGroup({...GROUP, DBSubnetGroupName: ''}), 'MissingParameter', 'Name'],
      [
        plane.createDBSubnetGroup({...GROUP, DBSubnetGroupDescription: ''}),
        'MissingParameter',
        'Description',
      ],
      [plane.createDBSubnetGroup({...GROUP, SubnetIds: []}), 'MissingParameter', 'SubnetIds'],
      [plane.createDBSubnetGroup({...GROUP, SubnetIds: ['a b']}), 'InvalidSubnet', 'a b'],
      [
        plane.createDBSubnetGroup({...GROUP, SubnetIds: ['x-local-1a', 'y-local-1a']}),
        'DBSubnetGroupDoesNotCoverEnoughAZs',
        'local-1a',
      ],
      [
        plane.createDBSubnetGroup({...GROUP, DBSubnetGroupName: 'many', SubnetIds: many}),
        'DBSubnetQuotaExceededFault',
        '20',
      ],
      [plane.modifyDBSubnetGroup({...nobody, SubnetIds: GROUP.SubnetIds}), notFound, 'nobody'],
      [plane.deleteDBSubnetGroup(nobody), notFound, 'nobody'],
      [plane.describeDBSubnetGroups(nobody), notFound, 'nobody'],
    ]);
  });
});
