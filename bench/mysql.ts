/**
 * sysbench on an aurora-mysql cluster and on a clone of it, against the same MariaDB with its data on the
 * host's file system, all in turn, the median of the rounds; then a clone to its first query beside what
 * a database has otherwise: mariabackup with prepare and start, and mysqldump into a new server. The
 * ratios are for the instance endpoint, where the engine itself listens.
 */
import {execFile} from 'node:child_process';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {openSqlClient} from '../src/demo/sql-client.ts';
import {installedMariadbBin, MARIADB_REMEDY} from '../src/engine/mysql/binaries.ts';
import {BenchService} from './bench-service.ts';
import {MysqlHost} from './mysql-host.ts';
import type {Target} from './pgbench.ts';
import {
  atLeast,
  atMost,
  median,
  reported,
  type BenchOptions,
  type Metric,
  type Report,
} from './report.ts';
import {prepare, sysbench, type SysbenchLoad} from './sysbench.ts';

const ROWS = 100_000;
const RATIO_MIN = 0.8;
const FIRST_QUERY_S_MAX = 1.5;
const CONNECT_TIMEOUT_MS = 30_000;

/** `--scale`: thousands of rows in each of the four tables. */
export async function benchMysql(options: BenchOptions): Promise<Report> {
  const rows = options.scale === null ? ROWS : options.scale * 1000;
  const rounds = options.rounds ?? 3;
  const bin = installedMariadbBin();
  if (bin === null) throw new Error(`no MariaDB to measure. ${MARIADB_REMEDY}`);
  const host = await MysqlHost.create(bin);
  const service = await BenchService.start(null, 'aurora-mysql');
  try {
    const targets = new Map<string, Target>();
    targets.set('host', await host.initialise('data'));
    targets.set('cluster', (await service.create('bench')).writer);
    const metrics: Metric[] = [];
    for (const [side, target] of targets) {
      const seconds = await prepare(target, rows);
      metrics.push(reported(`load, ${side}`, seconds, 's'));
    }
    targets.set('clone', (await service.clone('bench', 'bench-clone')).writer);
    for (const load of loads(options.seconds ?? 10)) {
      metrics.push(...(await compare(targets, rows, rounds, load, options)));
    }
    metrics.push(...(await compareClones(service, host, rounds, options)));
    return {name: 'mysql', metrics};
  } finally {
    await service.stop();
    await host.remove();
  }
}

function loads(seconds: number): SysbenchLoad[] {
  const tests = ['oltp_read_write', 'oltp_write_only', 'oltp_read_only'] as const;
  return tests.flatMap(test => [1, 8].map(threads => ({test, threads, seconds})));
}

async function compare(
  targets: ReadonlyMap<string, Target>,
  rows: number,
  rounds: number,
  load: SysbenchLoad,
  options: BenchOptions,
): Promise<Metric[]> {
  const name = `${load.test}, ${load.threads} ${load.threads === 1 ? 'thread' : 'threads'}`;
  const results = new Map(Array.from(targets.keys(), side => [side, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [side, target] of targets) {
      const tps = await sysbench(target, rows, load);
      options.log(`${name}: ${side} ${tps.toFixed(0)} tps`);
      results.get(side)?.push(tps);
    }
  }
  const base = median(results.get('host') ?? []);
  const others = ['cluster', 'clone'].map(side =>
    atLeast(`${name}, ${side} / host`, median(results.get(side) ?? []) / base, 'ratio', RATIO_MIN),
  );
  return [reported(`${name}, host`, base, 'tps'), ...others];
}

async function compareClones(
  service: BenchService,
  host: MysqlHost,
  rounds: number,
  options: BenchOptions,
): Promise<Metric[]> {
  const seconds = {clone: [] as number[], backup: [] as number[], dump: [] as number[]};
  for (let round = 0; round < rounds; round++) {
    const {firstQueryMs} = await service.clone('bench', `bench-clone-${round}`);
    await service.delete(`bench-clone-${round}`);
    seconds.clone.push(firstQueryMs / 1000);
    seconds.backup.push(await timed(() => backup(host, `backup-${round}`)));
    await host.stop(`backup-${round}`);
    const fresh = await host.initialise(`dump-${round}`);
    seconds.dump.push(await timed(() => dump(host, fresh)));
    await host.stop(`dump-${round}`);
    options.log(
      `clone ${seconds.clone.at(-1)} s, backup ${seconds.backup.at(-1)} s, dump ${seconds.dump.at(-1)} s`,
    );
  }
  return [
    atMost('clone to first query', median(seconds.clone), 's', FIRST_QUERY_S_MAX),
    reported('mariabackup, prepare, start, first query', median(seconds.backup), 's'),
    reported('mysqldump | mysql, first query', median(seconds.dump), 's'),
  ];
}

async function backup(host: MysqlHost, name: string): Promise<void> {
  const source = host.target('data');
  const directory = host.files(name);
  await host.make(name);
  // The password must not be seen in the list of processes.
  const file = join(host.directory, `${name}.cnf`);
  await writeFile(file, `[mariabackup]\nuser=${source.user}\npassword=${source.password}\n`);
  await host.own(file);
  const program = ['/usr/bin/mariabackup', `--defaults-extra-file=${file}`];
  const where = [`--target-dir=${directory}`, `--datadir=${host.files('data')}`];
  const server = ['--host=127.0.0.1', `--port=${source.port}`];
  await host.run([...program, '--backup', ...where, ...server]);
  await host.run([...program, '--prepare', ...where]);
  await firstQuery(await host.start(name));
}

async function dump(host: MysqlHost, fresh: Target): Promise<void> {
  const source = host.target('data');
  const place = (target: Target): string =>
    `--host=127.0.0.1 --port=${target.port} --user=${target.user} ${target.database}`;
  await promisify(execFile)(
    '/bin/sh',
    ['-c', `mariadb-dump --single-transaction ${place(source)} | mariadb ${place(fresh)}`],
    {env: {...process.env, MYSQL_PWD: source.password}},
  );
  await firstQuery(fresh);
}

async function firstQuery(target: Target): Promise<void> {
  const client = await openSqlClient('aurora-mysql', target, {
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  });
  await client.query('SELECT count(*) FROM mysql.help_topic');
  await client.end();
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
