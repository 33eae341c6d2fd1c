/**
 * The plainest FileSystem there is, as a model: maps and byte arrays, nothing durable. What a mount
 * of it does right and a mount of a volume does not is the volume's fault; what both do wrong, FUSE's.
 */
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  FsError,
  NAME_LENGTH_MAX,
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
  type Owner,
  type Timestamp,
} from '../../../volume-fs/types.ts';
import {systemClock} from '../../../base/clock.ts';

const BLOCK_BYTES = 4096;
const FILE_BYTES_MAX = 2 ** 40;

type Node = {
  -readonly [K in keyof Attributes]: Attributes[K];
} & {
  /** Allocated blocks by number. */
  data: Map<number, Buffer>;
  /** Name to inode and cookie, oldest first. */
  entries: Map<string, {ino: Ino; cookie: number}>;
  parent: Ino;
  target: string;
  references: number;
};

export class MemoryFileSystem implements FileSystem {
  readonly #nodes = new Map<Ino, Node>();
  #lastIno = 0;
  #lastCookie = 2;

  constructor() {
    const root = this.#create(S_IFDIR | 0o755, 0, {uid: 0, gid: 0});
    root.parent = ROOT_INO;
  }

  /** Inodes that exist, named or only held. */
  get inodeCount(): number {
    return this.#nodes.size;
  }

  lookup(parent: Ino, name: string): Attributes {
    return this.#child(this.#directory(parent), name);
  }

  attributes(ino: Ino): Attributes {
    const node = this.#nodes.get(ino);
    if (node === undefined) throw new FsError('ESTALE', `inode ${ino} is gone`);
    node.blocks = node.data.size * (BLOCK_BYTES / 512);
    return node;
  }

  setAttributes(ino: Ino, changes: AttributeChanges): Attributes {
    const node = this.#node(ino);
    const {mode, sizeBytes, ...rest} = changes;
    if (sizeBytes !== undefined) this.#resize(node, sizeBytes);
    if (mode !== undefined) node.mode = (node.mode & S_IFMT) | mode;
    Object.assign(node, rest, {ctime: now()});
    return this.attributes(ino);
  }

  makeNode(parent: Ino, name: string, mode: number, rdev: number, owner: Owner): Attributes {
    return this.#add(parent, name, this.#create(mode, rdev, owner));
  }

  makeDirectory(parent: Ino, name: string, mode: number, owner: Owner): Attributes {
    const node = this.#create(S_IFDIR | mode, 0, owner);
    node.parent = parent;
    this.#add(parent, name, node);
    this.#node(parent).nlink++;
    return node;
  }

  makeSymlink(parent: Ino, name: string, target: string, owner: Owner): Attributes {
    const node = this.#create(S_IFLNK | 0o777, 0, owner);
    node.target = target;
    node.sizeBytes = target.length;
    return this.#add(parent, name, node);
  }

  readLink(ino: Ino): string {
    return this.#node(ino).target;
  }

  link(ino: Ino, parent: Ino, name: string): Attributes {
    const node = this.#node(ino);
    this.#add(parent, name, node);
    node.nlink++;
    node.ctime = now();
    return node;
  }

  unlink(parent: Ino, name: string): void {
    const directory = this.#directory(parent);
    const node = this.#child(directory, name);
    if (isDirectory(node)) throw new FsError('EISDIR', name);
    this.#remove(directory, name);
    this.#drop(node, 1);
  }

  removeDirectory(parent: Ino, name: string): void {
    const directory = this.#directory(parent);
    const node = this.#child(directory, name);
    this.#requireEmptyDirectory(node);
    this.#remove(directory, name);
    directory.nlink--;
    this.#drop(node, 2);
  }

  rename(parent: Ino, name: string, newParent: Ino, newName: string, flags: number): void {
    const [from, to] = [this.#directory(parent), this.#directory(newParent)];
    const node = this.#child(from, name);
    const other = to.entries.has(newName) ? this.#child(to, newName) : null;
    if (flags === RENAME_NOREPLACE && other !== null) throw new FsError('EEXIST', newName);
    if (flags === RENAME_EXCHANGE) {
      if (other === null) throw new FsError('ENOENT', newName);
      this.#point(from, name, other);
      this.#point(to, newName, node);
      return;
    }
    if (other === node) return;
    if (other !== null) {
      if (isDirectory(node)) this.#requireEmptyDirectory(other);
      else if (isDirectory(other)) throw new FsError('EISDIR', newName);
      if (isDirectory(other)) to.nlink--;
      this.#remove(to, newName);
      this.#drop(other, isDirectory(other) ? 2 : 1);
    }
    this.#remove(from, name);
    this.#point(to, newName, node);
  }

  read(ino: Ino, offset: number, into: Uint8Array): number {
    const node = this.#node(ino);
    const length = Math.max(0, Math.min(into.length, node.sizeBytes - offset));
    for (let at = 0; at < length;) {
      const [block, from] = place(offset + at);
      const count = Math.min(BLOCK_BYTES - from, length - at);
      const data = node.data.get(block);
      if (data === undefined) into.fill(0, at, at + count);
      else into.set(data.subarray(from, from + count), at);
      at += count;
    }
    return length;
  }

  write(ino: Ino, offset: number, data: Uint8Array): void {
    const node = this.#node(ino);
    if (offset + data.length > FILE_BYTES_MAX) throw new FsError('EFBIG', `${offset}`);
    for (let at = 0; at < data.length;) {
      const [block, from] = place(offset + at);
      const count = Math.min(BLOCK_BYTES - from, data.length - at);
      this.#block(node, block).set(data.subarray(at, at + count), from);
      at += count;
    }
    node.sizeBytes = Math.max(node.sizeBytes, offset + data.length);
    node.mtime = node.ctime = now();
  }

  allocate(ino: Ino, mode: number, offset: number, length: number): void {
    const node = this.#node(ino);
    const end = offset + length;
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) !== 0) {
      const zeroEnd = Math.min(end, node.sizeBytes);
      if (offset < zeroEnd) this.#zero(node, offset, zeroEnd, (mode & FALLOC_FL_PUNCH_HOLE) !== 0);
    } else {
      for (let at = offset; at < end; at += BLOCK_BYTES) this.#block(node, place(at)[0]);
    }
    if ((mode & FALLOC_FL_KEEP_SIZE) === 0) node.sizeBytes = Math.max(node.sizeBytes, end);
  }

  seek(ino: Ino, offset: number, whence: 'data' | 'hole'): number {
    const node = this.#node(ino);
    if (offset >= node.sizeBytes) throw new FsError('ENXIO', 'past the end');
    for (let at = offset; at < node.sizeBytes; at = (place(at)[0] + 1) * BLOCK_BYTES) {
      if (node.data.has(place(at)[0]) === (whence === 'data')) return at;
    }
    if (whence === 'hole') return node.sizeBytes;
    throw new FsError('ENXIO', 'no data');
  }

  readDirectory(ino: Ino, cookie: number, visit: (entry: DirectoryEntry) => boolean): void {
    const node = this.#directory(ino);
    const all = [
      {name: '.', ino, nextCookie: 1},
      {name: '..', ino: node.parent, nextCookie: 2},
      ...[...node.entries].map(([name, entry]) => ({
        name,
        ino: entry.ino,
        nextCookie: entry.cookie,
      })),
    ];
    for (const entry of all) {
      if (entry.nextCookie <= cookie) continue;
      if (!visit({...entry, type: this.#node(entry.ino).mode & S_IFMT})) return;
    }
  }

  retain(ino: Ino): void {
    this.#node(ino).references++;
  }

  release(ino: Ino, count: number): void {
    const node = this.#node(ino);
    node.references -= count;
    if (node.references < 0) throw new Error(`inode ${ino} was released more often than retained`);
    this.#drop(node, 0);
  }

  size(): FileSystemSize {
    const inodeCount = this.#nodes.size;
    return {
      pageSizeBytes: BLOCK_BYTES,
      pageCount: 2 ** 20,
      freePageCount: 2 ** 19,
      inodeCount: inodeCount + 1000,
      freeInodeCount: 1000,
    };
  }

  #node(ino: Ino): Node {
    return this.attributes(ino) as Node;
  }

  #directory(ino: Ino): Node {
    const node = this.#node(ino);
    if (!isDirectory(node)) throw new FsError('ENOTDIR', `inode ${ino}`);
    return node;
  }

  #child(directory: Node, name: string): Node {
    if (name.length > NAME_LENGTH_MAX) throw new FsError('ENAMETOOLONG', name);
    const entry = directory.entries.get(name);
    if (entry === undefined) throw new FsError('ENOENT', name);
    return this.#node(entry.ino);
  }

  #requireEmptyDirectory(node: Node): void {
    if (!isDirectory(node)) throw new FsError('ENOTDIR', `inode ${node.ino}`);
    if (node.entries.size > 0) throw new FsError('ENOTEMPTY', `inode ${node.ino}`);
  }

  #create(mode: number, rdev: number, owner: Owner): Node {
    const ino = ++this.#lastIno as Ino;
    const time = now();
    const node: Node = {
      ...{ino, mode, rdev, ...owner, nlink: isDirectory({mode}) ? 2 : 1, sizeBytes: 0, blocks: 0},
      ...{atime: time, mtime: time, ctime: time, parent: ino, target: '', references: 0},
      ...{data: new Map<number, Buffer>(), entries: new Map()},
    };
    this.#nodes.set(ino, node);
    return node;
  }

  #add(parent: Ino, name: string, node: Node): Node {
    const directory = this.#directory(parent);
    if (name.length > NAME_LENGTH_MAX) throw new FsError('ENAMETOOLONG', name);
    if (directory.entries.has(name)) throw new FsError('EEXIST', name);
    this.#point(directory, name, node);
    return node;
  }

  #point(directory: Node, name: string, node: Node): void {
    directory.entries.set(name, {ino: node.ino, cookie: ++this.#lastCookie});
    if (isDirectory(node)) {
      this.#node(node.parent).nlink -= node.parent === directory.ino ? 0 : 1;
      directory.nlink += node.parent === directory.ino ? 0 : 1;
      node.parent = directory.ino;
    }
    directory.mtime = directory.ctime = node.ctime = now();
  }

  #remove(directory: Node, name: string): void {
    directory.entries.delete(name);
    directory.mtime = directory.ctime = now();
  }

  #drop(node: Node, links: number): void {
    node.nlink -= links;
    if (node.nlink <= 0 && node.references === 0) this.#nodes.delete(node.ino);
  }

  #resize(node: Node, sizeBytes: number): void {
    if (sizeBytes > FILE_BYTES_MAX) throw new FsError('EFBIG', `${sizeBytes}`);
    if (sizeBytes < node.sizeBytes) this.#zero(node, sizeBytes, node.sizeBytes, true);
    node.sizeBytes = sizeBytes;
    node.mtime = now();
  }

  #zero(node: Node, from: number, to: number, free: boolean): void {
    for (let at = from; at < to;) {
      const [block, start] = place(at);
      const count = Math.min(BLOCK_BYTES - start, to - at);
      const isWhole = count === BLOCK_BYTES || (start === 0 && to >= node.sizeBytes);
      if (free && isWhole) node.data.delete(block);
      else if (!free || node.data.has(block))
        this.#block(node, block).fill(0, start, start + count);
      at += count;
    }
  }

  #block(node: Node, block: number): Buffer {
    let data = node.data.get(block);
    if (data === undefined) node.data.set(block, (data = Buffer.alloc(BLOCK_BYTES)));
    return data;
  }
}

function place(offset: number): [block: number, from: number] {
  return [Math.floor(offset / BLOCK_BYTES), offset % BLOCK_BYTES];
}

function isDirectory(node: {readonly mode: number}): boolean {
  return (node.mode & S_IFMT) === S_IFDIR;
}

function now(): Timestamp {
  const nowMs = systemClock.nowMs();
  return {seconds: Math.floor(nowMs / 1000), nanoseconds: Math.floor((nowMs % 1000) * 1e6)};
}
