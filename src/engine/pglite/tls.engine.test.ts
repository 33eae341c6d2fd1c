/** TLS at PGlite's front end, with real clients. */
import {execFile} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {once} from 'node:events';
import {createConnection} from 'node:net';
import {join} from 'node:path';
import {connect as connectTls, type TLSSocket} from 'node:tls';
import {promisify} from 'node:util';
import pg from 'pg';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {systemClock} from '../../base/clock.ts';
import {issueAuthority, issueClient, issueServer} from '../../base/x509.ts';
import type {EngineTls} from '../engine.ts';
import {startPglite, type RunningPglite} from './pglite-engine.ts';
import {makeScratchStore, MASTER, type ScratchStore} from './testing/scratch-store.ts';

const run = promisify(execFile);
const now = systemClock.nowMs();
const PERIOD = {notBeforeMs: now - 60_000, notAfterMs: now + 3_600_000};
const authority = issueAuthority('pglite test', PERIOD);
const clients = issueAuthority('pglite test clients', PERIOD);
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const ca = authority.certificate;

let store: ScratchStore;
let engine: RunningPglite;

function tlsOf(name: string): EngineTls {
  const server = issueServer(authority, name, ['127.0.0.1'], PERIOD);
  return {...server, clientAuthority: clients.certificate};
}

async function start(parameters: Readonly<Record<string, string>>): Promise<RunningPglite> {
  const config = {...store.config(store.cluster()), tls: tlsOf('first'), parameters};
  const running = await startPglite(config, () => undefined);
  if (!('attachment' in running)) throw new Error('a writer serves');
  return running;
}

beforeAll(async () => {
  store = await makeScratchStore();
  writeFileSync(join(store.directory, 'ca.pem'), ca);
  engine = await start({});
});

afterAll(async () => {
  await engine.stop('fast');
  await engine.attachment.detach();
  store.remove();
});

async function connect(
  ssl: false | Record<string, string>,
  more: pg.ClientConfig = {},
  port = engine.port,
): Promise<pg.Client> {
  const {name: user, password} = MASTER;
  const place = {host: '127.0.0.1', port, database: 'postgres'};
  const client = new pg.Client({...place, user, password, ssl, ...more});
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

test('psql verifies it, and binds its login to the certificate', async () => {
  for (const mode of [
    'verify-full channel_binding=require',
    'require channel_binding=disable',
    'disable',
  ]) {
    const place = `host=127.0.0.1 port=${engine.port} user=${MASTER.name} dbname=postgres`;
    const {stdout} = await run('psql', ['-XAtc', 'SELECT 7', `${place} sslmode=${mode}`], {
      env: {
        PATH: '/usr/bin:/bin',
        PGPASSWORD: MASTER.password,
        PGSSLROOTCERT: join(store.directory, 'ca.pem'),
      },
    });
    expect(stdout.trim(), mode).toBe('7');
  }
});

test('large results and statements pass whole', async () => {
  const client = await connect({ca});
  const text = 'borealis '.repeat(200_000);
  const {rows} = await client.query<{text: string}>('SELECT $1::text AS text', [text]);
  expect(rows[0]?.text).toBe(text);
  await client.end();
});

test('direct TLS needs its protocol named', async () => {
  const open = (protocols: string[]): TLSSocket =>
    connectTls({host: '127.0.0.1', port: engine.port, ca, ALPNProtocols: protocols});
  const good = open(['postgresql']);
  await once(good, 'secureConnect');
  good.write(Buffer.from('000000080003ffff', 'hex'));
  const [answer] = (await once(good, 'data')) as [Buffer];
  expect(answer.toString('latin1', 0, 1)).toMatch(/[ERN]/);
  good.destroy();
  const bad = open([]);
  bad.on('error', () => undefined);
  await once(bad, 'close');
});

test('bytes that came with the request for TLS are not taken for protected ones', async () => {
  const socket = createConnection({host: '127.0.0.1', port: engine.port});
  socket.write(Buffer.concat([SSL_REQUEST, Buffer.from('more')]));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString('latin1')).toMatch(/^E.*before the TLS handshake/s);
  socket.destroy();
});

test('a new certificate is shown to those who come', async () => {
  await engine.setTls(tlsOf('second'));
  const client = await connect({ca});
  const {stream} = (client as unknown as {connection: {stream: TLSSocket}}).connection;
  expect(stream.getPeerCertificate().subject.CN).toBe('second');
  await client.end();
});

test('members of rds_iam show a certificate in their name', async () => {
  const owner = await connect({ca});
  await owner.query(`CREATE ROLE app LOGIN PASSWORD 'secret'`);
  await owner.query('GRANT rds_iam TO app');
  await owner.end();
  expect(await engine.isTokenUser('app')).toBe(true);
  expect(await engine.isTokenUser(MASTER.name)).toBe(false);
  const as = async (user: string, issuer = clients): Promise<unknown> => {
    const {certificate: cert, key} = issueClient(issuer, user, PERIOD);
    const client = await connect({ca, cert, key}, {user: 'app', password: 'secret'});
    const {rows} = await client.query<{me: string}>('SELECT current_user AS me');
    await client.end();
    return rows[0]?.me;
  };
  expect(await as('app')).toBe('app');
  await expect(as('other')).rejects.toMatchObject({code: '28000'});
  await expect(as('app', authority)).rejects.toMatchObject({code: '28000'});
  const plain = connect({ca}, {user: 'app', password: 'secret'});
  await expect(plain).rejects.toMatchObject({code: '28000'});
});

test('rds.force_ssl refuses clients without TLS', async () => {
  const forced = await start({'rds.force_ssl': '1'});
  try {
    await expect(connect(false, {}, forced.port)).rejects.toMatchObject({code: '28000'});
    const client = await connect({ca}, {}, forced.port);
    await client.end();
  } finally {
    await forced.stop('fast');
    await forced.attachment.detach();
  }
});
