/** Where a server works: its files, its private directory, its programs and its user. */
import {chown, mkdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {linkLibraries} from './binaries.ts';
import type {EngineLog} from '../engine-log.ts';
import type {EngineUser} from '../launch.ts';
import type {SettingsInput} from './settings.ts';

export type PostgresEngineConfig = {
  /** An existing directory that outlives the engine. */
  readonly dataDirectory: string;
  /** An existing directory that ends with the instance. */
  readonly privateDirectory: string;
  /** Where `postgres` and `initdb` are. */
  readonly bin: string;
  readonly user: EngineUser;
  readonly log: EngineLog;
  /** Who makes earlier writes durable before a recovery; see SettingsInput. */
  readonly syncedBy: SettingsInput['syncedBy'];
  /** Proposes a port that is free now; `freeLoopbackPort` unless a test has its own. */
  readonly proposePort?: () => Promise<number>;
};

export type Workplace = PostgresEngineConfig & {
  readonly pgdata: string;
  readonly configDirectory: string;
  readonly socketDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
};

export async function prepareWorkplace(config: PostgresEngineConfig): Promise<Workplace> {
  const configDirectory = join(config.privateDirectory, 'config');
  const socketDirectory = join(config.privateDirectory, 'socket');
  const linkDirectory = join(config.privateDirectory, 'links');
  for (const directory of [configDirectory, socketDirectory, linkDirectory]) {
    await rm(directory, {recursive: true, force: true});
    await mkdir(directory, {mode: 0o700});
    await giveTo(config.user, directory);
  }
  const libraries = await linkLibraries(config.bin, linkDirectory);
  return {
    ...config,
    pgdata: join(config.dataDirectory, 'pgdata'),
    configDirectory,
    socketDirectory,
    environment: libraries === null ? {} : {LD_LIBRARY_PATH: libraries},
  };
}

export async function giveTo(user: EngineUser, path: string): Promise<void> {
  await chown(path, user.owner.uid, user.owner.gid);
}
