/** A PostgreSQL engine on a plain directory of the host, for tests. */
import {execFile} from 'node:child_process';
import {existsSync} from 'node:fs';
import {chmod, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {Client, type ClientConfig} from 'pg';
import type {Engine, EngineStep, RunningEngine} from '../../engine.ts';
import {packagedPostgresBin} from '../binaries.ts';
import {openEngineLog, type EngineLog} from '../../engine-log.ts';
import {ownUser, unprivilegedUser, type EngineUser} from '../../launch.ts';
import {createPostgresEngine} from '../postgres-engine.ts';
import {scramVerifier} from '../scram.ts';
import type {PostgresEngineConfig} from '../workplace.ts';

export const MASTER = {name: 'admin1', password: 'correct-horse'} as const;
export const MASTER_ROLE: {name: string; verifier: string} = {
  name: MASTER.name,
  verifier: scramVerifier(MASTER.password),
};

/** The servers of this machine to test with, by major version. */
export function testServers(): {readonly major: number; readonly bin: string}[] {
  const packaged = packagedPostgresBin();
  const servers = packaged === null ? [] : [{major: 18, bin: packaged}];
  const installed = '/usr/lib/postgresql/15/bin';
  if (existsSync(join(installed, 'initdb'))) servers.push({major: 15, bin: installed});
  return servers;
}

export type TestBench = {
  readonly directory: string;
  readonly log: EngineLog;
  readonly steps: EngineStep[];
  /** An engine on `name`, a directory that is made when it does not exist. */
  engine(name: string, bin: string, more?: Partial<PostgresEngineConfig>): Promise<Engine>;
  /** Copies the files of `source` as they are now, as a fork would. */
  copy(source: string, target: string): Promise<void>;
  end(): Promise<void>;
};

export async function createTestBench(): Promise<TestBench> {
  const directory = await mkdtemp(join(tmpdir(), 'borealis-engine-'));
  await chmod(directory, 0o755);
  const user: EngineUser =
    process.geteuid?.() === 0 ? await unprivilegedUser('postgres') : ownUser();
  const log = openEngineLog(join(directory, 'engine.log'));
  const steps: EngineStep[] = [];
  return {
    directory,
    log,
    steps,
    engine: async (name, bin, more = {}) => {
      const dataDirectory = join(directory, name);
      const privateDirectory = join(directory, `${name}.private`);
      await mkdir(dataDirectory, {recursive: true});
      await mkdir(privateDirectory, {recursive: true});
      return createPostgresEngine({
        dataDirectory,
        privateDirectory,
        bin,
        user,
        log,
        syncedBy: 'server',
        ...more,
      });
    },
    copy: async (source, target) => {
      await promisify(execFile)('cp', ['-a', join(directory, source), join(directory, target)]);
    },
    end: async () => {
      log.close();
      await rm(directory, {recursive: true, force: true});
    },
  };
}

/** Runs one statement as the master user over TCP. */
export async function queryAs(
  running: RunningEngine,
  sql: string,
  options: Partial<ClientConfig> = {},
): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({
    host: '127.0.0.1',
    port: running.port,
    user: MASTER.name,
    password: MASTER.password,
    database: 'postgres',
    ...options,
  });
  await client.connect();
  try {
    const result = await client.query<Record<string, unknown>>(sql);
    return result.rows;
  } finally {
    await client.end();
  }
}
