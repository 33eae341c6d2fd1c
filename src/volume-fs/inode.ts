/**
 * Inodes: 256 bytes each, 32 to a page of file 0.
 *
 *     file 0   page 0       superblock
 *              page 1 …     inodes 0–31, 32–63, …      (inode 0 is never used)
 *     file n   n ≥ 1        the bytes of inode n (a directory's entries, a long symlink's target)
 *
 *      0 mode u32   4 nlink u32   8 uid u32   12 gid u32   16 rdev u32   20 nextFree u32
 *     24 size f64  32 pages f64  40 atime s f64, 48 ns u32   56 mtime s f64, 64 ns u32
 *     72 ctime s f64, 80 ns u32  88 parent u32 (a directory's)  92 target length u16  96 target (160 bytes)
 *
 * A mode of 0 marks a free inode; `nextFree` then names the next one. Source: docs/formats/volume-fs.md.
 */
import type {Attributes, Ino, Timestamp} from './types.ts';

export const INODE_BYTES = 256;
export const INODES_PER_PAGE = 32;
export const INLINE_TARGET_BYTES_MAX = 160;

/** What of an inode is not in its page yet. */
export const CLEAN = 0;
/** Timestamps only: written with the next checkpoint, or when something else of the inode is. */
export const DIRTY_TIMES = 1;
export const DIRTY = 2;

export class Inode implements Attributes {
  readonly ino: Ino;
  mode = 0;
  nlink = 0;
  uid = 0;
  gid = 0;
  rdev = 0;
  nextFree = 0;
  sizeBytes = 0;
  /** Allocated pages. */
  pages = 0;
  atime: Timestamp = EPOCH;
  mtime: Timestamp = EPOCH;
  ctime: Timestamp = EPOCH;
  /** The directory that holds a directory. */
  parent: Ino = 0 as Ino;
  /** A symlink's target, as a binary string. */
  target = '';
  dirty: number = CLEAN;
  /** References that keep it alive without a name; not stored. */
  references = 0;

  constructor(ino: Ino) {
    this.ino = ino;
  }

  get blocks(): number {
    return this.pages * 16;
  }
}

const EPOCH: Timestamp = {seconds: 0, nanoseconds: 0};

export function encodeInode(inode: Inode, page: Buffer, at: number): void {
  page.fill(0, at, at + INODE_BYTES);
  page.writeUInt32LE(inode.mode, at);
  page.writeUInt32LE(inode.nlink, at + 4);
  page.writeUInt32LE(inode.uid, at + 8);
  page.writeUInt32LE(inode.gid, at + 12);
  page.writeUInt32LE(inode.rdev, at + 16);
  page.writeUInt32LE(inode.nextFree, at + 20);
  page.writeDoubleLE(inode.sizeBytes, at + 24);
  page.writeDoubleLE(inode.pages, at + 32);
  writeTime(inode.atime, page, at + 40);
  writeTime(inode.mtime, page, at + 56);
  writeTime(inode.ctime, page, at + 72);
  page.writeUInt32LE(inode.parent, at + 88);
  page.writeUInt16LE(inode.target.length, at + 92);
  if (inode.target.length <= INLINE_TARGET_BYTES_MAX) page.write(inode.target, at + 96, 'latin1');
}

/** A target that is too long for the inode is left to the caller: `target` is then null. */
export function decodeInode(
  ino: Ino,
  page: Buffer,
  at: number,
): {inode: Inode; targetLength: number} {
  const inode = new Inode(ino);
  inode.mode = page.readUInt32LE(at);
  inode.nlink = page.readUInt32LE(at + 4);
  inode.uid = page.readUInt32LE(at + 8);
  inode.gid = page.readUInt32LE(at + 12);
  inode.rdev = page.readUInt32LE(at + 16);
  inode.nextFree = page.readUInt32LE(at + 20);
  inode.sizeBytes = page.readDoubleLE(at + 24);
  inode.pages = page.readDoubleLE(at + 32);
  inode.atime = readTime(page, at + 40);
  inode.mtime = readTime(page, at + 56);
  inode.ctime = readTime(page, at + 72);
  inode.parent = page.readUInt32LE(at + 88) as Ino;
  const targetLength = page.readUInt16LE(at + 92);
  if (targetLength <= INLINE_TARGET_BYTES_MAX) {
    inode.target = page.toString('latin1', at + 96, at + 96 + targetLength);
  }
  return {inode, targetLength};
}

function writeTime(time: Timestamp, page: Buffer, at: number): void {
  page.writeDoubleLE(time.seconds, at);
  page.writeUInt32LE(time.nanoseconds, at + 8);
}

function readTime(page: Buffer, at: number): Timestamp {
  return {seconds: page.readDoubleLE(at), nanoseconds: page.readUInt32LE(at + 8)};
}
