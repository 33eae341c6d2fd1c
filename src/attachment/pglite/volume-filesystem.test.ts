import {PGlite} from '@electric-sql/pglite';
import {describe, expect, test} from 'vitest';
import {BorealisError, errorChain} from '../../base/errors.ts';
import {ROOT_INO} from '../../volume-fs/types.ts';
import {MemoryFileSystem} from './testing/memory-file-system.ts';
import {VolumeFailure, VolumeFilesystem, isBarrierFile} from './volume-filesystem.ts';

const EIO = 29;
const ENOENT = 44;
const EBADF = 8;
const ENOTEMPTY = 55;

type Scene = {
  readonly memory: MemoryFileSystem;
  readonly fs: VolumeFilesystem;
  readonly unreadable: readonly BorealisError[];
  readonly calls: {barriers: number; between: number; walBytes: number};
};

function scene(): Scene {
  const memory = new MemoryFileSystem();
  const unreadable: BorealisError[] = [];
  const calls = {barriers: 0, between: 0, walBytes: 0};
  const fs = new VolumeFilesystem({
    fileSystem: memory,
    root: ROOT_INO,
    barrier: () => calls.barriers++,
    onUnreadable: error => unreadable.push(error),
    betweenCalls: () => calls.between++,
    beforeWrite: () => undefined,
    onWalWrite: byteCount => {
      calls.walBytes += byteCount;
    },
  });
  return {memory, fs, calls, unreadable};
}

/** What emscripten would see as errno. */
function errno(run: () => unknown): unknown {
  try {
    run();
    return 0;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

describe('the calls that emscripten makes', () => {
  test('creation is writeFile with no data, descriptors begin at 1, offsets are absolute', () => {
    const {fs} = scene();
    fs.mkdir('/base', {mode: 0o700});
    fs.writeFile('/base/5', '', {mode: 0o100600});
    const descriptor = fs.open('/base/5');
    expect(descriptor).toBe(1);
    const memory = new ArrayBuffer(64);
    new Uint8Array(memory).set([1, 2, 3, 4], 16);
    // As emscripten passes it: the buffer of the whole memory.
    expect(fs.write(descriptor, memory as unknown as Uint8Array, 16, 4, 100)).toBe(4);
    const into = new Uint8Array(8);
    expect(fs.read(descriptor, into, 2, 6, 99)).toBe(5);
    expect([...into]).toEqual([0, 0, 0, 1, 2, 3, 4, 0]);
    expect(fs.fstat(descriptor).size).toBe(104);
    fs.close(descriptor);
    expect(fs.open('/base/5')).toBe(1);
  });

  test('a truncate that comes twice changes once, and grows with zeros', () => {
    const {fs} = scene();
    fs.writeFile('/f', Buffer.from('abcdef'));
    for (const sizeBytes of [3, 3, 6, 6]) fs.truncate('/f', sizeBytes);
    const into = new Uint8Array(6);
    fs.read(fs.open('/f'), into, 0, 6, 0);
    expect(Buffer.from(into).toString('latin1')).toBe('abc\0\0\0');
  });

  test('an unlinked file lives until its descriptor is closed', () => {
    const {fs, memory} = scene();
    fs.writeFile('/f', Buffer.from('abc'));
    const before = memory.inodeCount;
    const descriptor = fs.open('/f');
    fs.unlink('/f');
    expect(errno(() => fs.lstat('/f'))).toBe(ENOENT);
    expect(fs.read(descriptor, new Uint8Array(3), 0, 3, 0)).toBe(3);
    fs.close(descriptor);
    expect(memory.inodeCount).toBe(before - 1);
  });

  test('rename replaces its target, readdir lists dots, times keep their milliseconds', () => {
    const {fs} = scene();
    fs.mkdir('/d');
    fs.writeFile('/d/a', Buffer.from('new'));
    fs.writeFile('/d/b', Buffer.from('old'));
    fs.rename('/d/a', '/d/b');
    expect(fs.readdir('/d').sort()).toEqual(['.', '..', 'b']);
    expect(fs.lstat('/d/b').size).toBe(3);
    fs.utimes('/d/b', 1_700_000_000_123, 1_700_000_000_123);
    expect(fs.lstat('/d/b').mtime).toBe(1_700_000_000_123);
    expect(errno(() => fs.rmdir('/d'))).toBe(ENOTEMPTY);
  });

  test('a name that is not ASCII comes back as it was', () => {
    const {fs} = scene();
    fs.writeFile('/größe', '');
    expect(fs.readdir('')).toContain('größe');
    expect(fs.lstat('/größe').size).toBe(0);
  });

  test('errors are numbers of emscripten', () => {
    const {fs} = scene();
    expect(errno(() => fs.open('/none'))).toBe(ENOENT);
    expect(errno(() => fs.fstat(7))).toBe(EBADF);
    expect(errno(() => fs.unlink('/none'))).toBe(ENOENT);
  });
});

describe('durability', () => {
  test('only the WAL and pg_control are barriers', () => {
    const {fs, calls} = scene();
    for (const path of ['/base/5/1259', '/global/1262', '/pg_xact/0000', '/pg_wal', '']) {
      fs.fsync(path);
    }
    expect(calls.barriers).toBe(0);
    fs.fsync('/pg_wal/000000010000000000000001');
    fs.fsync('/global/pg_control');
    expect(calls.barriers).toBe(2);
    expect(isBarrierFile('/global/pg_control.old')).toBe(false);
  });

  test('WAL that is written is counted, other files are not', () => {
    const {fs, calls} = scene();
    fs.mkdir('/pg_wal');
    for (const path of ['/pg_wal/1', '/other']) {
      fs.writeFile(path, '');
      fs.write(fs.open(path), new Uint8Array(10), 0, 10, 0);
    }
    expect(calls.walBytes).toBe(10);
  });

  test('a failure of the volume has no errno, and every later call fails with it', () => {
    const {fs, memory} = scene();
    fs.writeFile('/f', '');
    const descriptor = fs.open('/f');
    memory.writeError = new BorealisError('unavailable', 'volume-failed', 'the disk is full');
    expect(errno(() => fs.write(descriptor, new Uint8Array(1), 0, 1, 0))).toBeInstanceOf(
      VolumeFailure,
    );
    expect(errno(() => fs.lstat(''))).toBe(fs.failure);
    expect(errorChain(fs.failure)).toContain('the disk is full');
  });

  test('what is damaged fails its call with EIO, and nothing else', () => {
    const {fs, memory, unreadable} = scene();
    fs.writeFile('/f', 'text');
    const descriptor = fs.open('/f');
    const damage = new BorealisError('corrupt', 'page-corrupt', 'page 0 of file 2 in volume 1');
    memory.readError = damage;
    expect(errno(() => fs.read(descriptor, new Uint8Array(4), 0, 4, 0))).toBe(EIO);
    expect(unreadable).toEqual([damage]);
    memory.readError = undefined;
    expect(fs.read(descriptor, new Uint8Array(4), 0, 4, 0)).toBe(4);
    expect(fs.failure).toBeUndefined();
  });

  test('each call is announced, so that a fork can be taken between two', () => {
    const {fs, calls} = scene();
    fs.writeFile('/f', '');
    fs.lstat('/f');
    expect(calls.between).toBe(2);
  });
});

test(
  'PGlite initialises, commits with one barrier each, and reopens on it',
  {timeout: 120_000},
  async () => {
    const {fs, memory, calls} = scene();
    const startParams = [
      ...PGlite.defaultStartParams.filter(parameter => parameter !== '-F'),
      ...['-c', 'fsync=on', '-c', 'wal_sync_method=fsync', '-c', 'wal_init_zero=off'],
    ];
    const first = await PGlite.create({fs, startParams});
    await first.exec('CREATE TABLE t (n int PRIMARY KEY)');
    calls.barriers = 0;
    for (let n = 0; n < 50; n++) await first.query('INSERT INTO t VALUES ($1)', [n]);
    expect(calls.barriers).toBeGreaterThanOrEqual(50);
    expect(calls.barriers).toBeLessThan(60);
    await first.close();
    const reopened = new VolumeFilesystem({
      fileSystem: memory,
      root: ROOT_INO,
      barrier: () => undefined,
      onUnreadable: () => undefined,
      betweenCalls: () => undefined,
      beforeWrite: () => undefined,
      onWalWrite: () => undefined,
    });
    const second = await PGlite.create({fs: reopened, startParams});
    expect((await second.query('SELECT count(*)::int AS n FROM t')).rows).toEqual([{n: 50}]);
    await second.close();
  },
);
