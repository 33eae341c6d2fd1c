/** The AWS CLI and boto3, as they are installed on this machine, against a real server. */
import {execFile, spawnSync} from 'node:child_process';
import {promisify} from 'node:util';
import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest';
import {BorealisError} from '../base/errors.ts';
import {CREDENTIALS, REGION, startApi, type ApiFixture} from './testing/api-fixture.ts';

/** Debian's and the first in PATH, where they are two. */
const CLIS = installed(['/usr/bin/aws', 'aws'], ['--version']);
const PYTHONS = installed(
  ['/usr/bin/python3', 'python3'],
  ['-c', 'import boto3; print("boto3 " + boto3.__version__)'],
);
let cli = 'aws';
let python = 'python3';
const run = promisify(execFile);

let api: ApiFixture;
beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => {
  api.stub.calls.length = 0;
});
afterAll(async () => {
  await api.close();
});

const environment = (secret = CREDENTIALS.secretAccessKey): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: secret,
  AWS_DEFAULT_REGION: REGION,
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_MAX_ATTEMPTS: '1',
});

/** Words of the command line are separated by one blank each. */
async function aws(commandLine: string, secret?: string): Promise<unknown> {
  const {stdout} = await run(
    cli,
    ['--endpoint-url', api.url, '--output', 'json', 'rds', ...commandLine.split(' ')],
    {env: environment(secret)},
  );
  return stdout === '' ? {} : JSON.parse(stdout);
}

async function boto(script: string): Promise<string> {
  const preamble = `import boto3, json, urllib.request\nrds = boto3.client('rds', endpoint_url='${api.url}')\n`;
  const {stdout} = await run(python, ['-c', preamble + script], {env: environment()});
  return stdout.trim();
}

describe.each(CLIS)('the AWS CLI $version', ({program}) => {
  beforeAll(() => {
    cli = program;
  });

  it('creates a cluster with lists, structures and booleans', async () => {
    api.stub.on('createDBCluster', async () => ({
      DBCluster: {DBClusterIdentifier: 'orders', Status: 'creating', DBClusterMembers: []},
    }));
    const output = await aws(
      'create-db-cluster --db-cluster-identifier orders --engine aurora-postgresql ' +
        '--master-username admin --master-user-password p&w=+%é --port 5432 ' +
        '--availability-zones us-east-1a us-east-1b --no-deletion-protection ' +
        '--tags Key=team,Value=red Key=empty,Value= ' +
        '--serverless-v2-scaling-configuration MinCapacity=0.5,MaxCapacity=8',
    );
    expect(output).toEqual({
      DBCluster: {DBClusterIdentifier: 'orders', Status: 'creating', DBClusterMembers: []},
    });
    expect(api.stub.calls).toEqual([
      {
        method: 'createDBCluster',
        input: {
          DBClusterIdentifier: 'orders',
          Engine: 'aurora-postgresql',
          MasterUsername: 'admin',
          MasterUserPassword: 'p&w=+%é',
          AvailabilityZones: ['us-east-1a', 'us-east-1b'],
          Port: 5432,
          Tags: [
            {Key: 'team', Value: 'red'},
            {Key: 'empty', Value: ''},
          ],
          DeletionProtection: false,
          ServerlessV2ScalingConfiguration: {MinCapacity: 0.5, MaxCapacity: 8},
        },
      },
    ]);
  });

  it('restores to a time, and describes with filters', async () => {
    await aws(
      'restore-db-cluster-to-point-in-time --db-cluster-identifier clone ' +
        '--source-db-cluster-identifier orders --restore-type copy-on-write ' +
        '--restore-to-time 2026-11-22T21:45:00+02:00',
    );
    api.stub.on('describeDBClusters', async () => ({DBClusters: []}));
    expect(
      await aws('describe-db-clusters --filters Name=engine,Values=aurora-postgresql,aurora-mysql'),
    ).toEqual({DBClusters: []});
    expect(api.stub.calls.map(call => call.input)).toEqual([
      {
        DBClusterIdentifier: 'clone',
        SourceDBClusterIdentifier: 'orders',
        RestoreType: 'copy-on-write',
        RestoreToTime: new Date('2026-11-22T19:45:00Z'),
      },
      {Filters: [{Name: 'engine', Values: ['aurora-postgresql', 'aurora-mysql']}]},
    ]);
  });

  it('shows a fault with its code and message, and a wrong secret as such', async () => {
    api.stub.on('deleteDBInstance', async () => {
      throw new BorealisError('not-found', 'DBInstanceNotFoundFault', 'DBInstance a not found.');
    });
    const command = 'delete-db-instance --db-instance-identifier a';
    await expect(aws(command)).rejects.toThrow(
      /\(DBInstanceNotFound\) when calling the DeleteDBInstance operation.*: DBInstance a not found\./,
    );
    await expect(aws(command, 'wrong')).rejects.toThrow('(SignatureDoesNotMatch)');
    await expect(aws('stop-activity-stream --resource-arn a')).rejects.toThrow('(InvalidAction)');
  });
});

describe.each(PYTHONS)('$version', ({program}) => {
  beforeAll(() => {
    python = program;
  });

  it('reads dates, empty lists and the request id, and pages', async () => {
    api.stub.on('describeDBInstances', async input =>
      JSON.stringify(input).includes('Marker')
        ? {DBInstances: [{DBInstanceIdentifier: 'b', TagList: []}]}
        : {
            Marker: 'next',
            DBInstances: [
              {DBInstanceIdentifier: 'a', InstanceCreateTime: new Date('2026-11-22T19:45:00Z')},
            ],
          },
    );
    const output = await boto(`
pages = list(rds.get_paginator('describe_db_instances').paginate(PaginationConfig={'PageSize': 20}))
first, second = [page['DBInstances'][0] for page in pages]
print(first['InstanceCreateTime'].isoformat(), second['TagList'], len(pages[0]['ResponseMetadata']['RequestId']))`);
    expect(output).toBe('2026-11-22T19:45:00+00:00 [] 36');
    expect(api.stub.calls.map(call => call.input)).toEqual([
      {MaxRecords: 20},
      {MaxRecords: 20, Marker: 'next'},
    ]);
  });

  it('raises the exception class of a fault', async () => {
    api.stub.on('createDBCluster', async () => {
      throw new BorealisError(
        'conflict',
        'DBClusterAlreadyExistsFault',
        'DB Cluster already exists: a',
      );
    });
    const output = await boto(`
try:
    rds.create_db_cluster(DBClusterIdentifier='a', Engine='aurora-postgresql', Tags=[])
except rds.exceptions.DBClusterAlreadyExistsFault as error:
    print(error.response['Error'], error.response['ResponseMetadata']['HTTPStatusCode'])`);
    expect(output).toBe(
      "{'Type': 'Sender', 'Code': 'DBClusterAlreadyExistsFault', 'Message': 'DB Cluster already exists: a'} 400",
    );
  });

  it('presigns a GET that works for as long as it says', async () => {
    api.stub.on('describeDBClusters', async () => ({DBClusters: []}));
    const url = await boto(`
print(rds.generate_presigned_url('describe_db_clusters', HttpMethod='GET', ExpiresIn=60,
    Params={'DBClusterIdentifier': 'a b+c/é', 'Filters': [{'Name': 'n', 'Values': ['v&w=']}]}))`);
    const answer = await fetch(url);
    expect(await answer.text()).toContain('<DBClusters/>');
    expect(api.stub.calls.map(call => call.input)).toEqual([
      {DBClusterIdentifier: 'a b+c/é', Filters: [{Name: 'n', Values: ['v&w=']}]},
    ]);

    const forged = await fetch(url.replace('DBClusterIdentifier=a', 'DBClusterIdentifier=b'));
    expect(forged.status).toBe(403);
    expect(await forged.text()).toContain('<Code>SignatureDoesNotMatch</Code>');
    const prolonged = await fetch(url.replace('X-Amz-Expires=60', 'X-Amz-Expires=6000'));
    expect(prolonged.status).toBe(403);
    api.clockOffset.ms = 62_000;
    const late = await fetch(url);
    api.clockOffset.ms = 0;
    expect(late.status).toBe(400);
    expect(await late.text()).toContain('<Code>RequestExpired</Code>');
  });
});

it.skipIf(CLIS.length > 0)('AWS CLI tests are skipped: it is not installed here', ({skip}) => {
  skip();
});
it.skipIf(PYTHONS.length > 0)('boto3 tests are skipped: it is not installed here', ({skip}) => {
  skip();
});

function installed(programs: string[], args: string[]): {program: string; version: string}[] {
  const found = new Map<string, string>();
  for (const program of programs) {
    const {status, stdout} = spawnSync(program, args, {encoding: 'utf8'});
    if (status !== 0) continue;
    const version = stdout.trim().split(' Python')[0] ?? '';
    if (!found.has(version)) found.set(version, program);
  }
  return [...found].map(([version, program]) => ({program, version}));
}
