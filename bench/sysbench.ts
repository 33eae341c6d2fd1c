/** sysbench, the load generator that MySQL is measured with, as installed. */
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import type {Target} from './pgbench.ts';

const TABLES = 4;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export type SysbenchLoad = {
  readonly test: 'oltp_read_write' | 'oltp_write_only' | 'oltp_read_only';
  readonly threads: number;
  readonly seconds: number;
};

/** Makes the tables anew, with `rows` each. Returns the seconds that it took. */
export async function prepare(target: Target, rows: number): Promise<number> {
  const common = [...connection(target), `--tables=${TABLES}`, `--table-size=${rows}`];
  await run(['oltp_read_write', ...common, 'cleanup']);
  const start = performance.now();
  await run(['oltp_read_write', ...common, '--threads=2', 'prepare']);
  return (performance.now() - start) / 1000;
}

/** Transactions a second. */
export async function sysbench(target: Target, rows: number, load: SysbenchLoad): Promise<number> {
  const output = await run([
    load.test,
    ...connection(target),
    `--tables=${TABLES}`,
    `--table-size=${rows}`,
    `--threads=${load.threads}`,
    `--time=${load.seconds}`,
    'run',
  ]);
  const match = /transactions:\s+\d+\s+\(([\d.]+) per sec/.exec(output);
  if (match?.[1] === undefined) throw new Error(`sysbench said: ${output}`);
  return Number(match[1]);
}

function connection({host, port, user, password, database}: Target): string[] {
  return [
    '--db-driver=mysql',
    `--mysql-host=${host}`,
    `--mysql-port=${port}`,
    `--mysql-user=${user}`,
    `--mysql-password=${password}`,
    `--mysql-db=${database}`,
  ];
}

async function run(args: readonly string[]): Promise<string> {
  const {stdout} = await promisify(execFile)('sysbench', [...args], {maxBuffer: OUTPUT_BYTES_MAX});
  return stdout;
}
