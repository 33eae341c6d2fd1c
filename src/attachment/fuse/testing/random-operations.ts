/**
 * Process entry for tests: the same random file operations on two directories, which must answer the
 * same and end up the same.
 *
 *     random-operations.ts DIRECTORY MODEL_DIRECTORY SEED COUNT
 *
 * Prints the digest of the tree; throws at the first difference.
 */
import {spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import * as fs from 'node:fs';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {assert} from '../../../base/assert.ts';
import {systemErrorCode} from '../../../base/errors.ts';

const NAMES = ['a', 'b', 'c', 'dir/a', 'dir/b', 'dir/sub/a', 'dir', 'dir/sub', 'other'];
const SIZE_MAX = 300_000;
/** Edges of pages and sectors, where mistakes are. */
const EDGES = [0, 1, 511, 512, 4095, 4096, 8191, 8192, 8193, 65_536, 131_072];

/** A small linear congruential generator: what fails can be run again. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  offset(): number {
    return this.below(3) === 0 ? this.pick(EDGES) : this.below(SIZE_MAX);
  }
}

/** Does one thing to the file system under `root`; returns what can be seen of it. */
type Action = (root: string) => unknown;

const OPERATIONS: readonly [weight: number, make: (random: Random) => [string, Action]][] = [
  [6, randomWrite],
  [4, randomRead],
  [2, randomTruncate],
  [2, randomFallocate],
  [1, randomDropCache],
  [2, one('create', path => fs.closeSync(fs.openSync(path, 'ax')))],
  [1, one('mkdir', path => fs.mkdirSync(path))],
  [1, one('rmdir', path => fs.rmdirSync(path))],
  [1, one('unlink', path => fs.unlinkSync(path))],
  [2, one('readdir', path => fs.readdirSync(path).sort())],
  [3, one('stat', path => describe(path))],
  [1, one('fsync', path => withFile(path, 'r', fd => fs.fsyncSync(fd)))],
  [1, one('chmod', path => fs.chmodSync(path, 0o640))],
  [1, one('utimes', path => fs.utimesSync(path, 12_345.5, -98_765.25))],
  [3, two('rename', (from, to) => fs.renameSync(from, to))],
  [1, two('link', (from, to) => fs.linkSync(from, to))],
  [1, two('symlink', (from, to) => fs.symlinkSync(from.split('/').at(-1) ?? '', to))],
];
const TOTAL_WEIGHT = OPERATIONS.reduce((sum, [weight]) => sum + weight, 0);

export function runRandomOperations(roots: readonly string[], seed: number, count: number): string {
  const random = new Random(seed);
  const history: string[] = [];
  for (let index = 0; index < count; index++) {
    let at = random.below(TOTAL_WEIGHT);
    const chosen = OPERATIONS.find(([weight]) => (at -= weight) < 0);
    assert(chosen !== undefined, 'the weights add up');
    const [name, action] = chosen[1](random);
    history.push(name);
    const outcomes = roots.map(root => JSON.stringify(attempt(() => action(root))));
    if (outcomes[0] !== outcomes[1]) throw different(seed, history, outcomes);
  }
  const digests = roots.map(digestOfTree);
  if (digests[0] !== digests[1]) throw different(seed, history, digests);
  return digests[0] ?? '';
}

/** A digest of all names, attributes that can be compared, and bytes below `root`. */
export function digestOfTree(root: string): string {
  const hash = createHash('sha256');
  const visit = (directory: string): void => {
    for (const name of fs.readdirSync(join(root, directory)).sort()) {
      const path = join(directory, name);
      const stats = fs.lstatSync(join(root, path));
      hash.update(JSON.stringify([path, describe(join(root, path))]));
      if (stats.isFile()) hash.update(fs.readFileSync(join(root, path)));
      if (stats.isDirectory()) visit(path);
    }
  };
  visit('');
  return hash.digest('hex');
}

function describe(path: string): unknown {
  const stats = fs.lstatSync(path);
  const {mode, nlink} = stats;
  if (stats.isDirectory()) return {mode, nlink};
  if (stats.isSymbolicLink()) return {mode, nlink, target: fs.readlinkSync(path)};
  return {mode, nlink, size: stats.size, old: stats.mtimeMs < 0 ? stats.mtimeMs : null};
}

function attempt(run: () => unknown): unknown {
  try {
    return run() ?? 'done';
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    return code;
  }
}

function withFile<T>(path: string, flags: string | number, use: (fd: number) => T): T {
  const fd = fs.openSync(path, flags);
  try {
    return use(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function one(name: string, run: (path: string) => unknown): (random: Random) => [string, Action] {
  return random => {
    const path = random.pick(NAMES);
    return [`${name} ${path}`, root => run(join(root, path))];
  };
}

function two(
  name: string,
  run: (from: string, to: string) => void,
): (random: Random) => [string, Action] {
  return random => {
    const [from, to] = [random.pick(NAMES), random.pick(NAMES)];
    return [`${name} ${from} ${to}`, root => run(join(root, from), join(root, to))];
  };
}

function randomWrite(random: Random): [string, Action] {
  const [path, offset, length] = [random.pick(NAMES), random.offset(), 1 + random.below(70_000)];
  const data = Buffer.alloc(length, 1 + random.below(255));
  const sync = random.below(8) === 0;
  return [
    `write ${path} ${offset}+${length}${sync ? ' fsync' : ''}`,
    root =>
      withFile(join(root, path), fs.constants.O_WRONLY, fd => {
        const written = fs.writeSync(fd, data, 0, length, offset);
        if (sync) fs.fsyncSync(fd);
        return written;
      }),
  ];
}

function randomRead(random: Random): [string, Action] {
  const [path, offset, length] = [random.pick(NAMES), random.offset(), 1 + random.below(70_000)];
  return [
    `read ${path} ${offset}+${length}`,
    root =>
      withFile(join(root, path), 'r', fd => {
        const data = Buffer.alloc(length);
        const count = fs.readSync(fd, data, 0, length, offset);
        return [count, createHash('sha1').update(data.subarray(0, count)).digest('hex')];
      }),
  ];
}

function randomTruncate(random: Random): [string, Action] {
  const [path, size] = [random.pick(NAMES), random.offset()];
  return [`truncate ${path} ${size}`, root => fs.truncateSync(join(root, path), size)];
}

function randomFallocate(random: Random): [string, Action] {
  const [path, offset, length] = [random.pick(NAMES), random.offset(), 1 + random.below(70_000)];
  const mode = random.pick([[], ['-n'], ['-p'], ['-z'], ['-z', '-n']]);
  const args = [...mode, '-o', String(offset), '-l', String(length)];
  return [
    `fallocate ${args.join(' ')} ${path}`,
    root => {
      if (!fs.existsSync(join(root, path))) return 'ENOENT';
      return spawnSync('fallocate', [...args, join(root, path)]).status;
    },
  ];
}

/** Writes the file back and drops it from the page cache, so that the next read asks the server. */
function randomDropCache(random: Random): [string, Action] {
  const path = random.pick(NAMES);
  return [
    `drop cache of ${path}`,
    root => {
      if (!fs.existsSync(join(root, path))) return 'ENOENT';
      const args = [`of=${join(root, path)}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'];
      return spawnSync('dd', args).status;
    },
  ];
}

function different(seed: number, history: readonly string[], seen: readonly unknown[]): Error {
  const last = history.slice(-60).join('\n');
  return new Error(
    `seed ${seed}, after ${history.length} operations:\n${last}\n${seen.join('\n')}`,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [directory = '', model = '', seed, count] = process.argv.slice(2);
  process.stdout.write(runRandomOperations([directory, model], Number(seed), Number(count)));
}
