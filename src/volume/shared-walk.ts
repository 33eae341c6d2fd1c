/**
 * Walks the trees of all volumes side by side, those of their past moments too, and each shared subtree once.
 *
 * Pages keep their address for ever and a fork keeps its source's positions, so two roots share a page
 * exactly where their trees hold the same pointer at the same place. The walk stops where only one
 * distinct node is left at a place: that subtree is handed over whole.
 *
 *     v1 ──▶ A ──▶ (x, y)        place 0: A ≠ B, so look inside:  x = x  held by v1 and v2
 *     v2 ──▶ B ──▶ (x, z)                                         y, z   held by one each
 *
 * So every unit of the log that some root reaches is met exactly once, with those who hold it, and no set of
 * what was visited is needed. The nodes of one place are read one after the other: memory is that of the
 * distinct pointers below the places of one path, however many roots there are. Each distinct node is read
 * once, but for those in a subtree that one node leads to.
 */
import {isEmptyRoot} from './history.ts';
import {HolderSets, type Holders} from './holders.ts';
import {FANOUT} from './page-tree.ts';
import {
  POINTER_WORDS,
  readPointer,
  SECTOR_BITS,
  SECTOR_MAX,
  word,
  type Pointer,
} from './pointer.ts';
import type {Levels} from './subtree.ts';
import type {VolumeRecord} from './volume-record.ts';

export type Visitor = {
  load(pointer: Pointer): Uint32Array;
  /** A node or, at level 0, a page; below a node comes more. */
  unit(pointer: Pointer, level: number, holders: Holders): void;
  /** All that `pointer` leads to, itself included; nothing else is at its place. */
  subtree(pointer: Pointer, level: number, levels: Levels, holders: Holders): void;
};

/** A subtree and those who hold it at one place. */
type Cursor = {readonly pointer: Pointer; readonly level: number; holders: Holders};

/** Holders are indexes of `records`. */
export function walkShared(records: readonly VolumeRecord[], visitor: Visitor): void {
  const sets = new HolderSets();
  const roots = new Place(sets);
  const indexes = new Place(sets);
  for (const [index, {checkpoint}] of records.entries()) {
    const {root, history} = checkpoint;
    if (root !== null) roots.add(root, root.height, sets.of([index], []));
    if (history !== null) indexes.add(history, history.height, sets.of([], [index]));
  }
  collectRoots(indexes.cursors, roots, visitor, sets);
  compare(roots.cursors, 'table', visitor, sets);
}

/** Walks indexes of moments, and adds the roots that they name. */
function collectRoots(
  cursors: readonly Cursor[],
  roots: Place,
  visitor: Visitor,
  sets: HolderSets,
): void {
  if (cursors.length === 0) return;
  const level = highest(cursors);
  const places = placesBelow(cursors, level, level === 1, visitor, sets);
  for (const place of places) {
    if (place === undefined) continue;
    if (level > 1) {
      collectRoots(place.cursors, roots, visitor, sets);
      continue;
    }
    for (const {pointer, holders} of place.cursors) {
      if (!isEmptyRoot(pointer)) roots.add(pointer, pointer.height, holders);
    }
  }
}

function compare(
  cursors: readonly Cursor[],
  levels: Levels,
  visitor: Visitor,
  sets: HolderSets,
): void {
  const [only] = cursors;
  if (only === undefined) return;
  if (cursors.length === 1) {
    visitor.subtree(only.pointer, only.level, levels, only.holders);
    return;
  }
  const level = highest(cursors);
  if (level === 0) {
    for (const {pointer, holders} of cursors) visitor.unit(pointer, 0, holders);
    return;
  }
  const areFiles = levels === 'table' && level === 1;
  const places = placesBelow(cursors, level, areFiles, visitor, sets);
  const next = areFiles ? 'file' : levels;
  for (const place of places) {
    if (place !== undefined) compare(place.cursors, next, visitor, sets);
  }
}

function highest(cursors: readonly Cursor[]): number {
  return cursors.reduce((level, cursor) => Math.max(level, cursor.level), 0);
}

/** What is at each place below the nodes of `level`. With `areRoots` the pointers tell their own levels. */
function placesBelow(
  cursors: readonly Cursor[],
  level: number,
  areRoots: boolean,
  visitor: Visitor,
  sets: HolderSets,
): readonly (Place | undefined)[] {
  const places = Array.from({length: FANOUT}, (): Place | undefined => undefined);
  for (const cursor of cursors) {
    if (cursor.level < level) {
      // A tree that is not as high as another stands at the first place of the levels above it.
      (places[0] ??= new Place(sets)).add(cursor.pointer, cursor.level, cursor.holders);
      continue;
    }
    visitor.unit(cursor.pointer, level, cursor.holders);
    const words = visitor.load(cursor.pointer);
    for (let index = 0; index < FANOUT; index++) {
      const at = index * POINTER_WORDS;
      if (words[at] === 0) continue;
      const place = (places[index] ??= new Place(sets));
      if (place.isLast(words, at, cursor.holders)) continue;
      const pointer = readPointer(words, at) as Pointer;
      place.add(pointer, areRoots ? pointer.height : level - 1, cursor.holders);
    }
  }
  return places;
}

/** Beyond so many pointers at a place they are looked up by name. */
const SEARCHED_MAX = 8;

/** The distinct pointers at one place. */
class Place {
  readonly cursors: Cursor[] = [];
  readonly #sets: HolderSets;
  #last: Cursor | null = null;
  #byName: Map<string, Cursor> | null = null;

  constructor(sets: HolderSets) {
    this.#sets = sets;
  }

  /** True when the pointer at word `at` is the one that was added last, for the same holders. */
  isLast(words: Uint32Array, at: number, holders: Holders): boolean {
    const last = this.#last;
    if (last?.holders !== holders) return false;
    const {pointer} = last;
    const location = word(words, at + 2);
    return (
      pointer.segment === words[at + 1] &&
      pointer.volume === words[at] &&
      pointer.sector === (location & SECTOR_MAX) &&
      pointer.height === location >>> SECTOR_BITS
    );
  }

  add(pointer: Pointer, level: number, holders: Holders): void {
    const found = this.#find(pointer, level);
    if (found === undefined) {
      this.#last = {pointer, level, holders};
      this.cursors.push(this.#last);
      this.#byName?.set(nameOf(this.#last), this.#last);
      return;
    }
    found.holders = this.#sets.union(found.holders, holders);
    this.#last = found;
  }

  #find(pointer: Pointer, level: number): Cursor | undefined {
    if (this.cursors.length > SEARCHED_MAX) {
      this.#byName ??= new Map(this.cursors.map(cursor => [nameOf(cursor), cursor]));
      return this.#byName.get(nameOf({pointer, level}));
    }
    return this.cursors.find(
      cursor =>
        cursor.level === level &&
        cursor.pointer.sector === pointer.sector &&
        cursor.pointer.segment === pointer.segment &&
        cursor.pointer.volume === pointer.volume,
    );
  }
}

function nameOf({pointer, level}: Omit<Cursor, 'holders'>): string {
  return `${level}:${pointer.volume}:${pointer.segment}:${pointer.sector}`;
}
