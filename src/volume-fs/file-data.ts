/** The bytes of a file, over its pages: read, write, truncate, allocate, seek. */
import {assert} from '../base/assert.ts';
import {PAGE_SIZE_BYTES} from '../volume/pointer.ts';
import {FILE_PAGES_MAX, type Volume} from '../volume/volume.ts';
import type {Inode} from './inode.ts';
import {FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, FsError} from './types.ts';

/** One write is one batch. The kernel sends at most 1 MiB. */
export const WRITE_BYTES_MAX: number = 16 * 2 ** 20;
/** 64 TiB. */
export const FILE_BYTES_MAX: number = FILE_PAGES_MAX * PAGE_SIZE_BYTES;

export function readFile(volume: Volume, inode: Inode, offset: number, into: Uint8Array): number {
  const length = Math.max(0, Math.min(into.length, inode.sizeBytes - offset));
  let done = 0;
  while (done < length) {
    const at = offset + done;
    const within = at % PAGE_SIZE_BYTES;
    const page = Math.floor(at / PAGE_SIZE_BYTES);
    const whole = within === 0 ? Math.floor((length - done) / PAGE_SIZE_BYTES) : 0;
    if (whole > 0) {
      volume.readPages(inode.ino, page, whole, into, done);
      done += whole * PAGE_SIZE_BYTES;
      continue;
    }
    const count = Math.min(PAGE_SIZE_BYTES - within, length - done);
    volume.readPages(inode.ino, page, 1, scratch, 0);
    into.set(scratch.subarray(within, within + count), done);
    done += count;
  }
  return length;
}

const scratch: Buffer = Buffer.allocUnsafeSlow(PAGE_SIZE_BYTES);

/** Writes `data` and sets the size; returns nothing because all of it is written. */
export function writeFile(volume: Volume, inode: Inode, offset: number, data: Uint8Array): void {
  assert(data.length <= WRITE_BYTES_MAX, 'a write fits one batch');
  if (offset + data.length > FILE_BYTES_MAX) throw tooBig(inode);
  if (data.length === 0) return;
  for (let done = 0; done < data.length;) {
    const at = offset + done;
    const within = at % PAGE_SIZE_BYTES;
    const page = Math.floor(at / PAGE_SIZE_BYTES);
    const count = Math.min(PAGE_SIZE_BYTES - within, data.length - done);
    const isNew = !volume.isAllocated(inode.ino, page);
    const bytes = volume.changePage(inode.ino, page, count < PAGE_SIZE_BYTES);
    bytes.set(data.subarray(done, done + count), within);
    if (isNew) inode.pages++;
    done += count;
  }
  inode.sizeBytes = Math.max(inode.sizeBytes, offset + data.length);
}

/** Cuts the file, or grows it by a hole. */
export function truncateFile(volume: Volume, inode: Inode, sizeBytes: number): void {
  if (sizeBytes > FILE_BYTES_MAX) throw tooBig(inode);
  if (sizeBytes === 0) {
    volume.dropFile(inode.ino);
    inode.pages = 0;
  } else if (sizeBytes < inode.sizeBytes) {
    const keptPages = Math.ceil(sizeBytes / PAGE_SIZE_BYTES);
    inode.pages -= volume.drop(inode.ino, keptPages, FILE_PAGES_MAX);
    // What lies behind the end must read as zeros if the file grows again.
    zero(volume, inode, sizeBytes, keptPages * PAGE_SIZE_BYTES);
  }
  inode.sizeBytes = sizeBytes;
}

/** fallocate(2). Space is not reserved ahead of writes: to allocate is to grow. */
export function allocateFile(
  volume: Volume,
  inode: Inode,
  mode: number,
  offset: number,
  length: number,
): void {
  const keepSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0;
  const punch = (mode & FALLOC_FL_PUNCH_HOLE) !== 0;
  const known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
  if ((mode & ~known) !== 0 || (punch && !keepSize)) {
    throw new FsError('EOPNOTSUPP', `fallocate mode ${mode} is not supported`);
  }
  if (offset < 0 || length <= 0) throw new FsError('EINVAL', 'fallocate of an empty range');
  const end = offset + length;
  if (end > FILE_BYTES_MAX) throw tooBig(inode);
  if (punch || (mode & FALLOC_FL_ZERO_RANGE) !== 0) {
    const first = Math.ceil(offset / PAGE_SIZE_BYTES);
    const last = Math.floor(end / PAGE_SIZE_BYTES);
    if (first <= last) {
      zero(volume, inode, offset, first * PAGE_SIZE_BYTES);
      zero(volume, inode, last * PAGE_SIZE_BYTES, end);
      inode.pages -= volume.drop(inode.ino, first, last);
    } else {
      zero(volume, inode, offset, end);
    }
  }
  if (!keepSize) inode.sizeBytes = Math.max(inode.sizeBytes, end);
}

export function seekFile(
  volume: Volume,
  inode: Inode,
  offset: number,
  whence: 'data' | 'hole',
): number {
  if (offset < 0 || offset >= inode.sizeBytes) {
    throw new FsError('ENXIO', `offset ${offset} lies behind the end`);
  }
  const end = Math.ceil(inode.sizeBytes / PAGE_SIZE_BYTES);
  const page = Math.floor(offset / PAGE_SIZE_BYTES);
  const found = volume.nextPage(inode.ino, page, end, whence === 'data');
  if (found === end) {
    if (whence === 'hole') return inode.sizeBytes;
    throw new FsError('ENXIO', `no data from offset ${offset} on`);
  }
  return Math.min(inode.sizeBytes, Math.max(offset, found * PAGE_SIZE_BYTES));
}

/** Zeros bytes within one page, if the page is allocated at all. */
function zero(volume: Volume, inode: Inode, from: number, to: number): void {
  if (from >= to) return;
  const page = Math.floor(from / PAGE_SIZE_BYTES);
  if (!volume.isAllocated(inode.ino, page)) return;
  const base = page * PAGE_SIZE_BYTES;
  volume.changePage(inode.ino, page, true).fill(0, from - base, to - base);
}

function tooBig(inode: Inode): FsError {
  return new FsError('EFBIG', `inode ${inode.ino}: a file has at most ${FILE_BYTES_MAX} bytes`);
}
