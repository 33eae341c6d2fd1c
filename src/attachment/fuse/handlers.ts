/**
 * What each operation does. A handler puts its result into the payload of the session's reply and
 * returns its length, or a negative errno, or NO_REPLY. It throws what the file system throws.
 *
 * The kernel holds an inode from the first entry that names it in a reply until FORGET has given
 * back as many references as there were such entries. Files are opened without a message, so these
 * references are also what keeps an unlinked file alive while it is open.
 */
import {BorealisError} from '../../base/errors.ts';
import {
  FsError,
  ROOT_INO,
  type AttributeChanges,
  type Attributes,
  type Ino,
  type Owner,
} from '../../volume-fs/types.ts';
import {
  ENTRY_OUT_BYTES,
  FUSE_MAJOR,
  FUSE_MINOR,
  FUSE_MINOR_MIN,
  INIT_FLAG,
  O_DSYNC,
  TRANSFER_BYTES_MAX,
  TRANSFER_PAGES_MAX,
  WRITE_CACHE,
} from './abi.ts';
import {ENOENT} from './errno.ts';
import {swapId} from './owner-map.ts';
import type {Session} from './session.ts';
import {
  directoryEntryBytes,
  encodeAttributesOut,
  encodeDirectoryEntry,
  encodeEntry,
  encodeInit,
  encodeNegativeEntry,
  encodeSize,
  encodeWrite,
  type AllocateIn,
  type ForgetOne,
  type InitIn,
  type LinkIn,
  type MakeDirectoryIn,
  type MakeNodeIn,
  type ReadIn,
  type RenameIn,
  type SymlinkIn,
  type WriteIn,
} from './structs.ts';

/** Nobody answers, or the sync thread will. Outside the range of errnos and lengths. */
export const NO_REPLY: number = Number.MIN_SAFE_INTEGER;

/**
 * A name in the root that never exists. Looking it up is how the main thread wakes the serving
 * thread out of its read; the answer is never cached, so that the next look-up arrives too.
 */
export const WAKE_NAME = '.borealis-wake';

/** Requests that the kernel may have under way for readahead and write-back, and when it calls that busy. */
const BACKGROUND_MAX = 64;
const BACKGROUND_BUSY = 48;
const S_ISGID = 0o2000;

/**
 * What is asked of the kernel, as far as it can:
 * - the page cache takes writes and keeps data, times and sizes by itself (WRITEBACK_CACHE,
 *   EXPLICIT_INVAL_DATA), since nobody else changes the files;
 * - opening and closing send no messages (NO_OPEN_SUPPORT, NO_OPENDIR_SUPPORT), for which OPEN,
 *   CREATE, OPENDIR and FLUSH answer ENOSYS. Not ATOMIC_O_TRUNC: without OPEN messages the
 *   truncation would never arrive. Not HANDLE_KILLPRIV: the kernel clears set-user-id bits itself.
 */
const WANTED_FLAGS =
  INIT_FLAG.ASYNC_READ |
  INIT_FLAG.BIG_WRITES |
  INIT_FLAG.DO_READDIRPLUS |
  INIT_FLAG.READDIRPLUS_AUTO |
  INIT_FLAG.ASYNC_DIO |
  INIT_FLAG.WRITEBACK_CACHE |
  INIT_FLAG.NO_OPEN_SUPPORT |
  INIT_FLAG.PARALLEL_DIROPS |
  INIT_FLAG.ABORT_ERROR |
  INIT_FLAG.MAX_PAGES |
  INIT_FLAG.CACHE_SYMLINKS |
  INIT_FLAG.NO_OPENDIR_SUPPORT |
  INIT_FLAG.EXPLICIT_INVAL_DATA;

export function init(session: Session, input: InitIn): number {
  if (input.major !== FUSE_MAJOR || input.minor < FUSE_MINOR_MIN) {
    throw new BorealisError(
      'unavailable',
      'fuse-protocol',
      `The kernel speaks FUSE ${input.major}.${input.minor}; Borealis needs ${FUSE_MAJOR}.${FUSE_MINOR_MIN} (Linux 5.4) or later.`,
    );
  }
  session.onInit();
  return encodeInit(session.reply.payload, {
    minor: Math.min(input.minor, FUSE_MINOR),
    maxReadahead: input.maxReadahead,
    flags: input.flags & WANTED_FLAGS,
    maxBackground: BACKGROUND_MAX,
    congestionThreshold: BACKGROUND_BUSY,
    maxWriteBytes: TRANSFER_BYTES_MAX,
    maxPages: TRANSFER_PAGES_MAX,
  });
}

export function lookup(session: Session, name: string): number {
  const parent = session.request.nodeId;
  if (parent === ROOT_INO && name === WAKE_NAME) return -ENOENT;
  try {
    return entry(session, session.fs.lookup(parent, name));
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'ENOENT') throw error;
    return encodeNegativeEntry(session.reply.payload);
  }
}

export function forget(session: Session, count: number): number {
  session.fs.release(session.request.nodeId, count);
  return NO_REPLY;
}

export function batchForget(session: Session, forgets: readonly ForgetOne[]): number {
  for (const {ino, count} of forgets) session.fs.release(ino, count);
  return NO_REPLY;
}

export function getAttributes(session: Session): number {
  return attributesOut(session, session.fs.attributes(session.request.nodeId));
}

export function setAttributes(session: Session, changes: AttributeChanges): number {
  return attributesOut(session, session.fs.setAttributes(session.request.nodeId, changes));
}

export function readLink(session: Session): number {
  return session.reply.payload.putText(0, session.fs.readLink(session.request.nodeId));
}

export function makeSymlink(session: Session, {name, target}: SymlinkIn): number {
  const parent = session.request.nodeId;
  return entry(session, session.fs.makeSymlink(parent, name, target, newOwner(session, parent)));
}

export function makeNode(session: Session, {name, mode, rdev}: MakeNodeIn): number {
  const parent = session.request.nodeId;
  return entry(session, session.fs.makeNode(parent, name, mode, rdev, newOwner(session, parent)));
}

export function makeDirectory(session: Session, {name, mode}: MakeDirectoryIn): number {
  const parent = session.request.nodeId;
  // A directory hands its set-group-id bit down to those made in it.
  const inherited = session.fs.attributes(parent).mode & S_ISGID;
  const owner = newOwner(session, parent);
  return entry(session, session.fs.makeDirectory(parent, name, mode | inherited, owner));
}

export function unlink(session: Session, name: string): number {
  session.fs.unlink(session.request.nodeId, name);
  return 0;
}

export function removeDirectory(session: Session, name: string): number {
  session.fs.removeDirectory(session.request.nodeId, name);
  return 0;
}

export function rename(session: Session, {name, newParent, newName, flags}: RenameIn): number {
  session.fs.rename(session.request.nodeId, name, newParent, newName, flags);
  return 0;
}

export function link(session: Session, {ino, name}: LinkIn): number {
  return entry(session, session.fs.link(ino, session.request.nodeId, name));
}

export function read(session: Session, {offset, size}: ReadIn): number {
  return session.fs.read(session.request.nodeId, offset, session.reply.payload.slice(0, size));
}

export function write(session: Session, input: WriteIn): number {
  const {data} = input;
  session.fs.write(session.request.nodeId, input.offset, data);
  // Written straight through with O_DSYNC, the write is its own barrier. (Data from the page cache
  // are followed by an FSYNC where one is due.)
  const isBarrier = (input.openFlags & O_DSYNC) !== 0 && (input.writeFlags & WRITE_CACHE) === 0;
  if (isBarrier && !session.barrier(session.request, data.length)) return NO_REPLY;
  return encodeWrite(session.reply.payload, data.length);
}

export function barrier(session: Session): number {
  return session.barrier(session.request, null) ? 0 : NO_REPLY;
}

export function allocate(session: Session, {mode, offset, length}: AllocateIn): number {
  session.fs.allocate(session.request.nodeId, mode, offset, length);
  return 0;
}

export function statistics(session: Session): number {
  return encodeSize(session.reply.payload, session.fs.size());
}

export function readDirectory(session: Session, {offset, size}: ReadIn): number {
  const {payload} = session.reply;
  let end = 0;
  session.fs.readDirectory(session.request.nodeId, offset, found => {
    if (end + directoryEntryBytes(found.name.length) > size) return false;
    end = encodeDirectoryEntry(payload, end, found);
    return true;
  });
  return end;
}

/** Names with their attributes. Each entry but "." and ".." is also a look-up that FORGET gives back. */
export function readDirectoryPlus(session: Session, {offset, size}: ReadIn): number {
  const {payload} = session.reply;
  let end = 0;
  session.fs.readDirectory(session.request.nodeId, offset, found => {
    if (end + ENTRY_OUT_BYTES + directoryEntryBytes(found.name.length) > size) return false;
    if (found.name === '.' || found.name === '..') {
      payload.fillZero(end, end + ENTRY_OUT_BYTES);
    } else {
      encodeEntry(payload, end, session.fs.attributes(found.ino), session.owners);
      session.grant(found.ino);
    }
    end = encodeDirectoryEntry(payload, end + ENTRY_OUT_BYTES, found);
    return true;
  });
  return end;
}

export function destroy(): number {
  return 0;
}

function entry(session: Session, attributes: Attributes): number {
  const length = encodeEntry(session.reply.payload, 0, attributes, session.owners);
  session.grant(attributes.ino);
  return length;
}

function attributesOut(session: Session, attributes: Attributes): number {
  return encodeAttributesOut(session.reply.payload, attributes, session.owners);
}

/** The caller; in a directory with the set-group-id bit, the directory's group. */
function newOwner(session: Session, parent: Ino): Owner {
  const {request, owners, fs} = session;
  const {mode, gid} = fs.attributes(parent);
  return {
    uid: swapId(request.uid, owners.engineUid),
    gid: (mode & S_ISGID) === 0 ? swapId(request.gid, owners.engineGid) : gid,
  };
}
