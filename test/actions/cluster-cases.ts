/** Clusters and what is done to a whole one. */
import {
  CreateDBClusterCommand,
  DeleteDBClusterCommand,
  DescribeDBClustersCommand,
  FailoverDBClusterCommand,
  ModifyDBClusterCommand,
  RestoreDBClusterToPointInTimeCommand,
  StartDBClusterCommand,
  StopDBClusterCommand,
  type CreateDBClusterMessage,
  type ModifyDBClusterMessage,
  type RestoreDBClusterToPointInTimeMessage,
} from '@aws-sdk/client-rds';
import {expect} from 'vitest';
import {CREATE} from '../../src/cluster/testing/test-service.ts';
import type {ActionCases, Context} from './context.ts';

const NOBODY = 'nobody';

const create = (c: Context, more: Partial<CreateDBClusterMessage> = {}) =>
  c.rds.send(new CreateDBClusterCommand({...CREATE, DBClusterIdentifier: c.name(), ...more}));

const modify = (c: Context, name: string, more: Partial<ModifyDBClusterMessage> = {}) =>
  c.rds.send(
    new ModifyDBClusterCommand({DBClusterIdentifier: name, ApplyImmediately: true, ...more}),
  );

const restore = (
  c: Context,
  source: string,
  more: Partial<RestoreDBClusterToPointInTimeMessage> = {},
) =>
  c.rds.send(
    new RestoreDBClusterToPointInTimeCommand({
      SourceDBClusterIdentifier: source,
      DBClusterIdentifier: c.name(),
      RestoreType: 'copy-on-write',
      UseLatestRestorableTime: true,
      ...more,
    }),
  );

const remove = (c: Context, name: string) =>
  c.rds.send(new DeleteDBClusterCommand({DBClusterIdentifier: name, SkipFinalSnapshot: true}));

async function stopped(c: Context): Promise<string> {
  const name = await c.cluster(1);
  await c.rds.send(new StopDBClusterCommand({DBClusterIdentifier: name}));
  await c.rest();
  return name;
}

export const CLUSTER_CASES: ActionCases = {
  CreateDBCluster: {
    success: async c => {
      const {DBCluster} = await create(c);
      expect(DBCluster?.Status).toBe('creating');
      await c.rest();
    },
    DBClusterAlreadyExistsFault: async c =>
      create(c, {DBClusterIdentifier: (await c.cluster()).toUpperCase()}),
    DBClusterParameterGroupNotFoundFault: c => create(c, {DBClusterParameterGroupName: NOBODY}),
    DBClusterQuotaExceededFault: async c => {
      await c.cluster();
      await c.fill('DBClusters');
      return await create(c);
    },
    DBSubnetGroupNotFoundFault: c => create(c, {DBSubnetGroupName: NOBODY}),
    InsufficientStorageClusterCapacityFault: async c => c.withoutSpace(() => create(c)),
  },
  DescribeDBClusters: {
    success: async c => {
      const name = await c.cluster();
      const {DBClusters} = await c.rds.send(
        new DescribeDBClustersCommand({DBClusterIdentifier: c.arn('cluster', name)}),
      );
      expect(DBClusters).toMatchObject([{DBClusterIdentifier: name, Status: 'available'}]);
    },
    DBClusterNotFoundFault: c =>
      c.rds.send(new DescribeDBClustersCommand({DBClusterIdentifier: NOBODY})),
  },
  ModifyDBCluster: {
    success: async c => {
      const name = await c.cluster();
      const {DBCluster} = await modify(c, name, {DeletionProtection: true});
      expect(DBCluster?.DeletionProtection).toBe(true);
    },
    DBClusterNotFoundFault: c => modify(c, NOBODY),
    DBClusterAlreadyExistsFault: async c =>
      modify(c, await c.cluster(), {NewDBClusterIdentifier: await c.cluster()}),
    DBClusterParameterGroupNotFoundFault: async c =>
      modify(c, await c.cluster(), {DBClusterParameterGroupName: NOBODY}),
    InvalidDBClusterStateFault: async c => modify(c, await stopped(c), {DeletionProtection: true}),
  },
  DeleteDBCluster: {
    success: async c => {
      const name = await c.cluster();
      const {DBCluster} = await remove(c, name);
      expect(DBCluster?.Status).toBe('deleting');
      await c.rest();
    },
    DBClusterNotFoundFault: c => remove(c, NOBODY),
    InvalidDBClusterStateFault: async c => remove(c, await c.cluster(1)),
  },
  RestoreDBClusterToPointInTime: {
    success: async c => {
      const {DBCluster} = await restore(c, await c.cluster(1));
      expect(DBCluster?.CloneGroupId).toMatch(/^clone-group-/);
      await c.rest();
    },
    DBClusterAlreadyExistsFault: async c =>
      restore(c, await c.cluster(), {DBClusterIdentifier: await c.cluster()}),
    DBClusterNotFoundFault: c => restore(c, NOBODY),
    DBClusterParameterGroupNotFoundFault: async c =>
      restore(c, await c.cluster(), {DBClusterParameterGroupName: NOBODY}),
    DBClusterQuotaExceededFault: async c => {
      const source = await c.cluster();
      await c.fill('DBClusters');
      return await restore(c, source);
    },
    DBSubnetGroupNotFoundFault: async c =>
      restore(c, await c.cluster(), {DBSubnetGroupName: NOBODY}),
    InvalidDBClusterStateFault: async c => {
      const source = await c.cluster();
      return await c.whileCreating(source, () => restore(c, source));
    },
    InvalidVPCNetworkStateFault: async c =>
      restore(c, await c.cluster(), {DBSubnetGroupName: await c.subnetGroup('a', 'b')}),
    InsufficientStorageClusterCapacityFault: async c => {
      const source = await c.cluster();
      return await c.withoutSpace(() => restore(c, source));
    },
  },
  StopDBCluster: {
    success: async c => expect(await stopped(c)).toBeDefined(),
    DBClusterNotFoundFault: c =>
      c.rds.send(new StopDBClusterCommand({DBClusterIdentifier: NOBODY})),
    InvalidDBClusterStateFault: async c =>
      c.rds.send(new StopDBClusterCommand({DBClusterIdentifier: await stopped(c)})),
  },
  StartDBCluster: {
    success: async c => {
      const name = await stopped(c);
      const {DBCluster} = await c.rds.send(new StartDBClusterCommand({DBClusterIdentifier: name}));
      expect(DBCluster?.Status).toBe('starting');
      await c.rest();
    },
    DBClusterNotFoundFault: c =>
      c.rds.send(new StartDBClusterCommand({DBClusterIdentifier: NOBODY})),
    InvalidDBClusterStateFault: async c =>
      c.rds.send(new StartDBClusterCommand({DBClusterIdentifier: await c.cluster()})),
  },
  FailoverDBCluster: {
    success: async c => {
      const name = await c.cluster(2);
      const {DBCluster} = await c.rds.send(
        new FailoverDBClusterCommand({DBClusterIdentifier: name}),
      );
      const writer = DBCluster?.DBClusterMembers?.find(member => member.IsClusterWriter);
      expect(writer?.DBInstanceIdentifier).toBe(`${name}-1`);
      await c.rest();
    },
    DBClusterNotFoundFault: c =>
      c.rds.send(new FailoverDBClusterCommand({DBClusterIdentifier: NOBODY})),
    InvalidDBClusterStateFault: async c =>
      c.rds.send(new FailoverDBClusterCommand({DBClusterIdentifier: await c.cluster(1)})),
    InvalidDBInstanceStateFault: async c => {
      const name = await c.cluster(2);
      return await c.rds.send(
        new FailoverDBClusterCommand({
          DBClusterIdentifier: name,
          TargetDBInstanceIdentifier: `${name}-0`,
        }),
      );
    },
  },
};
