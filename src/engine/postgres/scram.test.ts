import {describe, expect, test} from 'vitest';
import {parseScramVerifier, scramVerifier} from './scram.ts';

const RFC_7677_SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const RFC_7677_VERIFIER =
  'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=';

function of(password: string): string {
  return scramVerifier(password, {salt: RFC_7677_SALT});
}

describe('a SCRAM verifier', () => {
  test('is that of the example in RFC 7677', () => {
    expect(scramVerifier('pencil', {salt: RFC_7677_SALT})).toBe(RFC_7677_VERIFIER);
  });

  test('has a new salt each time', () => {
    expect(scramVerifier('pencil')).not.toBe(scramVerifier('pencil'));
  });

  test('is the same for spellings that SASLprep makes the same', () => {
    expect(of('Ⅸ')).toBe(of('IX'));
    expect(of('I\u00adX')).toBe(of('IX'));
    expect(of('a\u00a0b')).toBe(of('a b'));
  });

  test('comes apart into what it was made of', () => {
    const secrets = parseScramVerifier(RFC_7677_VERIFIER);
    expect(secrets.iterations).toBe(4096);
    expect(secrets.salt).toEqual(RFC_7677_SALT);
    expect(secrets.storedKey).toHaveLength(32);
    expect(secrets.serverKey).toHaveLength(32);
  });

  test.each(['', 'pencil', 'md5abc', 'SCRAM-SHA-256$0:YQ==$YQ==:YQ==', 'SCRAM-SHA-256$4096:a$b:c'])(
    'that is not one is refused without being repeated: %j',
    text => {
      expect(() => parseScramVerifier(text)).toThrow(/^a stored password must be a verifier/);
    },
  );
});
