/** TLS, cancel requests and logins by token at every endpoint, with real servers and real clients. */
import {execFile} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {createConnection, Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {connect as connectTls} from 'node:tls';
import {promisify} from 'node:util';
import {RDS} from '@aws-sdk/client-rds';
import {Signer} from '@aws-sdk/rds-signer';
import pg from 'pg';
import {pino} from 'pino';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {sleep, systemClock} from '../src/base/clock.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {startService, type Service} from '../src/server.ts';
import {prepareData} from './support/prepared-data.ts';

const PASSWORD = 'correct-horse-battery';
const PSQL = '/usr/bin/psql';
const AWS = '/usr/bin/aws';
const REGION = 'us-east-1';
const CUSTOM_ADDRESS = '127.0.0.3';
const run = promisify(execFile);
const fuse = await probeFuse();
const why = !existsSync(entryPoint('instance/main'))
  ? 'npm run build first'
  : !existsSync(PSQL)
    ? 'psql is not installed'
    : fuse.available
      ? null
      : `no FUSE mounts here: ${fuse.reason}`;

let directory = '';
let service: Service;
let rds: RDS;
let logged = '';
/** The clusters' endpoints. */
let port = 0;
let instancePort = 0;

async function create(name: string, instances: readonly string[]): Promise<number> {
  const {DBCluster} = await rds.createDBCluster({
    DBClusterIdentifier: name,
    Engine: 'aurora-postgresql',
    MasterUsername: 'owner',
    MasterUserPassword: PASSWORD,
  });
  for (const instance of instances) await addInstance(name, instance);
  return DBCluster?.Port ?? 0;
}

async function addInstance(cluster: string, name: string): Promise<void> {
  await rds.createDBInstance({
    DBInstanceIdentifier: name,
    DBClusterIdentifier: cluster,
    DBInstanceClass: 'db.r6g.large',
    Engine: 'aurora-postgresql',
  });
  for (;;) {
    const {DBInstances = []} = await rds.describeDBInstances({DBInstanceIdentifier: name});
    if (DBInstances[0]?.DBInstanceStatus === 'available') return;
    await sleep(100);
  }
}

/** What psql prints, or the words of its error. */
async function psql(conninfo: string, sql: string, password = PASSWORD): Promise<string> {
  const environment = {PATH: '/usr/bin:/bin', PGPASSWORD: password, PGSSLROOTCERT: caFile()};
  try {
    const args = [`dbname=postgres user=owner ${conninfo}`, '-XAtc', sql];
    return (await run(PSQL, args, {env: environment})).stdout.trim();
  } catch (error) {
    return error instanceof Error && 'stderr' in error
      ? String(error.stderr).trim()
      : String(error);
  }
}

const caFile = (): string => join(directory, 'ca.pem');
const ca = (): string => readFileSync(caFile(), 'utf8');
const VERIFIED = 'sslmode=verify-full';
const SECURE = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';

type Session = {client: pg.Client; pid: number; key: number};

async function connect(host: string, tls: boolean): Promise<Session> {
  const client = new pg.Client({
    host,
    port,
    user: 'owner',
    password: PASSWORD,
    database: 'postgres',
    ssl: tls ? {ca: ca()} : false,
  });
  client.on('error', () => undefined);
  await client.connect();
  // What BackendKeyData said; the types of pg do not know it.
  const {processID: pid, secretKey: key} = client as unknown as {
    processID: number;
    secretKey: number;
  };
  return {client, pid, key};
}

/** A socket that pg connects, from that address to that endpoint. */
function fromAddress(localAddress: string, host: string): Socket {
  const socket = new Socket();
  const begin = socket.connect.bind(socket);
  socket.connect = () => begin({host, port, localAddress});
  return socket;
}

function cancelRequest({pid, key}: Pick<Session, 'pid' | 'key'>): Buffer {
  const packet = Buffer.alloc(16);
  [16, 80_877_102, pid, key].forEach((value, index) => packet.writeInt32BE(value, index * 4));
  return packet;
}

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

async function open(host: string, how: 'clear' | 'tls' | 'direct'): Promise<Socket> {
  const socket = createConnection({host, port});
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  if (how === 'clear') return socket;
  if (how === 'tls') {
    socket.write(SSL_REQUEST);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toBe('S');
    socket.removeAllListeners('data');
  }
  const secure = connectTls({socket, host, ca: ca(), ALPNProtocols: ['postgresql']});
  secure.on('error', () => secure.destroy());
  await once(secure, 'secureConnect');
  return secure;
}

async function cancel(
  host: string,
  how: 'clear' | 'tls' | 'direct',
  target: Session,
): Promise<void> {
  const socket = await open(host, how);
  socket.end(cancelRequest(target));
  socket.resume();
  await once(socket, 'close');
}

describe.skipIf(why !== null)(`TLS${why === null ? '' : ` (skipped: ${why})`}`, () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'borealis-tls-'));
    await prepareData(directory, 'native');
    service = await startService({
      dataDirectory: directory,
      region: REGION,
      port: 0,
      engineRuntime: 'native',
      postgresBin: null,
      logger: pino({level: 'debug'}, {write: line => void (logged += line)}),
    });
    rds = new RDS({endpoint: service.url, region: REGION, credentials: service.credentials});
    port = await create('orders', ['orders-1', 'orders-2', 'orders-3']);
    await rds.createDBClusterEndpoint({
      DBClusterIdentifier: 'orders',
      DBClusterEndpointIdentifier: 'all',
      EndpointType: 'ANY',
    });
    const {DBInstances = []} = await rds.describeDBInstances({DBInstanceIdentifier: 'orders-1'});
    instancePort = DBInstances[0]?.Endpoint?.Port ?? 0;
  }, 300_000);

  afterAll(async () => {
    rds.destroy();
    await service.close();
    rmSync(directory, {recursive: true});
  });

  test('psql verifies every endpoint by the authority of the data directory', async () => {
    const places = [
      `host=127.0.0.1 port=${port}`,
      `host=localhost port=${port}`,
      `host=127.0.0.2 port=${port}`,
      `host=${CUSTOM_ADDRESS} port=${port}`,
      `host=127.0.0.1 port=${instancePort}`,
    ];
    for (const place of places) {
      expect(await psql(`${place} ${VERIFIED}`, SECURE), place).toBe('t');
      expect(await psql(`${place} ${VERIFIED} channel_binding=require`, SECURE), place).toBe('t');
      expect(await psql(`${place} sslmode=disable`, SECURE), place).toBe('f');
    }
    const stranger = `host=127.0.0.1 port=${port} ${VERIFIED} sslrootcert=/etc/ssl/certs/ca-certificates.crt`;
    expect(await psql(stranger, SECURE)).toMatch(/certificate verify failed|does not exist/);
  });

  test('direct TLS works at endpoints that pass it and at those that end it', async () => {
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const socket = await open(host, 'direct');
      const words = Buffer.from('user\0owner\0database\0postgres\0\0');
      const head = Buffer.alloc(8);
      head.writeInt32BE(8 + words.length, 0);
      head.writeInt32BE(196_608, 4);
      socket.write(Buffer.concat([head, words]));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      // AuthenticationSASL, with the mechanism that binds to the certificate.
      expect(answer.toString('latin1')).toMatch(/^R.*SCRAM-SHA-256-PLUS/s);
      socket.destroy();
    }
  });

  test('keys are readable by their owners alone, and none lies in the volume', async () => {
    expect(statSync(join(directory, 'ca.key')).mode & 0o777).toBe(0o600);
    const place = `host=127.0.0.1 port=${port} ${VERIFIED}`;
    const files = await psql(place, `SELECT current_setting('ssl_key_file')`);
    expect(files).toMatch(/\/config\/server\.key$/);
    expect(logged).not.toContain('PRIVATE KEY');
  });

  test('the engine sees the address of a client, whichever of loopback it has', async () => {
    const address = `SELECT client_addr FROM pg_stat_activity WHERE pid = pg_backend_pid()`;
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const client = new pg.Client({
        user: 'owner',
        password: PASSWORD,
        database: 'postgres',
        stream: () => fromAddress('127.0.0.77', host),
      });
      await client.connect();
      const {rows} = await client.query<{client_addr: string}>(address);
      expect(rows[0]?.client_addr).toBe('127.0.0.77');
      await client.end();
    }
    expect(await psql(`host=127.0.0.1 port=${port}`, address)).toBe('127.0.0.1');
  });

  test.each(['clear', 'tls', 'direct'] as const)(
    'a cancel request (%s) reaches the reader that runs the statement',
    async how => {
      // Two sessions are on two readers, so one of them is on the one that a request alone would miss.
      const sessions = [
        await connect('127.0.0.2', how !== 'clear'),
        await connect('127.0.0.2', false),
      ];
      const ports = await Promise.all(
        sessions.map(async ({client}) => {
          const {rows} = await client.query<{port: number}>('SELECT inet_server_port() AS port');
          return rows[0]?.port;
        }),
      );
      expect(new Set(ports).size).toBe(2);
      for (const session of sessions) {
        const beganMs = systemClock.monotonicMs();
        const statement = session.client
          .query('SELECT pg_sleep(60)')
          .catch((error: unknown) => error);
        await sleep(200);
        await cancel('127.0.0.2', how, {...session, key: session.key + 1});
        await sleep(200);
        await cancel('127.0.0.2', how, session);
        expect(await statement).toMatchObject({code: '57014'});
        expect(systemClock.monotonicMs() - beganMs).toBeLessThan(30_000);
        expect(systemClock.monotonicMs() - beganMs).toBeGreaterThan(400);
        await session.client.end();
      }
    },
  );

  test('one that asks for TLS and is refused hears why', async () => {
    const empty = await create('empty', []);
    for (const mode of ['verify-full', 'disable']) {
      const words = await psql(`host=127.0.0.1 port=${empty} sslmode=${mode}`, 'SELECT 1');
      expect(words).toContain('DB cluster "empty" has no DB instance');
    }
  });

  describe('a login by token', () => {
    const credentials = (): Service['credentials'] => service.credentials;
    const signed = (username: string, host = '127.0.0.1', at = port): Promise<string> =>
      new Signer({
        hostname: host,
        port: at,
        username,
        region: REGION,
        credentials: credentials(),
      }).getAuthToken();
    const login = (conninfo: string, token: string): Promise<string> =>
      psql(`port=${port} user=app ${conninfo}`, 'SELECT current_user', token);

    beforeAll(async () => {
      const owner = `host=127.0.0.1 port=${port}`;
      await psql(owner, `CREATE USER app PASSWORD 'of-no-use-to-it'`);
      await psql(owner, 'GRANT rds_iam TO app');
      await psql(owner, `CREATE USER plain PASSWORD '${PASSWORD}'`);
    });

    test('is refused while it is not enabled, and so is the password', async () => {
      expect(await login(`host=127.0.0.1 ${VERIFIED}`, await signed('app'))).toContain(
        'connection requires a valid client certificate',
      );
      expect(await login(`host=127.0.0.1 ${VERIFIED}`, 'of-no-use-to-it')).toContain('certificate');
    });

    test('of the real AWS CLI and SDK opens every endpoint of the cluster', async () => {
      const {DBCluster} = await rds.modifyDBCluster({
        DBClusterIdentifier: 'orders',
        EnableIAMDatabaseAuthentication: true,
      });
      expect(DBCluster?.IAMDatabaseAuthenticationEnabled).toBe(true);
      await sleep(1_000);
      const tokens = [await signed('app'), await signed('app', 'localhost')];
      if (existsSync(AWS)) {
        const args = ['rds', 'generate-db-auth-token', '--hostname', '127.0.0.1'];
        const more = ['--port', String(port), '--username', 'app', '--region', REGION];
        const {stdout} = await run(AWS, [...args, ...more], {
          env: {
            PATH: '/usr/bin:/bin',
            HOME: directory,
            AWS_ACCESS_KEY_ID: credentials().accessKeyId,
            AWS_SECRET_ACCESS_KEY: credentials().secretAccessKey,
          },
        });
        tokens.push(stdout.trim());
      }
      for (const token of tokens) {
        for (const host of ['127.0.0.1', 'localhost', '127.0.0.2', CUSTOM_ADDRESS]) {
          expect(await login(`host=${host} ${VERIFIED}`, token)).toBe('app');
        }
      }
    });

    test('needs TLS, and the user, the place, the key and the time that it was made for', async () => {
      const place = `host=127.0.0.1 ${VERIFIED}`;
      const refused = /PAM authentication failed for user "app"/;
      expect(await login('host=127.0.0.1 sslmode=disable', await signed('app'))).toMatch(
        /pg_hba.conf rejects connection .* no encryption/,
      );
      expect(await login(place, await signed('owner'))).toMatch(refused);
      expect(await login(place, await signed('app', '127.0.0.1', port + 1))).toMatch(refused);
      expect(await login(place, await signed('app', '192.0.2.1'))).toMatch(refused);
      expect(await login(place, 'of-no-use-to-it')).toMatch(refused);
      const token = await signed('app');
      expect(
        await login(
          place,
          token.replace(/.$/, end => (end === '0' ? '1' : '0')),
        ),
      ).toMatch(refused);
      expect(await login(place, token.replace('DBUser=app', 'DBUser=plain'))).toMatch(refused);
      expect(await login(`${place} port=${instancePort}`, token)).toContain('client certificate');
      expect(logged).not.toContain('X-Amz-Signature');
    });

    test('leaves others their passwords, bound to the certificate, and the owner too', async () => {
      const place = `host=127.0.0.1 port=${port} ${VERIFIED} channel_binding=require`;
      expect(await psql(`${place} user=plain`, 'SELECT current_user')).toBe('plain');
      // Whoever may grant rds_iam is a member of it, as PostgreSQL has it.
      expect(await psql(place, 'SELECT current_user')).toBe('owner');
      expect(await psql(`${place} user=plain`, 'SELECT 1', await signed('plain'))).toContain(
        'password authentication failed',
      );
    });
  });

  test('rds.force_ssl of a parameter group refuses clear connections, without a restart', async () => {
    const name = 'forced';
    await rds.createDBClusterParameterGroup({
      DBClusterParameterGroupName: name,
      DBParameterGroupFamily: 'aurora-postgresql18',
      Description: 'TLS only',
    });
    await rds.modifyDBCluster({
      DBClusterIdentifier: 'orders',
      DBClusterParameterGroupName: name,
      ApplyImmediately: true,
    });
    const clear = `host=127.0.0.1 port=${port} sslmode=disable`;
    const started = 'SELECT pg_postmaster_start_time()';
    const before = await psql(clear, started);
    const force = (value: string): Promise<unknown> =>
      rds.modifyDBClusterParameterGroup({
        DBClusterParameterGroupName: name,
        Parameters: [
          {ParameterName: 'rds.force_ssl', ParameterValue: value, ApplyMethod: 'immediate'},
        ],
      });
    await force('1');
    await expect
      .poll(() => psql(clear, 'SELECT 1'), {timeout: 60_000, interval: 500})
      .toMatch(/no pg_hba.conf entry .* no encryption/);
    const secure = `host=127.0.0.1 port=${port} ${VERIFIED}`;
    expect(await psql(secure, 'SHOW rds.force_ssl')).toMatch(/^(1|on)$/);
    expect(await psql(secure, started)).toBe(before);
    await force('0');
    await expect.poll(() => psql(clear, 'SELECT 1'), {timeout: 60_000, interval: 500}).toBe('1');
  }, 240_000);

  test('the API tells the authority and until when a certificate is good', async () => {
    const {Certificates = []} = await rds.describeCertificates({});
    const [authority] = Certificates;
    expect(authority).toMatchObject({CertificateType: 'CA', CustomerOverride: false});
    const {DBInstances = []} = await rds.describeDBInstances({DBInstanceIdentifier: 'orders-1'});
    const [instance] = DBInstances;
    expect(instance?.CACertificateIdentifier).toBe(authority?.CertificateIdentifier);
    const socket = await open('127.0.0.1', 'direct');
    const {valid_to: validTo} = (socket as ReturnType<typeof connectTls>).getPeerCertificate();
    expect(instance?.CertificateDetails?.ValidTill?.getTime()).toBe(Date.parse(validTo));
    socket.destroy();
    await expect(
      rds.describeCertificates({CertificateIdentifier: 'rds-ca-2019'}),
    ).rejects.toMatchObject({name: 'CertificateNotFoundFault'});
  });
});
