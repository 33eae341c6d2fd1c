/**
 * A token of `generate-db-auth-token`: a presigned URL for the service `rds-db`, without its scheme,
 * used as a database password.
 *
 *     127.0.0.1:15432/?Action=connect&DBUser=app&X-Amz-Algorithm=…&X-Amz-Expires=900&…&X-Amz-Signature=…
 *
 * It proves that its maker has the service's access key and meant this user, host and port, in the last
 * fifteen minutes. No message repeats a part of it but the names that its maker chose.
 */
import type {Clock} from '../base/clock.ts';
import {errorMessage} from '../base/errors.ts';
import type {TokenScope} from '../cluster/gates.ts';
import {verifySignature, type ApiCredentials} from './signature.ts';

/** As at RDS. A connection that it opened lives on. */
const LIFETIME_MAX_S = 15 * 60;
const TOKEN_LENGTH_MAX = 8_192;

export type TokenPolicy = {
  readonly credentials: ApiCredentials;
  readonly region: string;
  readonly clock: Clock;
};

/** Why the token does not let this user in, or null when it does. */
export function tokenRefusal(token: string, scope: TokenScope, policy: TokenPolicy): string | null {
  if (token.length > TOKEN_LENGTH_MAX) return 'it is too long for a token';
  const slash = token.indexOf('/');
  const host = token.slice(0, Math.max(slash, 0));
  const target = token.slice(slash);
  if (slash < 1 || !target.startsWith('/?')) return 'it is not a token: HOST:PORT/?Action=connect…';
  const query = new URLSearchParams(target.slice(2));
  const only = (name: string): string | null =>
    query.getAll(name).length === 1 ? query.get(name) : null;
  if (only('Action') !== 'connect') return 'its Action is not connect';
  if (only('DBUser') !== scope.user) return 'its DBUser is another user';
  if (
    !scope.hosts.some(
      name => host === `${name}:${scope.port}` || host === `[${name}]:${scope.port}`,
    )
  ) {
    return `its host and port are not those of an endpoint of the cluster (port ${scope.port})`;
  }
  const lifetime = Number(only('X-Amz-Expires'));
  if (!(lifetime >= 1 && lifetime <= LIFETIME_MAX_S)) {
    return `its X-Amz-Expires is not from 1 to ${LIFETIME_MAX_S} seconds`;
  }
  try {
    const headers = {host: [host]};
    const request = {method: 'GET', target, headers, body: Buffer.alloc(0)};
    verifySignature(request, {...policy, service: 'rds-db'});
    return null;
  } catch (error) {
    return errorMessage(error);
  }
}
