import {execFile} from 'node:child_process';
import {connect as connectSocket} from 'node:net';
import {promisify} from 'node:util';
import type pg from 'pg';
import {afterAll, beforeAll, beforeEach, afterEach, describe, expect, test} from 'vitest';
import {sleep} from '../../base/clock.ts';
import type {RunningPglite} from './pglite-engine.ts';
import {connect, sqlState, value} from './testing/client.ts';
import {MASTER, makeScratchStore, type ScratchStore} from './testing/scratch-store.ts';

const execute = promisify(execFile);
let store: ScratchStore;
let engine: RunningPglite;
let a: pg.Client;
let b: pg.Client;

beforeAll(async () => {
  store = await makeScratchStore();
  engine = await store.start(store.cluster());
});

afterAll(async () => {
  await engine.stop('fast');
  await engine.attachment.detach();
  store.remove();
});

beforeEach(async () => {
  a = await connect(engine.port);
  b = await connect(engine.port);
});

afterEach(async () => {
  await Promise.all([a.end(), b.end()]);
});

function psql(sql: readonly string[], input = ''): Promise<{stdout: string; stderr: string}> {
  const run = execute(
    'psql',
    [
      ...['-X', '-h', '127.0.0.1', '-p', String(engine.port), '-U', MASTER.name, '-d', 'postgres'],
      ...['-At', '-v', 'ON_ERROR_STOP=1'],
      ...sql.flatMap(text => ['-c', text]),
    ],
    {env: {...process.env, PGPASSWORD: MASTER.password}},
  );
  run.child.stdin?.end(input);
  return run;
}

describe('login', () => {
  test('the master user is itself, and no superuser', async () => {
    expect(await value(a, 'SELECT current_user')).toBe(MASTER.name);
    expect(await value(a, 'SELECT session_user')).toBe(MASTER.name);
    expect(await value(a, `SELECT current_setting('is_superuser')`)).toBe('off');
    expect(await sqlState(a.query('SET SESSION AUTHORIZATION rdsadmin'))).toBe('42501');
    expect(await sqlState(a.query('SET ROLE rdsadmin'))).toBe('42501');
    await a.query('RESET SESSION AUTHORIZATION');
    await a.query('DISCARD ALL');
    expect(await value(a, 'SELECT session_user')).toBe(MASTER.name);
    expect(
      await sqlState(a.query(`SELECT set_config('session_authorization', 'rdsadmin', false)`)),
    ).toBe('42501');
    expect(await sqlState(a.query('ALTER SYSTEM SET work_mem = 1'))).toBe('42501');
  });

  test('a wrong password, an unknown role and a role without a password end alike', async () => {
    await a.query('CREATE ROLE mute LOGIN');
    for (const user of [MASTER.name, 'nobody', 'mute']) {
      const refused = connect(engine.port, {user, password: 'wrong'});
      await expect(refused).rejects.toMatchObject({
        code: '28P01',
        message: `password authentication failed for user "${user}"`,
      });
    }
    await a.query('DROP ROLE mute');
  });

  test('an unknown database is 3D000, and only after the password was right', async () => {
    expect(await sqlState(connect(engine.port, {database: 'nowhere'}))).toBe('3D000');
    expect(await sqlState(connect(engine.port, {database: 'nowhere', password: 'x'}))).toBe(
      '28P01',
    );
    expect(await sqlState(connect(engine.port, {database: 'template1'}))).toBe('3D000');
  });

  test('the bootstrap superuser and a role without LOGIN are refused', async () => {
    expect(await sqlState(connect(engine.port, {user: 'rdsadmin'}))).toBe('28000');
    await a.query(`CREATE ROLE parked NOLOGIN PASSWORD 'parked-1'`);
    expect(await sqlState(connect(engine.port, {user: 'parked', password: 'parked-1'}))).toBe(
      '28000',
    );
    await a.query('DROP ROLE parked');
  });

  test('a role made by a client logs in with its password and its own settings', async () => {
    await a.query(`CREATE ROLE worker LOGIN PASSWORD 'worker-1'`);
    await a.query(`ALTER ROLE worker SET work_mem = '7MB'`);
    const worker = await connect(engine.port, {user: 'worker', password: 'worker-1'});
    expect(await value(worker, 'SHOW work_mem')).toBe('7MB');
    expect(await value(worker, 'SELECT current_user')).toBe('worker');
    expect(await value(a, 'SHOW work_mem')).toBe('4MB');
    await worker.end();
    await a.query('DROP ROLE worker');
  });

  test('psql connects, is told once that this is PGlite, and copies in and out', async () => {
    const {stdout, stderr} = await psql(
      [
        'CREATE TABLE copied (n int PRIMARY KEY, t text)',
        '\\copy copied FROM STDIN',
        'SELECT count(*), sum(n) FROM copied',
        '\\copy (SELECT n FROM copied ORDER BY n LIMIT 2) TO STDOUT',
        'DROP TABLE copied',
      ],
      Array.from({length: 20_000}, (_, n) => `${n}\ttext ${n}\n`).join(''),
    );
    expect(stdout.split('\n').slice(1, 5)).toEqual(['COPY 20000', '20000|199990000', '0', '1']);
    expect(stderr.match(/NOTICE: {2}this is PGlite/g)).toHaveLength(1);
  });

  test('startup options are settings of the session; replication is refused', async () => {
    const {stdout} = await execute(
      'psql',
      ['-XAt', '-c', 'SHOW work_mem', '-c', 'SHOW application_name'],
      {
        env: {
          ...process.env,
          ...{PGHOST: '127.0.0.1', PGPORT: String(engine.port), PGUSER: MASTER.name},
          ...{PGPASSWORD: MASTER.password, PGDATABASE: 'postgres', PGAPPNAME: 'my app'},
          PGOPTIONS: '-c work_mem=9MB -c client_min_messages=warning',
        },
      },
    );
    expect(stdout).toBe('9MB\nmy app\n');
    await expect(
      execute('psql', [
        `host=127.0.0.1 port=${engine.port} user=${MASTER.name} dbname=postgres replication=database`,
      ]),
    ).rejects.toThrow(/no replication/);
  });

  test('bytes that are no startup packet end the connection with 08P01', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connectSocket(engine.port, '127.0.0.1', () =>
        socket.write('GET / HTTP/1.1\r\n\r\n'),
      );
      socket.on('data', bytes => (text += bytes.toString('latin1')));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toContain('C08P01');
  });
});

describe('many clients on one backend', () => {
  test('500 rounds of interleaved transactions do not mix', async () => {
    await a.query('CREATE TABLE mixed (client int, round int, half int)');
    const work = async (client: pg.Client, number: number): Promise<void> => {
      for (let round = 0; round < 500; round++) {
        await client.query('BEGIN');
        await client.query('INSERT INTO mixed VALUES ($1, $2, 1)', [number, round]);
        const seen = await value(client, `SELECT count(*)::int % 2 FROM mixed`);
        expect(seen).toBe(1);
        await client.query('INSERT INTO mixed VALUES ($1, $2, 2)', [number, round]);
        await client.query(round % 10 === 9 ? 'ROLLBACK' : 'COMMIT');
      }
    };
    await Promise.all([work(a, 1), work(b, 2)]);
    const {rows} = await a.query(
      'SELECT client, count(*)::int AS n FROM mixed GROUP BY client ORDER BY client',
    );
    expect(rows).toEqual([
      {client: 1, n: 900},
      {client: 2, n: 900},
    ]);
    await a.query('DROP TABLE mixed');
  });

  test('two clients prepare different statements under one name', async () => {
    for (let round = 0; round < 20; round++) {
      const [first, second] = await Promise.all([
        a.query({name: 'same', text: 'SELECT $1::int + 1 AS x', values: [round]}),
        b.query({name: 'same', text: 'SELECT $1::int * 2 AS x', values: [round]}),
      ]);
      expect([first.rows[0], second.rows[0]]).toEqual([{x: round + 1}, {x: round * 2}]);
    }
  });

  test('DEALLOCATE ALL of one client takes nothing from another', async () => {
    const kept = {name: 'kept', text: 'SELECT 7 AS x'};
    await a.query(kept);
    await b.query('DEALLOCATE ALL');
    expect((await a.query(kept)).rows).toEqual([{x: 7}]);
    await b.query('DISCARD ALL');
    expect((await a.query(kept)).rows).toEqual([{x: 7}]);
  });

  test('settings of one session are not those of another, and come back', async () => {
    await a.query(`SET work_mem = '6MB'`);
    await a.query(`SET search_path = 'pg_catalog, public'`);
    await a.query(`SELECT set_config('my.tenant', 'it''s a', false)`);
    await a.query('SELECT set_config($1, $2, false)', ['my.place', 'here']);
    expect(await value(b, 'SHOW work_mem')).toBe('4MB');
    expect(await value(b, `SELECT current_setting('my.tenant', true)`)).not.toBe("it's a");
    await b.query(`SET work_mem = '5MB'`);
    expect(await value(a, 'SHOW work_mem')).toBe('6MB');
    expect(await value(a, `SELECT current_setting('my.tenant')`)).toBe("it's a");
    expect(await value(a, `SELECT current_setting('my.place')`)).toBe('here');
    expect(await value(b, 'SHOW work_mem')).toBe('5MB');
    await a.query('RESET work_mem');
    await value(b, 'SELECT 1');
    expect(await value(a, 'SHOW work_mem')).toBe('4MB');
  });

  test('SET ROLE lasts over turns of others', async () => {
    await a.query(`CREATE ROLE team; GRANT team TO ${MASTER.name}`);
    await a.query('SET ROLE team');
    expect(await value(b, 'SELECT current_user')).toBe(MASTER.name);
    expect(await value(a, 'SELECT current_user')).toBe('team');
    await a.query('RESET ROLE');
    await value(b, 'SELECT 1');
    expect(await value(a, 'SELECT current_user')).toBe(MASTER.name);
    await a.query('DROP ROLE team');
  });

  test('a setting made unseen inside a function does not reach another session', async () => {
    await a.query(`CREATE FUNCTION sneak() RETURNS text LANGUAGE plpgsql AS
      $$BEGIN PERFORM set_config('work_mem', '3MB', false); RETURN 'x'; END$$`);
    await a.query('SELECT sneak()');
    expect(await value(b, 'SHOW work_mem')).toBe('4MB');
    await a.query('DROP FUNCTION sneak');
  });

  test('an advisory lock keeps others out until it is released', async () => {
    await a.query('SELECT pg_advisory_lock(42)');
    const locked = b.query('SELECT pg_advisory_lock(42)');
    const first = await Promise.race([locked.then(() => 'b'), sleep(300).then(() => 'a')]);
    expect(first).toBe('a');
    await a.query('SELECT pg_advisory_unlock(42)');
    await locked;
    await b.query('SELECT pg_advisory_unlock(42)');
  });

  test('a temporary table is seen by its session alone', async () => {
    await a.query('CREATE TEMP TABLE mine (n int)');
    const other = b.query('SELECT * FROM mine');
    await sleep(200);
    await a.query('INSERT INTO mine VALUES (1)');
    expect(await value(a, 'SELECT count(*)::int FROM mine')).toBe(1);
    await a.query('DROP TABLE mine');
    expect(await sqlState(other)).toBe('42P01');
  });

  test('a notification reaches the sessions that listen, and no other', async () => {
    const heard: string[] = [];
    const c = await connect(engine.port);
    for (const [name, client] of Object.entries({a, b, c})) {
      client.on('notification', ({channel, payload}) =>
        heard.push(`${name} ${channel} ${payload}`),
      );
    }
    await a.query('LISTEN "News"');
    await c.query('LISTEN "News"');
    await c.query('UNLISTEN *');
    await b.query(`NOTIFY "News", 'first'`);
    await value(a, 'SELECT 1');
    expect(heard).toEqual(['a News first']);
    await c.end();
  });
});

describe('clients that misbehave', () => {
  test('an error in a transaction fails the rest of it until ROLLBACK', async () => {
    await a.query('BEGIN');
    expect(await sqlState(a.query('SELECT 1/0'))).toBe('22012');
    expect(await sqlState(a.query('SELECT 1'))).toBe('25P02');
    await a.query('ROLLBACK');
    expect(await value(b, 'SELECT 1')).toBe(1);
  });

  test('a connection that breaks in a transaction is rolled back', async () => {
    await a.query('CREATE TABLE broken (n int)');
    const victim = await connect(engine.port);
    await victim.query('BEGIN');
    await victim.query('INSERT INTO broken VALUES (1)');
    const waiting = value(b, 'SELECT count(*)::int FROM broken');
    (victim as unknown as {connection: {stream: {destroy(): void}}}).connection.stream.destroy();
    expect(await waiting).toBe(0);
    await a.query('DROP TABLE broken');
  });

  test('a client that breaks in the middle of COPY leaves no row and frees the engine', async () => {
    await a.query('CREATE TABLE half (n int)');
    const victim = await connect(engine.port);
    const {connection} = victim as unknown as {
      connection: {
        stream: {destroy(): void};
        query(sql: string): void;
        sendCopyFromChunk(chunk: Buffer): void;
        once(event: string, listener: () => void): void;
      };
    };
    await new Promise<void>(resolve => {
      connection.once('copyInResponse', resolve);
      connection.query('COPY half FROM STDIN');
    });
    connection.sendCopyFromChunk(Buffer.from('1\n2\n'));
    await sleep(50);
    connection.stream.destroy();
    expect(await value(b, 'SELECT count(*)::int FROM half')).toBe(0);
    await a.query('DROP TABLE half');
  });

  test(
    'one that idles in a transaction while others wait is ended with 25P03',
    {timeout: 40_000},
    async () => {
      const idler = await connect(engine.port);
      let ended = '';
      idler.on('error', error => (ended ||= 'code' in error ? String(error.code) : error.message));
      await idler.query('BEGIN');
      expect(await value(b, 'SELECT 1')).toBe(1);
      await sleep(50);
      expect(ended).toBe('25P03');
    },
  );

  test('a running statement is cancelled on request, and a waiting one too', async () => {
    const pid = (client: pg.Client): [number, number] => {
      const {processID, secretKey} = client as unknown as {processID: number; secretKey: number};
      return [processID, secretKey];
    };
    const cancel = (client: pg.Client): Promise<void> =>
      new Promise(resolve => {
        const packet = Buffer.alloc(16);
        [16, 80_877_102, ...pid(client)].forEach((word, index) =>
          packet.writeInt32BE(word, index * 4),
        );
        const socket = connectSocket(engine.port, '127.0.0.1', () => socket.write(packet));
        socket.on('close', () => resolve());
        socket.resume();
      });
    const long = sqlState(a.query('SELECT count(*) FROM generate_series(1, 30000000)'));
    await sleep(300);
    const waiting = sqlState(b.query('SELECT 1'));
    await sleep(50);
    await cancel(b);
    expect(await waiting).toBe('57014');
    await cancel(a);
    expect(await long).toBe('57014');
    expect(await value(a, 'SELECT 1')).toBe(1);
    expect(await value(b, 'SELECT 2')).toBe(2);
  });

  test('a large result reaches a client that reads late', async () => {
    const {rows} = await a.query(
      `SELECT n, repeat('x', 1000) AS t FROM generate_series(1, 30000) n`,
    );
    expect(rows).toHaveLength(30_000);
    expect(await value(b, `SELECT length(repeat('y', 20000000))`)).toBe(20_000_000);
    expect(String(await value(a, `SELECT repeat('z', 5000000)`))).toHaveLength(5_000_000);
  });
});

describe('pgbench', () => {
  test(
    'fills its tables and runs TPC-B with four clients without a failure',
    {timeout: 120_000},
    async () => {
      const pgbench = '/usr/lib/postgresql/15/bin/pgbench';
      const base = ['-h', '127.0.0.1', '-p', String(engine.port), '-U', MASTER.name];
      const env = {...process.env, PGPASSWORD: MASTER.password};
      await execute(pgbench, [...base, '-i', '-s', '1', '-q', 'postgres'], {env});
      const run = await execute(pgbench, [...base, '-c', '4', '-t', '50', 'postgres'], {env});
      expect(run.stdout).toContain('processed: 200/200');
      const totals = await a.query(
        `SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history) AS same,
              (SELECT count(*)::int FROM pgbench_history) AS n`,
      );
      expect(totals.rows).toEqual([{same: true, n: 200}]);
      await a.query(`SELECT bt_index_check('pgbench_accounts_pkey', true)`);
    },
  );
});
