/**
 * The text that Signature Version 4 signs, derived from a request as it arrived:
 *
 *     canonical request   method, path, query, signed headers, their names, hash of the body
 *     string to sign      algorithm, time, credential scope, hash of the canonical request
 *     signature           HMAC(HMAC(HMAC(HMAC(HMAC("AWS4" + secret, day), region), service),
 *                         "aws4_request"), string to sign)
 *
 * Units:  every string here holds one byte a character (latin1, as Node hands over the request line and
 *         headers), so that non-ASCII text is hashed as it was sent.
 * Source: "Create a signed AWS API request" in the AWS IAM user guide, and its test suite.
 */
import {createHash, createHmac} from 'node:crypto';

export type CredentialScope = {
  /** `YYYYMMDD`, UTC. */
  readonly day: string;
  readonly region: string;
  readonly service: string;
};

export type CanonicalRequest = {
  readonly method: string;
  /** Path and query exactly as in the request line. */
  readonly target: string;
  /** Lower-case header name to all of its values, in order. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  /** Lower case, sorted. */
  readonly signedHeaders: readonly string[];
  readonly bodyHash: string;
};

export const ALGORITHM = 'AWS4-HMAC-SHA256';
export const SCOPE_TERMINATOR = 'aws4_request';
/** The one query parameter that cannot be part of what it signs. */
const SIGNATURE_PARAMETER = 'X-Amz-Signature';

export function canonicalRequest(request: CanonicalRequest): string {
  const {path, query} = splitTarget(request.target);
  const headerLines = request.signedHeaders.map(
    name => `${name}:${(request.headers[name] ?? []).map(canonicalHeaderValue).join(',')}\n`,
  );
  return [
    request.method,
    canonicalPath(path),
    canonicalQuery(query),
    headerLines.join(''),
    request.signedHeaders.join(';'),
    request.bodyHash,
  ].join('\n');
}

/** `time` is `YYYYMMDDThhmmssZ`. */
export function stringToSign(canonical: string, time: string, scope: CredentialScope): string {
  const scopeText = [scope.day, scope.region, scope.service, SCOPE_TERMINATOR].join('/');
  return [ALGORITHM, time, scopeText, sha256Hex(Buffer.from(canonical, 'latin1'))].join('\n');
}

export function signature(secret: string, scope: CredentialScope, toSign: string): Buffer {
  let key: Buffer | string = `AWS4${secret}`;
  for (const part of [scope.day, scope.region, scope.service, SCOPE_TERMINATOR])
    key = hmac(key, part);
  return hmac(key, toSign);
}

export function sha256Hex(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

export function splitTarget(target: string): {path: string; query: string} {
  const split = target.indexOf('?');
  return split < 0
    ? {path: target, query: ''}
    : {path: target.slice(0, split), query: target.slice(split + 1)};
}

/** `%41` → `A`, `+` → blank; a percent sign that begins no escape stays. */
export function percentDecode(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
}

/** `/a/./b//../c` → `/a/c`. Escapes of the request line are escaped once more: `%20` → `%2520`. */
function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(percentEncode(segment));
  }
  const trailing = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${trailing}`;
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter(pair => pair !== '')
    .map(pair => {
      const split = pair.indexOf('=');
      const name = percentDecode(split < 0 ? pair : pair.slice(0, split));
      const value = split < 0 ? '' : percentDecode(pair.slice(split + 1));
      return [percentEncode(name), percentEncode(value)] as const;
    })
    .filter(([name]) => name !== SIGNATURE_PARAMETER)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function canonicalHeaderValue(value: string): string {
  return value.trim().replace(/[ \t]+/g, ' ');
}

function percentEncode(text: string): string {
  return text.replace(
    /[^A-Za-z0-9\-._~]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}
