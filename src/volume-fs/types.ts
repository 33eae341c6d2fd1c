/**
 * The words that volume-fs and its attachments (FUSE, PGlite) share. All calls are synchronous.
 *
 * Names are byte strings held as JavaScript strings of one character per byte ("binary", latin1), so
 * any name that the kernel passes survives; never UTF-8 text.
 */
declare const inoTag: unique symbol;
/** Inode number; 1 is the root directory. At most 2^32 − 1. Used again only after the inode is gone. */
export type Ino = number & {readonly [inoTag]: true};
export const ROOT_INO: Ino = 1 as Ino;
export const NAME_LENGTH_MAX = 255;

/** A point in time: whole seconds since 1970 and nanoseconds 0 … 999,999,999. */
export type Timestamp = {readonly seconds: number; readonly nanoseconds: number};

/** What stat(2) shows. A live read-only view of the inode: copy what you keep. */
export type Attributes = {
  readonly ino: Ino;
  /** File type (S_IFMT bits) and permissions. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly sizeBytes: number;
  /** Allocated space in units of 512 bytes. */
  readonly blocks: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
};

export type AttributeChanges = {
  mode?: number;
  uid?: number;
  gid?: number;
  sizeBytes?: number;
  atime?: Timestamp;
  mtime?: Timestamp;
};

export type Owner = {readonly uid: number; readonly gid: number};

export type DirectoryEntry = {
  readonly name: string;
  readonly ino: Ino;
  /** S_IFMT bits only. */
  readonly type: number;
  /** Pass this to `readDirectory` to go on after this entry. Stable while other entries come and go. */
  readonly nextCookie: number;
};

export type FileSystemSize = {
  readonly pageSizeBytes: number;
  readonly pageCount: number;
  readonly freePageCount: number;
  readonly inodeCount: number;
  readonly freeInodeCount: number;
};

/** fallocate(2) modes that are supported, as bits: */
export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_ZERO_RANGE = 0x10;

export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

export const S_IFMT = 0o170000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;

/** The errno names that volume-fs throws. */
export type Errno =
  | 'EPERM'
  | 'ENOENT'
  | 'EIO'
  | 'EEXIST'
  | 'EXDEV'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'EINVAL'
  | 'EFBIG'
  | 'ENOSPC'
  | 'EMLINK'
  | 'ENAMETOOLONG'
  | 'ENOTEMPTY'
  | 'EOPNOTSUPP'
  | 'ENXIO'
  | 'ESTALE';

/** An operation refused in the words of POSIX. Nothing was changed. */
export class FsError extends Error {
  override readonly name = 'FsError';
  readonly code: Errno;

  constructor(code: Errno, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/**
 * A file system whose every byte lies in volume pages. Each call is atomic: it happens whole or not
 * at all, also across a crash. It is durable after the next barrier. Throws FsError for what POSIX
 * refuses; a BorealisError of the volume (corrupt, unavailable) passes through.
 */
export type FileSystem = {
  lookup(parent: Ino, name: string): Attributes;
  attributes(ino: Ino): Attributes;
  setAttributes(ino: Ino, changes: AttributeChanges): Attributes;
  /** A regular file, fifo, socket or device: `mode` carries the type. */
  makeNode(parent: Ino, name: string, mode: number, rdev: number, owner: Owner): Attributes;
  makeDirectory(parent: Ino, name: string, mode: number, owner: Owner): Attributes;
  makeSymlink(parent: Ino, name: string, target: string, owner: Owner): Attributes;
  readLink(ino: Ino): string;
  link(ino: Ino, parent: Ino, name: string): Attributes;
  unlink(parent: Ino, name: string): void;
  removeDirectory(parent: Ino, name: string): void;
  /** `flags`: 0, RENAME_NOREPLACE or RENAME_EXCHANGE. */
  rename(parent: Ino, name: string, newParent: Ino, newName: string, flags: number): void;
  /** Fills `into` from `offset`; returns the bytes read, fewer only at the end of the file. Holes read as zero. */
  read(ino: Ino, offset: number, into: Uint8Array): number;
  /** Writes all of `data` at `offset`, growing the file. */
  write(ino: Ino, offset: number, data: Uint8Array): void;
  allocate(ino: Ino, mode: number, offset: number, length: number): void;
  /** lseek(SEEK_DATA / SEEK_HOLE). ENXIO past the end. */
  seek(ino: Ino, offset: number, whence: 'data' | 'hole'): number;
  /** Calls `visit` for each entry after `cookie` (0 starts; "." and ".." included) until it returns false. */
  readDirectory(ino: Ino, cookie: number, visit: (entry: DirectoryEntry) => boolean): void;
  /** An open descriptor or kernel reference: an unlinked inode lives until its last one is released. */
  retain(ino: Ino): void;
  release(ino: Ino, count: number): void;
  size(): FileSystemSize;
};
