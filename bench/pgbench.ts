/** pgbench, from an installed PostgreSQL: the load of both sides. */
import {execFile, spawn, type ChildProcess} from 'node:child_process';
import {promisify} from 'node:util';

export type Target = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

export function pgEnvironment(target: Target): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGPASSWORD: target.password,
    PGDATABASE: target.database,
  };
}

/** Runs a PostgreSQL client program and returns what it printed. */
export async function runClient(
  target: Target,
  program: string,
  args: readonly string[],
): Promise<string> {
  const {stdout} = await promisify(execFile)(program, args, {
    env: pgEnvironment(target),
    maxBuffer: 64 * 2 ** 20,
  });
  return stdout;
}

/** Loads the TPC-B tables; returns the seconds it took. `wanted` are pgbench's steps, e.g. `dtgvp`. */
export async function loadTpcB(target: Target, scale: number): Promise<number> {
  const start = performance.now();
  await runClient(target, 'pgbench', ['-i', '-q', '-s', String(scale)]);
  return (performance.now() - start) / 1000;
}

export type Load = {clients: number; readOnly: boolean; seconds: number};

/** Transactions a second, without the time to connect. */
export async function tpcB(target: Target, load: Load): Promise<number> {
  const args = ['-n', '-c', String(load.clients), '-j', String(Math.min(2, load.clients))];
  args.push('-T', String(load.seconds), '-M', 'prepared');
  if (load.readOnly) args.push('-S');
  const output = await runClient(target, 'pgbench', args);
  const match = /tps = ([\d.]+)/.exec(output);
  if (match === null) throw new Error(`pgbench told no tps:\n${output}`);
  return Number(match[1]);
}

/** A writer that goes on until it is stopped: `rate` TPC-B transactions a second from one client. */
export function steadyWriter(target: Target, rate: number | null): {stop(): Promise<void>} {
  const args = ['-n', '-c', '1', '-T', '86400', '-M', 'prepared'];
  if (rate !== null) args.push('-R', String(rate));
  const child: ChildProcess = spawn('pgbench', args, {env: pgEnvironment(target), stdio: 'ignore'});
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()));
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
