/**
 * The names of a file system: directories over the inode table, and what POSIX says of names.
 * A bounded number of directory entries is kept in memory.
 */
import type {Clock} from '../base/clock.ts';
import {PAGE_SIZE_BYTES} from '../volume/pointer.ts';
import type {Volume} from '../volume/volume.ts';
import {Directory} from './directory.ts';
import type {Inode} from './inode.ts';
import type {InodeTable} from './inode-table.ts';
import {
  FsError,
  NAME_LENGTH_MAX,
  ROOT_INO,
  S_IFDIR,
  S_IFMT,
  type Ino,
  type Timestamp,
} from './types.ts';

/** Directory entries kept in memory. */
const CACHED_ENTRIES_MAX = 200_000;

export class Namespace {
  readonly #volume: Volume;
  readonly #inodes: InodeTable;
  readonly #clock: Clock;
  readonly #directories = new Map<Ino, Directory>();

  constructor(volume: Volume, inodes: InodeTable, clock: Clock) {
    this.#volume = volume;
    this.#inodes = inodes;
    this.#clock = clock;
  }

  /** The entries of a directory. */
  entries(inode: Inode): Directory {
    let directory = this.#directories.get(inode.ino);
    if (directory === undefined) {
      directory = new Directory(this.#volume, inode);
      this.#directories.set(inode.ino, directory);
      this.#trim(inode.ino);
    }
    return directory;
  }

  forget(ino: Ino): void {
    this.#directories.delete(ino);
  }

  add(directory: Inode, name: string, inode: Inode): void {
    if (this.entries(directory).add(name, inode.ino, inode.mode & S_IFMT)) {
      directory.sizeBytes += PAGE_SIZE_BYTES;
      directory.pages++;
      this.#inodes.change(directory);
    }
    this.touch(directory);
  }

  remove(directory: Inode, name: string): void {
    this.entries(directory).remove(name);
    this.touch(directory);
  }

  /** Lets a name that is there stand for another inode. */
  replace(directory: Inode, name: string, inode: Inode): void {
    this.entries(directory).replace(name, inode.ino, inode.mode & S_IFMT);
    this.touch(directory);
  }

  touch(directory: Inode): void {
    directory.mtime = timestamp(this.#clock);
    directory.ctime = directory.mtime;
    this.#inodes.changeTimes(directory);
  }

  directory(ino: Ino): Inode {
    const inode = this.#inodes.get(ino);
    if (!isDirectory(inode)) throw new FsError('ENOTDIR', `inode ${ino} is not a directory`);
    return inode;
  }

  entry(directory: Inode, name: string): Inode {
    checkName(name);
    const entry = this.entries(directory).find(name);
    if (entry === null) throw new FsError('ENOENT', `no entry ${printable(name)}`);
    return this.#inodes.get(entry.ino);
  }

  requireFree(directory: Inode, name: string): void {
    checkName(name);
    // A directory that was removed while someone stood in it takes no new entries.
    if (directory.nlink === 0) throw new FsError('ENOENT', 'the directory was removed');
    if (name === '.' || name === '..' || this.entries(directory).find(name) !== null) {
      throw new FsError('EEXIST', `${printable(name)} exists`);
    }
  }

  requireEmpty(inode: Inode, name: string): void {
    if (!isDirectory(inode)) throw new FsError('ENOTDIR', `${printable(name)} is no directory`);
    if (this.entries(inode).size > 0) {
      throw new FsError('ENOTEMPTY', `${printable(name)} is not empty`);
    }
  }

  /** A directory cannot be moved into itself. */
  requireOutside(directory: Inode, moved: Inode): void {
    for (let at = directory; ; at = this.#inodes.get(at.parent)) {
      if (at === moved) throw new FsError('EINVAL', 'a directory cannot move into itself');
      if (at.ino === ROOT_INO || at.parent === at.ino) return;
    }
  }

  /** A directory that moved has another ".." now. */
  reparent(inode: Inode, from: Inode, to: Inode): void {
    if (!isDirectory(inode) || from === to) return;
    inode.parent = to.ino;
    from.nlink--;
    to.nlink++;
    this.#inodes.change(from);
    this.#inodes.change(to);
  }

  #trim(kept: Ino): void {
    let entries = 0;
    for (const directory of this.#directories.values()) entries += directory.size;
    for (const [ino, directory] of this.#directories) {
      if (entries <= CACHED_ENTRIES_MAX) return;
      if (ino === kept) continue;
      entries -= directory.size;
      this.#directories.delete(ino);
    }
  }
}

export function isDirectory(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFDIR;
}

export function checkName(name: string): void {
  if (name.length > NAME_LENGTH_MAX) throw new FsError('ENAMETOOLONG', 'name too long');
  if (name.length === 0) throw new FsError('ENOENT', 'empty name');
}

export function printable(name: string): string {
  return JSON.stringify(Buffer.from(name, 'latin1').toString('utf8'));
}

export function timestamp(clock: Clock): Timestamp {
  const nowMs = clock.nowMs();
  const seconds = Math.floor(nowMs / 1000);
  return {seconds, nanoseconds: Math.floor((nowMs - seconds * 1000) * 1e6)};
}
