/**
 * The structures of the protocol: arguments are decoded from a request, results encoded into the
 * payload of a reply. Offsets in comments count from the end of the header.
 */
import {assert} from '../../base/assert.ts';
import type {
  AttributeChanges,
  Attributes,
  FileSystemSize,
  Ino,
  Timestamp,
} from '../../volume-fs/types.ts';
import {NAME_LENGTH_MAX, S_IFMT, S_IFREG} from '../../volume-fs/types.ts';
import {
  ATTR_BYTES,
  ATTR_OUT_BYTES,
  DIRENT_BYTES,
  ENTRY_OUT_BYTES,
  FUSE_MAJOR,
  INIT_OUT_BYTES,
  IN_HEADER_BYTES,
  SETATTR_VALID,
  STATFS_OUT_BYTES,
  WRITE_IN_BYTES,
  WRITE_OUT_BYTES,
} from './abi.ts';
import {swapId, type OwnerMap} from './owner-map.ts';
import type {Request} from './request.ts';
import type {WireView} from './wire.ts';

/** Names and attributes stay valid this long without asking: the volume has one writer, this mount. */
const VALID_SECONDS = 3600;
/**
 * Of a regular file the kernel itself keeps size and times, but not st_blocks, which changes when dirty
 * pages are written back. So it asks again, though not at every lseek and stat.
 */
const FILE_VALID_SECONDS = 1;
/** What stat(2) calls the preferred block size. */
const BLOCK_BYTES = 4096;
const BODY = IN_HEADER_BYTES;

export type InitIn = {major: number; minor: number; maxReadahead: number; flags: number};

/** fuse_init_in: 0 major, 4 minor, 8 max_readahead, 12 flags. */
export function decodeInit(request: Request): InitIn {
  const {view} = request;
  return {
    major: view.u32(BODY),
    minor: view.u32(BODY + 4),
    maxReadahead: view.u32(BODY + 8),
    flags: view.u32(BODY + 12),
  };
}

export type InitOut = {
  minor: number;
  maxReadahead: number;
  flags: number;
  maxBackground: number;
  congestionThreshold: number;
  maxWriteBytes: number;
  maxPages: number;
};

/**
 * fuse_init_out: 0 major, 4 minor, 8 max_readahead, 12 flags, 16 max_background (u16),
 * 18 congestion_threshold (u16), 20 max_write, 24 time_gran, 28 max_pages (u16), 30 … 63 zero.
 */
export function encodeInit(view: WireView, init: InitOut): number {
  view.fillZero(0, INIT_OUT_BYTES);
  view.putU32(0, FUSE_MAJOR);
  view.putU32(4, init.minor);
  view.putU32(8, init.maxReadahead);
  view.putU32(12, init.flags);
  view.putU16(16, init.maxBackground);
  view.putU16(18, init.congestionThreshold);
  view.putU32(20, init.maxWriteBytes);
  view.putU32(24, 1); // times are kept to the nanosecond
  view.putU16(28, init.maxPages);
  return INIT_OUT_BYTES;
}

export function decodeNothing(_request: Request): undefined {
  return undefined;
}

/** LOOKUP, UNLINK, RMDIR: a name. */
export function decodeName(request: Request): string {
  return request.text(BODY);
}

/** fuse_forget_in: 0 nlookup (u64). */
export function decodeForget(request: Request): number {
  return request.view.u64(BODY);
}

export type ForgetOne = {ino: Ino; count: number};

/** fuse_batch_forget_in: 0 count, 8 … {nodeid u64, nlookup u64}. */
export function decodeBatchForget(request: Request): ForgetOne[] {
  const {view} = request;
  const count = view.u32(BODY);
  assert(BODY + 8 + count * 16 <= request.length, 'a batch of forgets lies inside its request');
  return Array.from({length: count}, (_, index) => {
    const at = BODY + 8 + index * 16;
    return {ino: view.u64(at) as Ino, count: view.u64(at + 8)};
  });
}

/**
 * fuse_setattr_in: 0 valid, 16 size (u64), 32 atime, 40 mtime, 48 ctime (s64), 56 atimensec,
 * 60 mtimensec, 64 ctimensec, 68 mode, 76 uid, 80 gid. The change of ctime is left to the volume,
 * which sets it whenever it changes something.
 */
export function decodeSetAttributes(
  request: Request,
  owners: OwnerMap,
  now: () => Timestamp,
): AttributeChanges {
  const {view} = request;
  const valid = view.u32(BODY);
  const changes: AttributeChanges = {};
  if (valid & SETATTR_VALID.MODE) changes.mode = view.u32(BODY + 68) & 0o7777;
  if (valid & SETATTR_VALID.UID) changes.uid = swapId(view.u32(BODY + 76), owners.engineUid);
  if (valid & SETATTR_VALID.GID) changes.gid = swapId(view.u32(BODY + 80), owners.engineGid);
  if (valid & SETATTR_VALID.SIZE) changes.sizeBytes = view.u64(BODY + 16);
  if (valid & SETATTR_VALID.ATIME_NOW) changes.atime = now();
  else if (valid & SETATTR_VALID.ATIME) changes.atime = decodeTime(view, BODY + 32, BODY + 56);
  if (valid & SETATTR_VALID.MTIME_NOW) changes.mtime = now();
  else if (valid & SETATTR_VALID.MTIME) changes.mtime = decodeTime(view, BODY + 40, BODY + 60);
  return changes;
}

function decodeTime(view: WireView, secondsAt: number, nanosecondsAt: number): Timestamp {
  return {seconds: view.s64(secondsAt), nanoseconds: view.u32(nanosecondsAt)};
}

export type SymlinkIn = {name: string; target: string};

/** name NUL target NUL. */
export function decodeSymlink(request: Request): SymlinkIn {
  const name = request.text(BODY);
  return {name, target: request.text(BODY + name.length + 1)};
}

export type MakeNodeIn = {name: string; mode: number; rdev: number};

/** fuse_mknod_in: 0 mode, 4 rdev, 8 umask (already applied), 16 name. */
export function decodeMakeNode(request: Request): MakeNodeIn {
  const {view} = request;
  return {mode: view.u32(BODY), rdev: view.u32(BODY + 4), name: request.text(BODY + 16)};
}

export type MakeDirectoryIn = {name: string; mode: number};

/** fuse_mkdir_in: 0 mode, 4 umask (already applied), 8 name. */
export function decodeMakeDirectory(request: Request): MakeDirectoryIn {
  return {mode: request.view.u32(BODY) & 0o7777, name: request.text(BODY + 8)};
}

export type RenameIn = {newParent: Ino; flags: number; name: string; newName: string};

/** fuse_rename_in: 0 newdir (u64), 8 name NUL newname NUL. */
export function decodeRename(request: Request): RenameIn {
  return decodeRenameAt(request, 0, BODY + 8);
}

/** fuse_rename2_in: 0 newdir (u64), 8 flags, 16 name NUL newname NUL. */
export function decodeRename2(request: Request): RenameIn {
  return decodeRenameAt(request, request.view.u32(BODY + 8), BODY + 16);
}

function decodeRenameAt(request: Request, flags: number, namesAt: number): RenameIn {
  const name = request.text(namesAt);
  const newName = request.text(namesAt + name.length + 1);
  return {newParent: request.view.u64(BODY) as Ino, flags, name, newName};
}

export type LinkIn = {ino: Ino; name: string};

/** fuse_link_in: 0 oldnodeid (u64), 8 name. The request's own node is the new parent. */
export function decodeLink(request: Request): LinkIn {
  return {ino: request.view.u64(BODY) as Ino, name: request.text(BODY + 8)};
}

export type ReadIn = {offset: number; size: number};

/** fuse_read_in, of READ, READDIR and READDIRPLUS: 8 offset (u64), 16 size. */
export function decodeRead(request: Request): ReadIn {
  return {offset: request.view.u64(BODY + 8), size: request.view.u32(BODY + 16)};
}

export type WriteIn = {offset: number; writeFlags: number; openFlags: number; data: Uint8Array};

/** fuse_write_in: 8 offset (u64), 16 size, 20 write_flags, 32 flags, 40 data. */
export function decodeWrite(request: Request): WriteIn {
  const {view} = request;
  const size = view.u32(BODY + 16);
  assert(BODY + WRITE_IN_BYTES + size === request.length, 'a WRITE carries as much as it says');
  return {
    offset: view.u64(BODY + 8),
    writeFlags: view.u32(BODY + 20),
    openFlags: view.u32(BODY + 32),
    data: view.slice(BODY + WRITE_IN_BYTES, size),
  };
}

/** fuse_write_out: 0 size. */
export function encodeWrite(view: WireView, size: number): number {
  view.putU32(0, size);
  view.putU32(4, 0);
  return WRITE_OUT_BYTES;
}

export type AllocateIn = {offset: number; length: number; mode: number};

/** fuse_fallocate_in: 8 offset (u64), 16 length (u64), 24 mode. */
export function decodeAllocate(request: Request): AllocateIn {
  const {view} = request;
  return {offset: view.u64(BODY + 8), length: view.u64(BODY + 16), mode: view.u32(BODY + 24)};
}

/**
 * fuse_attr: 0 ino, 8 size, 16 blocks, 24 atime, 32 mtime, 40 ctime (64 bits each), 48 atimensec,
 * 52 mtimensec, 56 ctimensec, 60 mode, 64 nlink, 68 uid, 72 gid, 76 rdev, 80 blksize, 84 flags.
 */
function encodeAttributes(
  view: WireView,
  at: number,
  attributes: Attributes,
  owners: OwnerMap,
): void {
  view.putU64(at, attributes.ino);
  view.putU64(at + 8, attributes.sizeBytes);
  view.putU64(at + 16, presentedBlocks(attributes));
  view.putU64(at + 24, attributes.atime.seconds);
  view.putU64(at + 32, attributes.mtime.seconds);
  view.putU64(at + 40, attributes.ctime.seconds);
  view.putU32(at + 48, attributes.atime.nanoseconds);
  view.putU32(at + 52, attributes.mtime.nanoseconds);
  view.putU32(at + 56, attributes.ctime.nanoseconds);
  view.putU32(at + 60, attributes.mode);
  view.putU32(at + 64, attributes.nlink);
  view.putU32(at + 68, swapId(attributes.uid, owners.engineUid));
  view.putU32(at + 72, swapId(attributes.gid, owners.engineGid));
  view.putU32(at + 76, attributes.rdev);
  view.putU32(at + 80, BLOCK_BYTES);
  view.putU32(at + 84, 0);
}

function isRegularFile({mode}: Attributes): boolean {
  return (mode & S_IFMT) === S_IFREG;
}

/**
 * A regular file never shows 0 blocks: its data may still be dirty pages that the volume knows nothing
 * of, and GNU tar takes a file without blocks for one that is all hole.
 */
function presentedBlocks(attributes: Attributes): number {
  return isRegularFile(attributes) ? Math.max(attributes.blocks, 1) : attributes.blocks;
}

function validSeconds(attributes: Attributes): number {
  return isRegularFile(attributes) ? FILE_VALID_SECONDS : VALID_SECONDS;
}

/** fuse_attr_out: 0 attr_valid (u64), 8 attr_valid_nsec, 16 fuse_attr. */
export function encodeAttributesOut(
  view: WireView,
  attributes: Attributes,
  owners: OwnerMap,
): number {
  view.putU64(0, validSeconds(attributes));
  view.putU64(8, 0);
  encodeAttributes(view, 16, attributes, owners);
  return ATTR_OUT_BYTES;
}

/**
 * fuse_entry_out: 0 nodeid, 8 generation, 16 entry_valid, 24 attr_valid (64 bits each),
 * 32 entry_valid_nsec, 36 attr_valid_nsec, 40 fuse_attr.
 */
export function encodeEntry(
  view: WireView,
  at: number,
  attributes: Attributes,
  owners: OwnerMap,
): number {
  view.putU64(at, attributes.ino);
  view.putU64(at + 8, 0);
  view.putU64(at + 16, VALID_SECONDS);
  view.putU64(at + 24, validSeconds(attributes));
  view.putU64(at + 32, 0);
  encodeAttributes(view, at + 40, attributes, owners);
  return ENTRY_OUT_BYTES;
}

/** An entry that says for an hour that the name does not exist: node 0. */
export function encodeNegativeEntry(view: WireView): number {
  view.fillZero(0, ENTRY_OUT_BYTES);
  view.putU64(16, VALID_SECONDS);
  return ENTRY_OUT_BYTES;
}

/** The space that a name takes in a directory listing: fuse_dirent and the name, padded to 8 bytes. */
export function directoryEntryBytes(nameLength: number): number {
  return (DIRENT_BYTES + nameLength + 7) & ~7;
}

/** fuse_dirent: 0 ino, 8 off (u64: the cookie after it), 16 namelen, 20 type, 24 name. */
export function encodeDirectoryEntry(
  view: WireView,
  at: number,
  entry: {
    readonly ino: number;
    readonly name: string;
    readonly type: number;
    readonly nextCookie: number;
  },
): number {
  const {length} = entry.name;
  const end = at + directoryEntryBytes(length);
  view.putU64(at, entry.ino);
  view.putU64(at + 8, entry.nextCookie);
  view.putU32(at + 16, length);
  view.putU32(at + 20, entry.type >>> 12);
  view.putText(at + DIRENT_BYTES, entry.name);
  view.fillZero(at + DIRENT_BYTES + length, end);
  return end;
}

/**
 * fuse_kstatfs: 0 blocks, 8 bfree, 16 bavail, 24 files, 32 ffree (64 bits each), 40 bsize,
 * 44 namelen, 48 frsize, 52 … 79 zero.
 */
export function encodeSize(view: WireView, size: FileSystemSize): number {
  view.fillZero(0, STATFS_OUT_BYTES);
  view.putU64(0, size.pageCount);
  view.putU64(8, size.freePageCount);
  view.putU64(16, size.freePageCount);
  view.putU64(24, size.inodeCount);
  view.putU64(32, size.freeInodeCount);
  view.putU32(40, size.pageSizeBytes);
  view.putU32(44, NAME_LENGTH_MAX);
  view.putU32(48, size.pageSizeBytes);
  return STATFS_OUT_BYTES;
}

assert(ENTRY_OUT_BYTES === 40 + ATTR_BYTES, 'an entry ends with the attributes');
assert(ATTR_OUT_BYTES === 16 + ATTR_BYTES, 'attr_out ends with the attributes');
