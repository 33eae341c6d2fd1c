/** A naive file system in memory: what volume-fs is compared with. */
import {createHash} from 'node:crypto';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  FsError,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  ROOT_INO,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  type AttributeChanges,
  type Attributes,
  type DirectoryEntry,
  type FileSystem,
  type FileSystemSize,
  type Ino,
} from '../types.ts';

type Node = {
  ino: Ino;
  mode: number;
  nlink: number;
  data: Buffer;
  target: string;
  entries: Map<string, Ino>;
  parent: Ino;
};

const ZERO_TIME = {seconds: 0, nanoseconds: 0};

export class ModelFs implements FileSystem {
  #nodes = new Map<Ino, Node>();
  #nextIno = 100;

  constructor() {
    this.#nodes.set(ROOT_INO, newNode(ROOT_INO, S_IFDIR | 0o755, 2, ROOT_INO));
  }

  static digest(bytes: Uint8Array): string {
    return createHash('sha1').update(bytes).digest('hex').slice(0, 12);
  }

  clone(): ModelFs {
    const copy = new ModelFs();
    copy.#nextIno = this.#nextIno;
    copy.#nodes = new Map(
      [...this.#nodes].map(([ino, node]) => [
        ino,
        {...node, data: Buffer.from(node.data), entries: new Map(node.entries)},
      ]),
    );
    return copy;
  }

  listing(ino: Ino = ROOT_INO): string {
    const node = this.#node(ino);
    const type = node.mode & S_IFMT;
    if (type === S_IFLNK) return `link ${node.target}`;
    if (type !== S_IFDIR) {
      return `file ${node.nlink} ${node.data.length} ${ModelFs.digest(node.data)}`;
    }
    const entries = [...node.entries].map(
      ([name, child]) => `${JSON.stringify(name)}: ${this.listing(child)}`,
    );
    return `directory ${node.nlink} {${entries.sort().join(', ')}}`;
  }

  lookup(parent: Ino, name: string): Attributes {
    return this.attributes(this.#entry(parent, name).ino);
  }

  attributes(ino: Ino): Attributes {
    const {mode, nlink, data} = this.#node(ino);
    const times = {atime: ZERO_TIME, mtime: ZERO_TIME, ctime: ZERO_TIME};
    return {ino, mode, nlink, uid: 0, gid: 0, rdev: 0, sizeBytes: data.length, blocks: 0, ...times};
  }

  setAttributes(ino: Ino, changes: AttributeChanges): Attributes {
    const node = this.#node(ino);
    if (changes.sizeBytes !== undefined) {
      requireFile(node);
      node.data = resized(node.data, changes.sizeBytes);
    }
    return this.attributes(ino);
  }

  makeNode(parent: Ino, name: string, mode: number): Attributes {
    return this.attributes(this.#make(parent, name, mode).ino);
  }

  makeDirectory(parent: Ino, name: string, mode: number): Attributes {
    const node = this.#make(parent, name, S_IFDIR | mode);
    node.nlink = 2;
    this.#node(parent).nlink++;
    return this.attributes(node.ino);
  }

  makeSymlink(parent: Ino, name: string, target: string): Attributes {
    const node = this.#make(parent, name, S_IFLNK | 0o777);
    node.target = target;
    return this.attributes(node.ino);
  }

  readLink(ino: Ino): string {
    return this.#node(ino).target;
  }

  link(ino: Ino, parent: Ino, name: string): Attributes {
    const directory = this.#directory(parent);
    const node = this.#node(ino);
    if (isDirectory(node)) throw new FsError('EPERM', 'directory');
    if (directory.entries.has(name)) throw new FsError('EEXIST', name);
    directory.entries.set(name, ino);
    node.nlink++;
    return this.attributes(ino);
  }

  unlink(parent: Ino, name: string): void {
    const node = this.#entry(parent, name);
    if (isDirectory(node)) throw new FsError('EISDIR', name);
    this.#directory(parent).entries.delete(name);
    node.nlink--;
  }

  removeDirectory(parent: Ino, name: string): void {
    requireEmpty(this.#entry(parent, name));
    this.#directory(parent).entries.delete(name);
    this.#directory(parent).nlink--;
  }

  rename(parent: Ino, name: string, newParent: Ino, newName: string, flags: number): void {
    const from = this.#directory(parent);
    const to = this.#directory(newParent);
    const node = this.#entry(parent, name);
    const otherIno = to.entries.get(newName);
    const other = otherIno === undefined ? null : this.#node(otherIno);
    if (isDirectory(node)) this.#requireOutside(to, node);
    if (flags === RENAME_EXCHANGE) {
      if (other === null) throw new FsError('ENOENT', newName);
      if (isDirectory(other)) this.#requireOutside(from, other);
      from.entries.set(name, other.ino);
      to.entries.set(newName, node.ino);
      this.#reparent(other, to, from);
    } else {
      if (other !== null && flags === RENAME_NOREPLACE) throw new FsError('EEXIST', newName);
      if (other === node) return;
      if (other !== null && isDirectory(node)) requireEmpty(other);
      else if (other !== null && isDirectory(other)) throw new FsError('EISDIR', newName);
      from.entries.delete(name);
      to.entries.set(newName, node.ino);
      if (other !== null && isDirectory(other)) to.nlink--;
      else if (other !== null) other.nlink--;
    }
    this.#reparent(node, from, to);
  }

  read(ino: Ino, offset: number, into: Uint8Array): number {
    const bytes = this.#node(ino).data.subarray(offset, offset + into.length);
    into.set(bytes);
    return bytes.length;
  }

  write(ino: Ino, offset: number, data: Uint8Array): void {
    const node = this.#node(ino);
    requireFile(node);
    // POSIX: to write nothing changes nothing, behind the end as well.
    if (data.length === 0) return;
    node.data = resized(node.data, Math.max(node.data.length, offset + data.length));
    node.data.set(data, offset);
  }

  allocate(ino: Ino, mode: number, offset: number, length: number): void {
    const node = this.#node(ino);
    requireFile(node);
    if (length <= 0) throw new FsError('EINVAL', 'empty');
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0) {
      const size = node.data.length;
      node.data.fill(0, Math.min(offset, size), Math.min(offset + length, size));
    }
    if ((mode & FALLOC_FL_KEEP_SIZE) === 0) {
      node.data = resized(node.data, Math.max(node.data.length, offset + length));
    }
  }

  seek(): number {
    throw new FsError('EOPNOTSUPP', 'not modelled');
  }

  readDirectory(_ino: Ino, _cookie: number, _visit: (entry: DirectoryEntry) => boolean): void {
    throw new FsError('EOPNOTSUPP', 'not modelled');
  }

  retain(): void {
    throw new FsError('EOPNOTSUPP', 'not modelled');
  }

  release(): void {
    throw new FsError('EOPNOTSUPP', 'not modelled');
  }

  size(): FileSystemSize {
    throw new FsError('EOPNOTSUPP', 'not modelled');
  }

  #make(parent: Ino, name: string, mode: number): Node {
    const directory = this.#directory(parent);
    if (directory.entries.has(name)) throw new FsError('EEXIST', name);
    const node = newNode(this.#nextIno++ as Ino, mode, 1, parent);
    this.#nodes.set(node.ino, node);
    directory.entries.set(name, node.ino);
    return node;
  }

  #reparent(node: Node, from: Node, to: Node): void {
    if (!isDirectory(node) || from === to) return;
    node.parent = to.ino;
    from.nlink--;
    to.nlink++;
  }

  #requireOutside(directory: Node, moved: Node): void {
    for (let at = directory; ; at = this.#node(at.parent)) {
      if (at === moved) throw new FsError('EINVAL', 'into itself');
      if (at.ino === ROOT_INO) return;
    }
  }

  #node(ino: Ino): Node {
    const node = this.#nodes.get(ino);
    if (node === undefined) throw new FsError('ESTALE', String(ino));
    return node;
  }

  #directory(ino: Ino): Node {
    const node = this.#node(ino);
    if (!isDirectory(node)) throw new FsError('ENOTDIR', String(ino));
    return node;
  }

  #entry(parent: Ino, name: string): Node {
    const ino = this.#directory(parent).entries.get(name);
    if (ino === undefined) throw new FsError('ENOENT', name);
    return this.#node(ino);
  }
}

function newNode(ino: Ino, mode: number, nlink: number, parent: Ino): Node {
  return {ino, mode, nlink, data: Buffer.alloc(0), target: '', entries: new Map(), parent};
}

function isDirectory(node: Node): boolean {
  return (node.mode & S_IFMT) === S_IFDIR;
}

function requireFile(node: Node): void {
  if (isDirectory(node)) throw new FsError('EISDIR', 'directory');
  if ((node.mode & S_IFMT) === S_IFLNK) throw new FsError('EINVAL', 'symlink');
}

function requireEmpty(node: Node): void {
  if (!isDirectory(node)) throw new FsError('ENOTDIR', 'no directory');
  if (node.entries.size > 0) throw new FsError('ENOTEMPTY', 'not empty');
}

function resized(data: Buffer, size: number): Buffer {
  if (size <= data.length) return Buffer.from(data.subarray(0, size));
  return Buffer.concat([data, Buffer.alloc(size - data.length)]);
}
