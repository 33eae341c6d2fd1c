/**
 * The file system of a volume: names, inodes and bytes, all in pages.
 *
 *     name ──directory──▶ ino ──inode table──▶ inode ──file n──▶ pages
 *
 * Rules:  an operation checks everything before it changes anything, and ends with
 *         `endOperation`, so it is in the log whole or not at all. An inode that lost its last name
 *         while it was referenced waits in the orphan directory (inode 2, no name) and goes with its
 *         last reference, or when the file system is next opened.
 * Source: docs/formats/volume-fs.md.
 */
import {systemClock, type Clock} from '../base/clock.ts';
import {FsError as Refused, RENAME_EXCHANGE, RENAME_NOREPLACE} from './types.ts';
import {S_IFDIR, S_IFLNK, S_IFMT, S_IFREG} from './types.ts';
import type {
  AttributeChanges,
  Attributes,
  DirectoryEntry,
  FileSystem,
  FileSystemSize,
  Ino,
  Owner,
} from './types.ts';
import {PAGE_SIZE_BYTES} from '../volume/pointer.ts';
import type {Volume} from '../volume/volume.ts';
import {allocateFile, readFile, seekFile, truncateFile, writeFile} from './file-data.ts';
import {INLINE_TARGET_BYTES_MAX, type Inode} from './inode.ts';
import {InodeTable} from './inode-table.ts';
import {checkName, isDirectory, Namespace, printable, timestamp} from './namespace.ts';

const ORPHANS_INO = 2 as Ino;
const TARGET_LENGTH_MAX = 4095;
const LINKS_MAX = 65_000;

export function openVolumeFs(volume: Volume, clock: Clock = systemClock): FileSystem {
  return new VolumeFs(volume, clock);
}

class VolumeFs implements FileSystem {
  readonly #volume: Volume;
  readonly #clock: Clock;
  readonly #inodes: InodeTable;
  readonly #names: Namespace;

  constructor(volume: Volume, clock: Clock) {
    this.#volume = volume;
    this.#clock = clock;
    this.#inodes = InodeTable.open(volume);
    this.#names = new Namespace(volume, this.#inodes, clock);
    volume.onFlush({
      beforeFlush: () => this.#inodes.write(false),
      beforeCheckpoint: () => this.#inodes.write(true),
    });
    this.#removeOrphans();
  }

  lookup(parent: Ino, name: string): Attributes {
    checkName(name);
    const directory = this.#names.directory(parent);
    if (name === '.') return directory;
    if (name === '..') return this.#inodes.get(directory.parent);
    const entry = this.#names.entries(directory).find(name);
    if (entry === null) throw new Refused('ENOENT', `no entry ${printable(name)}`);
    return this.#inodes.get(entry.ino);
  }

  attributes(ino: Ino): Attributes {
    return this.#inodes.get(ino);
  }

  setAttributes(ino: Ino, changes: AttributeChanges): Attributes {
    return this.#operation(() => {
      const inode = this.#inodes.get(ino);
      const {mode, uid, gid, sizeBytes, atime, mtime} = changes;
      const now = timestamp(this.#clock);
      if (sizeBytes !== undefined) {
        this.#requireFile(inode);
        truncateFile(this.#volume, inode, sizeBytes);
        inode.mtime = now;
      }
      if (mode !== undefined) inode.mode = (inode.mode & S_IFMT) | (mode & ~S_IFMT);
      if (uid !== undefined) inode.uid = uid;
      if (gid !== undefined) inode.gid = gid;
      if (atime !== undefined) inode.atime = atime;
      if (mtime !== undefined) inode.mtime = mtime;
      inode.ctime = now;
      const onlyTimes = [mode, uid, gid, sizeBytes].every(value => value === undefined);
      if (onlyTimes) this.#inodes.changeTimes(inode);
      else this.#inodes.change(inode);
      return inode;
    });
  }

  makeNode(parent: Ino, name: string, mode: number, rdev: number, owner: Owner): Attributes {
    return this.#operation(() => {
      const type = (mode & S_IFMT) === 0 ? S_IFREG : mode & S_IFMT;
      if (type === S_IFDIR || type === S_IFLNK) {
        throw new Refused('EINVAL', 'a node is not a directory or symlink');
      }
      const inode = this.#make(parent, name, type | (mode & ~S_IFMT), owner);
      inode.rdev = rdev;
      return inode;
    });
  }

  makeDirectory(parent: Ino, name: string, mode: number, owner: Owner): Attributes {
    return this.#operation(() => {
      const above = this.#names.directory(parent);
      if (above.nlink >= LINKS_MAX) throw new Refused('EMLINK', 'too many subdirectories');
      const inode = this.#make(parent, name, S_IFDIR | (mode & ~S_IFMT), owner);
      inode.nlink = 2;
      inode.parent = parent;
      above.nlink++;
      this.#inodes.change(above);
      return inode;
    });
  }

  makeSymlink(parent: Ino, name: string, target: string, owner: Owner): Attributes {
    return this.#operation(() => {
      if (target.length > TARGET_LENGTH_MAX) throw new Refused('ENAMETOOLONG', 'target too long');
      if (target.length === 0) throw new Refused('ENOENT', 'a symlink needs a target');
      const inode = this.#make(parent, name, S_IFLNK | 0o777, owner);
      inode.target = target;
      if (target.length > INLINE_TARGET_BYTES_MAX) {
        writeFile(this.#volume, inode, 0, Buffer.from(target, 'latin1'));
      }
      inode.sizeBytes = target.length;
      return inode;
    });
  }

  readLink(ino: Ino): string {
    const inode = this.#inodes.get(ino);
    if ((inode.mode & S_IFMT) !== S_IFLNK) throw new Refused('EINVAL', 'not a symlink');
    return inode.target;
  }

  link(ino: Ino, parent: Ino, name: string): Attributes {
    return this.#operation(() => {
      const inode = this.#inodes.get(ino);
      const directory = this.#names.directory(parent);
      if (isDirectory(inode)) throw new Refused('EPERM', 'a directory has one name');
      if (inode.nlink >= LINKS_MAX) throw new Refused('EMLINK', 'too many links');
      // An inode whose last name went must not come back: its end is already decided.
      if (inode.nlink === 0) throw new Refused('ENOENT', 'the file was removed');
      this.#names.requireFree(directory, name);
      this.#names.add(directory, name, inode);
      inode.nlink++;
      this.#changed(inode);
      return inode;
    });
  }

  unlink(parent: Ino, name: string): void {
    return this.#operation(() => {
      const directory = this.#names.directory(parent);
      const inode = this.#names.entry(directory, name);
      if (isDirectory(inode)) throw new Refused('EISDIR', `${printable(name)} is a directory`);
      this.#names.remove(directory, name);
      this.#dropLink(inode);
    });
  }

  removeDirectory(parent: Ino, name: string): void {
    return this.#operation(() => {
      if (name === '.') throw new Refused('EINVAL', '"." cannot be removed');
      const directory = this.#names.directory(parent);
      const inode = this.#names.entry(directory, name);
      this.#names.requireEmpty(inode, name);
      this.#names.remove(directory, name);
      this.#dropDirectory(inode, directory);
    });
  }

  rename(parent: Ino, name: string, newParent: Ino, newName: string, flags: number): void {
    return this.#operation(() => {
      const from = this.#names.directory(parent);
      const to = this.#names.directory(newParent);
      checkName(newName);
      if ([name, newName].some(one => one === '.' || one === '..')) {
        throw new Refused('EINVAL', '"." and ".." cannot be renamed');
      }
      const inode = this.#names.entry(from, name);
      const found = this.#names.entries(to).find(newName);
      const other = found === null ? null : this.#inodes.get(found.ino);
      if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) {
        throw new Refused('EINVAL', `rename flags ${flags} are not supported`);
      }
      if (to.nlink === 0) throw new Refused('ENOENT', 'the directory was removed');
      if (isDirectory(inode)) this.#names.requireOutside(to, inode);
      if ((flags & RENAME_EXCHANGE) !== 0) {
        if (other === null) throw new Refused('ENOENT', `no entry ${printable(newName)}`);
        if (isDirectory(other)) this.#names.requireOutside(from, other);
        this.#exchange(from, name, inode, to, newName, other);
      } else {
        if (other !== null && (flags & RENAME_NOREPLACE) !== 0) {
          throw new Refused('EEXIST', `${printable(newName)} exists`);
        }
        if (other === inode) return;
        this.#move(from, name, inode, to, newName, other);
      }
    });
  }

  read(ino: Ino, offset: number, into: Uint8Array): number {
    return readFile(this.#volume, this.#inodes.get(ino), offset, into);
  }

  write(ino: Ino, offset: number, data: Uint8Array): void {
    return this.#operation(() => {
      const inode = this.#inodes.get(ino);
      this.#requireFile(inode);
      const {sizeBytes, pages} = inode;
      writeFile(this.#volume, inode, offset, data);
      inode.mtime = timestamp(this.#clock);
      inode.ctime = inode.mtime;
      if (inode.sizeBytes === sizeBytes && inode.pages === pages) this.#inodes.changeTimes(inode);
      else this.#inodes.change(inode);
    });
  }

  allocate(ino: Ino, mode: number, offset: number, length: number): void {
    return this.#operation(() => {
      const inode = this.#inodes.get(ino);
      this.#requireFile(inode);
      allocateFile(this.#volume, inode, mode, offset, length);
      inode.mtime = timestamp(this.#clock);
      this.#changed(inode);
    });
  }

  seek(ino: Ino, offset: number, whence: 'data' | 'hole'): number {
    return seekFile(this.#volume, this.#inodes.get(ino), offset, whence);
  }

  readDirectory(ino: Ino, cookie: number, visit: (entry: DirectoryEntry) => boolean): void {
    const inode = this.#names.directory(ino);
    const dots = [
      {name: '.', ino, type: S_IFDIR, nextCookie: 1},
      {name: '..', ino: inode.parent, type: S_IFDIR, nextCookie: 2},
    ];
    for (const dot of dots.slice(cookie)) {
      if (!visit(dot)) return;
    }
    this.#names.entries(inode).list(cookie, visit);
  }

  retain(ino: Ino): void {
    this.#inodes.get(ino).references++;
  }

  release(ino: Ino, count: number): void {
    return this.#operation(() => {
      const inode = this.#inodes.get(ino);
      inode.references = Math.max(0, inode.references - count);
      if (inode.references > 0 || inode.nlink > 0) return;
      this.#names.remove(this.#inodes.get(ORPHANS_INO), orphanName(inode.ino));
      this.#destroy(inode);
    });
  }

  size(): FileSystemSize {
    const pages = Math.floor(this.#volume.freeBytes() / PAGE_SIZE_BYTES);
    const inodeCount = this.#inodes.inodeCount;
    return {
      pageSizeBytes: PAGE_SIZE_BYTES,
      pageCount: pages * 2,
      freePageCount: pages,
      inodeCount: inodeCount + pages,
      freeInodeCount: pages,
    };
  }

  /** Runs one change, whole. One that fails halfway fails the volume; a refusal has changed nothing. */
  #operation<T>(change: () => T): T {
    try {
      const result = change();
      this.#volume.endOperation();
      return result;
    } catch (error) {
      if (!(error instanceof Refused)) this.#volume.abandonOperation(error);
      throw error;
    }
  }

  #make(parent: Ino, name: string, mode: number, owner: Owner): Inode {
    const directory = this.#names.directory(parent);
    this.#names.requireFree(directory, name);
    const inode = this.#inodes.allocate();
    const now = timestamp(this.#clock);
    Object.assign(inode, {mode, nlink: 1, atime: now, mtime: now, ctime: now, ...owner});
    this.#names.add(directory, name, inode);
    return inode;
  }

  #move(
    from: Inode,
    name: string,
    inode: Inode,
    to: Inode,
    newName: string,
    other: Inode | null,
  ): void {
    if (other === null) {
      this.#names.remove(from, name);
      this.#names.add(to, newName, inode);
    } else {
      if (isDirectory(inode)) this.#names.requireEmpty(other, newName);
      else if (isDirectory(other)) {
        throw new Refused('EISDIR', `${printable(newName)} is a directory`);
      }
      this.#names.replace(to, newName, inode);
      this.#names.remove(from, name);
      if (isDirectory(other)) this.#dropDirectory(other, to);
      else this.#dropLink(other);
    }
    this.#names.reparent(inode, from, to);
    this.#changed(inode);
  }

  #exchange(
    from: Inode,
    name: string,
    inode: Inode,
    to: Inode,
    newName: string,
    other: Inode,
  ): void {
    this.#names.replace(to, newName, inode);
    this.#names.replace(from, name, other);
    this.#names.reparent(inode, from, to);
    this.#names.reparent(other, to, from);
    this.#changed(inode);
    this.#changed(other);
  }

  #dropLink(inode: Inode): void {
    inode.nlink--;
    this.#changed(inode);
    if (inode.nlink > 0) return;
    if (inode.references > 0) {
      this.#names.add(this.#inodes.get(ORPHANS_INO), orphanName(inode.ino), inode);
    } else {
      this.#destroy(inode);
    }
  }

  #dropDirectory(inode: Inode, parent: Inode): void {
    parent.nlink--;
    this.#changed(parent);
    inode.nlink = 1;
    this.#dropLink(inode);
  }

  #destroy(inode: Inode): void {
    if (inode.pages > 0) this.#volume.dropFile(inode.ino);
    this.#names.forget(inode.ino);
    this.#inodes.free(inode);
  }

  /** Removes what lost its last name before a crash. */
  #removeOrphans(): void {
    const orphans = this.#inodes.get(ORPHANS_INO);
    const names: string[] = [];
    this.#names.entries(orphans).list(0, entry => {
      names.push(entry.name);
      return true;
    });
    for (const name of names) {
      const inode = this.#names.entry(orphans, name);
      this.#operation(() => {
        this.#names.remove(orphans, name);
        this.#destroy(inode);
      });
    }
  }

  #changed(inode: Inode): void {
    inode.ctime = timestamp(this.#clock);
    this.#inodes.change(inode);
  }

  #requireFile(inode: Inode): void {
    if (isDirectory(inode)) throw new Refused('EISDIR', `inode ${inode.ino} is a directory`);
    if ((inode.mode & S_IFMT) !== S_IFREG) {
      throw new Refused('EINVAL', `inode ${inode.ino} is not a regular file`);
    }
  }
}

function orphanName(ino: Ino): string {
  return ino.toString(16);
}
