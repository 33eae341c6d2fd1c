/**
 * The table of inodes: allocation, a bounded cache, and writing changed inodes into their pages just
 * before a batch is cut. A change of timestamps alone waits for the next checkpoint, so that a commit
 * (write + fdatasync of a log that does not grow) costs no inode page.
 *
 * Superblock, page 0 of file 0: magic "BORFS001", nextIno u32 (never used yet), firstFree u32.
 */
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import {PAGE_SIZE_BYTES} from '../volume/pointer.ts';
import type {Volume} from '../volume/volume.ts';
import {
  CLEAN,
  decodeInode,
  DIRTY,
  DIRTY_TIMES,
  encodeInode,
  Inode,
  INLINE_TARGET_BYTES_MAX,
  INODE_BYTES,
  INODES_PER_PAGE,
} from './inode.ts';
import {FsError, ROOT_INO, type Ino} from './types.ts';

const TABLE_FILE = 0;
const MAGIC = 'BORFS001';
const INO_MAX = 0xffff_fffe;
/** Inodes kept in memory beyond those that are referenced or changed. */
const CACHED_MAX = 50_000;

export class InodeTable {
  readonly #volume: Volume;
  readonly #inodes = new Map<Ino, Inode>();
  readonly #changed = new Set<Inode>();
  /** What the last trim could not let go of: looking again is worth it once there is as much more. */
  #keptByTrim = 0;
  #nextIno: number;
  #firstFree: number;
  #superblockChanged: boolean;

  private constructor(volume: Volume, nextIno: number, firstFree: number, isNew: boolean) {
    this.#volume = volume;
    this.#nextIno = nextIno;
    this.#firstFree = firstFree;
    this.#superblockChanged = isNew;
  }

  static format(volume: Volume): InodeTable {
    return new InodeTable(volume, ROOT_INO, 0, true);
  }

  static open(volume: Volume): InodeTable {
    const page = Buffer.alloc(PAGE_SIZE_BYTES);
    volume.readPages(TABLE_FILE, 0, 1, page, 0);
    if (page.toString('latin1', 0, 8) !== MAGIC) {
      throw new BorealisError(
        'invalid',
        'no-file-system',
        `volume ${volume.number} holds no file system of a format that this Borealis reads`,
      );
    }
    return new InodeTable(volume, page.readUInt32LE(8), page.readUInt32LE(12), false);
  }

  get inodeCount(): number {
    return this.#nextIno - 1;
  }

  /** @throws FsError ESTALE when there is no such inode. */
  get(ino: Ino): Inode {
    const cached = this.#inodes.get(ino);
    if (cached === undefined && (ino < 1 || ino >= this.#nextIno)) throw stale(ino);
    const inode = cached ?? this.#load(ino);
    if (inode.mode === 0) throw stale(ino);
    if (cached === undefined) this.#inodes.set(ino, inode);
    return inode;
  }

  /** A new inode with nothing but its number. @throws FsError ENOSPC when all numbers are taken. */
  allocate(): Inode {
    let inode: Inode;
    if (this.#firstFree === 0) {
      if (this.#nextIno > INO_MAX) throw new FsError('ENOSPC', 'no inode is free');
      inode = new Inode(this.#nextIno as Ino);
      this.#nextIno++;
    } else {
      const free = this.#inodes.get(this.#firstFree as Ino) ?? this.#load(this.#firstFree as Ino);
      assert(free.mode === 0, 'an inode on the free list is free');
      this.#firstFree = free.nextFree;
      this.#changed.delete(free);
      inode = new Inode(free.ino);
    }
    this.#superblockChanged = true;
    this.#inodes.set(inode.ino, inode);
    this.change(inode);
    return inode;
  }

  /** Puts an inode without names and references on the free list. Its pages are the caller's to drop. */
  free(inode: Inode): void {
    inode.mode = 0;
    inode.nlink = 0;
    inode.target = '';
    inode.sizeBytes = 0;
    inode.pages = 0;
    inode.nextFree = this.#firstFree;
    this.#firstFree = inode.ino;
    this.#superblockChanged = true;
    this.change(inode);
  }

  /** Something of the inode besides timestamps changed. */
  change(inode: Inode): void {
    inode.dirty = DIRTY;
    this.#volume.noteChange();
    this.#changed.add(inode);
  }

  /** Timestamps of the inode changed. */
  changeTimes(inode: Inode): void {
    if (inode.dirty === CLEAN) inode.dirty = DIRTY_TIMES;
    this.#changed.add(inode);
  }

  /** Writes changed inodes into their pages; those with new timestamps alone only when `withTimes`. */
  write(withTimes: boolean): void {
    for (const inode of this.#changed) {
      if (inode.dirty === DIRTY_TIMES && !withTimes) continue;
      const {page, at} = place(inode.ino);
      encodeInode(inode, this.#volume.changePage(TABLE_FILE, page, true), at);
      inode.dirty = CLEAN;
      this.#changed.delete(inode);
      if (inode.mode === 0) this.#inodes.delete(inode.ino);
    }
    if (this.#superblockChanged) {
      const page = this.#volume.changePage(TABLE_FILE, 0, true);
      page.write(MAGIC, 0, 'latin1');
      page.writeUInt32LE(this.#nextIno, 8);
      page.writeUInt32LE(this.#firstFree, 12);
      this.#superblockChanged = false;
    }
    this.#trim();
  }

  #load(ino: Ino): Inode {
    const {page, at} = place(ino);
    const bytes = Buffer.allocUnsafe(PAGE_SIZE_BYTES);
    this.#volume.readPages(TABLE_FILE, page, 1, bytes, 0);
    const {inode, targetLength} = decodeInode(ino, bytes, at);
    if (targetLength > INLINE_TARGET_BYTES_MAX) {
      this.#volume.readPages(ino, 0, 1, bytes, 0);
      inode.target = bytes.toString('latin1', 0, targetLength);
    }
    return inode;
  }

  #trim(): void {
    if (this.#inodes.size <= Math.max(CACHED_MAX, 2 * this.#keptByTrim)) return;
    for (const [ino, inode] of this.#inodes) {
      if (inode.dirty === CLEAN && inode.references === 0) this.#inodes.delete(ino);
    }
    this.#keptByTrim = this.#inodes.size;
  }
}

function stale(ino: Ino): FsError {
  return new FsError('ESTALE', `inode ${ino} is gone`);
}

function place(ino: Ino): {page: number; at: number} {
  const page = 1 + Math.floor(ino / INODES_PER_PAGE);
  return {page, at: (ino % INODES_PER_PAGE) * INODE_BYTES};
}
