/** Where a server works: its files, its private directory, its programs and its user. */
import {chown, mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import type {EngineLog} from '../engine-log.ts';
import type {EngineUser} from '../launch.ts';

export type MysqlEngineConfig = {
  /** An existing directory that outlives the engine. */
  readonly dataDirectory: string;
  /** An existing directory that ends with the instance. */
  readonly privateDirectory: string;
  /** Where `mariadbd` is. */
  readonly bin: string;
  readonly user: EngineUser;
  readonly log: EngineLog;
};

export type Workplace = MysqlEngineConfig & {
  /** The server's own data directory. */
  readonly files: string;
  /** For temporary tables and sorts, emptied at every start. */
  readonly temporary: string;
  readonly configDirectory: string;
  readonly socket: string;
};

export async function prepareWorkplace(config: MysqlEngineConfig): Promise<Workplace> {
  const configDirectory = join(config.privateDirectory, 'config');
  const socketDirectory = join(config.privateDirectory, 'socket');
  for (const directory of [configDirectory, socketDirectory]) {
    await rm(directory, {recursive: true, force: true});
    await makeFor(config.user, directory);
  }
  return {
    ...config,
    files: join(config.dataDirectory, 'mysql'),
    temporary: join(config.dataDirectory, 'tmp'),
    configDirectory,
    socket: join(socketDirectory, 'mysql.sock'),
  };
}

/** A new directory that is the engine's alone. */
export async function makeFor(user: EngineUser, directory: string): Promise<void> {
  await mkdir(directory, {mode: 0o700});
  await chown(directory, user.owner.uid, user.owner.gid);
}
