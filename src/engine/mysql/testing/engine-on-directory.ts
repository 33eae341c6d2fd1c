/** A MariaDB engine on a plain directory of the host, for tests. */
import {execFile} from 'node:child_process';
import {chmod, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {createConnection, type ConnectionOptions, type RowDataPacket} from 'mysql2/promise';
import {openEngineLog, type EngineLog} from '../../engine-log.ts';
import type {Engine, EngineStartOptions, EngineStep, RunningEngine} from '../../engine.ts';
import {ownUser, unprivilegedUser, type EngineUser} from '../../launch.ts';
import {createMysqlEngine} from '../mysql-engine.ts';
import {nativePasswordHash} from '../native-password.ts';

export const MASTER = {name: 'admin', password: 'correct-horse'} as const;
export const MASTER_USER: {name: string; verifier: string} = {
  name: MASTER.name,
  verifier: nativePasswordHash(MASTER.password),
};

export const ALONE: EngineStartOptions = {
  port: 0,
  firstStart: false,
  master: null,
  databaseName: null,
  readerVerifier: null,
  source: null,
  tls: null,
  parameters: {},
};

export type TestBench = {
  readonly directory: string;
  readonly log: EngineLog;
  readonly steps: EngineStep[];
  /** An engine on `name`, a directory that is made when it does not exist. */
  engine(name: string, bin: string): Promise<Engine>;
  /** Copies the files of `source` as they are now, as a fork would. */
  copy(source: string, target: string): Promise<void>;
  end(): Promise<void>;
};

export async function createTestBench(): Promise<TestBench> {
  const directory = await mkdtemp(join(tmpdir(), 'borealis-mysql-'));
  await chmod(directory, 0o755);
  const user: EngineUser = process.geteuid?.() === 0 ? await unprivilegedUser('mysql') : ownUser();
  const log = openEngineLog(join(directory, 'engine.log'));
  return {
    directory,
    log,
    steps: [],
    engine: async (name, bin) => {
      const dataDirectory = join(directory, name);
      const privateDirectory = join(directory, `${name}.private`);
      await mkdir(dataDirectory, {recursive: true});
      await mkdir(privateDirectory, {recursive: true});
      return createMysqlEngine({dataDirectory, privateDirectory, bin, user, log});
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
  options: ConnectionOptions = {},
): Promise<readonly Record<string, unknown>[]> {
  const connection = await createConnection({
    host: '127.0.0.1',
    port: running.port,
    user: MASTER.name,
    password: MASTER.password,
    ...options,
  });
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    return Array.isArray(rows) ? rows.map(row => ({...row})) : [];
  } finally {
    await connection.end();
  }
}
