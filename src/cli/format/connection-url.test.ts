import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {assert, property, string} from 'fast-check';
import {Client} from 'pg';
import {describe, expect, test} from 'vitest';
import {connectionEnvironment, connectionUrl, shellExports, shellQuote} from './connection-url.ts';

const target = {
  scheme: 'postgresql',
  host: '127.0.0.1',
  port: 15432,
  user: 'admin',
  password: 'pw',
  database: 'orders',
} as const;

describe('a connection URL', () => {
  test.each([
    ['pw', 'postgresql://admin:pw@127.0.0.1:15432/orders'],
    [null, 'postgresql://admin@127.0.0.1:15432/orders'],
    ['p@ss/1', 'postgresql://admin:p%40ss%2F1@127.0.0.1:15432/orders'],
    ["a:b?c#d e%f'g", 'postgresql://admin:a%3Ab%3Fc%23d%20e%25f%27g@127.0.0.1:15432/orders'],
    ['(*!)', 'postgresql://admin:%28%2A%21%29@127.0.0.1:15432/orders'],
    ['grüße', 'postgresql://admin:gr%C3%BC%C3%9Fe@127.0.0.1:15432/orders'],
  ])('with password %j is %s', (password, url) => {
    expect(connectionUrl({...target, password})).toBe(url);
  });

  test.each([
    ['shop', 'mysql://admin:pw@127.0.0.1:15432/shop'],
    ['', 'mysql://admin:pw@127.0.0.1:15432/'],
  ])('of MySQL with the database %j is %s', (database, url) => {
    expect(connectionUrl({...target, scheme: 'mysql', database})).toBe(url);
  });

  test('with TLS names the file of the authority, and is refused for MySQL with the reason', () => {
    const tls = {rootCertificateFile: '/data dir/ca.pem'};
    expect(connectionUrl(target, tls)).toBe(
      'postgresql://admin:pw@127.0.0.1:15432/orders?sslmode=verify-full&sslrootcert=%2Fdata%20dir%2Fca.pem',
    );
    expect(() => connectionUrl({...target, scheme: 'mysql'}, tls)).toThrow(
      'DB clusters of aurora-mysql have no TLS yet',
    );
  });

  test('puts an IPv6 address in brackets', () => {
    expect(connectionUrl({...target, host: '::1'})).toBe(
      'postgresql://admin:pw@[::1]:15432/orders',
    );
  });

  test('is read back by the pg client with every user and password intact', () => {
    const text = string({minLength: 1, unit: 'grapheme-ascii'});
    assert(
      property(text, text, (user, password) => {
        const url = connectionUrl({...target, user, password});
        const client = new Client({connectionString: url});
        expect([client.user, client.password]).toEqual([user, password]);
      }),
    );
  });
});

describe('exports for a shell', () => {
  test('are those that the clients of the engine read', () => {
    expect(connectionEnvironment({...target, scheme: 'mysql'})).toEqual({
      MYSQL_HOST: '127.0.0.1',
      MYSQL_TCP_PORT: '15432',
      MYSQL_PWD: 'pw',
    });
  });

  test('leave PGPASSWORD out when the password is not known', () => {
    expect(connectionEnvironment({...target, password: null})).not.toHaveProperty('PGPASSWORD');
  });

  test.each([
    ['plain-word_1./:', 'plain-word_1./:'],
    ['', "''"],
    ['two words', "'two words'"],
    ["it's", String.raw`'it'\''s'`],
    ['$(id)`id`', "'$(id)`id`'"],
  ])('%j is quoted as %s', (word, quoted) => expect(shellQuote(word)).toBe(quoted));

  test('come back from eval in sh byte for byte', () => {
    const value = `a'b"c$d\`e\\f g!h;i&j|k*l${randomBytes(4).toString('hex')}`;
    const script = `${shellExports({BOREALIS_TEST: value})}printf %s "$BOREALIS_TEST"`;
    expect(execFileSync('sh', ['-c', script], {encoding: 'utf8'})).toBe(value);
  });
});
