import {createHash, createHmac, pbkdf2Sync} from 'node:crypto';
import {expect, test} from 'vitest';
import {scramVerifier} from '../postgres/scram.ts';
import {ScramServer} from './scram-server.ts';
import {ProtocolViolation} from './wire.ts';

const BARE = 'n=,r=clientNonce';

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** What a client that knows `password` answers to the server's first message, and expects at the end. */
function clientFinal(serverFirst: string, password: string): {final: string; expected: string} {
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
  const without = `c=biws,r=${nonce}`;
  const auth = `${BARE},${serverFirst},${without}`;
  const signature = hmac(createHash('sha256').update(clientKey).digest(), auth);
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
  return {
    final: `${without},p=${proof.toString('base64')}`,
    expected: `v=${hmac(hmac(salted, 'Server Key'), auth).toString('base64')}`,
  };
}

function attempt(server: ScramServer, password: string): {answer: string | null; expected: string} {
  const {final, expected} = clientFinal(server.first(`n,,${BARE}`), password);
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
    /s=([^,]+)/.exec(new ScramServer(user, null).first(`n,,${BARE}`))?.[1] ?? '';
  expect(salt('ghost')).toBe(salt('ghost'));
  expect(salt('ghost')).not.toBe(salt('other'));
});

test('another nonce, a channel binding and malformed messages break the protocol', () => {
  const server = new ScramServer('u', scramVerifier('right'));
  const {final} = clientFinal(server.first(`n,,${BARE}`), 'right');
  expect(() => server.final(final.replace('r=client', 'r=Client'))).toThrow(ProtocolViolation);
  expect(() => server.final(final.replace('biws', 'eSws'))).toThrow(ProtocolViolation);
  expect(() => new ScramServer('u', null).first(`p=tls-unique,,${BARE}`)).toThrow(
    ProtocolViolation,
  );
  expect(() => server.final('nonsense')).toThrow(ProtocolViolation);
});
