/** A file system in a volume, and the model: the naive file system that volume-fs is compared with. */
import type {Random} from '../src/page-store/testing/zone-faults.ts';
import {formatVolumeFs} from '../src/volume-fs/format-volume-fs.ts';
import {
  listing,
  operate,
  outcomeOf,
  type FileOperation,
  type Path,
} from '../src/volume-fs/testing/file-operations.ts';
import {ModelFs} from '../src/volume-fs/testing/model-fs.ts';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  ROOT_INO,
  type FileSystem,
} from '../src/volume-fs/types.ts';
import {openVolumeFs} from '../src/volume-fs/volume-fs.ts';
import {
  demand,
  difference,
  pick,
  type Content,
  type ContentKind,
  type Operation,
} from './content.ts';

const DIRECTORIES = ['/', '/d', '/d/e'];
const NAMES = ['a', 'b', 'd', 'e', 'long-'.repeat(40), '\xff\x01'];
const SIZES = [0, 1, 512, 8191, 8192, 8193, 16_384, 70_000];

/** 20,000 bytes across a few pages, two directories, inodes and the superblock. */
const OPERATION_PAGES_MAX = 16;

class FileState {
  readonly model: ModelFs;
  readonly stamp: number;
  #text: string | null = null;

  constructor(model: ModelFs, stamp: number) {
    this.model = model;
    this.stamp = stamp;
  }

  text(): string {
    this.#text ??= lines(this.model.listing());
    return this.#text;
  }
}

export const fileContent: ContentKind<FileState> = {
  name: 'files',
  empty: new FileState(new ModelFs(), 0),
  format: (volume, clock) => formatVolumeFs(volume, clock),
  open: (volume, clock) => new FileContent(openVolumeFs(volume, clock)),
};

class FileContent implements Content<FileState> {
  readonly #real: FileSystem;

  constructor(real: FileSystem) {
    this.#real = real;
  }

  plan(state: FileState, random: Random): Operation<FileState> {
    const operation = randomOperation(random);
    const stamp = state.stamp + 1;
    const model = state.model.clone();
    const expected = outcomeOf(() => operate(model, operation, stamp % 255));
    const next = new FileState(expected === 'done' ? model : state.model, stamp);
    const run = (): void => {
      const found = outcomeOf(() => operate(this.#real, operation, stamp % 255));
      demand(
        found === expected,
        () => `${operation.kind}: ${found} where the model has ${expected}`,
      );
    };
    return {label: JSON.stringify(operation), pagesMax: OPERATION_PAGES_MAX, next, run};
  }

  read(): string {
    return lines(listing(this.#real));
  }

  probe(state: FileState, random: Random): void {
    const name = pick(random, NAMES);
    const found = outcomeOf(() => this.#real.lookup(ROOT_INO, name));
    const expected = outcomeOf(() => state.model.lookup(ROOT_INO, name));
    demand(found === expected, () => `lookup ${name}: ${difference(found, expected)}`);
  }
}

/** One entry a line, so that a difference is short. */
function lines(text: string): string {
  return text.replaceAll(', ', ',\n');
}

function randomPath(random: Random): Path {
  return {directory: pick(random, DIRECTORIES), name: pick(random, NAMES)};
}

function randomOperation(random: Random): FileOperation {
  const at = randomPath(random);
  const choice = random(100);
  if (choice < 16) return {kind: 'create', at};
  if (choice < 28)
    return {
      kind: 'mkdir',
      at: {directory: pick(random, ['/', '/d']), name: pick(random, ['d', 'e'])},
    };
  if (choice < 31) return {kind: 'symlink', at};
  if (choice < 39) return {kind: 'unlink', at};
  if (choice < 43) return {kind: 'rmdir', at};
  if (choice < 64) {
    return {kind: 'write', at, offset: pick(random, SIZES), length: 1 + random(20_000)};
  }
  if (choice < 72) return {kind: 'truncate', at, size: pick(random, SIZES)};
  if (choice < 79) return randomAllocation(at, random);
  const to = randomPath(random);
  const flags = pick(random, [0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE]);
  return {kind: choice < 85 ? 'link' : 'rename', from: at, to, flags};
}

function randomAllocation(at: Path, random: Random): FileOperation {
  const mode = pick(random, [
    0,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE,
  ]);
  return {kind: 'allocate', at, mode, offset: pick(random, SIZES), length: 1 + random(20_000)};
}
