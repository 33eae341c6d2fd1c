/** Instances, their logs, and custom endpoints. */
import {
  CreateDBClusterEndpointCommand,
  CreateDBInstanceCommand,
  DeleteDBClusterEndpointCommand,
  DeleteDBInstanceCommand,
  DescribeDBClusterEndpointsCommand,
  DescribeDBInstancesCommand,
  DescribeDBLogFilesCommand,
  DownloadDBLogFilePortionCommand,
  ModifyDBClusterEndpointCommand,
  ModifyDBInstanceCommand,
  RebootDBInstanceCommand,
  StopDBClusterCommand,
  type CreateDBInstanceMessage,
  type ModifyDBInstanceMessage,
} from '@aws-sdk/client-rds';
import {expect} from 'vitest';
import {CREATE} from '../../src/cluster/testing/test-service.ts';
import type {ActionCases, Context} from './context.ts';

const NOBODY = 'nobody';

const create = (c: Context, cluster: string, more: Partial<CreateDBInstanceMessage> = {}) =>
  c.rds.send(
    new CreateDBInstanceCommand({
      DBInstanceIdentifier: c.name(),
      DBClusterIdentifier: cluster,
      DBInstanceClass: 'db.r6g.large',
      Engine: CREATE.Engine,
      ...more,
    }),
  );

const modify = (c: Context, name: string, more: Partial<ModifyDBInstanceMessage> = {}) =>
  c.rds.send(
    new ModifyDBInstanceCommand({DBInstanceIdentifier: name, ApplyImmediately: true, ...more}),
  );

const remove = (c: Context, name: string) =>
  c.rds.send(new DeleteDBInstanceCommand({DBInstanceIdentifier: name}));

const reboot = (c: Context, name: string) =>
  c.rds.send(new RebootDBInstanceCommand({DBInstanceIdentifier: name}));

/** The writer of a new cluster. */
const writer = async (c: Context): Promise<string> => `${await c.cluster(1)}-0`;

async function stopped(c: Context, instances = 1): Promise<string> {
  const name = await c.cluster(instances);
  await c.rds.send(new StopDBClusterCommand({DBClusterIdentifier: name}));
  await c.rest();
  return name;
}

/** What is done to one on its way to the end. */
async function whileDeleting(
  c: Context,
  work: (name: string) => Promise<unknown>,
): Promise<unknown> {
  const name = await writer(c);
  return await c.whileDeleting(name, () => work(name));
}

const endpoint = (c: Context, cluster: string, more: object = {}) =>
  c.rds.send(
    new CreateDBClusterEndpointCommand({
      DBClusterIdentifier: cluster,
      DBClusterEndpointIdentifier: c.name(),
      EndpointType: 'ANY',
      ...more,
    }),
  );

async function endpointOf(c: Context, cluster: string): Promise<string> {
  const name = c.name();
  await endpoint(c, cluster, {DBClusterEndpointIdentifier: name});
  return name;
}

async function endpointOfStopped(c: Context): Promise<string> {
  const cluster = await c.cluster(1);
  const name = await endpointOf(c, cluster);
  await c.rds.send(new StopDBClusterCommand({DBClusterIdentifier: cluster}));
  await c.rest();
  return name;
}

const modifyEndpoint = (c: Context, name: string, more: object = {}) =>
  c.rds.send(new ModifyDBClusterEndpointCommand({DBClusterEndpointIdentifier: name, ...more}));

const removeEndpoint = (c: Context, name: string) =>
  c.rds.send(new DeleteDBClusterEndpointCommand({DBClusterEndpointIdentifier: name}));

export const INSTANCE_CASES: ActionCases = {
  CreateDBInstance: {
    success: async c => {
      const {DBInstance} = await create(c, await c.cluster());
      expect(DBInstance?.DBInstanceStatus).toBe('creating');
      await c.rest();
    },
    DBInstanceAlreadyExistsFault: async c => {
      const cluster = await c.cluster(1);
      return await create(c, cluster, {DBInstanceIdentifier: `${cluster}-0`});
    },
    DBClusterNotFoundFault: c => create(c, NOBODY),
    DBParameterGroupNotFoundFault: async c =>
      create(c, await c.cluster(), {DBParameterGroupName: NOBODY}),
    InstanceQuotaExceededFault: async c => {
      const cluster = await c.cluster(1);
      await c.fill('DBInstances');
      return await create(c, cluster);
    },
    InsufficientDBInstanceCapacityFault: async c => {
      const cluster = await c.cluster();
      return await c.withoutSpace(() => create(c, cluster));
    },
    InvalidDBClusterStateFault: async c => create(c, await stopped(c)),
  },
  DescribeDBInstances: {
    success: async c => {
      const name = await writer(c);
      const {DBInstances} = await c.rds.send(
        new DescribeDBInstancesCommand({DBInstanceIdentifier: name}),
      );
      expect(DBInstances).toMatchObject([{DBInstanceStatus: 'available'}]);
    },
    DBInstanceNotFoundFault: c =>
      c.rds.send(new DescribeDBInstancesCommand({DBInstanceIdentifier: NOBODY})),
  },
  ModifyDBInstance: {
    success: async c => {
      const {DBInstance} = await modify(c, await writer(c), {PromotionTier: 7});
      expect(DBInstance?.PromotionTier).toBe(7);
    },
    DBInstanceNotFoundFault: c => modify(c, NOBODY),
    DBInstanceAlreadyExistsFault: async c =>
      modify(c, await writer(c), {NewDBInstanceIdentifier: await writer(c)}),
    DBParameterGroupNotFoundFault: async c =>
      modify(c, await writer(c), {DBParameterGroupName: NOBODY}),
    InvalidDBClusterStateFault: async c => modify(c, `${await stopped(c)}-0`, {PromotionTier: 7}),
    InvalidDBInstanceStateFault: c => whileDeleting(c, name => modify(c, name, {PromotionTier: 7})),
  },
  RebootDBInstance: {
    success: async c => {
      const {DBInstance} = await reboot(c, await writer(c));
      expect(DBInstance?.DBInstanceStatus).toBe('rebooting');
      await c.rest();
    },
    DBInstanceNotFoundFault: c => reboot(c, NOBODY),
    InvalidDBInstanceStateFault: c => whileDeleting(c, name => reboot(c, name)),
  },
  DeleteDBInstance: {
    success: async c => {
      const {DBInstance} = await remove(c, await writer(c));
      expect(DBInstance?.DBInstanceStatus).toBe('deleting');
      await c.rest();
    },
    DBInstanceNotFoundFault: c => remove(c, NOBODY),
    InvalidDBClusterStateFault: async c => remove(c, `${await stopped(c)}-0`),
    InvalidDBInstanceStateFault: c => whileDeleting(c, name => remove(c, name)),
  },
  DescribeDBLogFiles: {
    success: async c => {
      const {DescribeDBLogFiles} = await c.rds.send(
        new DescribeDBLogFilesCommand({DBInstanceIdentifier: await writer(c)}),
      );
      // The stand-in of an engine writes none.
      expect(DescribeDBLogFiles).toEqual([]);
    },
    DBInstanceNotFoundFault: c =>
      c.rds.send(new DescribeDBLogFilesCommand({DBInstanceIdentifier: NOBODY})),
  },
  DownloadDBLogFilePortion: {
    success: async c => {
      const name = await writer(c);
      const LogFileName = c.writeLog(name, 'LOG:  ready\n');
      const {LogFileData} = await c.rds.send(
        new DownloadDBLogFilePortionCommand({DBInstanceIdentifier: name, LogFileName, Marker: '0'}),
      );
      expect(LogFileData).toBe('LOG:  ready\n');
    },
    DBInstanceNotFoundFault: c =>
      c.rds.send(
        new DownloadDBLogFilePortionCommand({DBInstanceIdentifier: NOBODY, LogFileName: 'a'}),
      ),
    DBLogFileNotFoundFault: async c =>
      c.rds.send(
        new DownloadDBLogFilePortionCommand({
          DBInstanceIdentifier: await writer(c),
          LogFileName: 'error/none.log',
        }),
      ),
  },
  CreateDBClusterEndpoint: {
    success: async c => {
      const {Status, Endpoint} = await endpoint(c, await c.cluster());
      expect({Status, Endpoint}).toEqual({Status: 'available', Endpoint: expect.any(String)});
    },
    DBClusterEndpointAlreadyExistsFault: async c => {
      const cluster = await c.cluster();
      const name = await endpointOf(c, cluster);
      return await endpoint(c, cluster, {DBClusterEndpointIdentifier: name});
    },
    DBClusterEndpointQuotaExceededFault: async c => {
      const cluster = await c.cluster();
      for (let i = 0; i < 5; i++) await endpoint(c, cluster);
      return await endpoint(c, cluster);
    },
    DBClusterNotFoundFault: c => endpoint(c, NOBODY),
    DBInstanceNotFoundFault: async c => endpoint(c, await c.cluster(), {StaticMembers: [NOBODY]}),
    InvalidDBClusterStateFault: async c => endpoint(c, await stopped(c)),
    InvalidDBInstanceStateFault: async c =>
      endpoint(c, await c.cluster(), {StaticMembers: [await writer(c)]}),
  },
  DescribeDBClusterEndpoints: {
    success: async c => {
      const {DBClusterEndpoints} = await c.rds.send(
        new DescribeDBClusterEndpointsCommand({DBClusterIdentifier: await c.cluster()}),
      );
      expect(DBClusterEndpoints?.map(each => each.EndpointType)).toEqual(['WRITER', 'READER']);
    },
    DBClusterNotFoundFault: c =>
      c.rds.send(new DescribeDBClusterEndpointsCommand({DBClusterIdentifier: NOBODY})),
  },
  ModifyDBClusterEndpoint: {
    success: async c => {
      const {CustomEndpointType} = await modifyEndpoint(c, await endpointOf(c, await c.cluster()), {
        EndpointType: 'READER',
      });
      expect(CustomEndpointType).toBe('READER');
    },
    DBClusterEndpointNotFoundFault: c => modifyEndpoint(c, NOBODY),
    DBInstanceNotFoundFault: async c =>
      modifyEndpoint(c, await endpointOf(c, await c.cluster()), {StaticMembers: [NOBODY]}),
    InvalidDBClusterStateFault: async c => modifyEndpoint(c, await endpointOfStopped(c)),
    InvalidDBInstanceStateFault: async c =>
      modifyEndpoint(c, await endpointOf(c, await c.cluster()), {
        StaticMembers: [await writer(c)],
      }),
  },
  DeleteDBClusterEndpoint: {
    success: async c => {
      const {Status} = await removeEndpoint(c, await endpointOf(c, await c.cluster()));
      expect(Status).toBe('deleting');
    },
    DBClusterEndpointNotFoundFault: c => removeEndpoint(c, NOBODY),
    InvalidDBClusterStateFault: async c => removeEndpoint(c, await endpointOfStopped(c)),
  },
};
