/**
 * Verifies Signature Version 4 on a request, in the `Authorization` header or in the query of a
 * presigned URL. What a request does not prove, it does not get:
 *
 *     access key known ─▶ scope is ours ─▶ time within 15 minutes ─▶ host and x-amz-* are signed
 *       ─▶ the body has the hash that it claims ─▶ the signature is the one we compute
 *
 * The hash that is signed is always computed from the raw bytes received, never taken from a header.
 *
 * Errors: BorealisErrors with the codes that AWS clients know: MissingAuthenticationToken,
 *         IncompleteSignature, InvalidClientTokenId, SignatureDoesNotMatch (also for a clock that is
 *         off, which makes an SDK take the server's `Date` and try again), RequestExpired.
 *         No message repeats a signature.
 */
import {timingSafeEqual} from 'node:crypto';
import type {Clock} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import {
  ALGORITHM,
  canonicalRequest,
  percentDecode,
  SCOPE_TERMINATOR,
  sha256Hex,
  signature,
  splitTarget,
  stringToSign,
  type CredentialScope,
} from './canonical-request.ts';

export type ApiCredentials = {readonly accessKeyId: string; readonly secretAccessKey: string};

export type SignaturePolicy = {
  readonly credentials: ApiCredentials;
  readonly region: string;
  readonly service: string;
  readonly clock: Clock;
};

export type SignedRequest = {
  readonly method: string;
  /** Path and query exactly as in the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  readonly body: Buffer;
};

export const CLOCK_SKEW_MAX_MS: number = 15 * 60 * 1000;
/** A week: what AWS allows. */
const PRESIGNED_LIFETIME_MAX_S: number = 7 * 24 * 60 * 60;

/** What the client claims, before any of it is believed. */
type Claim = {
  readonly accessKeyId: string;
  readonly scope: CredentialScope & {readonly terminator: string};
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `YYYYMMDDThhmmssZ`. */
  readonly time: string;
  /** Null for a signed header: it lives as long as the allowed skew. */
  readonly lifetimeS: number | null;
  readonly hasSessionToken: boolean;
};

export function verifySignature(request: SignedRequest, policy: SignaturePolicy): void {
  const claim = readClaim(request);
  // Keys of this service are long-lived, so a session token is never one that it gave out.
  if (claim.accessKeyId !== policy.credentials.accessKeyId || claim.hasSessionToken) {
    throw refusal('InvalidClientTokenId', 'The security token included in the request is invalid.');
  }
  checkScope(claim, policy);
  checkTime(claim, policy.clock.nowMs());
  checkSignedHeaders(claim, request);
  const bodyHash = checkBodyHash(request);
  const canonical = canonicalRequest({...request, signedHeaders: claim.signedHeaders, bodyHash});
  const toSign = stringToSign(canonical, claim.time, claim.scope);
  const expected = signature(policy.credentials.secretAccessKey, claim.scope, toSign);
  if (!timingSafeEqual(expected, Buffer.from(claim.signature, 'hex'))) {
    throw mismatch(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
}

function readClaim(request: SignedRequest): Claim {
  const authorization = request.headers['authorization'] ?? [];
  const query = queryParameters(request.target);
  const isPresigned = query.has('X-Amz-Signature') || query.has('X-Amz-Algorithm');
  if (authorization.length === 0 && !isPresigned) {
    throw refusal('MissingAuthenticationToken', 'Request is missing Authentication Token');
  }
  if (authorization.length > 1 || (authorization.length === 1 && isPresigned)) {
    throw incomplete('The request carries more than one signature.');
  }
  return isPresigned ? presignedClaim(query) : headerClaim(request, authorization[0] ?? '');
}

function headerClaim(request: SignedRequest, authorization: string): Claim {
  const [algorithm = '', ...rest] = authorization.split(' ');
  const parts = new Map<string, string>();
  for (const part of rest.join(' ').split(',')) {
    const split = part.indexOf('=');
    if (split > 0) parts.set(part.slice(0, split).trim(), part.slice(split + 1).trim());
  }
  const time = singleHeader(request, 'x-amz-date') ?? httpDate(singleHeader(request, 'date'));
  if (time === undefined) {
    throw incomplete(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  return {
    ...commonClaim('Authorization header', {
      algorithm,
      credential: parts.get('Credential'),
      signedHeaders: parts.get('SignedHeaders'),
      signature: parts.get('Signature'),
      time,
    }),
    lifetimeS: null,
    hasSessionToken: request.headers['x-amz-security-token'] !== undefined,
  };
}

function presignedClaim(query: ReadonlyMap<string, string>): Claim {
  const expires = query.get('X-Amz-Expires') ?? '';
  const lifetimeS = /^\d{1,7}$/.test(expires) ? Number(expires) : 0;
  if (lifetimeS < 1 || lifetimeS > PRESIGNED_LIFETIME_MAX_S) {
    throw incomplete(`X-Amz-Expires must be a number from 1 to ${PRESIGNED_LIFETIME_MAX_S}.`);
  }
  return {
    ...commonClaim('AWS query-string parameters', {
      algorithm: query.get('X-Amz-Algorithm') ?? '',
      credential: query.get('X-Amz-Credential'),
      signedHeaders: query.get('X-Amz-SignedHeaders'),
      signature: query.get('X-Amz-Signature'),
      time: query.get('X-Amz-Date') ?? '',
    }),
    lifetimeS,
    hasSessionToken: query.has('X-Amz-Security-Token'),
  };
}

type RawClaim = {
  algorithm: string;
  credential: string | undefined;
  signedHeaders: string | undefined;
  signature: string | undefined;
  time: string;
};

function commonClaim(where: string, raw: RawClaim): Omit<Claim, 'lifetimeS' | 'hasSessionToken'> {
  if (raw.algorithm !== ALGORITHM)
    throw incomplete(`Unsupported AWS 'algorithm': must be ${ALGORITHM}.`);
  const {credential = '', signedHeaders = '', signature: signed = ''} = raw;
  const [accessKeyId = '', day = '', region = '', service = '', terminator = '', ...extra] =
    credential.split('/');
  if (accessKeyId === '' || terminator === '' || extra.length > 0) {
    throw incomplete(
      `${where} must have a 'Credential' of the form <access key id>/<date>/<region>/<service>/${SCOPE_TERMINATOR}.`,
    );
  }
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*$/.test(signedHeaders)) {
    throw incomplete(
      `${where} must have 'SignedHeaders': lower-case names with semicolons between.`,
    );
  }
  if (!/^[0-9a-f]{64}$/.test(signed)) {
    throw incomplete(`${where} must have a 'Signature' of 64 hexadecimal digits.`);
  }
  return {
    accessKeyId,
    scope: {day, region, service, terminator},
    signedHeaders: signedHeaders.split(';').sort(),
    signature: signed,
    time: raw.time,
  };
}

function checkScope({scope, time}: Claim, {region, service}: SignaturePolicy): void {
  if (scope.terminator !== SCOPE_TERMINATOR) {
    throw mismatch(`Credential should be scoped with a valid terminator: '${SCOPE_TERMINATOR}'.`);
  }
  if (scope.service !== service) {
    throw mismatch(`Credential should be scoped to correct service: '${service}'.`);
  }
  if (scope.region !== region) {
    throw mismatch(
      `Credential should be scoped to a valid region. This service's region is '${region}'.`,
    );
  }
  if (!time.startsWith(`${scope.day}T`)) {
    throw mismatch('Date in Credential scope does not match the day of the request.');
  }
}

function checkTime({time, lifetimeS}: Claim, nowMs: number): void {
  const signedMs = parseTime(time);
  if (signedMs === undefined) throw incomplete('The date of the request must be YYYYMMDDThhmmssZ.');
  const now = formatTime(nowMs);
  if (signedMs > nowMs + CLOCK_SKEW_MAX_MS) {
    const latest = formatTime(nowMs + CLOCK_SKEW_MAX_MS);
    throw mismatch(
      `Signature not yet current: ${time} is still later than ${latest} (${now} + 15 min.)`,
    );
  }
  if (lifetimeS !== null) {
    if (nowMs <= signedMs + lifetimeS * 1000) return;
    throw refusal(
      'RequestExpired',
      `The presigned URL expired ${lifetimeS} seconds after ${time}.`,
    );
  }
  if (signedMs < nowMs - CLOCK_SKEW_MAX_MS) {
    const earliest = formatTime(nowMs - CLOCK_SKEW_MAX_MS);
    throw mismatch(`Signature expired: ${time} is now earlier than ${earliest} (${now} - 15 min.)`);
  }
}

/** A header that is not signed could have been added by anyone between client and service. */
function checkSignedHeaders({signedHeaders}: Claim, {headers}: SignedRequest): void {
  const signed = new Set(signedHeaders);
  if (!signed.has('host'))
    throw mismatch("'host' must be a 'SignedHeader' in the AWS Authorization.");
  for (const name of Object.keys(headers)) {
    if (name.startsWith('x-amz-') && !signed.has(name)) {
      throw mismatch(`There were headers present in the request which were not signed: ${name}`);
    }
  }
}

function checkBodyHash(request: SignedRequest): string {
  const hash = sha256Hex(request.body);
  const claimed = request.headers['x-amz-content-sha256'];
  if (claimed !== undefined && (claimed.length !== 1 || claimed[0] !== hash)) {
    throw mismatch(
      "The 'x-amz-content-sha256' header does not match the SHA-256 of the body received.",
    );
  }
  return hash;
}

function queryParameters(target: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of splitTarget(target).query.split('&')) {
    const split = pair.indexOf('=');
    const name = percentDecode(split < 0 ? pair : pair.slice(0, split));
    if (parameters.has(name) && name.startsWith('X-Amz-')) {
      throw incomplete('A query-string parameter of the signature is given more than once.');
    }
    parameters.set(name, split < 0 ? '' : percentDecode(pair.slice(split + 1)));
  }
  return parameters;
}

function singleHeader(request: SignedRequest, name: string): string | undefined {
  const values = request.headers[name];
  return values?.length === 1 ? values[0] : undefined;
}

/** `Sun, 22 Nov 2026 19:45:00 GMT` → `20261122T194500Z`. */
function httpDate(text: string | undefined): string | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : formatTime(ms);
}

function parseTime(time: string): number | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(time);
  if (parts === null) return undefined;
  const [, year, month, day, hours, minutes, seconds] = parts;
  const ms = Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function incomplete(message: string): BorealisError {
  return refusal('IncompleteSignature', message);
}

function mismatch(message: string): BorealisError {
  return refusal('SignatureDoesNotMatch', message);
}

function refusal(code: string, message: string): BorealisError {
  return new BorealisError('invalid', code, message);
}
