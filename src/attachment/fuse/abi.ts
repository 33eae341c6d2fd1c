/**
 * Numbers of the kernel's FUSE protocol, version 7.31 and later: operation codes, flags and the sizes
 * of the fixed-layout structures (all little-endian, 64-bit fields aligned to 8 bytes).
 *
 *     request   fuse_in_header (40 bytes) │ arguments of the operation │ names or data
 *     reply     fuse_out_header (16 bytes) │ results of the operation  │ names or data
 *
 * Source: the kernel's include/uapi/linux/fuse.h.
 */
export const FUSE_MAJOR = 7;
/** What this code was written against. The kernel speaks the lower of this and its own. */
export const FUSE_MINOR = 38;
/** Linux 5.4. Older kernels lack max_pages and messages-free opens of directories. */
export const FUSE_MINOR_MIN = 31;

export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;
export const ATTR_BYTES = 88;
export const ENTRY_OUT_BYTES = 128;
export const ATTR_OUT_BYTES = 104;
export const DIRENT_BYTES = 24;
export const INIT_OUT_BYTES = 64;
export const STATFS_OUT_BYTES = 80;
export const WRITE_IN_BYTES = 40;
export const WRITE_OUT_BYTES = 8;

export const OPCODE = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  FSYNC: 20,
  INIT: 26,
  READDIR: 28,
  FSYNCDIR: 30,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  SYNCFS: 50,
} as const;

/** Bits of fuse_init_in.flags and fuse_init_out.flags. */
export const INIT_FLAG = {
  ASYNC_READ: 0x1,
  BIG_WRITES: 0x20,
  DO_READDIRPLUS: 0x2000,
  READDIRPLUS_AUTO: 0x4000,
  ASYNC_DIO: 0x8000,
  WRITEBACK_CACHE: 0x10000,
  NO_OPEN_SUPPORT: 0x20000,
  PARALLEL_DIROPS: 0x40000,
  ABORT_ERROR: 0x200000,
  MAX_PAGES: 0x400000,
  CACHE_SYMLINKS: 0x800000,
  NO_OPENDIR_SUPPORT: 0x1000000,
  EXPLICIT_INVAL_DATA: 0x2000000,
} as const;

/** Bits of fuse_setattr_in.valid. */
export const SETATTR_VALID = {
  MODE: 0x1,
  UID: 0x2,
  GID: 0x4,
  SIZE: 0x8,
  ATIME: 0x10,
  MTIME: 0x20,
  ATIME_NOW: 0x80,
  MTIME_NOW: 0x100,
} as const;

/** fuse_write_in.write_flags: the data come from the page cache, so `flags` are nobody's. */
export const WRITE_CACHE: number = 1 << 0;
/** open(2) flag in fuse_write_in.flags; O_SYNC contains it. The same on x86-64 and arm64. */
export const O_DSYNC = 0o10000;

/** Largest READ and WRITE: what the kernel's 256 pages a request hold. */
export const TRANSFER_BYTES_MAX: number = 1024 * 1024;
export const TRANSFER_PAGES_MAX = 256;
