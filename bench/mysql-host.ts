/** The peer: MariaDB through the same engine code, with its data on the host's file system. */
import {chmod, chown, mkdir, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {openEngineLog} from '../src/engine/engine-log.ts';
import type {Engine, RunningEngine} from '../src/engine/engine.ts';
import {ownUser, unprivilegedUser, type EngineUser} from '../src/engine/launch.ts';
import {createMysqlEngine} from '../src/engine/mysql/mysql-engine.ts';
import {nativePasswordHash} from '../src/engine/mysql/native-password.ts';
import {runProgram} from '../src/engine/server-process.ts';
import type {Target} from './pgbench.ts';

const MASTER = {name: 'admin', password: 'bench-password'};
const DATABASE = 'bench';

export class MysqlHost {
  readonly directory: string;
  readonly #bin: string;
  readonly #user: EngineUser;
  readonly #running = new Map<string, RunningEngine>();

  private constructor(directory: string, bin: string, user: EngineUser) {
    this.directory = directory;
    this.#bin = bin;
    this.#user = user;
  }

  static async create(bin: string): Promise<MysqlHost> {
    const directory = await mkdtemp(join(tmpdir(), 'borealis-bench-'));
    await chmod(directory, 0o755);
    const user = process.geteuid?.() === 0 ? await unprivilegedUser('mysql') : ownUser();
    await chown(directory, user.owner.uid, user.owner.gid);
    return new MysqlHost(directory, bin, user);
  }

  /** A fresh server on directory `name`. */
  async initialise(name: string): Promise<Target> {
    const engine = await this.#engine(name);
    await engine.initialise(() => undefined);
    return this.#start(name, engine);
  }

  /** Starts the server on directory `name`, whose files may come from elsewhere. */
  async start(name: string): Promise<Target> {
    return this.#start(name, await this.#engine(name));
  }

  /** Where the server of `name` listens. */
  target(name: string): Target {
    const port = this.#running.get(name)?.port;
    if (port === undefined) throw new Error(`no server runs on ${name}`);
    const {name: user, password} = MASTER;
    return {host: '127.0.0.1', port, user, password, database: DATABASE};
  }

  /** Gives a file to the server's user alone. */
  async own(path: string): Promise<void> {
    await chmod(path, 0o600);
    await chown(path, this.#user.owner.uid, this.#user.owner.gid);
  }

  /** A new directory for a server that others fill. */
  async make(name: string): Promise<void> {
    const directory = join(this.directory, name);
    await mkdir(directory, {mode: 0o755});
    await chown(directory, this.#user.owner.uid, this.#user.owner.gid);
  }

  /** The server's data directory of `name`. */
  files(name: string): string {
    return join(this.directory, name, 'mysql');
  }

  /** Runs a program as the server's user; its output goes to a log. */
  async run(argv: readonly string[]): Promise<void> {
    const log = openEngineLog(join(this.directory, 'programs.log'));
    const {code} = await runProgram({argv, user: this.#user, environment: {}, log});
    const tail = log.tail();
    log.close();
    if (code !== 0) throw new Error(`${argv[0]} ended with status ${code}: ${tail}`);
  }

  async stop(name: string): Promise<void> {
    await this.#running.get(name)?.stop('fast');
    this.#running.delete(name);
  }

  async remove(): Promise<void> {
    for (const name of this.#running.keys()) await this.stop(name);
    await rm(this.directory, {recursive: true, force: true});
  }

  async #start(name: string, engine: Engine): Promise<Target> {
    const running = await engine.start(
      {
        port: 0,
        firstStart: false,
        master: {name: MASTER.name, verifier: nativePasswordHash(MASTER.password)},
        databaseName: DATABASE,
        readerVerifier: null,
        source: null,
        tls: null,
        parameters: {},
      },
      () => undefined,
    );
    this.#running.set(name, running);
    return this.target(name);
  }

  async #engine(name: string): Promise<Engine> {
    const dataDirectory = join(this.directory, name);
    const privateDirectory = join(this.directory, `${name}.private`);
    for (const directory of [dataDirectory, privateDirectory]) {
      await mkdir(directory, {recursive: true, mode: 0o755});
      await chown(directory, this.#user.owner.uid, this.#user.owner.gid);
    }
    return createMysqlEngine({
      dataDirectory,
      privateDirectory,
      bin: this.#bin,
      user: this.#user,
      log: openEngineLog(join(this.directory, `${name}.log`)),
    });
  }
}
