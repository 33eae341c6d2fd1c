import {execFileSync} from 'node:child_process';
import {X509Certificate} from 'node:crypto';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {afterAll, describe, expect, test} from 'vitest';
import {systemClock} from './clock.ts';
import {
  isClientOf,
  isIssuedBy,
  issueAuthority,
  issueClient,
  issueServer,
  validityOf,
} from './x509.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const now = Math.floor(systemClock.nowMs() / 1000) * 1000;
const period = {notBeforeMs: now - DAY_MS, notAfterMs: now + DAY_MS};
const authority = issueAuthority('Borealis test authority', period);
const directory = mkdtempSync(join(tmpdir(), 'borealis-x509-'));
afterAll(() => rmSync(directory, {recursive: true}));

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, {cwd: directory, encoding: 'utf8', stdio: 'pipe'});
}

describe('certificates', () => {
  test('OpenSSL finds a server certificate good for each of its names and for nothing else', () => {
    const names = ['localhost', '127.0.0.1', '127.0.0.2', '::1'];
    const server = issueServer(authority, 'orders', names, period);
    writeFileSync(join(directory, 'ca.pem'), authority.certificate);
    writeFileSync(join(directory, 'server.pem'), server.certificate);
    const verify = (...options: string[]): string =>
      openssl('verify', '-x509_strict', '-CAfile', 'ca.pem', ...options, 'server.pem');
    for (const name of names) {
      const option = name === 'localhost' ? '-verify_hostname' : '-verify_ip';
      expect(verify('-purpose', 'sslserver', option, name)).toContain('OK');
    }
    expect(() => verify('-verify_ip', '127.0.0.3')).toThrow();
    expect(() => verify('-verify_hostname', 'orders')).toThrow();
    expect(() => verify('-purpose', 'sslclient')).toThrow();
  });

  test('a client certificate is good for a client alone, and keeps any name of a role', () => {
    fc.assert(
      fc.property(fc.string({minLength: 1, maxLength: 20, unit: 'grapheme'}), name => {
        const client = issueClient(authority, name, period);
        writeFileSync(join(directory, 'client.pem'), client.certificate);
        const text = openssl(
          ...[
            'x509',
            '-in',
            'client.pem',
            '-noout',
            '-subject',
            '-nameopt',
            'oneline,utf8,-esc_msb',
          ],
        );
        expect(text.includes(name) || /[\\",+<>;#\p{C}\p{Z}]/u.test(name)).toBe(true);
        expect(isIssuedBy(client, authority.certificate)).toBe(true);
      }),
      {numRuns: 20},
    );
    const server = issueServer(authority, 'role', ['localhost'], period);
    const other = issueAuthority('Borealis test authority', period);
    const good = issueClient(authority, 'role', period);
    const isGood = (pem: string, from = authority, at = now): boolean =>
      isClientOf(new X509Certificate(pem), from.certificate, at);
    expect(isGood(good.certificate)).toBe(true);
    expect(isGood(good.certificate, other)).toBe(false);
    expect(isGood(server.certificate)).toBe(false);
    expect(isGood(authority.certificate)).toBe(false);
    expect(isGood(good.certificate, authority, period.notAfterMs + 1_000)).toBe(false);
    expect(isGood(good.certificate, authority, period.notBeforeMs - 1_000)).toBe(false);
    const purpose = (name: string): string =>
      openssl('verify', '-CAfile', 'ca.pem', '-purpose', name, 'client.pem');
    expect(purpose('sslclient')).toContain('OK');
    expect(() => purpose('sslserver')).toThrow();
  });

  test('one that another authority signed, or whose key is not its own, is told apart', () => {
    const server = issueServer(authority, 'orders', ['localhost'], period);
    const other = issueAuthority('Borealis test authority', period);
    expect(isIssuedBy(server, authority.certificate)).toBe(true);
    expect(isIssuedBy(server, other.certificate)).toBe(false);
    expect(isIssuedBy({...server, key: other.key}, authority.certificate)).toBe(false);
    expect(isIssuedBy(authority, authority.certificate)).toBe(true);
    expect(new X509Certificate(authority.certificate).ca).toBe(true);
  });

  test('validity is as it was asked for, before 2050 and after', () => {
    for (const notAfterMs of [now + DAY_MS, Date.UTC(2060, 1, 1)]) {
      const {certificate} = issueAuthority('a', {...period, notAfterMs});
      expect(validityOf(certificate)).toEqual({...period, notAfterMs});
    }
  });
});
