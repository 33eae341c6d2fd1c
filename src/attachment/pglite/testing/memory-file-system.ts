/**
 * A FileSystem in plain memory, the naive model for tests of what stands on the FileSystem contract.
 * Directories, regular files, rename, unlink with open descriptors; no links, no holes, no limits.
 */
import type {
  AttributeChanges,
  Attributes,
  DirectoryEntry,
  Errno,
  FileSystem,
  FileSystemSize,
  Ino,
  Owner,
  Timestamp,
} from '../../../volume-fs/types.ts';
import {FsError, ROOT_INO, S_IFDIR, S_IFMT, S_IFREG} from '../../../volume-fs/types.ts';

type Node = {
  readonly ino: Ino;
  mode: number;
  nlink: number;
  size: number;
  bytes: Uint8Array;
  references: number;
  mtime: Timestamp;
  readonly entries: Map<string, Ino>;
};

const EPOCH: Timestamp = {seconds: 0, nanoseconds: 0};

export class MemoryFileSystem implements FileSystem {
  readonly #nodes = new Map<Ino, Node>();
  #nextIno = 1;
  /** When set, the next write fails with it. */
  writeError: Error | undefined;
  /** When set, every read fails with it. */
  readError: Error | undefined;

  constructor() {
    this.#add(S_IFDIR | 0o700);
  }

  get inodeCount(): number {
    return this.#nodes.size;
  }

  lookup(parent: Ino, name: string): Attributes {
    const ino = this.#directory(parent).entries.get(name);
    if (ino === undefined) throw new FsError('ENOENT', name);
    return this.attributes(ino);
  }

  attributes(ino: Ino): Attributes {
    const node = this.#node(ino);
    return {
      ino,
      mode: node.mode,
      nlink: node.nlink,
      uid: 0,
      gid: 0,
      rdev: 0,
      sizeBytes: node.size,
      blocks: Math.ceil(node.size / 512),
      atime: EPOCH,
      mtime: node.mtime,
      ctime: EPOCH,
    };
  }

  setAttributes(ino: Ino, changes: AttributeChanges): Attributes {
    const node = this.#node(ino);
    if (changes.mode !== undefined)
      node.mode = (node.mode & S_IFMT) | (changes.mode & ~S_IFMT & 0o7777);
    if (changes.mtime !== undefined) node.mtime = changes.mtime;
    if (changes.sizeBytes !== undefined) {
      if (changes.sizeBytes < node.size) node.bytes.fill(0, changes.sizeBytes, node.size);
      grow(node, changes.sizeBytes);
      node.size = changes.sizeBytes;
    }
    return this.attributes(ino);
  }

  makeNode(parent: Ino, name: string, mode: number, _rdev: number, _owner: Owner): Attributes {
    return this.#make(parent, name, (mode & S_IFMT) === 0 ? S_IFREG | mode : mode);
  }

  makeDirectory(parent: Ino, name: string, mode: number, _owner: Owner): Attributes {
    return this.#make(parent, name, S_IFDIR | (mode & 0o7777));
  }

  makeSymlink(): Attributes {
    throw notSupported('symlink');
  }

  readLink(): string {
    throw notSupported('readlink');
  }

  link(): Attributes {
    throw notSupported('link');
  }

  unlink(parent: Ino, name: string): void {
    const directory = this.#directory(parent);
    const node = this.#node(this.lookup(parent, name).ino);
    if ((node.mode & S_IFMT) === S_IFDIR) throw new FsError('EISDIR', name);
    directory.entries.delete(name);
    this.#unreference(node);
  }

  removeDirectory(parent: Ino, name: string): void {
    const node = this.#directory(this.lookup(parent, name).ino);
    if (node.entries.size > 0) throw new FsError('ENOTEMPTY', name);
    this.#directory(parent).entries.delete(name);
    this.#unreference(node);
  }

  rename(parent: Ino, name: string, newParent: Ino, newName: string, _flags: number): void {
    const {ino} = this.lookup(parent, name);
    const target = this.#directory(newParent).entries.get(newName);
    if (target === ino) return;
    if (target !== undefined) this.unlink(newParent, newName);
    this.#directory(parent).entries.delete(name);
    this.#directory(newParent).entries.set(newName, ino);
  }

  read(ino: Ino, offset: number, into: Uint8Array): number {
    const node = this.#node(ino);
    if (this.readError !== undefined) throw this.readError;
    const count = Math.max(0, Math.min(into.length, node.size - offset));
    into.set(node.bytes.subarray(offset, offset + count));
    return count;
  }

  write(ino: Ino, offset: number, data: Uint8Array): void {
    if (this.writeError !== undefined) {
      const error = this.writeError;
      this.writeError = undefined;
      throw error;
    }
    const node = this.#node(ino);
    grow(node, offset + data.length);
    node.bytes.set(data, offset);
    node.size = Math.max(node.size, offset + data.length);
  }

  allocate(): void {
    throw notSupported('fallocate');
  }

  seek(): number {
    throw notSupported('lseek');
  }

  readDirectory(ino: Ino, cookie: number, visit: (entry: DirectoryEntry) => boolean): void {
    const names: [string, Ino][] = [
      ['.', ino],
      ['..', ROOT_INO],
      ...this.#directory(ino).entries.entries(),
    ];
    for (const [index, [name, child]] of names.entries()) {
      if (index < cookie) continue;
      const type = this.#node(child).mode & S_IFMT;
      if (!visit({name, ino: child, type, nextCookie: index + 1})) return;
    }
  }

  retain(ino: Ino): void {
    this.#node(ino).references++;
  }

  release(ino: Ino, count: number): void {
    const node = this.#node(ino);
    node.references -= count;
    this.#drop(node);
  }

  size(): FileSystemSize {
    return {
      pageSizeBytes: 8192,
      pageCount: 2 ** 30,
      freePageCount: 2 ** 30,
      inodeCount: 2 ** 20,
      freeInodeCount: 2 ** 20,
    };
  }

  #make(parent: Ino, name: string, mode: number): Attributes {
    const directory = this.#directory(parent);
    if (directory.entries.has(name)) throw new FsError('EEXIST', name);
    const node = this.#add(mode);
    directory.entries.set(name, node.ino);
    return this.attributes(node.ino);
  }

  #add(mode: number): Node {
    const ino = this.#nextIno++ as Ino;
    const node: Node = {
      ino,
      mode,
      nlink: 1,
      size: 0,
      bytes: new Uint8Array(0),
      references: 0,
      mtime: EPOCH,
      entries: new Map(),
    };
    this.#nodes.set(ino, node);
    return node;
  }

  #unreference(node: Node): void {
    node.nlink--;
    this.#drop(node);
  }

  #drop(node: Node): void {
    if (node.nlink === 0 && node.references === 0) this.#nodes.delete(node.ino);
  }

  #node(ino: Ino): Node {
    const node = this.#nodes.get(ino);
    if (node === undefined) throw new FsError('ESTALE', `inode ${ino}`);
    return node;
  }

  #directory(ino: Ino): Node {
    const node = this.#node(ino);
    if ((node.mode & S_IFMT) !== S_IFDIR) throw new FsError('ENOTDIR', `inode ${ino}`);
    return node;
  }
}

function grow(node: Node, sizeBytes: number): void {
  if (sizeBytes <= node.bytes.length) return;
  const bytes = new Uint8Array(Math.max(sizeBytes, node.bytes.length * 2));
  bytes.set(node.bytes);
  node.bytes = bytes;
}

function notSupported(call: string): FsError {
  const code: Errno = 'EOPNOTSUPP';
  return new FsError(code, call);
}
