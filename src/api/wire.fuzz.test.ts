/** Broken requests of every sort, on a raw socket: each is answered with a 4xx, or the connection closed. */
import {connect} from 'node:net';
import * as fc from 'fast-check';
import {afterAll, beforeAll, expect, it} from 'vitest';
import {systemClock} from '../base/clock.ts';
import {ACTIONS} from './actions.ts';
import {
  ALGORITHM,
  canonicalRequest,
  sha256Hex,
  signature,
  stringToSign,
} from './canonical-request.ts';
import {API_VERSION} from './protocol/model.ts';
import {schemaArbitrary} from './testing/schema-arbitrary.ts';
import {CREDENTIALS, REGION, startApi, type ApiFixture} from './testing/api-fixture.ts';
import {QueryShapeSerializer} from '@aws-sdk/core/protocols';
import {NormalizedSchema} from '@smithy/core/schema';

const MUTATED_REQUESTS = 5000;
const MUTATED_FORMS = 5000;
const TEST_MS_MAX = 300_000;

let api: ApiFixture;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.close();
});

/** A signed POST of `body` to `/`, byte for byte. */
function signedRequest(body: Buffer): Buffer {
  const time = new Date(systemClock.nowMs()).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = {day: time.slice(0, 8), region: REGION, service: 'rds'};
  const host = `127.0.0.1:${api.port}`;
  const signedHeaders = ['host', 'x-amz-date'];
  const canonical = canonicalRequest({
    method: 'POST',
    target: '/',
    headers: {host: [host], 'x-amz-date': [time]},
    signedHeaders,
    bodyHash: sha256Hex(body),
  });
  const signed = signature(
    CREDENTIALS.secretAccessKey,
    scope,
    stringToSign(canonical, time, scope),
  );
  const credential = `${CREDENTIALS.accessKeyId}/${scope.day}/${REGION}/rds/aws4_request`;
  const head = [
    'POST / HTTP/1.1',
    `host: ${host}`,
    `x-amz-date: ${time}`,
    'content-type: application/x-www-form-urlencoded',
    `content-length: ${body.length}`,
    `authorization: ${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signed.toString('hex')}`,
    'connection: close',
    '\r\n',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head), body]);
}

/** The status line's number, or null when the server closes without an answer. */
function send(bytes: Buffer): Promise<number | null> {
  return new Promise(resolve => {
    const socket = connect(api.port, '127.0.0.1', () => socket.end(bytes));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(Buffer.concat(chunks).toString('latin1'))?.[1];
      resolve(status === undefined ? null : Number(status));
    });
  });
}

type Edit = (before: Buffer, after: Buffer, byte: number, length: number) => Buffer[];
const EDITS: readonly Edit[] = [
  (before, after, byte) => [before, Buffer.from([byte]), after.subarray(1)],
  (before, after, byte, length) => [before, Buffer.alloc(length, byte), after],
  (before, after, _, length) => [before, after.subarray(length)],
  (before, after, _, length) => [before, after.subarray(0, length), after],
  before => [before],
];
const mutation = fc.record({
  edit: fc.constantFrom(...EDITS),
  at: fc.double({min: 0, max: 1, noNaN: true}),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('%&=.+\r\n :/\0'))),
  length: fc.integer({min: 1, max: 40}),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer M> ? M : never;

function mutate(bytes: Buffer, {edit, at, byte, length}: Mutation): Buffer {
  const position = Math.floor(at * bytes.length);
  return Buffer.concat(edit(bytes.subarray(0, position), bytes.subarray(position), byte, length));
}

const form = fc.constantFrom(...ACTIONS.values()).chain(action =>
  schemaArbitrary(action.schema[4], {blankText: true}).map(input => {
    const serializer = new QueryShapeSerializer({
      timestampFormat: {useTrait: true, default: 5},
      httpBindings: false,
      serializeEmptyLists: true,
    });
    serializer.write(NormalizedSchema.of(action.schema[4]), input);
    return `Action=${action.name}&Version=${API_VERSION}${String(serializer.flush())}`;
  }),
);

it('takes the request that the mutations start from', async () => {
  expect(
    await send(signedRequest(Buffer.from('Action=DescribeDBClusters&Version=2014-10-31'))),
  ).toBe(200);
});

it(
  'answers a request that was changed anywhere on the wire with a 4xx, or closes',
  async () => {
    api.stub.calls.length = 0;
    const body = Buffer.from(
      'Action=CreateDBCluster&Version=2014-10-31&DBClusterIdentifier=a&Engine=b',
    );
    const statuses = new Map<number | null, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, {minLength: 1, maxLength: 4}), async mutations => {
        const original = signedRequest(body);
        const changed = mutations.reduce(mutate, original);
        const status = await send(changed);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // Some changes mean nothing: the case of a header's name, a header that is not signed.
        if (status === 200) expect(changed.includes(body)).toBe(true);
        else expect(status ?? 400).toSatisfy((code: number) => code >= 400 && code < 500);
      }),
      {numRuns: MUTATED_REQUESTS},
    );
    // What got through did so whole: the changes were outside of what is signed.
    for (const call of api.stub.calls) {
      expect(call).toEqual({
        method: 'createDBCluster',
        input: {DBClusterIdentifier: 'a', Engine: 'b'},
      });
    }
    expect(api.stub.calls.length).toBeLessThan(MUTATED_REQUESTS / 20);
    expect(statuses.get(403)).toBeGreaterThan(0);
  },
  TEST_MS_MAX,
);

it(
  'answers a signed form that was changed before signing with 200 or a 4xx',
  async () => {
    const statuses = new Map<number | null, number>();
    await fc.assert(
      fc.asyncProperty(
        form,
        fc.array(mutation, {minLength: 1, maxLength: 4}),
        async (text, mutations) => {
          const status = await send(signedRequest(mutations.reduce(mutate, Buffer.from(text))));
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          expect([200, 400]).toContain(status);
        },
      ),
      {numRuns: MUTATED_FORMS},
    );
    expect(statuses.get(400)).toBeGreaterThan(MUTATED_FORMS / 4);
  },
  TEST_MS_MAX,
);

it('serves on after all that, with nothing logged as an error', async () => {
  expect((await fetch(`${api.url}/health`)).status).toBe(200);
  expect(api.logLines.filter(line => Number(line['level']) > 30)).toEqual([]);
});
