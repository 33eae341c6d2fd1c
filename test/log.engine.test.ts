/** `borealis up --log-format json`: what its log is made of, and that no secret is in it or anywhere else. Needs the compiled program. */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {
  CreateDBClusterCommand,
  CreateDBInstanceCommand,
  DescribeDBClustersCommand,
  ModifyDBClusterCommand,
  RDSClient,
  waitUntilDBInstanceAvailable,
} from '@aws-sdk/client-rds';
import pg from 'pg';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {randomToken} from '../src/base/random.ts';
import {processTree} from '../src/instance/testing/instance-bench.ts';

const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));
const LOG_KEYS = ['level', 'time', 'component', 'msg'];

type Line = Record<string, unknown>;

describe.skipIf(!built || !fuse.available)('the log of a service that is given passwords', () => {
  let directory = '';
  let child: ChildProcess;
  let stderr = '';
  let rds: RDSClient;
  const told: string[] = [];
  const requestIds: string[] = [];
  const secrets = {
    first: `Aa1${randomToken(20)}`,
    second: `Aa1${randomToken(20)}`,
    ofDuplicate: `Aa1${randomToken(20)}`,
    ofNobody: `Aa1${randomToken(20)}`,
    malformed: `Aa1/${randomToken(20)}`,
    unsigned: `Aa1${randomToken(20)}`,
    accessKey: '',
    scrapeToken: '',
  };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'borealis-log-'));
    const options = ['--data', directory, '--port', '0', '--json'];
    child = spawn(
      process.execPath,
      [entryPoint('cli/main'), 'up', '--log-format', 'json', '--log-level', 'trace', ...options],
      {stdio: ['ignore', 'pipe', 'pipe', 'ipc']},
    );
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [announced] = await once(child.stdout!, 'data');
    const {url, region} = JSON.parse(String(announced)) as {url: string; region: string};
    const credentials = JSON.parse(readFileSync(join(directory, 'credentials.json'), 'utf8')) as {
      accessKeyId: string;
      secretAccessKey: string;
    };
    secrets.accessKey = credentials.secretAccessKey;
    secrets.scrapeToken = readFileSync(join(directory, 'metrics-token'), 'utf8').trim();
    rds = new RDSClient({endpoint: url, region, credentials, maxAttempts: 1});
    await drive(url);
  }, 180_000);

  afterAll(async () => {
    rds.destroy();
    if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit');
    rmSync(directory, {recursive: true});
  }, 60_000);

  async function create(name: string, password: string): Promise<void> {
    const {$metadata} = await rds.send(
      new CreateDBClusterCommand({
        ...{DBClusterIdentifier: name, Engine: 'aurora-postgresql'},
        ...{MasterUsername: 'owner', MasterUserPassword: password},
      }),
    );
    requestIds.push($metadata.requestId ?? '');
  }

  async function refused(call: Promise<unknown>): Promise<void> {
    const error: unknown = await call.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Error);
    const {name, message, $metadata} = error as Error & {$metadata: {requestId?: string}};
    told.push(name, message, JSON.stringify(error));
    requestIds.push($metadata.requestId ?? '');
  }

  async function drive(url: string): Promise<void> {
    await create('orders', secrets.first);
    await rds.send(
      new CreateDBInstanceCommand({
        ...{DBInstanceIdentifier: 'orders-writer', DBClusterIdentifier: 'orders'},
        ...{DBInstanceClass: 'db.r6g.large', Engine: 'aurora-postgresql'},
      }),
    );
    await waitUntilDBInstanceAvailable(
      {client: rds, maxWaitTime: 90, minDelay: 1, maxDelay: 1},
      {DBInstanceIdentifier: 'orders-writer'},
    );
    const {DBClusters = []} = await rds.send(new DescribeDBClustersCommand({}));
    const port = DBClusters[0]?.Port ?? 0;
    await logIn(port, secrets.first);
    const change = {DBClusterIdentifier: 'orders', ApplyImmediately: true};
    await rds.send(new ModifyDBClusterCommand({...change, MasterUserPassword: secrets.second}));
    await untilLoggedIn(port, secrets.second);
    await refused(create('orders', secrets.ofDuplicate));
    await refused(create('other', secrets.malformed));
    await refused(
      rds.send(
        new ModifyDBClusterCommand({
          ...{DBClusterIdentifier: 'nobody', MasterUserPassword: secrets.ofNobody},
        }),
      ),
    );
    const unsigned = await fetch(url, {
      method: 'POST',
      headers: {'content-type': 'application/x-www-form-urlencoded'},
      body: `Action=CreateDBCluster&Version=2014-10-31&MasterUserPassword=${secrets.unsigned}`,
    });
    expect(unsigned.status).toBe(403);
    told.push(await unsigned.text());
    const wrong = await fetch(`${url}/metrics`, {headers: {authorization: 'Bearer wrong'}});
    told.push(await wrong.text());
    // The engine's own words come a moment later.
    await sleep(500);
  }

  test('is JSON lines and nothing else, each with time, level and one component', () => {
    const lines = linesOf(stderr);
    expect(lines.length).toBeGreaterThan(8);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(expect.arrayContaining(LOG_KEYS));
      expect(line['level']).toEqual(expect.any(Number));
      expect(line['time']).toEqual(expect.any(Number));
      expect(line['component']).toEqual(expect.stringMatching(/^[a-z]+$/));
    }
    for (const text of stderr.trimEnd().split('\n')) {
      expect(text.split('"component":').length, text).toBe(2);
    }
  });

  test('has each API call under the request id that its caller was told', () => {
    const requests = linesOf(stderr).filter(({action}) => typeof action === 'string');
    const ids = requests.map(line => line['requestId']);
    expect(ids).toEqual(expect.arrayContaining(requestIds));
    expect(new Set(ids).size).toBe(ids.length);
    expect(requests.find(line => line['requestId'] === requestIds[1])).toMatchObject({
      action: 'CreateDBCluster',
      status: 400,
      code: 'DBClusterAlreadyExistsFault',
    });
  });

  test('and events, errors, files and process lists know no secret', () => {
    expect(told.join('\n')).toContain('nobody');
    const places: [string, string][] = [
      ['log', stderr],
      ['errors', told.join('\n')],
      ['processes', processesOf(child)],
      ...filesBelow(directory),
    ];
    expect(places.map(([place]) => place)).toContain('catalog.mdb');
    expect(places.some(([place]) => place.endsWith('engine.log'))).toBe(true);
    const found = places.flatMap(([place, text]) =>
      Object.entries(secrets)
        .filter(([, secret]) => text.includes(secret))
        .map(([name]) => `${name} in ${place}`),
    );
    expect(found).toEqual(['accessKey in credentials.json', 'scrapeToken in metrics-token']);
  });

  test('ends with the service', async () => {
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(linesOf(stderr).at(-1)).toMatchObject({level: 30, msg: 'the service has stopped'});
  });
});

function linesOf(text: string): Line[] {
  return text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line);
}

async function logIn(port: number, password: string): Promise<void> {
  const client = new pg.Client({
    ...{host: '127.0.0.1', port, user: 'owner', password, database: 'postgres'},
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end();
  }
}

/** A new password is there a moment after the call. */
async function untilLoggedIn(port: number, password: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await logIn(port, password);
      return;
    } catch (error) {
      if (attempt === 60) throw error;
      await sleep(250);
    }
  }
}

/** Arguments and environments of the service and all that it started. */
function processesOf({pid = 0}: ChildProcess): string {
  const texts = processTree(pid).flatMap(({pid: at}) =>
    ['cmdline', 'environ'].map(file => {
      const path = `/proc/${at}/${file}`;
      return existsSync(path) ? readFileSync(path, 'latin1') : '';
    }),
  );
  expect(texts.length).toBeGreaterThan(10);
  return texts.join('\n');
}

/** Every file of the data directory but the segments, which hold what clients store. */
function filesBelow(directory: string): [string, string][] {
  return readdirSync(directory, {recursive: true, encoding: 'utf8'})
    .filter(name => !name.startsWith('store/') && statSync(join(directory, name)).isFile())
    .map(name => [name, readFileSync(join(directory, name), 'latin1')]);
}
