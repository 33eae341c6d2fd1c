/** Parameter groups and subnet groups. */
import {
  CopyDBClusterParameterGroupCommand,
  CopyDBParameterGroupCommand,
  CreateDBClusterParameterGroupCommand,
  CreateDBParameterGroupCommand,
  CreateDBSubnetGroupCommand,
  DeleteDBClusterParameterGroupCommand,
  DeleteDBParameterGroupCommand,
  DeleteDBSubnetGroupCommand,
  DescribeDBClusterParameterGroupsCommand,
  DescribeDBClusterParametersCommand,
  DescribeDBParameterGroupsCommand,
  DescribeDBParametersCommand,
  DescribeDBSubnetGroupsCommand,
  DescribeEngineDefaultClusterParametersCommand,
  DescribeEngineDefaultParametersCommand,
  ModifyDBClusterParameterGroupCommand,
  ModifyDBInstanceCommand,
  ModifyDBParameterGroupCommand,
  ModifyDBSubnetGroupCommand,
  ResetDBClusterParameterGroupCommand,
  ResetDBParameterGroupCommand,
} from '@aws-sdk/client-rds';
import {expect} from 'vitest';
import {FAMILY, type ActionCases, type Context} from './context.ts';

const NOBODY = 'nobody';
const DEFAULT = `default.${FAMILY}`;
const CHANGE = [
  {ParameterName: 'work_mem', ParameterValue: '8192', ApplyMethod: 'immediate'},
] as const;

const createCluster = (c: Context, name = c.name()) =>
  c.rds.send(
    new CreateDBClusterParameterGroupCommand({
      DBClusterParameterGroupName: name,
      DBParameterGroupFamily: FAMILY,
      Description: 'of a case',
    }),
  );

const createInstance = (c: Context, name = c.name()) =>
  c.rds.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: name,
      DBParameterGroupFamily: FAMILY,
      Description: 'of a case',
    }),
  );

async function clusterGroup(c: Context): Promise<string> {
  const {DBClusterParameterGroup} = await createCluster(c);
  return DBClusterParameterGroup?.DBClusterParameterGroupName ?? '';
}

async function instanceGroup(c: Context): Promise<string> {
  const {DBParameterGroup} = await createInstance(c);
  return DBParameterGroup?.DBParameterGroupName ?? '';
}

const copyCluster = (c: Context, source: string, name = c.name()) =>
  c.rds.send(
    new CopyDBClusterParameterGroupCommand({
      SourceDBClusterParameterGroupIdentifier: source,
      TargetDBClusterParameterGroupIdentifier: name,
      TargetDBClusterParameterGroupDescription: 'a copy',
    }),
  );

const copyInstance = (c: Context, source: string, name = c.name()) =>
  c.rds.send(
    new CopyDBParameterGroupCommand({
      SourceDBParameterGroupIdentifier: source,
      TargetDBParameterGroupIdentifier: name,
      TargetDBParameterGroupDescription: 'a copy',
    }),
  );

const modifyCluster = (c: Context, name: string) =>
  c.rds.send(
    new ModifyDBClusterParameterGroupCommand({
      DBClusterParameterGroupName: name,
      Parameters: [...CHANGE],
    }),
  );

const modifyInstance = (c: Context, name: string) =>
  c.rds.send(
    new ModifyDBParameterGroupCommand({DBParameterGroupName: name, Parameters: [...CHANGE]}),
  );

const resetCluster = (c: Context, name: string) =>
  c.rds.send(
    new ResetDBClusterParameterGroupCommand({
      DBClusterParameterGroupName: name,
      ResetAllParameters: true,
    }),
  );

const resetInstance = (c: Context, name: string) =>
  c.rds.send(
    new ResetDBParameterGroupCommand({DBParameterGroupName: name, ResetAllParameters: true}),
  );

const removeCluster = (c: Context, name: string) =>
  c.rds.send(new DeleteDBClusterParameterGroupCommand({DBClusterParameterGroupName: name}));

const removeInstance = (c: Context, name: string) =>
  c.rds.send(new DeleteDBParameterGroupCommand({DBParameterGroupName: name}));

async function usedClusterGroup(c: Context): Promise<string> {
  const name = await clusterGroup(c);
  await c.cluster(0, {DBClusterParameterGroupName: name});
  return name;
}

async function usedInstanceGroup(c: Context): Promise<string> {
  const name = await instanceGroup(c);
  await c.rds.send(
    new ModifyDBInstanceCommand({
      DBInstanceIdentifier: `${await c.cluster(1)}-0`,
      DBParameterGroupName: name,
      ApplyImmediately: true,
    }),
  );
  await c.rest();
  return name;
}

/** The value that a group's own change gave. */
async function valueIn(c: Context, group: string): Promise<string | undefined> {
  const {Parameters} = await c.rds.send(
    new DescribeDBClusterParametersCommand({DBClusterParameterGroupName: group, Source: 'user'}),
  );
  return Parameters?.find(each => each.ParameterName === 'work_mem')?.ParameterValue;
}

export const PARAMETER_GROUP_CASES: ActionCases = {
  CreateDBClusterParameterGroup: {
    success: createCluster,
    DBParameterGroupAlreadyExistsFault: async c => createCluster(c, await clusterGroup(c)),
    DBParameterGroupQuotaExceededFault: async c => {
      await clusterGroup(c);
      await c.fill('DBClusterParameterGroups');
      return await createCluster(c);
    },
  },
  CreateDBParameterGroup: {
    success: createInstance,
    DBParameterGroupAlreadyExistsFault: async c => createInstance(c, await instanceGroup(c)),
    DBParameterGroupQuotaExceededFault: async c => {
      await instanceGroup(c);
      await c.fill('DBParameterGroups');
      return await createInstance(c);
    },
  },
  CopyDBClusterParameterGroup: {
    success: async c => {
      const source = await clusterGroup(c);
      await modifyCluster(c, source);
      const {DBClusterParameterGroup} = await copyCluster(c, source);
      expect(await valueIn(c, DBClusterParameterGroup?.DBClusterParameterGroupName ?? '')).toBe(
        '8192',
      );
    },
    DBParameterGroupAlreadyExistsFault: async c =>
      copyCluster(c, await clusterGroup(c), await clusterGroup(c)),
    DBParameterGroupNotFoundFault: c => copyCluster(c, NOBODY),
    DBParameterGroupQuotaExceededFault: async c => {
      const source = await clusterGroup(c);
      await c.fill('DBClusterParameterGroups');
      return await copyCluster(c, source);
    },
  },
  CopyDBParameterGroup: {
    success: async c => copyInstance(c, await instanceGroup(c)),
    DBParameterGroupAlreadyExistsFault: async c =>
      copyInstance(c, await instanceGroup(c), await instanceGroup(c)),
    DBParameterGroupNotFoundFault: c => copyInstance(c, NOBODY),
    DBParameterGroupQuotaExceededFault: async c => {
      const source = await instanceGroup(c);
      await c.fill('DBParameterGroups');
      return await copyInstance(c, source);
    },
  },
  DescribeDBClusterParameterGroups: {
    success: async c => {
      const {DBClusterParameterGroups} = await c.rds.send(
        new DescribeDBClusterParameterGroupsCommand({DBClusterParameterGroupName: DEFAULT}),
      );
      expect(DBClusterParameterGroups).toMatchObject([{DBParameterGroupFamily: FAMILY}]);
    },
    DBParameterGroupNotFoundFault: c =>
      c.rds.send(
        new DescribeDBClusterParameterGroupsCommand({DBClusterParameterGroupName: NOBODY}),
      ),
  },
  DescribeDBParameterGroups: {
    success: async c => {
      const {DBParameterGroups} = await c.rds.send(
        new DescribeDBParameterGroupsCommand({DBParameterGroupName: DEFAULT}),
      );
      expect(DBParameterGroups).toMatchObject([{DBParameterGroupFamily: FAMILY}]);
    },
    DBParameterGroupNotFoundFault: c =>
      c.rds.send(new DescribeDBParameterGroupsCommand({DBParameterGroupName: NOBODY})),
  },
  DescribeDBClusterParameters: {
    success: async c => {
      const {Parameters} = await c.rds.send(
        new DescribeDBClusterParametersCommand({DBClusterParameterGroupName: DEFAULT}),
      );
      expect(Parameters).toContainEqual(expect.objectContaining({ParameterName: 'work_mem'}));
    },
    DBParameterGroupNotFoundFault: c =>
      c.rds.send(new DescribeDBClusterParametersCommand({DBClusterParameterGroupName: NOBODY})),
  },
  DescribeDBParameters: {
    success: async c => {
      const {Parameters} = await c.rds.send(
        new DescribeDBParametersCommand({DBParameterGroupName: DEFAULT}),
      );
      expect(Parameters).toContainEqual(expect.objectContaining({ParameterName: 'work_mem'}));
    },
    DBParameterGroupNotFoundFault: c =>
      c.rds.send(new DescribeDBParametersCommand({DBParameterGroupName: NOBODY})),
  },
  DescribeEngineDefaultClusterParameters: {
    success: async c => {
      const {EngineDefaults} = await c.rds.send(
        new DescribeEngineDefaultClusterParametersCommand({DBParameterGroupFamily: FAMILY}),
      );
      expect(EngineDefaults?.DBParameterGroupFamily).toBe(FAMILY);
    },
  },
  DescribeEngineDefaultParameters: {
    success: async c => {
      const {EngineDefaults} = await c.rds.send(
        new DescribeEngineDefaultParametersCommand({DBParameterGroupFamily: FAMILY}),
      );
      expect(EngineDefaults?.DBParameterGroupFamily).toBe(FAMILY);
    },
  },
  ModifyDBClusterParameterGroup: {
    success: async c => {
      const name = await clusterGroup(c);
      await modifyCluster(c, name);
      expect(await valueIn(c, name)).toBe('8192');
    },
    DBParameterGroupNotFoundFault: c => modifyCluster(c, NOBODY),
    InvalidDBParameterGroupStateFault: c => modifyCluster(c, DEFAULT),
  },
  ModifyDBParameterGroup: {
    success: async c => modifyInstance(c, await instanceGroup(c)),
    DBParameterGroupNotFoundFault: c => modifyInstance(c, NOBODY),
    InvalidDBParameterGroupStateFault: c => modifyInstance(c, DEFAULT),
  },
  ResetDBClusterParameterGroup: {
    success: async c => {
      const name = await clusterGroup(c);
      await modifyCluster(c, name);
      await resetCluster(c, name);
      expect(await valueIn(c, name)).toBeUndefined();
    },
    DBParameterGroupNotFoundFault: c => resetCluster(c, NOBODY),
    InvalidDBParameterGroupStateFault: c => resetCluster(c, DEFAULT),
  },
  ResetDBParameterGroup: {
    success: async c => resetInstance(c, await instanceGroup(c)),
    DBParameterGroupNotFoundFault: c => resetInstance(c, NOBODY),
    InvalidDBParameterGroupStateFault: c => resetInstance(c, DEFAULT),
  },
  DeleteDBClusterParameterGroup: {
    success: async c => removeCluster(c, await clusterGroup(c)),
    DBParameterGroupNotFoundFault: c => removeCluster(c, NOBODY),
    InvalidDBParameterGroupStateFault: async c => removeCluster(c, await usedClusterGroup(c)),
  },
  DeleteDBParameterGroup: {
    success: async c => removeInstance(c, await instanceGroup(c)),
    DBParameterGroupNotFoundFault: c => removeInstance(c, NOBODY),
    InvalidDBParameterGroupStateFault: async c => removeInstance(c, await usedInstanceGroup(c)),
  },
};

const createSubnets = (c: Context, subnets: readonly string[], name = c.name()) =>
  c.rds.send(
    new CreateDBSubnetGroupCommand({
      DBSubnetGroupName: name,
      DBSubnetGroupDescription: 'of a case',
      SubnetIds: [...subnets],
    }),
  );

const modifySubnets = (c: Context, name: string, subnets: readonly string[]) =>
  c.rds.send(new ModifyDBSubnetGroupCommand({DBSubnetGroupName: name, SubnetIds: [...subnets]}));

const removeSubnets = (c: Context, name: string) =>
  c.rds.send(new DeleteDBSubnetGroupCommand({DBSubnetGroupName: name}));

const A = 'subnet-local-1a';
const B = 'subnet-local-1b';
const C = 'subnet-local-1c';
const TOO_MANY = Array.from({length: 21}, (_, i) => `subnet-${i}`);

async function usedSubnets(c: Context): Promise<string> {
  const name = await c.subnetGroup('a', 'b', 'c');
  await c.cluster(0, {DBSubnetGroupName: name});
  return name;
}

export const SUBNET_GROUP_CASES: ActionCases = {
  CreateDBSubnetGroup: {
    success: async c => {
      const {DBSubnetGroup} = await createSubnets(c, [A, B]);
      expect(DBSubnetGroup?.Subnets).toHaveLength(2);
    },
    DBSubnetGroupAlreadyExistsFault: async c =>
      createSubnets(c, [A, B], await c.subnetGroup('a', 'b')),
    DBSubnetGroupDoesNotCoverEnoughAZs: c => createSubnets(c, [A]),
    DBSubnetGroupQuotaExceededFault: async c => {
      await c.subnetGroup('a', 'b');
      await c.fill('DBSubnetGroups');
      return await createSubnets(c, [A, B]);
    },
    DBSubnetQuotaExceededFault: c => createSubnets(c, TOO_MANY),
    InvalidSubnet: c => createSubnets(c, [A, 'no subnet']),
  },
  DescribeDBSubnetGroups: {
    success: async c => {
      const name = await c.subnetGroup('a', 'b');
      const {DBSubnetGroups} = await c.rds.send(
        new DescribeDBSubnetGroupsCommand({DBSubnetGroupName: name}),
      );
      expect(DBSubnetGroups).toMatchObject([{SubnetGroupStatus: 'Complete'}]);
    },
    DBSubnetGroupNotFoundFault: c =>
      c.rds.send(new DescribeDBSubnetGroupsCommand({DBSubnetGroupName: NOBODY})),
  },
  ModifyDBSubnetGroup: {
    success: async c => {
      const {DBSubnetGroup} = await modifySubnets(c, await c.subnetGroup('a', 'b'), [A, C]);
      expect(DBSubnetGroup?.Subnets?.map(each => each.SubnetIdentifier)).toEqual([A, C]);
    },
    DBSubnetGroupDoesNotCoverEnoughAZs: async c =>
      modifySubnets(c, await c.subnetGroup('a', 'b'), [B]),
    DBSubnetGroupNotFoundFault: c => modifySubnets(c, NOBODY, [A, B]),
    DBSubnetQuotaExceededFault: async c =>
      modifySubnets(c, await c.subnetGroup('a', 'b'), TOO_MANY),
    InvalidDBSubnetGroupStateFault: c => modifySubnets(c, 'default', [A, B]),
    InvalidSubnet: async c => modifySubnets(c, await c.subnetGroup('a', 'b'), [A, 'no subnet']),
    SubnetAlreadyInUse: async c => modifySubnets(c, await usedSubnets(c), [A, B]),
  },
  DeleteDBSubnetGroup: {
    success: async c => removeSubnets(c, await c.subnetGroup('a', 'b')),
    DBSubnetGroupNotFoundFault: c => removeSubnets(c, NOBODY),
    InvalidDBSubnetGroupStateFault: async c => removeSubnets(c, await usedSubnets(c)),
  },
};
