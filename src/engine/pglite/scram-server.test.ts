import {createHash, createHmac, pbkdf2Sync} from 'node:crypto';
import {describe, expect, test} from 'vitest';
import {scramVerifier} from '../postgres/scram.ts';
import {SCRAM_MECHANISM, SCRAM_PLUS_MECHANISM, ScramServer} from './scram-server.ts';
import {ProtocolViolation} from './wire.ts';

const BARE = 'n=,r=clientNonce';

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** What a client that knows `password` answers to the server's first message, and expects at the end. */
function clientFinal(
  serverFirst: string,
  password: string,
  binding: Buffer = Buffer.from('n,,'),
): {final: string; expected: string} {
  const [, nonce = '', salt = '', iterations = ''] =
    /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? [];
  const salted = pbkdf2Sync(
    password,
    Buffer.from(salt, 'base64'),
    Number(iterations),
    32,
    'sha256',
  );
  const clientKey = hmac(salted, 'Client Key');
  const without = `c=${binding.toString('base64')},r=${nonce}`;
  const auth = `${BARE},${serverFirst},${without}`;
  const signature = hmac(createHash('sha256').update(clientKey).digest(), auth);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
  return {
    final: `${without},p=${proof.toString('base64')}`,
    expected: `v=${hmac(hmac(salted, 'Server Key'), auth).toString('base64')}`,
  };
}

function attempt(server: ScramServer, password: string): {answer: string | null; expected: string} {
  const {final, expected} = clientFinal(server.first(SCRAM_MECHANISM, `n,,${BARE}`), password);
  return {answer: server.final(final), expected};
}

test('the right password is answered with the signature that the client expects', () => {
  const {answer, expected} = attempt(new ScramServer('u', scramVerifier('right')), 'right');
  expect(answer).toBe(expected);
});

test('a wrong password and an unknown role are both answered with nothing', () => {
  expect(attempt(new ScramServer('u', scramVerifier('right')), 'wrong').answer).toBeNull();
  expect(attempt(new ScramServer('u', null), 'right').answer).toBeNull();
});

test('an unknown role has one salt, as a known one has', () => {
  const salt = (user: string): string =>
    /s=([^,]+)/.exec(new ScramServer(user, null).first(SCRAM_MECHANISM, `n,,${BARE}`))?.[1] ?? '';
  expect(salt('ghost')).toBe(salt('ghost'));
  expect(salt('ghost')).not.toBe(salt('other'));
});

test('another nonce, a channel binding and malformed messages break the protocol', () => {
  const server = new ScramServer('u', scramVerifier('right'));
  const {final} = clientFinal(server.first(SCRAM_MECHANISM, `n,,${BARE}`), 'right');
  expect(() => server.final(final.replace('r=client', 'r=Client'))).toThrow(ProtocolViolation);
  expect(() => server.final(final.replace('biws', 'eSws'))).toThrow(ProtocolViolation);
  expect(() => new ScramServer('u', null).first(SCRAM_MECHANISM, `p=tls-unique,,${BARE}`)).toThrow(
    ProtocolViolation,
  );
  expect(() => server.final('nonsense')).toThrow(ProtocolViolation);
});

describe('over TLS', () => {
  const HASH = Buffer.alloc(32, 7);
  const HEADER = 'p=tls-server-end-point,,';
  const overTls = (): ScramServer => new ScramServer('u', scramVerifier('right'), HASH);
  const bound = (hash: Buffer): string | null => {
    const server = overTls();
    const first = server.first(SCRAM_PLUS_MECHANISM, HEADER + BARE);
    const binding = Buffer.concat([Buffer.from(HEADER), hash]);
    return server.final(clientFinal(first, 'right', binding).final);
  };

  test('a login that is bound to our certificate is good, one bound to another is not', () => {
    expect(overTls().mechanisms).toEqual([SCRAM_PLUS_MECHANISM, SCRAM_MECHANISM]);
    expect(bound(HASH)).toMatch(/^v=/);
    expect(() => bound(Buffer.alloc(32, 8))).toThrow(ProtocolViolation);
  });

  test('a client that was kept from seeing the offer is refused, one that cannot bind is not', () => {
    expect(() => overTls().first(SCRAM_MECHANISM, `y,,${BARE}`)).toThrow(ProtocolViolation);
    expect(() => overTls().first(SCRAM_PLUS_MECHANISM, `n,,${BARE}`)).toThrow(ProtocolViolation);
    expect(() => overTls().first(SCRAM_MECHANISM, HEADER + BARE)).toThrow(ProtocolViolation);
    expect(attempt(overTls(), 'right').answer).toMatch(/^v=/);
    expect(() => new ScramServer('u', null).first(SCRAM_PLUS_MECHANISM, HEADER + BARE)).toThrow(
      ProtocolViolation,
    );
  });
});
