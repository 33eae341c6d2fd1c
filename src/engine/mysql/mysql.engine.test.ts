import {readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {sleep} from '../../base/clock.ts';
import type {EngineSetting, EngineStartOptions, RunningEngine} from '../engine.ts';
import {installedMariadbBin, inspectMariadb} from './binaries.ts';
import {nativePasswordHash} from './native-password.ts';
import {
  ALONE,
  createTestBench,
  MASTER,
  MASTER_USER,
  queryAs,
  type TestBench,
} from './testing/engine-on-directory.ts';

const bin = installedMariadbBin();
const SECRET = 'replication-secret';
const VERIFIER = nativePasswordHash(SECRET);

describe.skipIf(bin === null)(
  `MariaDB${bin === null ? ' (skipped: mariadb-server is not installed)' : ''}`,
  () => {
    let bench: TestBench;
    let count = 0;
    let settings: readonly EngineSetting[];
    const running: RunningEngine[] = [];

    beforeAll(async () => {
      bench = await createTestBench();
      const engine = await bench.engine('golden', bin ?? '');
      settings = await engine.initialise(step => bench.steps.push(step));
    });
    afterEach(async () => {
      await Promise.all(running.splice(0).map(engine => engine.stop('immediate')));
    });
    afterAll(() => bench.end());

    async function start(
      name: string,
      options: Partial<EngineStartOptions> = {},
    ): Promise<RunningEngine> {
      const engine = await bench.engine(name, bin ?? '');
      const started = await engine.start({...ALONE, ...options}, step => bench.steps.push(step));
      running.push(started);
      return started;
    }

    async function newCluster(): Promise<{name: string; engine: RunningEngine}> {
      const name = `cluster-${++count}`;
      await bench.copy('golden', name);
      const options = {firstStart: true, master: MASTER_USER, databaseName: 'shop'};
      return {name, engine: await start(name, options)};
    }

    async function forkOf(source: string): Promise<string> {
      const name = `fork-${++count}`;
      await bench.copy(source, name);
      return name;
    }

    async function untilCaughtUp(reader: RunningEngine): Promise<void> {
      for (let i = 0; i < 100; i++) {
        const progress = await reader.replication?.progress();
        if (progress?.isStreaming === true && progress.isCaughtUp) return;
        await sleep(50);
      }
      throw new Error('the reader did not catch up within five seconds');
    }

    test('tells the version that answers', async () => {
      const {version} = await inspectMariadb(bin ?? '');
      const {engine} = await newCluster();
      expect(engine.serverVersion).toBe(`MariaDB ${version}`);
      expect(await queryAs(engine, 'SELECT CURRENT_USER() AS user')).toEqual([{user: 'admin@%'}]);
    });

    test('a new cluster has its database, its master user and no other that can log in', async () => {
      const {engine} = await newCluster();
      const users = await queryAs(engine, 'SELECT User, Host FROM mysql.user ORDER BY User');
      expect(users).toEqual([
        {User: 'admin', Host: '%'},
        {User: 'mariadb.sys', Host: 'localhost'},
      ]);
      const databases = await queryAs(engine, 'SHOW DATABASES');
      expect(databases.map(row => row['Database'])).toEqual([
        'information_schema',
        'mysql',
        'performance_schema',
        'shop',
        'sys',
      ]);
      expect(await queryAs(engine, 'SELECT @@character_set_server AS name')).toEqual([
        {name: 'utf8mb4'},
      ]);
    });

    test('the master user has no part of SUPER', async () => {
      const {engine} = await newCluster();
      const denied = [
        'SET GLOBAL read_only = ON',
        'SET SESSION sql_log_bin = 0',
        'SHUTDOWN',
        `SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/borealis-outfile'`,
        `GRANT SUPER ON *.* TO 'admin'@'%'`,
      ];
      for (const sql of denied) {
        await expect(queryAs(engine, sql), sql).rejects.toThrow(/Access denied/);
      }
      await queryAs(engine, `CREATE USER app@'%' IDENTIFIED BY 'some-password'`);
      await queryAs(engine, `GRANT SELECT ON shop.* TO app@'%'`);
    });

    test('nobody can become the administrator, by any name or password', async () => {
      const {engine} = await newCluster();
      await expect(
        queryAs(engine, `RENAME USER rdsadmin@localhost TO rdsadmin@'%'`),
      ).rejects.toThrow(/Operation RENAME USER failed/);
      await expect(queryAs(engine, 'SELECT 1', {user: 'rdsadmin', password: ''})).rejects.toThrow(
        /Access denied/,
      );
    });

    test('a new password of the master user replaces the old one', async () => {
      const {engine} = await newCluster();
      await engine.setMaster({name: MASTER.name, verifier: nativePasswordHash('another-horse')});
      await expect(queryAs(engine, 'SELECT 1')).rejects.toThrow(/Access denied/);
      expect(await queryAs(engine, 'SELECT 1 AS one', {password: 'another-horse'})).toEqual([
        {one: 1},
      ]);
    });

    test('what was committed is there after kill -9, and after an orderly stop', async () => {
      const {name, engine} = await newCluster();
      await queryAs(engine, 'CREATE TABLE shop.t (id INT PRIMARY KEY)');
      await queryAs(engine, 'INSERT INTO shop.t VALUES (1), (2)');
      await engine.stop('immediate');
      const second = await start(name);
      expect(await queryAs(second, 'SELECT count(*) AS n FROM shop.t')).toEqual([{n: 2}]);
      await queryAs(second, 'INSERT INTO shop.t VALUES (3)');
      await second.stop('fast');
      const third = await start(name);
      expect(await queryAs(third, 'SELECT count(*) AS n FROM shop.t')).toEqual([{n: 3}]);
    });

    test('a clone takes a server id and a binary log of its own, and keeps events', async () => {
      const {name, engine} = await newCluster();
      await queryAs(engine, 'CREATE TABLE shop.t (id INT PRIMARY KEY)');
      await queryAs(engine, 'CREATE EVENT shop.tick ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.t');
      const clone = await start(await forkOf(name), {firstStart: true});
      const identity = 'SELECT @@server_id AS id, @@gtid_binlog_pos AS pos';
      const [before] = await queryAs(engine, identity);
      const [after] = await queryAs(clone, identity);
      expect(after?.['id']).not.toBe(before?.['id']);
      expect(before?.['pos']).not.toBe('');
      expect(after?.['pos']).toBe('');
      expect(await queryAs(clone, 'SELECT name FROM mysql.event')).toEqual([{name: 'tick'}]);
      expect(await queryAs(clone, 'SHOW EVENTS FROM shop')).toMatchObject([{Status: 'ENABLED'}]);
    });

    test('a clone follows nobody that its source followed', async () => {
      const {name} = await newCluster();
      const reader = await start(await forkOf(name), {
        source: {port: running[0]?.port ?? 0, secret: SECRET},
      });
      expect(reader.replication).not.toBeNull();
      const clone = await start(await forkOf(`fork-${count}`), {firstStart: true});
      const progress = await clone.replication?.progress();
      expect(progress).toMatchObject({isStreaming: false, replayedAgeMs: null});
      expect(await queryAs(clone, 'SELECT @@gtid_slave_pos AS pos')).toEqual([{pos: ''}]);
      const files = await readdir(join(bench.directory, `fork-${count}`, 'mysql'));
      expect(files.filter(file => file.startsWith('relay') || file === 'master.info')).toEqual([]);
    });

    test('a reader has what its writer commits, refuses writes, and follows another writer', async () => {
      const {name, engine: writer} = await newCluster();
      await queryAs(writer, 'CREATE TABLE shop.t (id INT PRIMARY KEY)');
      await writer.replication?.admitReaders(VERIFIER);
      await writer.replication?.admitReaders(VERIFIER);
      const reader = await start(await forkOf(name), {source: {port: writer.port, secret: SECRET}});
      await queryAs(writer, 'INSERT INTO shop.t VALUES (1), (2)');
      await untilCaughtUp(reader);
      expect(await queryAs(reader, 'SELECT count(*) AS n FROM shop.t')).toEqual([{n: 2}]);
      await expect(queryAs(reader, 'INSERT INTO shop.t VALUES (3)')).rejects.toThrow(/read-only/);

      await writer.stop('immediate');
      const successor = await start(name, {readerVerifier: VERIFIER});
      await reader.replication?.follow({port: successor.port, secret: SECRET});
      await queryAs(successor, 'INSERT INTO shop.t VALUES (4)');
      await untilCaughtUp(reader);
      expect(await queryAs(reader, 'SELECT count(*) AS n FROM shop.t')).toEqual([{n: 3}]);
    });

    test('a reader says so when it cannot apply what its writer did', async () => {
      const {name, engine: writer} = await newCluster();
      await queryAs(writer, 'CREATE TABLE shop.t (id INT PRIMARY KEY)');
      await writer.replication?.admitReaders(VERIFIER);
      const fork = await forkOf(name);
      await queryAs(writer, 'INSERT INTO shop.t VALUES (1)');
      await queryAs(writer, 'FLUSH BINARY LOGS');
      await queryAs(writer, 'CREATE TABLE shop.u (id INT)');
      const reader = await start(fork, {source: {port: writer.port, secret: 'wrong'}});
      await sleep(500);
      expect(await reader.replication?.progress()).toMatchObject({isStreaming: false});
    });

    test('a fork is prepared by a checkpoint when there is much to replay', async () => {
      const {engine} = await newCluster();
      bench.steps.length = 0;
      await engine.prepareFork(step => bench.steps.push(step));
      expect(bench.steps.map(step => step.name)).toEqual(['inspect-redo']);
      await queryAs(engine, 'CREATE TABLE shop.t (id INT PRIMARY KEY, pad BLOB)');
      await queryAs(engine, `INSERT INTO shop.t SELECT seq, REPEAT('x', 8000) FROM seq_1_to_4000`, {
        database: 'shop',
      });
      await engine.prepareFork(step => bench.steps.push(step));
      expect(bench.steps.map(step => step.name)).toContain('checkpoint-engine');
    });

    test('its end is told, and an end that was asked for is not', async () => {
      const {engine} = await newCluster();
      let failure: Error | undefined;
      void engine.failed.then(error => (failure = error));
      await engine.stop('immediate');
      await sleep(50);
      expect(failure).toBeUndefined();
    });

    test('no password hash stays in the private directory or gets into the log', async () => {
      const {name} = await newCluster();
      const files = await readdir(join(bench.directory, `${name}.private`, 'config'));
      expect(files).not.toContain('init.sql');
      expect(bench.log.tail()).not.toContain(MASTER_USER.verifier);
    });

    test('tells how many clients it has and what they did', async () => {
      const {engine} = await newCluster();
      const before = await engine.statistics();
      expect(before).toMatchObject({connections: 0, connectionsMax: 150});
      await queryAs(engine, 'CREATE TABLE shop.t (id INT PRIMARY KEY)');
      await queryAs(engine, 'INSERT INTO shop.t VALUES (1)');
      const after = await engine.statistics();
      expect(after.activity?.commits ?? 0).toBeGreaterThan(before.activity?.commits ?? 0);
    });

    test('variables are known with their types and limits', () => {
      const known = new Map(settings.map(setting => [setting.name, setting]));
      expect(known.size).toBeGreaterThan(500);
      expect(known.get('max_connections')).toMatchObject({
        type: 'integer',
        context: 'superuser',
        min: '10',
        max: '100000',
        absent: '151',
      });
      expect(known.get('general_log')).toMatchObject({type: 'bool', absent: 'OFF'});
      expect(known.get('event_scheduler')?.values).toContain('on');
      expect(known.get('performance_schema')?.context).toBe('postmaster');
      expect(known.get('version')?.context).toBe('internal');
    });

    test('parameters are taken at the start and while it runs', async () => {
      const name = `cluster-${++count}`;
      await bench.copy('golden', name);
      const parameters = {max_connections: '40', long_query_time: '2.5'};
      const engine = await start(name, {firstStart: true, master: MASTER_USER, parameters});
      const values =
        'SELECT @@max_connections AS max, @@GLOBAL.long_query_time AS slow, @@GLOBAL.sql_mode AS mode';
      expect(await queryAs(engine, values)).toMatchObject([{max: 40, slow: 2.5}]);
      await engine.configure({long_query_time: '7', sql_mode: 'ANSI_QUOTES', sync_binlog: '0'});
      expect(await queryAs(engine, values)).toEqual([{max: 150, slow: 7, mode: 'ANSI_QUOTES'}]);
      expect(await queryAs(engine, 'SELECT @@sync_binlog AS n')).toEqual([{n: 1}]);
      await expect(engine.configure({sql_mode: 'NO_SUCH'})).rejects.toThrow(/sql_mode|NO_SUCH/);
    });

    test('a setting that the server does not know is told', async () => {
      await bench.copy('golden', 'wrong-setting');
      await expect(start('wrong-setting', {parameters: {no_such_thing: '1'}})).rejects.toThrow(
        /unknown variable 'no_such_thing=1'/,
      );
    });
  },
);
