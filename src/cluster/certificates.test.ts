import {mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pino} from 'pino';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {systemClock, type Clock} from '../base/clock.ts';
import {isIssuedBy, type Credential} from '../base/x509.ts';
import {openAuthority} from './certificate-authority.ts';
import {Certificates, SERVER_LIFETIME_MS} from './certificates.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const CLUSTER = {identifier: 'orders', resourceId: 'cluster-A'};
let directory = '';
let laterMs = 0;
const clock: Clock = {...systemClock, nowMs: () => systemClock.nowMs() + laterMs};
const open = (): Credential => openAuthority(directory, {clock, logger: pino({level: 'silent'})});

beforeEach(() => {
  laterMs = 0;
  directory = mkdtempSync(join(tmpdir(), 'borealis-authority-'));
});
afterEach(() => rmSync(directory, {recursive: true}));

describe('the authority', () => {
  test('is made once, with files that only the owner reads', () => {
    const made = open();
    expect(open()).toEqual(made);
    for (const name of ['ca.pem', 'ca.key']) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    }
    expect(readFileSync(join(directory, 'ca.pem'), 'utf8')).toBe(made.certificate);
  });

  test('whose key is lost or another is named, and made anew once its certificate is gone', () => {
    const made = open();
    for (const key of ['', 'nonsense']) {
      writeFileSync(join(directory, 'ca.key'), key);
      expect(open).toThrow(/Restore them, or delete .*ca\.pem/);
    }
    // So does a first start that was cut off between the two files.
    rmSync(join(directory, 'ca.pem'));
    expect(open().certificate).not.toBe(made.certificate);
  });

  test('with less than a year left is replaced, and the old one kept beside', () => {
    const made = open();
    laterMs = 9 * 366 * DAY_MS;
    expect(open().certificate).not.toBe(made.certificate);
    expect(readFileSync(join(directory, 'ca.pem.old'), 'utf8')).toBe(made.certificate);
  });
});

describe('the certificate of a cluster', () => {
  test('stays until a third of its time is left, and is renewed then', () => {
    const certificates = new Certificates(open(), clock);
    const first = certificates.of(CLUSTER, []);
    expect(isIssuedBy(first.engine, certificates.authority)).toBe(true);
    laterMs = (SERVER_LIFETIME_MS * 2) / 3 - DAY_MS;
    expect(certificates.of(CLUSTER, [])).toBe(first);
    laterMs += 2 * DAY_MS;
    const second = certificates.of(CLUSTER, []);
    expect(second.engine.key).not.toBe(first.engine.key);
    expect(second.validity.notAfterMs).toBeGreaterThan(clock.nowMs() + SERVER_LIFETIME_MS / 2);
  });

  test('is renewed for an endpoint that it does not name, and not for one that it does', () => {
    const certificates = new Certificates(open(), clock);
    const first = certificates.of(CLUSTER, []);
    expect(certificates.of(CLUSTER, [{address: '127.0.0.7'}])).toBe(first);
    const second = certificates.of(CLUSTER, [{address: '127.0.0.99'}]);
    expect(second.names).toContain('127.0.0.99');
    // It still has that name, which does no harm.
    expect(certificates.of(CLUSTER, [])).toBe(second);
  });

  test('is no other cluster’s, and sessions have an authority of their own', () => {
    const certificates = new Certificates(open(), clock);
    const {engine} = certificates.of(CLUSTER, []);
    const other = certificates.of({...CLUSTER, resourceId: 'cluster-B'}, []);
    expect(other.engine.key).not.toBe(engine.key);
    const session = certificates.session('app');
    expect(isIssuedBy(session, engine.clientAuthority)).toBe(true);
    expect(isIssuedBy(session, certificates.authority)).toBe(false);
  });
});
