import {mkdtempSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {once} from 'node:events';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {ask} from './testing/line-client.ts';
import {
  clone,
  CREATE,
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

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-cluster-'));
  service = await openTestService(directory);
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function reopen(): Promise<void> {
  await service.close();
  service = await openTestService(directory);
}

async function status(name: string): Promise<string | undefined> {
  const {DBClusters} = await service.plane.describeDBClusters({DBClusterIdentifier: name});
  return DBClusters?.[0]?.Status;
}

describe('a DB cluster', () => {
  test('is creating, then available, and serves through both endpoints', async () => {
    const port = await createCluster(service, 'Orders');
    expect(await status('orders')).toBe('creating');
    await createWriter(service, 'orders');
    await settle(service);
    expect(await ask(port, 'put a')).toBe('ok');
    const {DBInstances} = await service.plane.describeDBInstances({});
    expect(await ask(DBInstances?.[0]?.Endpoint?.Port ?? 0, 'get')).toBe('golden a');
    expect(DBInstances?.[0]).toMatchObject({
      DBInstanceIdentifier: 'orders-writer',
      DBInstanceStatus: 'available',
      DBInstanceArn: 'arn:aws:rds:local-1:123456789012:db:orders-writer',
      DBClusterIdentifier: 'orders',
    });
    const {DBClusters} = await service.plane.describeDBClusters({});
    expect(DBClusters?.[0]).toMatchObject({
      DBClusterIdentifier: 'orders',
      DBClusterArn: 'arn:aws:rds:local-1:123456789012:cluster:orders',
      Status: 'available',
      Endpoint: '127.0.0.1',
      Port: port,
      EngineVersion: '18.4',
      MasterUsername: 'owner',
      DBClusterMembers: [{DBInstanceIdentifier: 'orders-writer', IsClusterWriter: true}],
    });
  });

  test('begins from one golden volume, which is filled once', async () => {
    await Promise.all([createCluster(service, 'a'), createCluster(service, 'b')]);
    await settle(service);
    await createCluster(service, 'c');
    await settle(service);
    expect(service.instances.launched.map(config => config.role)).toEqual(['golden']);
    expect(service.storage.listVolumes()).toHaveLength(4);
  });

  test('whose engine cannot initialise fails with the reason, and can be deleted', async () => {
    service.instances.failWith = 'initdb: no such library';
    await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await until(async () => (await status('orders')) === 'failed');
    const {clusters} = await service.plane.clusterReports({fresh: false});
    expect(clusters[0]?.statusReason).toContain('no such library');
    await until(() => service.catalog.instances.get('orders-writer')?.status === 'failed');
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'orders-writer'});
    await service.plane.deleteDBCluster({DBClusterIdentifier: 'orders', SkipFinalSnapshot: true});
    await until(() => service.catalog.clusters.list().length === 0);
    expect(service.storage.listVolumes()).toEqual([]);
  });

  test('comes back with its ports and data when the service is opened again', async () => {
    const port = await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    await ask(port, 'put a');
    await reopen();
    expect(await ask(port, 'get')).toBe('golden a');
    expect(service.instances.launched[0]).toMatchObject({firstStart: false, master: null});
  });

  test('leaves no volume behind of a fork that ended after it was given up', async () => {
    await createCluster(service, 'orders');
    await settle(service);
    const volume = service.catalog.clusters.get('orders')?.volume ?? 0;
    // The cluster that was to have it was recorded before the fork, and is gone.
    service.catalog.transaction(() => service.catalog.noteVolume(99));
    service.storage.fork(volume, 99);
    await reopen();
    expect(service.storage.listVolumes()).not.toContain(99);
    expect(service.storage.listVolumes()).toContain(volume);
  });

  test('keeps its database once it was made, even if somebody drops it', async () => {
    const {DBCluster} = await service.plane.createDBCluster({
      ...CREATE,
      DBClusterIdentifier: 'orders',
      DatabaseName: 'shop',
    });
    await createWriter(service, 'orders');
    await settle(service);
    expect(await ask(DBCluster?.Port ?? 0, 'get')).toBe('golden database:shop');
    await reopen();
    await settle(service);
    expect(service.instances.launched[0]?.databaseName).toBeNull();
  });

  test('without an instance tells clients so', async () => {
    const port = await createCluster(service, 'orders');
    expect(await ask(port, 'get').catch(String)).toContain('has no DB instance');
  });

  test('lets its master password be changed while it runs, and when it does not', async () => {
    await createCluster(service, 'orders');
    await settle(service);
    const modify = {DBClusterIdentifier: 'orders', MasterUserPassword: 'a-longer-password'};
    await service.plane.modifyDBCluster(modify);
    await settle(service);
    await createWriter(service, 'orders');
    await settle(service);
    expect(service.instances.launched.at(-1)?.master).toEqual({
      name: 'owner',
      verifier: 'verifier of 17 characters',
    });
    await service.plane.modifyDBCluster({...modify, MasterUserPassword: 'the-newest-password'});
    expect(await status('orders')).toBe('modifying');
    await settle(service);
    expect(service.instances.masters).toEqual(['verifier of 19 characters']);
    await reopen();
    await settle(service);
    expect(service.instances.launched[0]?.master).toBeNull();
  });
});

describe('a clone', () => {
  test('has all that was acknowledged before the call, and goes its own way after', async () => {
    const port = await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    await ask(port, 'put a');
    const clonePort = await clone(service, 'orders', 'orders-clone');
    await ask(port, 'put b');
    await createWriter(service, 'orders-clone');
    await settle(service);
    await ask(clonePort, 'put c');
    expect(await ask(port, 'get')).toBe('golden a b');
    expect(await ask(clonePort, 'get')).toBe('golden a c');
    expect(service.instances.launched.at(-1)).toMatchObject({firstStart: true, master: null});
  });

  test('of a cluster without instances, and of a clone, works the same', async () => {
    await createCluster(service, 'orders');
    await settle(service);
    await clone(service, 'orders', 'one');
    const port = await clone(service, 'one', 'two');
    await createWriter(service, 'two');
    await settle(service);
    expect(await ask(port, 'get')).toBe('golden');
    const groups = new Set(service.catalog.clusters.list().map(cluster => cluster.cloneGroupId));
    expect(groups.size).toBe(1);
    const {clusters} = await service.plane.clusterReports({fresh: true});
    expect(clusters.map(each => [each.identifier, each.clonedFrom])).toEqual([
      ['one', 'orders'],
      ['orders', null],
      ['two', 'one'],
    ]);
  });

  test('takes the master user that its source never had to set', async () => {
    await createCluster(service, 'orders');
    await settle(service);
    await clone(service, 'orders', 'copy');
    await createWriter(service, 'copy');
    await settle(service);
    expect(service.instances.launched.at(-1)?.master?.name).toBe('owner');
  });

  test('survives its source', async () => {
    const port = await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    await ask(port, 'put a');
    const clonePort = await clone(service, 'orders', 'copy');
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'orders-writer'});
    await service.plane.deleteDBCluster({DBClusterIdentifier: 'orders', SkipFinalSnapshot: true});
    await until(() => service.catalog.clusters.get('orders') === undefined);
    await createWriter(service, 'copy');
    await settle(service);
    expect(await ask(clonePort, 'get')).toBe('golden a');
    await until(() => service.storage.sweeps >= 2);
    expect(service.storage.listVolumes()).toHaveLength(2);
  });

  test('is made all the same when the writer dies during the fork', async () => {
    const port = await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    await ask(port, 'put a');
    let deaths = 0;
    service.instances.onFork = () => {
      if (deaths++ > 0) return;
      service.instances.handles.at(-1)?.kill();
      throw new Error('the writer died');
    };
    const clonePort = await clone(service, 'orders', 'copy');
    expect(deaths).toBeGreaterThanOrEqual(1);
    await createWriter(service, 'copy');
    await settle(service);
    expect(await ask(clonePort, 'get')).toBe('golden a');
  });

  test('that cannot be made leaves nothing behind', async () => {
    await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    service.instances.onFork = () => {
      throw new Error('no space left on device');
    };
    const fault = await faultOf(clone(service, 'orders', 'copy'));
    expect(fault.message).toContain('no space left');
    await until(() => service.catalog.clusters.get('copy') === undefined);
    expect(service.storage.listVolumes()).toHaveLength(2);
  }, 20_000);

  test('several at once of one source are all right', async () => {
    const port = await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await createCluster(service, 'idle');
    await settle(service);
    await ask(port, 'put a');
    const names = Array.from({length: 8}, (_, index) => `copy-${index}`);
    const calls = names.map((name, index) =>
      clone(service, index % 2 === 0 ? 'orders' : 'idle', name),
    );
    const ports = new Set(await Promise.all(calls));
    expect(ports.size).toBe(8);
    const records = names.map(name => service.catalog.clusters.get(name));
    expect(records.map(record => service.storage.read(record?.volume ?? 0).join(' '))).toEqual(
      names.map((_, index) => (index % 2 === 0 ? 'golden a' : 'golden')),
    );
  });

  test('two calls for one name make one clone', async () => {
    await createCluster(service, 'orders');
    await settle(service);
    const calls = [clone(service, 'orders', 'copy'), clone(service, 'orders', 'COPY')];
    const results = await Promise.all(calls.map(faultOf));
    expect(results.map(result => result.code).sort()).toEqual([
      'DBClusterAlreadyExistsFault',
      'none',
    ]);
    expect(service.storage.listVolumes()).toHaveLength(3);
  });
});

describe('an instance', () => {
  test('that dies starts again by itself at the same addresses', async () => {
    const port = await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    await ask(port, 'put a');
    service.instances.handles.at(-1)?.kill();
    await until(() => service.instances.handles.length === 3);
    expect(await ask(port, 'get')).toBe('golden a');
    await settle(service);
  });

  test('that does not start is failed with the reason, and recovers when the cause is gone', async () => {
    const port = await createCluster(service, 'orders');
    await settle(service);
    service.instances.failWith = 'could not bind: the log says why';
    await createWriter(service, 'orders');
    await until(() => service.catalog.instances.get('orders-writer')?.status === 'failed');
    const {DBInstances} = await service.plane.describeDBInstances({});
    expect(DBInstances?.[0]?.StatusInfos?.[0]?.Message).toContain('the log says why');
    expect(await ask(port, 'get').catch(String)).toContain('does not start');
    await clone(service, 'orders', 'rescue');
    service.instances.failWith = null;
    await until(() => service.catalog.instances.get('orders-writer')?.status === 'available');
    expect(await ask(port, 'get')).toBe('golden');
  });

  test('is deleted while its cluster keeps the data', async () => {
    const port = await createCluster(service, 'orders');
    await createWriter(service, 'orders');
    await settle(service);
    await ask(port, 'put a');
    await service.plane.deleteDBInstance({DBInstanceIdentifier: 'orders-writer'});
    await until(() => service.catalog.instances.list().length === 0);
    expect(await ask(port, 'get').catch(String)).toContain('has no DB instance');
    await createWriter(service, 'orders');
    await settle(service);
    expect(await ask(port, 'get')).toBe('golden a');
  });
});

describe('faults', () => {
  test('come with the code and words of RDS', async () => {
    const {plane} = service;
    await createCluster(service, 'orders');
    await createCluster(service, 'spare');
    await settle(service);
    await createWriter(service, 'orders');
    const restore = {SourceDBClusterIdentifier: 'orders', DBClusterIdentifier: 'copy'};
    const cow = {...restore, RestoreType: 'copy-on-write', UseLatestRestorableTime: true};
    const create = {...CREATE, DBClusterIdentifier: 'other'};
    const writer = {
      DBInstanceIdentifier: 'second',
      DBClusterIdentifier: 'orders',
      DBInstanceClass: 'db.r6g.large',
      Engine: 'aurora-postgresql',
    };
    const now = new Date();
    const table: [Promise<unknown>, string, string][] = [
      [
        plane.createDBCluster({...create, DBClusterIdentifier: undefined}),
        'MissingParameter',
        'DBClusterIdentifier',
      ],
      [plane.createDBCluster({...create, Engine: undefined}), 'MissingParameter', 'Engine'],
      [
        plane.createDBCluster({...create, Engine: 'aurora-mysql'}),
        'InvalidParameterValue',
        'aurora-mysql',
      ],
      [
        plane.createDBCluster({...create, EngineVersion: '9.6'}),
        'InvalidParameterCombination',
        'Cannot find version "9.6" for aurora-postgresql',
      ],
      [
        plane.createDBCluster({...create, DBClusterIdentifier: 'a--b'}),
        'InvalidParameterValue',
        'hyphens',
      ],
      [
        plane.createDBCluster({...create, DBClusterIdentifier: 'ORDERS'}),
        'DBClusterAlreadyExistsFault',
        'orders',
      ],
      [
        plane.createDBCluster({...create, MasterUsername: undefined}),
        'MissingParameter',
        'MasterUsername',
      ],
      [
        plane.createDBCluster({...create, MasterUserPassword: undefined}),
        'MissingParameter',
        'MasterUserPassword',
      ],
      [plane.createDBCluster({...create, Port: 80}), 'InvalidParameterValue', '1150'],
      [
        plane.createDBCluster({...create, StorageEncrypted: true}),
        'InvalidParameterCombination',
        'StorageEncrypted',
      ],
      [
        plane.createDBCluster({...create, GlobalClusterIdentifier: 'g'}),
        'InvalidParameterCombination',
        'GlobalClusterIdentifier',
      ],
      [
        plane.createDBCluster({...create, EngineMode: 'serverless'}),
        'InvalidParameterCombination',
        'EngineMode',
      ],
      [
        plane.createDBCluster({...create, BackupRetentionPeriod: 36}),
        'InvalidParameterValue',
        'BackupRetentionPeriod',
      ],
      [
        plane.createDBCluster({...create, AvailabilityZones: ['mars-1a']}),
        'InvalidParameterValue',
        'mars-1a',
      ],
      [
        plane.restoreDBClusterToPointInTime({...cow, RestoreToTime: now}),
        'InvalidParameterCombination',
        'RestoreToTime',
      ],
      [
        plane.restoreDBClusterToPointInTime({...restore, RestoreType: 'copy-on-write'}),
        'InvalidParameterCombination',
        'UseLatestRestorableTime',
      ],
      [
        plane.restoreDBClusterToPointInTime({...cow, RestoreType: 'full-copy'}),
        'InvalidParameterValue',
        'copy-on-write',
      ],
      [
        plane.restoreDBClusterToPointInTime({...cow, RestoreType: undefined}),
        'InvalidParameterValue',
        'copy-on-write',
      ],
      [
        plane.restoreDBClusterToPointInTime({...cow, RestoreType: 'sideways'}),
        'InvalidParameterValue',
        'sideways',
      ],
      [
        plane.restoreDBClusterToPointInTime({...cow, SourceDBClusterIdentifier: 'nobody'}),
        'DBClusterNotFoundFault',
        'DBCluster nobody not found',
      ],
      [
        plane.restoreDBClusterToPointInTime({...cow, SourceDBClusterIdentifier: undefined}),
        'MissingParameter',
        'SourceDBClusterIdentifier',
      ],
      [
        plane.restoreDBClusterToPointInTime({...cow, DBClusterIdentifier: 'orders'}),
        'DBClusterAlreadyExistsFault',
        'orders',
      ],
      [
        plane.createDBInstance({...writer, DBClusterIdentifier: 'nobody'}),
        'DBClusterNotFoundFault',
        'nobody',
      ],
      [
        plane.createDBInstance({...writer, DBInstanceClass: 'huge'}),
        'InvalidParameterValue',
        'huge',
      ],
      [
        plane.createDBInstance({...writer, DBInstanceIdentifier: 'orders-writer'}),
        'DBInstanceAlreadyExistsFault',
        'orders-writer',
      ],
      [
        plane.createDBInstance({...writer, DBClusterIdentifier: 'spare', EngineVersion: '15.4'}),
        'InvalidParameterCombination',
        '15.4',
      ],
      [
        plane.createDBInstance({...writer, MasterUsername: 'x'}),
        'InvalidParameterCombination',
        'MasterUsername',
      ],
      [plane.modifyDBCluster({DBClusterIdentifier: 'nobody'}), 'DBClusterNotFoundFault', 'nobody'],
      [
        plane.modifyDBCluster({DBClusterIdentifier: 'orders', MasterUserPassword: 'short'}),
        'InvalidParameterValue',
        'shorter than 8',
      ],
      [
        plane.deleteDBCluster({DBClusterIdentifier: 'orders', SkipFinalSnapshot: true}),
        'InvalidDBClusterStateFault',
        'still contains DB instances',
      ],
      [
        plane.deleteDBCluster({DBClusterIdentifier: 'orders'}),
        'InvalidParameterCombination',
        'SkipFinalSnapshot',
      ],
      [
        plane.deleteDBCluster({DBClusterIdentifier: 'orders', FinalDBSnapshotIdentifier: 'x'}),
        'InvalidParameterValue',
        'snapshots',
      ],
      [
        plane.deleteDBCluster({DBClusterIdentifier: 'nobody', SkipFinalSnapshot: true}),
        'DBClusterNotFoundFault',
        'nobody',
      ],
      [
        plane.deleteDBInstance({DBInstanceIdentifier: 'nobody'}),
        'DBInstanceNotFoundFault',
        'nobody',
      ],
      [
        plane.describeDBClusters({DBClusterIdentifier: 'nobody'}),
        'DBClusterNotFoundFault',
        'nobody',
      ],
      [
        plane.describeDBInstances({DBInstanceIdentifier: 'nobody'}),
        'DBInstanceNotFoundFault',
        'nobody',
      ],
      [
        plane.describeDBClusters({Filters: [{Name: 'colour', Values: ['red']}]}),
        'InvalidParameterValue',
        'colour',
      ],
      [plane.describeDBClusters({MaxRecords: 5}), 'InvalidParameterValue', 'MaxRecords'],
      [plane.describeDBClusters({Marker: 'nonsense'}), 'InvalidParameterValue', 'Marker'],
    ];
    for (const [call, code, words] of table) {
      const fault = await faultOf(call);
      expect.soft(fault.code, fault.message).toBe(code);
      expect.soft(fault.message).toContain(words);
    }
    expect(service.catalog.clusters.list()).toHaveLength(2);
  });

  test('a source that is being created cannot be cloned', async () => {
    await createCluster(service, 'orders');
    const fault = await faultOf(clone(service, 'orders', 'copy'));
    expect(fault.code).toBe('InvalidDBClusterStateFault');
    expect(fault.message).toContain('creating');
    await settle(service);
  });

  test('a port that another program has is named', async () => {
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const call = service.plane.createDBCluster({...CREATE, DBClusterIdentifier: 'a', Port: port});
    const fault = await faultOf(call);
    other.close();
    expect(fault).toEqual({
      code: 'InvalidParameterValue',
      message: `Port ${port} is in use by another program. Choose a free one, or none.`,
    });
  });

  test('a protected cluster is deleted only after its protection', async () => {
    const {plane} = service;
    await plane.createDBCluster({...CREATE, DBClusterIdentifier: 'a', DeletionProtection: true});
    await settle(service);
    const remove = {DBClusterIdentifier: 'a', SkipFinalSnapshot: true};
    const fault = await faultOf(plane.deleteDBCluster(remove));
    expect(fault.code).toBe('InvalidParameterCombination');
    expect(fault.message).toContain('disable deletion protection');
    await plane.modifyDBCluster({DBClusterIdentifier: 'a', DeletionProtection: false});
    await plane.deleteDBCluster(remove);
    await until(() => service.catalog.clusters.list().length === 0);
  });
});

describe('describing', () => {
  test('finds by name, ARN and filter, in any case, and pages without loss', async () => {
    const names = Array.from({length: 25}, (_, index) => `c${String(index).padStart(2, '0')}`);
    for (const name of names) await createCluster(service, name);
    await settle(service);
    const {plane} = service;
    const first = await plane.describeDBClusters({MaxRecords: 20});
    const second = await plane.describeDBClusters({MaxRecords: 20, Marker: first.Marker});
    const shown = [...(first.DBClusters ?? []), ...(second.DBClusters ?? [])];
    expect(shown.map(cluster => cluster.DBClusterIdentifier)).toEqual(names);
    expect(second.Marker).toBeUndefined();
    const byArn = 'arn:aws:rds:local-1:123456789012:cluster:c07';
    for (const DBClusterIdentifier of ['C07', byArn]) {
      const {DBClusters} = await plane.describeDBClusters({DBClusterIdentifier});
      expect(DBClusters?.map(each => each.DBClusterIdentifier)).toEqual(['c07']);
    }
    const filtered = await plane.describeDBClusters({
      Filters: [
        {Name: 'db-cluster-id', Values: ['c01', byArn]},
        {Name: 'engine', Values: ['aurora-postgresql']},
      ],
    });
    expect(filtered.DBClusters?.map(each => each.DBClusterIdentifier)).toEqual(['c01', 'c07']);
    const versions = await plane.describeDBEngineVersions({Engine: 'aurora-postgresql'});
    expect(versions.DBEngineVersions?.map(each => each.EngineVersion)).toEqual(['18.4']);
  });

  test('shows back the settings that were given', async () => {
    await service.plane.createDBCluster({
      ...CREATE,
      DBClusterIdentifier: 'a',
      Tags: [{Key: 'team', Value: 'blue'}],
      BackupRetentionPeriod: 7,
      PreferredBackupWindow: '01:00-02:00',
      CopyTagsToSnapshot: true,
      VpcSecurityGroupIds: ['sg-1'],
    });
    const {DBClusters} = await service.plane.describeDBClusters({});
    expect(DBClusters?.[0]).toMatchObject({
      TagList: [{Key: 'team', Value: 'blue'}],
      BackupRetentionPeriod: 7,
      PreferredBackupWindow: '01:00-02:00',
      CopyTagsToSnapshot: true,
      VpcSecurityGroups: [{VpcSecurityGroupId: 'sg-1', Status: 'active'}],
    });
    await settle(service);
  });
});
