/** The peer: the same server, through the same engine code, with its data on the host's file system. */
import {appendFile, chmod, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Client} from 'pg';
import type {RunningEngine} from '../src/engine/engine.ts';
import {openEngineLog} from '../src/engine/engine-log.ts';
import {ownUser, unprivilegedUser} from '../src/engine/launch.ts';
import {createPostgresEngine} from '../src/engine/postgres/postgres-engine.ts';
import {scramVerifier} from '../src/engine/postgres/scram.ts';
import type {Target} from './pgbench.ts';

const MASTER = {name: 'bench', password: 'bench-password'};

export class HostServer {
  readonly directory: string;
  readonly #bin: string;
  readonly #running = new Map<string, RunningEngine>();

  private constructor(directory: string, bin: string) {
    this.directory = directory;
    this.#bin = bin;
  }

  static async create(bin: string): Promise<HostServer> {
    const directory = await mkdtemp(join(tmpdir(), 'borealis-bench-'));
    await chmod(directory, 0o755);
    return new HostServer(directory, bin);
  }

  /** A fresh server on directory `name`. */
  async initialise(name: string): Promise<Target> {
    const engine = await this.#engine(name);
    await engine.initialise(() => undefined);
    return this.start(name);
  }

  /** Starts the server on directory `name` and gives it what suits a plain file system best. */
  async start(name: string): Promise<Target> {
    const engine = await this.#engine(name);
    const running = await engine.start(
      {
        port: 0,
        firstStart: false,
        master: {name: MASTER.name, verifier: scramVerifier(MASTER.password)},
        databaseName: 'bench',
        readerVerifier: null,
        source: null,
        tls: null,
        parameters: {},
      },
      () => undefined,
    );
    this.#running.set(name, running);
    const admin = new Client({
      host: join(this.directory, `${name}.private`, 'socket'),
      port: running.port,
      user: 'rdsadmin',
      database: 'postgres',
    });
    await admin.connect();
    // A volume has these off for its clones' sake; a plain file system is faster with them.
    await admin.query('ALTER SYSTEM SET wal_recycle = on');
    await admin.query('ALTER SYSTEM SET wal_init_zero = on');
    await admin.query('ALTER ROLE bench REPLICATION');
    // For pg_basebackup; a volume needs none.
    const hba = join(this.directory, `${name}.private`, 'config', 'pg_hba.conf');
    await appendFile(hba, 'host replication bench 127.0.0.1/32 scram-sha-256\n');
    await admin.query('SELECT pg_reload_conf()');
    await admin.end();
    const {name: user, password} = MASTER;
    return {host: '127.0.0.1', port: running.port, user, password, database: 'bench'};
  }

  async stop(name: string): Promise<void> {
    await this.#running.get(name)?.stop('fast');
    this.#running.delete(name);
  }

  async remove(): Promise<void> {
    for (const name of this.#running.keys()) await this.stop(name);
    await rm(this.directory, {recursive: true, force: true});
  }

  async #engine(name: string): ReturnType<typeof createPostgresEngine> {
    const dataDirectory = join(this.directory, name);
    const privateDirectory = join(this.directory, `${name}.private`);
    await mkdir(dataDirectory, {recursive: true, mode: 0o755});
    await mkdir(privateDirectory, {recursive: true, mode: 0o755});
    return createPostgresEngine({
      dataDirectory,
      privateDirectory,
      bin: this.#bin,
      user: process.geteuid?.() === 0 ? await unprivilegedUser('postgres') : ownUser(),
      log: openEngineLog(join(this.directory, `${name}.log`)),
      syncedBy: 'server',
    });
  }
}
