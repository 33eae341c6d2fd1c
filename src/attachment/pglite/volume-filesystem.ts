/**
 * A volume's file system as PGlite sees it: mounted at /pglite/data inside the WebAssembly module.
 *
 *     PostgreSQL ─▶ libc in WebAssembly ─▶ emscripten FS ─▶ VolumeFilesystem ─▶ FileSystem ─▶ volume
 *                   syscalls               nodes, streams   paths, descriptors   inodes       pages
 *
 * Everything is synchronous and happens on the engine's thread.
 *
 * Durability. `fsync` reaches the stream operations that `init` sets; PGlite's own `syncToFs` comes
 * too late (after the acknowledgement, or not at all) and does nothing here. Only an fsync of
 * `pg_wal/*` or `global/pg_control` is a barrier. That is enough because the volume's log is one total
 * order and a crash leaves a prefix of it: every write is older than the barrier that follows it, so
 * - a COMMIT is acknowledged after an fsync of its WAL: a barrier, which makes it durable;
 * - a checkpoint writes and fsyncs data files, then writes and fsyncs pg_control: that one barrier makes
 *   the data files durable as well, and no prefix holds the new pg_control without them;
 * - WAL is removed or renamed only after that, so no prefix lacks WAL that its pg_control needs.
 * The fsync of a data file or a directory in between promises nothing to anyone outside the volume.
 *
 * What emscripten asks for, and how: paths are relative to the mount and start with "/" (the root is
 * ""); descriptors start at 1, because 0 reads as "none"; `open` has no flags; a file is created by
 * `writeFile(path, '', {mode})`; `read` passes a typed array, `write` the whole memory's ArrayBuffer,
 * both with offsets from the memory's start. There are no symbolic links, hence no tablespaces.
 *
 * Errors: an FsError becomes an exception whose `code` is emscripten's errno. Anything else is the
 * volume failing: it is thrown without a `code`, so that it unwinds the module instead of becoming an
 * errno that PostgreSQL would retry or swallow, and every later call throws it again.
 */
import type {PGlite} from '@electric-sql/pglite';
import {BaseFilesystem} from '@electric-sql/pglite/basefs';
import type {FsStats} from '@electric-sql/pglite/basefs';
import {assert} from '../../base/assert.ts';
import {BorealisError} from '../../base/errors.ts';
import {FsError, S_IFREG} from '../../volume-fs/types.ts';
import type {Attributes, Errno, FileSystem, Ino, Owner, Timestamp} from '../../volume-fs/types.ts';

/** Where PGlite keeps its data directory inside the module. */
const DATA_DIRECTORY = '/pglite/data';

/** emscripten's numbers (those of WASI, not Linux). */
export const EMSCRIPTEN_ERRNO: Readonly<Record<Errno | 'EBADF', number>> = {
  EBADF: 8,
  EEXIST: 20,
  EFBIG: 22,
  EINVAL: 28,
  EIO: 29,
  EISDIR: 31,
  EMLINK: 34,
  ENAMETOOLONG: 37,
  ENOENT: 44,
  ENOSPC: 51,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  ENXIO: 60,
  EPERM: 63,
  ESTALE: 72,
  EXDEV: 75,
  EOPNOTSUPP: 138,
};

const WAL_PREFIX = '/pg_wal/';
/** The one user of the module; PostgreSQL sees itself as the owner of all. */
const OWNER: Owner = {uid: 0, gid: 0};
const PERMISSION_BITS = 0o7777;

export type VolumeFilesystemOptions = {
  readonly fileSystem: FileSystem;
  /** The directory that PostgreSQL takes for its data directory. */
  readonly root: Ino;
  /** Makes durable all that was written; called for an fsync that PostgreSQL's promises hang on. */
  readonly barrier: () => void;
  /** Called before each call: between two atomic operations, so a fork may be taken in it. */
  readonly betweenCalls: () => void;
  /** Called before each write with its bytes: returns when there is space for them. */
  readonly beforeWrite: (byteCount: number) => void;
  /** Called with the bytes of each write to a file of pg_wal. */
  readonly onWalWrite: (byteCount: number) => void;
  /** Told of what is damaged in every zone; the call that met it fails with EIO. */
  readonly onUnreadable: (error: BorealisError) => void;
};

/** The volume failed under the engine. Has no `code` on purpose: see above. */
export class VolumeFailure extends Error {
  override readonly name = 'VolumeFailure';
}

type Descriptor = {readonly ino: Ino; readonly isWal: boolean};
type EmscriptenOptions = Parameters<BaseFilesystem['init']>[1];
type StreamNode = {readonly name: string; readonly parent: StreamNode};
type FsyncOperations = {fsync?: (stream: {readonly node: StreamNode}) => number};

export class VolumeFilesystem extends BaseFilesystem {
  readonly #options: VolumeFilesystemOptions;
  readonly #open: (Descriptor | undefined)[] = [undefined];
  readonly #freeDescriptors: number[] = [];
  #failure: VolumeFailure | undefined;

  constructor(options: VolumeFilesystemOptions) {
    super(DATA_DIRECTORY);
    this.#options = options;
  }

  /** Why the volume failed, or undefined. emscripten swallows what `unlink` throws, so ask. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  override async init(
    pglite: PGlite,
    options: EmscriptenOptions,
  ): Promise<{emscriptenOpts: EmscriptenOptions}> {
    const {emscriptenOpts} = await super.init(pglite, options);
    return {
      emscriptenOpts: {
        ...emscriptenOpts,
        preRun: [
          ...(emscriptenOpts.preRun ?? []),
          // After the mount. All nodes of the mount share this one table of operations.
          module => {
            const {node} = module.FS.lookupPath(DATA_DIRECTORY);
            (node as unknown as {stream_ops: FsyncOperations}).stream_ops.fsync = stream =>
              this.fsync(pathOf(stream.node));
          },
        ],
      },
    };
  }

  fsync(path: string): number {
    if (isBarrierFile(path)) this.#run(() => this.#options.barrier());
    return 0;
  }

  chmod(path: string, mode: number): void {
    this.#run(fs => fs.setAttributes(this.#resolve(fs, path).ino, {mode: mode & PERMISSION_BITS}));
  }

  close(descriptor: number): void {
    this.#run(fs => {
      fs.release(this.#descriptor(descriptor).ino, 1);
      this.#open[descriptor] = undefined;
      this.#freeDescriptors.push(descriptor);
    });
  }

  fstat(descriptor: number): FsStats {
    return this.#run(fs => toStats(fs.attributes(this.#descriptor(descriptor).ino)));
  }

  lstat(path: string): FsStats {
    return this.#run(fs => toStats(this.#resolve(fs, path)));
  }

  mkdir(path: string, options?: {recursive?: boolean; mode?: number}): void {
    this.#run(fs => {
      const {parent, name} = this.#resolveParent(fs, path);
      fs.makeDirectory(parent, name, (options?.mode ?? 0o700) & PERMISSION_BITS, OWNER);
    });
  }

  open(path: string): number {
    return this.#run(fs => {
      const {ino} = this.#resolve(fs, path);
      fs.retain(ino);
      const descriptor = this.#freeDescriptors.pop() ?? this.#open.length;
      this.#open[descriptor] = {ino, isWal: path.startsWith(WAL_PREFIX)};
      return descriptor;
    });
  }

  readdir(path: string): string[] {
    return this.#run(fs => {
      const names: string[] = [];
      fs.readDirectory(this.#resolve(fs, path).ino, 0, entry => {
        names.push(Buffer.from(entry.name, 'latin1').toString('utf8'));
        return true;
      });
      return names;
    });
  }

  read(
    descriptor: number,
    memory: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    return this.#run(fs =>
      fs.read(this.#descriptor(descriptor).ino, position, memory.subarray(offset, offset + length)),
    );
  }

  rename(oldPath: string, newPath: string): void {
    this.#run(fs => {
      const from = this.#resolveParent(fs, oldPath);
      const to = this.#resolveParent(fs, newPath);
      fs.rename(from.parent, from.name, to.parent, to.name, 0);
    });
  }

  rmdir(path: string): void {
    this.#run(fs => {
      const {parent, name} = this.#resolveParent(fs, path);
      fs.removeDirectory(parent, name);
    });
  }

  truncate(path: string, sizeBytes: number): void {
    this.#run(fs => {
      const {ino, sizeBytes: before} = this.#resolve(fs, path);
      // emscripten calls twice for one ftruncate(2).
      if (before !== sizeBytes) fs.setAttributes(ino, {sizeBytes});
    });
  }

  unlink(path: string): void {
    this.#run(fs => {
      const {parent, name} = this.#resolveParent(fs, path);
      fs.unlink(parent, name);
    });
  }

  utimes(path: string, atimeMs: number, mtimeMs: number): void {
    this.#run(fs =>
      fs.setAttributes(this.#resolve(fs, path).ino, {
        atime: toTimestamp(atimeMs),
        mtime: toTimestamp(mtimeMs),
      }),
    );
  }

  writeFile(path: string, data: string | Uint8Array, options?: {mode?: number}): void {
    this.#run(fs => {
      const {parent, name} = this.#resolveParent(fs, path);
      const mode = S_IFREG | ((options?.mode ?? 0o600) & PERMISSION_BITS);
      const {ino} = fs.makeNode(parent, name, mode, 0, OWNER);
      if (data.length > 0) fs.write(ino, 0, typeof data === 'string' ? Buffer.from(data) : data);
    });
  }

  write(
    descriptor: number,
    memory: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    // Declared as a typed array, passed as the memory's ArrayBuffer.
    const buffer: unknown = memory;
    assert(
      buffer instanceof ArrayBuffer || memory instanceof Uint8Array,
      'write gets bytes or the memory that holds them',
    );
    const data =
      buffer instanceof ArrayBuffer
        ? new Uint8Array(buffer, offset, length)
        : memory.subarray(offset, offset + length);
    this.#run(fs => {
      this.#options.beforeWrite(length);
      const {ino, isWal} = this.#descriptor(descriptor);
      fs.write(ino, position, data);
      if (isWal) this.#options.onWalWrite(length);
    });
    return length;
  }

  #descriptor(descriptor: number): Descriptor {
    const open = this.#open[descriptor];
    if (open === undefined) throw new EmscriptenError('EBADF', `descriptor ${descriptor}`);
    return open;
  }

  #resolve(fs: FileSystem, path: string): Attributes {
    let attributes = fs.attributes(this.#options.root);
    for (const name of componentsOf(path)) attributes = fs.lookup(attributes.ino, name);
    return attributes;
  }

  #resolveParent(fs: FileSystem, path: string): {parent: Ino; name: string} {
    const components = componentsOf(path);
    const name = components.pop();
    if (name === undefined) throw new FsError('EINVAL', 'the root has no parent');
    let parent = this.#options.root;
    for (const component of components) parent = fs.lookup(parent, component).ino;
    return {parent, name};
  }

  #run<T>(operation: (fs: FileSystem) => T): T {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      this.#options.betweenCalls();
      return operation(this.#options.fileSystem);
    } catch (error) {
      if (error instanceof EmscriptenError) throw error;
      if (error instanceof FsError) throw new EmscriptenError(error.code, error.message);
      // What cannot be read fails alone. If it was to be changed, the volume has failed with it, and says so next.
      if (error instanceof BorealisError && error.kind === 'corrupt') {
        this.#options.onUnreadable(error);
        throw new EmscriptenError('EIO', error.message);
      }
      this.#failure = new VolumeFailure('the volume failed', {cause: error});
      throw this.#failure;
    }
  }
}

class EmscriptenError extends Error {
  override readonly name = 'EmscriptenError';
  readonly code: number;

  constructor(errno: Errno | 'EBADF', message: string) {
    super(message);
    this.code = EMSCRIPTEN_ERRNO[errno];
  }
}

/** Whether an fsync of this file, given relative to the data directory, is a promise to someone outside. */
export function isBarrierFile(path: string): boolean {
  return path.startsWith(WAL_PREFIX) || path === '/global/pg_control';
}

/** The mount's path of an emscripten node: its root is its own parent. */
function pathOf(node: StreamNode): string {
  const parts: string[] = [];
  for (let at = node; at.parent !== at; at = at.parent) parts.push(at.name);
  return parts
    .reverse()
    .map(part => `/${part}`)
    .join('');
}

/** `/base/5` → ['base', '5']; the root is []. */
function componentsOf(path: string): string[] {
  return path
    .split('/')
    .filter(part => part !== '')
    .map(part => Buffer.from(part, 'utf8').toString('latin1'));
}

function toStats(attributes: Attributes): FsStats {
  return {
    dev: 0,
    ino: attributes.ino,
    mode: attributes.mode,
    nlink: attributes.nlink,
    uid: attributes.uid,
    gid: attributes.gid,
    rdev: attributes.rdev,
    size: attributes.sizeBytes,
    blksize: 8192,
    blocks: attributes.blocks,
    atime: toMs(attributes.atime),
    mtime: toMs(attributes.mtime),
    ctime: toMs(attributes.ctime),
  };
}

function toMs(timestamp: Timestamp): number {
  return timestamp.seconds * 1000 + Math.floor(timestamp.nanoseconds / 1_000_000);
}

function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return {seconds, nanoseconds: Math.floor((ms - seconds * 1000) * 1_000_000)};
}
