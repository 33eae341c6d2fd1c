/**
 * The checks that every file system of ours can be held to, PGlite's included, through the calls that
 * it has. What needs more of an operating system is in `posix/`.
 */
import {strict as assert} from 'node:assert';
import {systemErrorCode} from '../src/base/errors.ts';
import type {Calls} from './calls.ts';

/** Each runs in an empty directory of its own, which it is given by path. */
export type CommonCheck = {
  readonly name: string;
  /** Left out of the fast subset. */
  readonly slow?: true;
  run(calls: Calls, directory: string): void;
};

const PAGE_BYTES = 8192;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;

function refuses(code: string, call: () => unknown): void {
  try {
    call();
  } catch (error) {
    assert.equal(systemErrorCode(error), code);
    return;
  }
  assert.fail(`success instead of ${code}`);
}

function put(calls: Calls, path: string, text: string): void {
  calls.create(path, 0o600);
  withOpen(calls, path, descriptor => calls.write(descriptor, Buffer.from(text), 0));
}

function get(calls: Calls, path: string): string {
  return withOpen(calls, path, descriptor =>
    calls.read(descriptor, calls.stat(path).size, 0).toString('latin1'),
  );
}

function withOpen<T>(calls: Calls, path: string, use: (descriptor: number) => T): T {
  const descriptor = calls.open(path);
  try {
    return use(descriptor);
  } finally {
    calls.close(descriptor);
  }
}

export const COMMON_CHECKS: readonly CommonCheck[] = [
  {
    name: 'calls: a file keeps its bytes at every edge of a page, and zeros in between',
    run: (calls, directory) => {
      const path = `${directory}/f`;
      calls.create(path, 0o600);
      const model = Buffer.alloc(40 * PAGE_BYTES);
      let end = 0;
      withOpen(calls, path, descriptor => {
        for (const edge of [0, 1, 511, 4096, 8191, 8192, 8193, 65_536, 200_000]) {
          for (const length of [1, 512, 8192, 70_000]) {
            const data = Buffer.alloc(length, 1 + ((edge + length) % 250));
            calls.write(descriptor, data, edge);
            data.copy(model, edge);
            end = Math.max(end, edge + length);
          }
        }
        calls.fsync(path);
        assert.ok(calls.read(descriptor, end + 10, 0).equals(model.subarray(0, end)));
        assert.equal(calls.read(descriptor, 10, end).length, 0);
        assert.equal(calls.fstat(descriptor).size, end);
      });
    },
  },
  {
    name: 'calls: truncate cuts, grows with zeros, and brings nothing back',
    run: (calls, directory) => {
      const path = `${directory}/f`;
      put(calls, path, 'x'.repeat(30_000));
      for (const size of [20_000, 8193, 8192, 8191, 1, 0]) {
        calls.truncate(path, size);
        calls.truncate(path, size + 9000);
        assert.equal(get(calls, path), 'x'.repeat(size) + '\0'.repeat(9000));
        calls.truncate(path, size);
      }
    },
  },
  {
    name: 'calls: rename over a file replaces it; the old one stays while it is open',
    run: (calls, directory) => {
      const [old, fresh] = [`${directory}/old`, `${directory}/new`];
      put(calls, old, 'old');
      put(calls, fresh, 'new');
      withOpen(calls, old, descriptor => {
        calls.rename(fresh, old);
        assert.equal(get(calls, old), 'new');
        assert.equal(calls.read(descriptor, 10, 0).toString(), 'old');
      });
      assert.deepEqual(calls.readdir(directory), ['old']);
    },
  },
  {
    name: 'calls: rename of directories, over empty ones only and never into themselves',
    run: (calls, directory) => {
      for (const name of ['a', 'a/sub', 'empty', 'full', 'full/x']) {
        calls.mkdir(`${directory}/${name}`, 0o700);
      }
      refuses('ENOTEMPTY', () => calls.rename(`${directory}/a`, `${directory}/full`));
      refuses('EINVAL', () => calls.rename(`${directory}/a`, `${directory}/a/sub/b`));
      calls.rename(`${directory}/a`, `${directory}/empty`);
      assert.deepEqual(calls.readdir(`${directory}/empty`), ['sub']);
      put(calls, `${directory}/f`, '');
      refuses('EISDIR', () => calls.rename(`${directory}/f`, `${directory}/empty`));
      refuses('ENOTDIR', () => calls.rename(`${directory}/empty`, `${directory}/f`));
    },
  },
  {
    name: 'calls: an unlinked file can be used while it is open, and its name be taken again',
    run: (calls, directory) => {
      const path = `${directory}/f`;
      put(calls, path, 'x'.repeat(20_000));
      withOpen(calls, path, descriptor => {
        calls.unlink(path);
        refuses('ENOENT', () => calls.stat(path));
        put(calls, path, 'another');
        calls.write(descriptor, Buffer.from('more'), 20_000);
        assert.equal(calls.read(descriptor, 30_000, 19_999).toString(), 'xmore');
      });
      assert.equal(get(calls, path), 'another');
    },
  },
  {
    name: 'calls: what is refused, is refused by the name of POSIX',
    run: (calls, directory) => {
      const file = `${directory}/f`;
      put(calls, file, '');
      calls.mkdir(`${directory}/d`, 0o700);
      calls.mkdir(`${directory}/d/x`, 0o700);
      refuses('ENOENT', () => calls.open(`${directory}/nothing`));
      refuses('ENOENT', () => calls.create(`${directory}/nothing/f`, 0o600));
      refuses('ENOTDIR', () => calls.stat(`${file}/x`));
      refuses('EEXIST', () => calls.create(file, 0o600));
      refuses('EEXIST', () => calls.mkdir(file, 0o700));
      refuses('ENOTDIR', () => calls.rmdir(file));
      refuses('EISDIR', () => calls.unlink(`${directory}/d`));
      refuses('ENOTEMPTY', () => calls.rmdir(`${directory}/d`));
      refuses('ENAMETOOLONG', () => calls.create(`${directory}/${'n'.repeat(256)}`, 0o600));
    },
  },
  {
    name: 'calls: names of 255 bytes and of any text',
    run: (calls, directory) => {
      const names = ['n'.repeat(255), 'é'.repeat(127), ' ', '...', 'A', 'a', '漢字', '\n\t'];
      for (const name of names) put(calls, `${directory}/${name}`, name);
      assert.deepEqual(calls.readdir(directory).sort(), names.toSorted());
      for (const name of names) {
        assert.equal(Buffer.from(get(calls, `${directory}/${name}`), 'latin1').toString(), name);
      }
    },
  },
  {
    name: 'calls: modes, sizes and types as stat tells them',
    run: (calls, directory) => {
      const path = `${directory}/f`;
      put(calls, path, 'abc');
      calls.chmod(path, 0o640);
      const stat = calls.stat(path);
      assert.equal(stat.mode, S_IFREG | 0o640);
      assert.deepEqual([stat.size, stat.nlink], [3, 1]);
      calls.mkdir(`${directory}/d`, 0o700);
      calls.mkdir(`${directory}/d/e`, 0o700);
      const {mode, nlink} = calls.stat(`${directory}/d`);
      assert.deepEqual([mode & S_IFMT, mode & 0o777, nlink], [S_IFDIR, 0o700, 3]);
      assert.notEqual(calls.stat(`${directory}/d`).ino, stat.ino);
    },
  },
  {
    name: 'calls: timestamps to the millisecond, also before 1970',
    run: (calls, directory) => {
      const path = `${directory}/f`;
      put(calls, path, '');
      for (const mtimeMs of [1_700_000_000_123, -1500, 2 ** 42]) {
        calls.utimes(path, 1000, mtimeMs);
        assert.equal(Math.round(calls.stat(path).mtimeMs), mtimeMs);
      }
    },
  },
  {
    name: 'calls: a sparse file takes little and reads as zeros',
    run: (calls, directory) => {
      const path = `${directory}/f`;
      calls.create(path, 0o600);
      withOpen(calls, path, descriptor => {
        calls.write(descriptor, Buffer.from('end'), 2 ** 40);
        assert.equal(calls.fstat(descriptor).size, 2 ** 40 + 3);
        assert.ok(calls.read(descriptor, 100, 2 ** 39).equals(Buffer.alloc(100)));
      });
      assert.ok(calls.stat(path).blocks < 65_536);
    },
  },
  bigDirectory(2000),
  {...bigDirectory(100_000), slow: true},
];

function bigDirectory(count: number): CommonCheck {
  return {
    name: `calls: a directory of ${count.toLocaleString('en-US')} entries`,
    run: (calls, directory) => {
      const many = `${directory}/many`;
      calls.mkdir(many, 0o700);
      for (let i = 0; i < count; i++) calls.create(`${many}/entry-${i}`, 0o600);
      assert.equal(new Set(calls.readdir(many)).size, count);
      for (let i = 0; i < count; i += 2) calls.unlink(`${many}/entry-${i}`);
      assert.equal(calls.readdir(many).length, Math.floor(count / 2));
      refuses('ENOENT', () => calls.stat(`${many}/entry-0`));
      assert.equal(calls.stat(`${many}/entry-1`).size, 0);
      for (let i = 1; i < count; i += 2) calls.unlink(`${many}/entry-${i}`);
      calls.rmdir(many);
    },
  };
}
