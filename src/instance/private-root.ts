/**
 * A place that only this instance sees: a tmpfs in its own mount namespace, over a directory of the
 * machine that the instance does not need. It goes with the process, whatever ends it.
 *
 *     /mnt            tmpfs
 *     /mnt/volume     mount point of the cluster volume
 *     /mnt/engine     the engine's configuration and socket
 *     /mnt/programs   its programs, where its user could not reach them otherwise
 */
import {accessSync, constants, realpathSync, statSync} from 'node:fs';
import {mkdir} from 'node:fs/promises';
import {dirname, join, sep} from 'node:path';
import {fileURLToPath} from 'node:url';
import {run} from '../attachment/fuse/mount.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import type {EngineUser} from '../engine/launch.ts';

/** Directories that the File System Hierarchy Standard gives a machine and an engine never needs. */
const CANDIDATES: readonly string[] = ['/mnt', '/media', '/srv', '/opt', '/home'];
/** Configuration, a socket, links: kilobytes. The bound is against a runaway, not a budget. */
const TMPFS_OPTIONS = 'size=8m,nr_inodes=4096,mode=0711,nosuid,nodev';

export type PrivateRoot = {
  readonly volumeDirectory: string;
  readonly engineDirectory: string;
  /** Puts `bin` where `user` can reach it, if it cannot yet. Returns the directory to use. */
  reachable(bin: string, user: EngineUser): Promise<string>;
};

/** `needed`: paths that must stay visible. The process is in its own mount namespace already. */
export async function mountPrivateRoot(needed: readonly string[]): Promise<PrivateRoot> {
  const root = choosePrivateRoot([
    ...needed,
    process.execPath,
    fileURLToPath(new URL('../..', import.meta.url)),
  ]);
  await mount(['-t', 'tmpfs', '-o', TMPFS_OPTIONS, 'borealis', root]);
  const volumeDirectory = join(root, 'volume');
  const engineDirectory = join(root, 'engine');
  await mkdir(volumeDirectory, {mode: 0o755});
  await mkdir(engineDirectory, {mode: 0o711});
  return {
    volumeDirectory,
    engineDirectory,
    reachable: async (bin, user) => {
      if (canReach(bin, user)) return bin;
      const prefix = dirname(realpathSync(bin));
      if (!exists(join(prefix, 'share'))) {
        throw new BorealisError(
          'invalid',
          'engine-binary',
          `the engine's user (uid ${user.owner.uid}) cannot reach ${bin}: let others search the directories above it, or name a server whose bin, lib and share lie in one directory`,
        );
      }
      const place = join(root, 'programs');
      await mkdir(place, {mode: 0o755});
      await mount(['--bind', prefix, place]);
      return join(place, 'bin');
    },
  };
}

/** The first candidate that is there and hides none of `needed`. */
export function choosePrivateRoot(
  needed: readonly string[],
  candidates: readonly string[] = CANDIDATES,
): string {
  const real = needed.map(path => (exists(path) ? realpathSync(path) : path));
  const root = candidates.find(
    candidate =>
      exists(candidate) &&
      statSync(candidate).isDirectory() &&
      realpathSync(candidate) === candidate &&
      !real.some(path => path === candidate || path.startsWith(candidate + sep)),
  );
  if (root === undefined) {
    throw new BorealisError(
      'unavailable',
      'private-root',
      `none of ${candidates.join(', ')} is there and free of Borealis's own files: make one of them an empty directory`,
    );
  }
  return root;
}

/** May `user` search every directory down to the program? As others, or as owner or group. */
function canReach(bin: string, {owner}: EngineUser): boolean {
  // In a user namespace the engine has the rights of the person who runs the service.
  if (owner.uid === process.geteuid?.()) return true;
  const directories: string[] = [];
  for (let at = realpathSync(bin); at !== dirname(at); at = dirname(at)) directories.push(at);
  return directories.every(directory => {
    const {mode, uid, gid} = statSync(directory);
    if (uid === owner.uid) return (mode & 0o100) !== 0;
    return (mode & (gid === owner.gid ? 0o010 : 0o001)) !== 0;
  });
}

async function mount(args: readonly string[]): Promise<void> {
  const {status, complaint} = await run('mount', args);
  if (status === 0) return;
  throw new BorealisError(
    'unavailable',
    'private-root',
    `mount ${args.join(' ')} ended with status ${status ?? 'unknown'}: ${complaint}`,
  );
}

function exists(path: string): boolean {
  try {
    accessSync(path, constants.F_OK);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return false;
  }
}
