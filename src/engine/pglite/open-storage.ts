/**
 * The volume under a PGlite engine, opened on the engine's thread.
 *
 *     volume ─▶ file system ─▶ /pglite    the cluster's files (a native cluster lies in /pgdata)
 *
 * The two kinds of cluster do not read each other's files (float8 is passed by value in one and by
 * reference in the other), so a volume is refused, with that reason, by the engine whose it is not.
 */
import type {AttachmentConfig} from '../../attachment/attachment.ts';
import {BorealisError} from '../../base/errors.ts';
import {openVolume, type ZoneHooks} from '../../volume/open-volume.ts';
import type {Volume} from '../../volume/volume.ts';
import {formatVolumeFs} from '../../volume-fs/format-volume-fs.ts';
import {openVolumeFs} from '../../volume-fs/volume-fs.ts';
import {FsError, ROOT_INO} from '../../volume-fs/types.ts';
import type {FileSystem, Ino} from '../../volume-fs/types.ts';

const CLUSTER_DIRECTORY = 'pglite';
const NATIVE_CLUSTER_DIRECTORY = 'pgdata';

export type EngineStorage = {
  readonly volume: Volume;
  readonly fileSystem: FileSystem;
  /** Where the cluster's files lie. */
  readonly root: Ino;
};

export function openStorage(
  config: AttachmentConfig,
  initialise: boolean,
  hooks: ZoneHooks = {},
): EngineStorage {
  const volume = openVolume(config, hooks);
  try {
    if (config.format) formatVolumeFs(volume);
    const fileSystem = openVolumeFs(volume);
    return {volume, fileSystem, root: findCluster(fileSystem, initialise)};
  } catch (error) {
    volume.close();
    throw error;
  }
}

function findCluster(fs: FileSystem, initialise: boolean): Ino {
  const found = find(fs, CLUSTER_DIRECTORY);
  if (found !== undefined) return found;
  if (find(fs, NATIVE_CLUSTER_DIRECTORY) !== undefined) {
    throw new BorealisError(
      'conflict',
      'volume-engine',
      'this volume holds a cluster of native PostgreSQL, whose files PGlite cannot read; start it with the native engine',
    );
  }
  if (!initialise) {
    throw new BorealisError(
      'corrupt',
      'volume-empty',
      'this volume holds no cluster: its golden volume was never finished',
    );
  }
  return fs.makeDirectory(ROOT_INO, CLUSTER_DIRECTORY, 0o700, {uid: 0, gid: 0}).ino;
}

function find(fs: FileSystem, name: string): Ino | undefined {
  try {
    return fs.lookup(ROOT_INO, name).ino;
  } catch (error) {
    if (error instanceof FsError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
