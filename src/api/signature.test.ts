import {RDSClient} from '@aws-sdk/client-rds';
import * as fc from 'fast-check';
import {expect, it} from 'vitest';
import {systemClock} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import {
  CLOCK_SKEW_MAX_MS,
  verifySignature,
  type SignaturePolicy,
  type SignedRequest,
} from './signature.ts';
import {CREDENTIALS, REGION} from './testing/api-fixture.ts';

const NOW_MS = Date.parse('2026-11-22T19:45:00Z');
const HOST = '127.0.0.1:8080';

const policy = (nowMs = NOW_MS): SignaturePolicy => ({
  credentials: CREDENTIALS,
  region: REGION,
  service: 'rds',
  clock: {...systemClock, nowMs: () => nowMs},
});

/** A request signed by the SDK's own signer, as the server would see it. */
async function sign(
  change: {
    method?: string;
    query?: Record<string, string>;
    headers?: Record<string, string>;
    body?: string;
    secretAccessKey?: string;
    signingRegion?: string;
    signingService?: string;
  } = {},
): Promise<SignedRequest> {
  const {method = 'POST', query = {}, headers = {}, body = 'Action=DescribeDBClusters'} = change;
  const client = new RDSClient({
    region: REGION,
    credentials: {
      ...CREDENTIALS,
      ...(change.secretAccessKey && {secretAccessKey: change.secretAccessKey}),
    },
  });
  const signer = await client.config.signer({
    name: 'sigv4',
    signingName: change.signingService ?? 'rds',
    signingRegion: change.signingRegion ?? REGION,
    properties: {},
  });
  const signed = await signer.sign(
    {
      method,
      protocol: 'http:',
      hostname: '127.0.0.1',
      port: 8080,
      path: '/',
      query,
      headers: {host: HOST, ...headers},
      body,
    },
    {signingDate: new Date(NOW_MS)},
  );
  client.destroy();
  const pairs = Object.entries(query).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return {
    method,
    target: pairs.length === 0 ? '/' : `/?${pairs.join('&')}`,
    headers: Object.fromEntries(
      Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), [value]]),
    ),
    body: Buffer.from(body),
  };
}

function refusal(request: SignedRequest, nowMs?: number): BorealisError {
  try {
    verifySignature(request, policy(nowMs));
  } catch (error) {
    if (error instanceof BorealisError) return error;
    throw error;
  }
  throw new Error('the signature was taken');
}

function withHeader(
  request: SignedRequest,
  name: string,
  values: string[] | undefined,
): SignedRequest {
  const {[name]: _, ...headers} = request.headers;
  return {...request, headers: values === undefined ? headers : {...headers, [name]: values}};
}

it('takes whatever the SDK signs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST'),
      fc.dictionary(
        fc.string({unit: 'grapheme', minLength: 1, maxLength: 8}),
        fc.string({unit: 'grapheme'}),
        {
          maxKeys: 4,
          noNullPrototype: true,
        },
      ),
      fc.dictionary(
        fc.stringMatching(/^x-[a-z0-9-]{1,10}$/),
        fc.stringMatching(/^[!-~][ -~]{0,20}[!-~]$/),
        {
          maxKeys: 4,
          noNullPrototype: true,
        },
      ),
      fc.string({unit: 'binary'}),
      async (method, query, headers, body) => {
        verifySignature(await sign({method, query, headers, body}), policy());
      },
    ),
    {numRuns: 300},
  );
});

it('refuses a request of which any signed part was changed', async () => {
  const request = await sign({query: {fresh: 'true'}, headers: {'x-amz-meta': 'a'}});
  verifySignature(request, policy());
  const changed: SignedRequest[] = [
    {...request, method: 'GET'},
    {...request, target: '/other?fresh=true'},
    {...request, target: '/?fresh=false'},
    {...request, target: '/?fresh=true&fresh=true'},
    {...request, body: Buffer.from('Action=DeleteDBCluster')},
    withHeader(request, 'host', ['127.0.0.1:8081']),
    withHeader(request, 'host', ['127.0.0.1']),
    withHeader(request, 'host', [HOST, HOST]),
    withHeader(request, 'x-amz-meta', ['b']),
    withHeader(request, 'x-amz-date', ['20261122T194501Z']),
    withHeader(request, 'x-amz-added', ['c']),
  ];
  for (const one of changed) expect(refusal(one).code).toBe('SignatureDoesNotMatch');
});

it('computes the hash of the body itself', async () => {
  const request = await sign();
  const honest = request.headers['x-amz-content-sha256']?.[0];
  expect(honest).toMatch(/^[0-9a-f]{64}$/);
  // The signature covers the header, and the header is not the hash of this body.
  const swapped = {...request, body: Buffer.from('Action=DeleteDBCluster')};
  expect(refusal(swapped).message).toContain("'x-amz-content-sha256' header does not match");
  const unsigned = await sign({headers: {'x-amz-content-sha256': 'UNSIGNED-PAYLOAD'}});
  expect(refusal(unsigned).message).toContain("'x-amz-content-sha256' header does not match");
});

it.each([
  ['a wrong secret', {secretAccessKey: 'other'}, 'Check your AWS Secret Access Key'],
  ['another region', {signingRegion: 'eu-west-1'}, "This service's region is 'us-east-1'"],
  ['another service', {signingService: 's3'}, "correct service: 'rds'"],
])('refuses %s', async (_, change, words) => {
  const {code, message} = refusal(await sign(change));
  expect(code).toBe('SignatureDoesNotMatch');
  expect(message).toContain(words);
});

it('refuses an unknown access key and any session token', async () => {
  const request = await sign();
  const [authorization = ''] = request.headers['authorization'] ?? [];
  const other = authorization.replace(CREDENTIALS.accessKeyId, 'AKIDOTHER');
  expect(refusal(withHeader(request, 'authorization', [other])).code).toBe('InvalidClientTokenId');
  const token = await sign({headers: {'x-amz-security-token': 'token'}});
  expect(refusal(token).code).toBe('InvalidClientTokenId');
});

it('takes 15 minutes of skew either way and not a second more', async () => {
  const request = await sign();
  for (const offsetMs of [-CLOCK_SKEW_MAX_MS, CLOCK_SKEW_MAX_MS]) {
    verifySignature(request, policy(NOW_MS + offsetMs));
  }
  expect(refusal(request, NOW_MS + CLOCK_SKEW_MAX_MS + 1000)).toMatchObject({
    code: 'SignatureDoesNotMatch',
    message:
      'Signature expired: 20261122T194500Z is now earlier than 20261122T194501Z (20261122T200001Z - 15 min.)',
  });
  expect(refusal(request, NOW_MS - CLOCK_SKEW_MAX_MS - 1000)).toMatchObject({
    code: 'SignatureDoesNotMatch',
    message:
      'Signature not yet current: 20261122T194500Z is still later than 20261122T194459Z (20261122T192959Z + 15 min.)',
  });
});

const CREDENTIAL = `Credential=${CREDENTIALS.accessKeyId}/20261122/us-east-1/rds/aws4_request`;
const HEADERS = 'SignedHeaders=host;x-amz-date';
const SIGNATURE = `Signature=${'0'.repeat(64)}`;

it.each([
  [[], 'MissingAuthenticationToken'],
  [[''], 'IncompleteSignature'],
  [['Basic dXNlcjpwYXNz'], 'IncompleteSignature'],
  [['AWS4-ECDSA-P256-SHA256 a=b'], 'IncompleteSignature'],
  [['AWS4-HMAC-SHA256'], 'IncompleteSignature'],
  [[`AWS4-HMAC-SHA256 ${HEADERS}, ${SIGNATURE}`], 'IncompleteSignature'],
  [[`AWS4-HMAC-SHA256 ${CREDENTIAL}, ${SIGNATURE}`], 'IncompleteSignature'],
  [[`AWS4-HMAC-SHA256 ${CREDENTIAL}, ${HEADERS}`], 'IncompleteSignature'],
  [[`AWS4-HMAC-SHA256 ${CREDENTIAL}/more, ${HEADERS}, ${SIGNATURE}`], 'IncompleteSignature'],
  [[`AWS4-HMAC-SHA256 ${CREDENTIAL}, ${HEADERS}, Signature=abc`], 'IncompleteSignature'],
  [[`AWS4-HMAC-SHA256 ${CREDENTIAL}, SignedHeaders=Host;, ${SIGNATURE}`], 'IncompleteSignature'],
  [[`AWS4-HMAC-SHA256 ${CREDENTIAL}, ${HEADERS}, ${SIGNATURE}`, 'second'], 'IncompleteSignature'],
  [[`AWS4-HMAC-SHA256 ${CREDENTIAL}, ${HEADERS}, ${SIGNATURE}`], 'SignatureDoesNotMatch'],
  [
    [`AWS4-HMAC-SHA256 ${CREDENTIAL}, SignedHeaders=x-amz-date, ${SIGNATURE}`],
    'SignatureDoesNotMatch',
  ],
])('answers the authorization %j with %s', (authorization, code) => {
  const headers = {
    host: [HOST],
    'x-amz-date': ['20261122T194500Z'],
    ...(authorization.length > 0 && {authorization}),
  };
  const request = {method: 'POST', target: '/', headers, body: Buffer.alloc(0)};
  const error = refusal(request);
  expect(error.code).toBe(code);
  expect(error.message).not.toContain('0'.repeat(64));
});

it('asks for a date', async () => {
  const request = await sign();
  expect(refusal(withHeader(request, 'x-amz-date', undefined)).code).toBe('IncompleteSignature');
});
