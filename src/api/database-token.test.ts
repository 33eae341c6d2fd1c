import {Signer} from '@aws-sdk/rds-signer';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {systemClock} from '../base/clock.ts';
import {tokenRefusal} from './database-token.ts';
import {CREDENTIALS, REGION} from './testing/api-fixture.ts';

const HOSTS = ['localhost', '127.0.0.1', '127.0.0.2', '::1'];
const SCOPE = {user: 'app', hosts: HOSTS, port: 5432};

async function token(more: Partial<ConstructorParameters<typeof Signer>[0]> = {}): Promise<string> {
  const wanted = {hostname: '127.0.0.1', port: 5432, username: 'app', region: REGION};
  return new Signer({...wanted, credentials: CREDENTIALS, ...more}).getAuthToken();
}

function refusal(text: string, scope: Partial<typeof SCOPE> = {}, laterMs = 0): string | null {
  const clock = {...systemClock, nowMs: () => systemClock.nowMs() + laterMs};
  return tokenRefusal(
    text,
    {...SCOPE, ...scope},
    {credentials: CREDENTIALS, region: REGION, clock},
  );
}

describe('a token', () => {
  test('of the SDK is good for its user at each name of the cluster', async () => {
    for (const hostname of ['127.0.0.1', '127.0.0.2', 'localhost']) {
      expect(refusal(await token({hostname}))).toBeNull();
    }
    const odd = 'jane doe+x@example.com/ü';
    expect(refusal(await token({username: odd}), {user: odd})).toBeNull();
  });

  test.each([
    [{username: 'other'}, /DBUser/],
    [{port: 5433}, /host and port/],
    [{hostname: '10.0.0.1'}, /host and port/],
    [{region: 'eu-west-1'}, /region/],
    [{credentials: {...CREDENTIALS, secretAccessKey: 'other'}}, /signature/],
    [{credentials: {...CREDENTIALS, accessKeyId: 'AKIAOTHER'}}, /token .* is invalid/],
    [{credentials: {...CREDENTIALS, sessionToken: 'session'}}, /token .* is invalid/],
  ])('made with %j is refused', async (more, words) => {
    expect(refusal(await token(more))).toMatch(words);
  });

  test('is good for fifteen minutes and no second longer, nor before its time', async () => {
    const text = await token();
    expect(refusal(text, {}, 14 * 60_000)).toBeNull();
    expect(refusal(text, {}, 15 * 60_000 + 2_000)).toMatch(/expired/);
    expect(refusal(text, {}, -16 * 60_000)).toMatch(/not yet current/);
    expect(refusal(text.replace('X-Amz-Expires=900', 'X-Amz-Expires=901'))).toMatch(/Expires/);
  });

  test('that was changed anywhere is refused, and the reason repeats no signature', async () => {
    const text = await token();
    const signature = /X-Amz-Signature=([0-9a-f]+)/.exec(text)?.[1] ?? '';
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({min: 33, max: 126}), (at, code) => {
        const character = String.fromCharCode(code);
        fc.pre(character.toLowerCase() !== text[at]?.toLowerCase());
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        const reason = refusal(changed);
        expect(reason).not.toBeNull();
        expect(reason).not.toContain(signature.slice(0, 32));
      }),
      {numRuns: 300},
    );
  });

  test('is not what a password may look like', () => {
    for (const text of [
      '',
      '/',
      'secret',
      '127.0.0.1:5432',
      '127.0.0.1:5432/',
      'x'.repeat(9_000),
    ]) {
      expect(refusal(text)).toMatch(/token/);
    }
  });
});
