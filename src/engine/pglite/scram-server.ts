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
 * so that neither messages nor salts tell whether a role exists. Over TLS the client may bind the login
 * to the server's certificate (SCRAM-SHA-256-PLUS, tls-server-end-point): then nobody is in between.
 */
import {createHash, createHmac, randomBytes, timingSafeEqual} from 'node:crypto';
import {parseScramVerifier} from '../postgres/scram.ts';
import type {ScramSecrets} from '../postgres/scram.ts';
import {ProtocolViolation} from './wire.ts';

export const SCRAM_MECHANISM = 'SCRAM-SHA-256';
export const SCRAM_PLUS_MECHANISM = 'SCRAM-SHA-256-PLUS';
const BINDING_TYPE = 'tls-server-end-point';
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
  /** Hash of our certificate, or null without TLS. */
  readonly #certificateHash: Buffer | null;
  /** What the client is to be bound to by the mechanism that it chose. */
  #binding: Buffer = Buffer.alloc(0);

  constructor(user: string, verifier: string | null, certificateHash: Buffer | null = null) {
    this.#certificateHash = certificateHash;
    this.#isReal = verifier !== null;
    this.#secrets = verifier === null ? mockSecrets(user) : parseScramVerifier(verifier);
  }

  /** The mechanisms that a client may choose from, the stronger first. */
  get mechanisms(): readonly string[] {
    return this.#certificateHash === null
      ? [SCRAM_MECHANISM]
      : [SCRAM_PLUS_MECHANISM, SCRAM_MECHANISM];
  }

  /** Answers the client's first message with the server's first. */
  first(mechanism: string, clientFirst: string): string {
    if (!this.mechanisms.includes(mechanism)) {
      throw new ProtocolViolation(`SASL mechanism ${mechanism} was not offered`);
    }
    const match = /^(([ny]|p=[^,]*),(?:a=[^,]*)?,)(n=[^,]*,r=([!-+\--~]+)(?:,.*)?)$/.exec(
      clientFirst,
    );
    const [, header, flag, bare, clientNonce] = match ?? [];
    if (header === undefined || bare === undefined || clientNonce === undefined) {
      throw new ProtocolViolation('malformed SCRAM client-first-message');
    }
    this.#binding = this.#chosenBinding(mechanism, flag ?? '');
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
    const expected = Buffer.concat([Buffer.from(this.#header), this.#binding]).toString('base64');
    if (binding !== expected || nonce !== this.#nonce) {
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

  /** `y` says that the client would bind if the server could: over TLS somebody took our offer away. */
  #chosenBinding(mechanism: string, flag: string): Buffer {
    const isBound = mechanism === SCRAM_PLUS_MECHANISM;
    if (isBound !== flag.startsWith('p=') || (isBound && flag !== `p=${BINDING_TYPE}`)) {
      throw new ProtocolViolation('SCRAM channel binding does not fit the mechanism');
    }
    if (flag === 'y' && this.#certificateHash !== null) {
      throw new ProtocolViolation('the client did not see the offer of SCRAM channel binding');
    }
    return (isBound ? this.#certificateHash : null) ?? Buffer.alloc(0);
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
