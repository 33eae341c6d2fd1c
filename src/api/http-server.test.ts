import {EventEmitter, once} from 'node:events';
import {request as httpRequest} from 'node:http';
import {connect} from 'node:net';
import {
  CreateDBClusterCommand,
  DeleteDBClusterCommand,
  DescribeDBClustersCommand,
  RestoreDBClusterToPointInTimeCommand,
  StopActivityStreamCommand,
  type RDSClient,
} from '@aws-sdk/client-rds';
import {afterEach, beforeEach, expect, it} from 'vitest';
import {BorealisError} from '../base/errors.ts';
import {closeApiServer, REQUESTS_ACTIVE_MAX} from './http-server.ts';
import {BODY_BYTES_MAX} from './request-body.ts';
import {CREDENTIALS, REGION, startApi, type ApiFixture} from './testing/api-fixture.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await startApi();
});
afterEach(async () => {
  await api.close();
});

const describeClusters = (client: RDSClient): Promise<object> =>
  client.send(new DescribeDBClustersCommand({}));

/** Signed by the SDK's signer. */
async function signed(
  method: string,
  path: string,
  query: Record<string, string> = {},
): Promise<Response> {
  const url = new URL(path, api.url);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const signer = await api.client().config.signer();
  const {headers} = await signer.sign({
    method,
    protocol: 'http:',
    hostname: url.hostname,
    port: api.port,
    path,
    query,
    headers: {host: url.host},
  });
  return fetch(url, {method, headers});
}

const signedGet = (path: string, query: Record<string, string> = {}): Promise<Response> =>
  signed('GET', path, query);

it('begins, tells of and stops a scrub', async () => {
  const path = '/borealis/v1/scrub';
  api.stub.on('beginScrub', async () => ({id: '1f', joined: false}));
  const begun = await signed('POST', path, {cluster: 'orders', rate: '1048576'});
  expect(await begun.json()).toEqual({id: '1f', joined: false});
  await signed('POST', path);
  await signed('GET', path);
  await signed('DELETE', path, {id: '1f'});
  expect(api.stub.calls).toEqual([
    {method: 'beginScrub', input: {cluster: 'orders', bytesPerSecond: 1_048_576}},
    {method: 'beginScrub', input: {cluster: null, bytesPerSecond: null}},
    {method: 'scrubStatus', input: {}},
    {method: 'stopScrub', input: {id: '1f'}},
  ]);
  const odd = await signed('POST', path, {rate: '-1'});
  expect(odd.status).toBe(400);
  expect((await fetch(new URL(path, api.url), {method: 'POST'})).status).toBe(403);
});

it('carries an input to the control plane and its result back', async () => {
  const created = new Date('2026-11-22T19:45:00Z');
  api.stub.on('createDBCluster', async () => ({
    DBCluster: {DBClusterIdentifier: 'orders', ClusterCreateTime: created, DBClusterMembers: []},
  }));
  const input = {
    DBClusterIdentifier: 'Orders',
    Engine: 'aurora-postgresql',
    MasterUserPassword: 'p&w=%+é',
    DeletionProtection: false,
    Tags: [{Key: 'team', Value: ''}],
    VpcSecurityGroupIds: [],
  };
  const output = await api.client().send(new CreateDBClusterCommand(input));
  expect(api.stub.calls).toEqual([{method: 'createDBCluster', input}]);
  expect(output.DBCluster).toEqual({
    DBClusterIdentifier: 'orders',
    ClusterCreateTime: created,
    DBClusterMembers: [],
  });
  expect(output.$metadata.requestId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

it('carries the parameters of a clone', async () => {
  const input = {
    DBClusterIdentifier: 'clone',
    SourceDBClusterIdentifier: 'orders',
    RestoreType: 'copy-on-write',
    UseLatestRestorableTime: true,
    RestoreToTime: new Date('2026-11-22T19:45:00.500Z'),
  };
  await api.client().send(new RestoreDBClusterToPointInTimeCommand(input));
  expect(api.stub.calls).toEqual([{method: 'restoreDBClusterToPointInTime', input}]);
});

it('answers a fault with the code, status and class that the SDK knows', async () => {
  api.stub.on('deleteDBCluster', async () => {
    throw new BorealisError('not-found', 'DBClusterNotFoundFault', 'DBCluster nosuch not found.');
  });
  const call = api.client().send(new DeleteDBClusterCommand({DBClusterIdentifier: 'nosuch'}));
  await expect(call).rejects.toMatchObject({
    name: 'DBClusterNotFoundFault',
    message: 'DBCluster nosuch not found.',
    $fault: 'client',
    $metadata: {httpStatusCode: 404},
  });
});

it('answers an action that it does not perform with InvalidAction', async () => {
  const call = api.client().send(new StopActivityStreamCommand({ResourceArn: 'a'}));
  await expect(call).rejects.toMatchObject({
    name: 'InvalidAction',
    message: "Could not find operation 'StopActivityStream' for version '2014-10-31'.",
    $metadata: {httpStatusCode: 400},
  });
});

it('keeps the details of an internal failure in the log, under the request id of the answer', async () => {
  api.stub.on('describeDBClusters', async () => {
    throw new TypeError('x is not a function', {cause: new Error('root')});
  });
  const response = await describeClusters(api.client()).catch((error: unknown) => error);
  expect(response).toMatchObject({
    name: 'InternalFailure',
    message: expect.not.stringContaining('function'),
    $metadata: {httpStatusCode: 500, requestId: api.logLines[0]?.['requestId']},
  });
  expect(api.logLines).toEqual([
    expect.objectContaining({
      level: 50,
      action: 'DescribeDBClusters',
      status: 500,
      error: 'x is not a function: root',
    }),
  ]);
});

it('logs one line a request, without parameters, and refusals with their code', async () => {
  await api.client().send(
    new CreateDBClusterCommand({
      DBClusterIdentifier: 'a',
      Engine: 'b',
      MasterUserPassword: 'hunter22',
    }),
  );
  const other = {...CREDENTIALS, secretAccessKey: 'wrong-secret'};
  await expect(describeClusters(api.client({credentials: other}))).rejects.toThrow();
  expect(api.logLines).toEqual([
    expect.objectContaining({
      level: 30,
      action: 'CreateDBCluster',
      status: 200,
      ms: expect.any(Number),
    }),
    expect.objectContaining({level: 30, action: '/', status: 403, code: 'SignatureDoesNotMatch'}),
  ]);
  expect(JSON.stringify(api.logLines)).not.toMatch(/hunter22|secret/);
});

it.each([
  ['an unknown key', {...CREDENTIALS, accessKeyId: 'AKIDOTHER'}, 'InvalidClientTokenId'],
  ['a wrong secret', {...CREDENTIALS, secretAccessKey: 'other'}, 'SignatureDoesNotMatch'],
  ['a session token', {...CREDENTIALS, sessionToken: 'token'}, 'InvalidClientTokenId'],
])('refuses %s with 403', async (_, credentials, name) => {
  await expect(describeClusters(api.client({credentials}))).rejects.toMatchObject({
    name,
    $metadata: {httpStatusCode: 403},
  });
  expect(api.stub.calls).toEqual([]);
});

it.each([-16, 16])('refuses a clock that is %i minutes off', async minutes => {
  const client = api.client({systemClockOffset: minutes * 60_000});
  await expect(describeClusters(client)).rejects.toMatchObject({
    name: 'SignatureDoesNotMatch',
    $metadata: {httpStatusCode: 403},
  });
});

it('lets an SDK whose clock is off set it right and try again', async () => {
  api.clockOffset.ms = 3_600_000;
  await expect(describeClusters(api.client({maxAttempts: 2}))).resolves.toBeDefined();
  expect(api.logLines.map(line => line['status'])).toEqual([403, 200]);
});

it('serves health to anyone, and only health', async () => {
  const health = await fetch(`${api.url}/health`);
  expect(health.status).toBe(200);
  expect(await health.json()).toEqual({status: 'ok'});
  for (const path of [
    '/',
    '/borealis/v1/clusters',
    '/borealis/v1/storage',
    '/borealis/v1/status',
  ]) {
    const response = await fetch(api.url + path);
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('MissingAuthenticationToken');
  }
  expect(api.stub.calls).toEqual([]);
});

it('serves reports and status as JSON to a signed GET', async () => {
  api.stub.on('clusterReports', async () => ({
    clusters: [],
    store: {bytesOnDisk: 1, bytesFree: 2},
  }));
  const reports = await signedGet('/borealis/v1/clusters', {fresh: 'true'});
  expect(await reports.json()).toEqual({clusters: [], store: {bytesOnDisk: 1, bytesFree: 2}});
  await signedGet('/borealis/v1/clusters');
  expect(api.stub.calls.map(call => call.input)).toEqual([{fresh: true}, {fresh: false}]);
  const status = await signedGet('/borealis/v1/status');
  expect(await status.json()).toMatchObject({status: 'ok', region: REGION, version: '0.0.0-test'});
  const odd = await signedGet('/borealis/v1/clusters', {fresh: 'perhaps'});
  expect(odd.status).toBe(400);
  expect(await odd.json()).toMatchObject({error: {code: 'ValidationError'}});
});

it.each([
  ['GET', '/nothing', 404, null],
  ['POST', '/health', 405, 'GET'],
  ['DELETE', '/', 405, 'POST, GET'],
  ['PUT', '/borealis/v1/clusters', 405, 'GET'],
])('answers %s %s with %i', async (method, path, status, allow) => {
  const response = await fetch(api.url + path, {method});
  expect(response.status).toBe(status);
  expect(response.headers.get('allow')).toBe(allow);
});

it.each([{'content-length': String(BODY_BYTES_MAX + 1)}, {'transfer-encoding': 'chunked'}])(
  'refuses a body over the limit, announced or not: %j',
  async headers => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = httpRequest(api.url, {method: 'POST', headers}, response => {
        response.resume();
        resolve(response.statusCode);
        outgoing.destroy();
      });
      outgoing.on('error', reject);
      outgoing.write(Buffer.alloc(BODY_BYTES_MAX + 1));
    });
    expect(status).toBe(413);
  },
);

it('survives a client that leaves in the middle of its body', async () => {
  const socket = connect(api.port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nAction=');
  await once(api.server, 'request');
  socket.destroy();
  await expect.poll(() => api.logLines.length).toBe(1);
  expect(api.logLines[0]).toMatchObject({level: 30, code: 'IncompleteBody'});
  await expect(describeClusters(api.client())).resolves.toBeDefined();
});

it('serves a hundred calls at a time', async () => {
  const client = api.client();
  const calls = Array.from({length: 100}, () => describeClusters(client));
  expect(await Promise.all(calls)).toHaveLength(100);
});

it('refuses what is beyond its limit at once, in a way that clients retry, but not health', async () => {
  let arrived = 0;
  api.server.on('request', () => arrived++);
  const sockets = Array.from({length: REQUESTS_ACTIVE_MAX}, () => {
    const socket = connect(api.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nAction=');
    return socket;
  });
  await expect.poll(() => arrived, {timeout: 10_000}).toBe(REQUESTS_ACTIVE_MAX);
  await expect(describeClusters(api.client())).rejects.toMatchObject({name: 'Throttling'});
  expect((await fetch(`${api.url}/health`)).status).toBe(200);
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => api.logLines.length).toBe(REQUESTS_ACTIVE_MAX + 2);
  await expect(describeClusters(api.client())).resolves.toBeDefined();
});

it('finishes the requests in flight when it closes', async () => {
  const gate = new EventEmitter();
  api.stub.on('describeDBClusters', async () => {
    await once(gate, 'open');
    return {DBClusters: []};
  });
  const call = describeClusters(api.client());
  await expect.poll(() => api.stub.calls.length).toBe(1);
  const closed = closeApiServer(api.server, 10_000);
  gate.emit('open');
  await expect(call).resolves.toMatchObject({DBClusters: []});
  await closed;
});

it('cuts the requests that outlast the grace', async () => {
  api.stub.on('describeDBClusters', () => new Promise(() => undefined));
  const call = describeClusters(api.client());
  const outcome = call.catch((error: unknown) => error);
  await expect.poll(() => api.stub.calls.length).toBe(1);
  await closeApiServer(api.server, 10);
  expect(await outcome).toBeInstanceOf(Error);
});
