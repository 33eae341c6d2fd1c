/**
 * The calls that PGlite's file system has, and any directory of the machine has as well: what is
 * checked through them is checked on both. Paths begin with "/" and are relative to the file system's
 * root. A refusal is an error whose `code` is the name of the errno.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import {join} from 'node:path';
import type {VolumeFilesystem} from '../src/attachment/pglite/volume-filesystem.ts';
import {EMSCRIPTEN_ERRNO} from '../src/attachment/pglite/volume-filesystem.ts';

export type Stat = {
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly size: number;
  readonly blocks: number;
  readonly mtimeMs: number;
};

export type Calls = {
  /** A new, empty file; EEXIST when there is one. */
  create(path: string, mode: number): void;
  mkdir(path: string, mode: number): void;
  /** To read and write; the file is there. */
  open(path: string): number;
  close(descriptor: number): void;
  read(descriptor: number, length: number, position: number): Buffer;
  write(descriptor: number, data: Uint8Array, position: number): void;
  truncate(path: string, sizeBytes: number): void;
  rename(from: string, to: string): void;
  unlink(path: string): void;
  rmdir(path: string): void;
  /** Without "." and "..". */
  readdir(path: string): string[];
  stat(path: string): Stat;
  fstat(descriptor: number): Stat;
  chmod(path: string, mode: number): void;
  utimes(path: string, atimeMs: number, mtimeMs: number): void;
  fsync(path: string): void;
};

/** The calls on a directory of this machine. */
export function directoryCalls(root: string): Calls {
  const at = (path: string): string => join(root, path);
  return {
    create: (path, mode) => closeSync(openSync(at(path), 'wx', mode)),
    mkdir: (path, mode) => {
      mkdirSync(at(path), {mode});
    },
    open: path => openSync(at(path), 'r+'),
    close: closeSync,
    read: (descriptor, length, position) => {
      const into = Buffer.alloc(length);
      return into.subarray(0, readSync(descriptor, into, 0, length, position));
    },
    write: (descriptor, data, position) => {
      for (let done = 0; done < data.length;) {
        done += writeSync(descriptor, data, done, data.length - done, position + done);
      }
    },
    truncate: (path, sizeBytes) => truncateSync(at(path), sizeBytes),
    rename: (from, to) => renameSync(at(from), at(to)),
    unlink: path => unlinkSync(at(path)),
    rmdir: path => rmdirSync(at(path)),
    readdir: path => readdirSync(at(path)),
    stat: path => lstatSync(at(path)),
    fstat: fstatSync,
    chmod: (path, mode) => chmodSync(at(path), mode),
    utimes: (path, atimeMs, mtimeMs) =>
      // As a number, a time before 1970 would be taken for now.
      utimesSync(at(path), new Date(atimeMs), new Date(mtimeMs)),
    fsync: path => {
      const descriptor = openSync(at(path), constants.O_RDONLY);
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

/** The calls as the WebAssembly module makes them. */
export function pgliteCalls(fs: VolumeFilesystem): Calls {
  const named = <T>(call: () => T): T => {
    try {
      return call();
    } catch (error) {
      throw withName(error);
    }
  };
  const toStat = (stats: ReturnType<VolumeFilesystem['lstat']>): Stat => {
    const {ino, mode, nlink, size, blocks, mtime} = stats;
    return {ino, mode, nlink, size, blocks, mtimeMs: mtime};
  };
  return {
    create: (path, mode) => named(() => fs.writeFile(path, '', {mode})),
    mkdir: (path, mode) => named(() => fs.mkdir(path, {mode})),
    open: path => named(() => fs.open(path)),
    close: descriptor => named(() => fs.close(descriptor)),
    read: (descriptor, length, position) => {
      const memory = Buffer.alloc(length);
      return named(() => memory.subarray(0, fs.read(descriptor, memory, 0, length, position)));
    },
    write: (descriptor, data, position) =>
      void named(() => fs.write(descriptor, data, 0, data.length, position)),
    truncate: (path, sizeBytes) => named(() => fs.truncate(path, sizeBytes)),
    rename: (from, to) => named(() => fs.rename(from, to)),
    unlink: path => named(() => fs.unlink(path)),
    rmdir: path => named(() => fs.rmdir(path)),
    readdir: path => named(() => fs.readdir(path)).filter(name => name !== '.' && name !== '..'),
    stat: path => named(() => toStat(fs.lstat(path))),
    fstat: descriptor => named(() => toStat(fs.fstat(descriptor))),
    chmod: (path, mode) => named(() => fs.chmod(path, mode)),
    utimes: (path, atimeMs, mtimeMs) => named(() => fs.utimes(path, atimeMs, mtimeMs)),
    fsync: path => void named(() => fs.fsync(path)),
  };
}

/** emscripten's numbers are its own; the checks know the names. */
function withName(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const found = Object.entries(EMSCRIPTEN_ERRNO).find(([, errno]) => errno === error.code);
  if (found === undefined) return error;
  return Object.assign(new Error(error.message, {cause: error}), {code: found[0]});
}
