/**
 * The server's side of a SCRAM-SHA-256 login (RFC 5802, RFC 7677) against a stored verifier.
 *
 *     client                                  server
 *        │── n,,n=,r=<nonce> ──────────────────▶│
 *        │◀─ r=<nonce+ours>,s=<salt>,i=<count> ─│
 *        │── c=biws,r=…,p=<proof> ──────────────▶│ HMAC and compare
 *        │◀─ v=<signature> ─────────────────────│
 *
 * An unknown role takes the same course with a salt made from its name and a secret of this process,
 * so that neither messages nor salts tell whether a role exists. No channel binding, for there is no TLS.
 */
import {createHash, createHmac, randomBytes, timingSafeEqual} from 'node:crypto';
import {parseScramVerifier} from '../postgres/scram.ts';
import type {ScramSecrets} from '../postgres/scram.ts';
import {ProtocolViolation} from './wire.ts';

export const SCRAM_MECHANISM = 'SCRAM-SHA-256';
const NONCE_BYTES = 18;
const KEY_BYTES = 32;
const MOCK_SALT_BYTES = 16;
/** PostgreSQL's default `scram_iterations`. */
const MOCK_ITERATIONS = 4096;
const mockSecret: Buffer = randomBytes(KEY_BYTES);

export class ScramServer {
  readonly #secrets: ScramSecrets;
  /** False when the role does not exist or has no verifier: no proof can be right. */
  readonly #isReal: boolean;
  #clientFirstBare = '';
  #serverFirst = '';
  #nonce = '';
  #header = '';

  constructor(user: string, verifier: string | null) {
    this.#isReal = verifier !== null;
    this.#secrets = verifier === null ? mockSecrets(user) : parseScramVerifier(verifier);
  }

  /** Answers the client's first message with the server's first. */
  first(clientFirst: string): string {
    const match = /^([ny],(?:a=[^,]*)?,)(n=[^,]*,r=([!-+\--~]+)(?:,.*)?)$/.exec(clientFirst);
    const [, header, bare, clientNonce] = match ?? [];
    if (header === undefined || bare === undefined || clientNonce === undefined) {
      throw new ProtocolViolation('malformed SCRAM client-first-message');
    }
    this.#header = header;
    this.#clientFirstBare = bare;
    this.#nonce = clientNonce + randomBytes(NONCE_BYTES).toString('base64');
    const {salt, iterations} = this.#secrets;
    this.#serverFirst = `r=${this.#nonce},s=${salt.toString('base64')},i=${iterations}`;
    return this.#serverFirst;
  }

  /** Answers the client's proof with the server's signature, or null when the proof is wrong. */
  final(clientFinal: string): string | null {
    const match = /^(c=([^,]+),r=([^,]+)(?:,[^p].*)?),p=([A-Za-z0-9+/=]+)$/.exec(clientFinal);
    const [, withoutProof, binding, nonce, proofText] = match ?? [];
    if (withoutProof === undefined || proofText === undefined) {
      throw new ProtocolViolation('malformed SCRAM client-final-message');
    }
    if (binding !== Buffer.from(this.#header).toString('base64') || nonce !== this.#nonce) {
      throw new ProtocolViolation('SCRAM channel binding or nonce does not match');
    }
    const authMessage = `${this.#clientFirstBare},${this.#serverFirst},${withoutProof}`;
    const {storedKey, serverKey} = this.#secrets;
    const proof = Buffer.from(proofText, 'base64');
    if (proof.length !== KEY_BYTES) return null;
    const signature = hmac(storedKey, authMessage);
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)));
    const isRight = timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey);
    if (!isRight || !this.#isReal) return null;
    return `v=${hmac(serverKey, authMessage).toString('base64')}`;
  }
}

function mockSecrets(user: string): ScramSecrets {
  return {
    iterations: MOCK_ITERATIONS,
    salt: hmac(mockSecret, user).subarray(0, MOCK_SALT_BYTES),
    storedKey: hmac(mockSecret, `stored ${user}`),
    serverKey: hmac(mockSecret, `server ${user}`),
  };
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
