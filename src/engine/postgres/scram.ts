/**
 * SCRAM-SHA-256 verifiers as PostgreSQL stores them (`pg_authid.rolpassword`): enough to check a
 * password, not to log in with it elsewhere. Keeping only this, no password ever rests on disk.
 *
 *     SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>        (base64 each)
 *
 *     SaltedPassword = PBKDF2-HMAC-SHA256(normalised password, salt, 4096 iterations)
 *     StoredKey      = SHA256(HMAC(SaltedPassword, "Client Key"))
 *     ServerKey      = HMAC(SaltedPassword, "Server Key")
 *
 * Normalisation: SASLprep's mapping of spaces and its NFKC step. Its prohibited characters are not
 * looked for; a password of ASCII characters, which is all that RDS allows, stays as it is.
 * Source: RFC 5802, RFC 7677, PostgreSQL's src/common/scram-common.c.
 */
import {createHash, createHmac, pbkdf2Sync} from 'node:crypto';
import {BorealisError} from '../../base/errors.ts';
import {randomHex} from '../../base/random.ts';

export type ScramSecrets = {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
};

/** PostgreSQL's own default (`scram_iterations`). */
const ITERATIONS = 4096;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

export type ScramOptions = {readonly salt?: Buffer; readonly iterations?: number};

/** The verifier of `password`, with a new random salt unless one is given. */
export function scramVerifier(password: string, options: ScramOptions = {}): string {
  const iterations = options.iterations ?? ITERATIONS;
  const salt = options.salt ?? Buffer.from(randomHex(SALT_BYTES), 'hex');
  const salted = pbkdf2Sync(saslPrepare(password), salt, iterations, KEY_BYTES, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  const serverKey = hmac(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/** Takes a verifier apart, for a server that checks a login itself. */
export function parseScramVerifier(verifier: string): ScramSecrets {
  const base64 = '[A-Za-z0-9+/]+={0,2}';
  const match = new RegExp(
    `^SCRAM-SHA-256\\$(\\d{1,9}):(${base64})\\$(${base64}):(${base64})$`,
  ).exec(verifier);
  const [, iterations, salt, storedKey, serverKey] = match ?? [];
  const secrets = {
    iterations: Number(iterations),
    salt: Buffer.from(salt ?? '', 'base64'),
    storedKey: Buffer.from(storedKey ?? '', 'base64'),
    serverKey: Buffer.from(serverKey ?? '', 'base64'),
  };
  if (
    match === null ||
    secrets.iterations < 1 ||
    secrets.storedKey.length !== KEY_BYTES ||
    secrets.serverKey.length !== KEY_BYTES
  ) {
    // The text stays out of the message: it is a secret.
    throw new BorealisError(
      'invalid',
      'scram-verifier',
      'a stored password must be a verifier of the form SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey',
    );
  }
  return secrets;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Non-ASCII spaces become a space, soft hyphens and zero-width characters go, then NFKC. */
function saslPrepare(password: string): string {
  return password
    .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu, ' ')
    .replace(
      /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu,
      '',
    )
    .normalize('NFKC');
}
