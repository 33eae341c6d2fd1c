/**
 * Walks the trees of all volumes side by side, and each shared subtree once.
 *
 * Pages keep their address for ever and a fork keeps its source's positions, so two volumes share a
 * page exactly where their trees hold the same pointer at the same place. The walk stops where only
 * one distinct node is left at a place: that subtree is handed over whole.
 *
 *     v1 ──▶ A ──▶ (x, y)        place 0: A ≠ B, so look inside:  x = x  held by v1 and v2
 *     v2 ──▶ B ──▶ (x, z)                                         y, z   held by one each
 *
 * So every unit of the log that some root reaches is met exactly once, with the volumes that hold it,
 * and no set of what was visited is needed: memory is that of the nodes on one path, one for each
 * volume that differs there.
 */
import type {Levels} from './subtree.ts';
import {FANOUT} from './page-tree.ts';
import {POINTER_WORDS, readPointer, word, type Pointer} from './pointer.ts';
import type {VolumeRecord} from './volume-record.ts';

/** Indexes of the records that were given to `walkShared`, ascending. */
export type Holders = readonly number[];

export type Visitor = {
  load(pointer: Pointer): Uint32Array;
  /** A node or, at level 0, a page; below a node comes more. */
  unit(pointer: Pointer, level: number, holders: Holders): void;
  /** All that `pointer` leads to, itself included; nothing else is at its place. */
  subtree(pointer: Pointer, level: number, levels: Levels, holders: Holders): void;
};

/** A subtree and the volumes that hold it at one place. */
type Cursor = {readonly pointer: Pointer; readonly level: number; readonly holders: Holders};

export function walkShared(records: readonly VolumeRecord[], visitor: Visitor): void {
  const cursors = records.flatMap((record, index): Cursor[] => {
    const {root} = record.checkpoint;
    return root === null ? [] : [{pointer: root, level: root.height, holders: [index]}];
  });
  compare(merge(cursors), 'table', visitor);
}

function compare(cursors: readonly Cursor[], levels: Levels, visitor: Visitor): void {
  const [only] = cursors;
  if (only === undefined) return;
  if (cursors.length === 1) {
    visitor.subtree(only.pointer, only.level, levels, only.holders);
    return;
  }
  const level = Math.max(...cursors.map(cursor => cursor.level));
  const nodes = cursors.map(cursor => {
    if (cursor.level < level) return null;
    visitor.unit(cursor.pointer, level, cursor.holders);
    return level === 0 ? null : visitor.load(cursor.pointer);
  });
  if (level === 0) return;
  const next = levels === 'table' && level === 1 ? 'file' : levels;
  const all = nodes.every(node => node !== null) ? new UniformNodes(cursors, nodes) : null;
  for (let index = 0; index < FANOUT; index++) {
    const isFileRoot = levels === 'table' && level === 1;
    const shared = all?.at(index * POINTER_WORDS) ?? null;
    if (shared === 'hole') continue;
    if (shared !== null) {
      const below = isFileRoot ? shared.height : level - 1;
      visitor.subtree(shared, below, next, (all as UniformNodes).holders);
      continue;
    }
    const children = cursors.flatMap((cursor, at): Cursor[] => {
      const words = nodes[at] as Uint32Array | null;
      // A tree that is not as high as another stands at the first place of the levels above it.
      if (words === null) return index === 0 ? [cursor] : [];
      const pointer = readPointer(words, index * POINTER_WORDS);
      if (pointer === null) return [];
      const below = isFileRoot ? pointer.height : level - 1;
      return [{pointer, level: below, holders: cursor.holders}];
    });
    compare(merge(children), next, visitor);
  }
}

/** Nodes of one level, for the common case: at most places all of them hold the same pointer. */
class UniformNodes {
  readonly #nodes: readonly Uint32Array[];
  /** Of all of them together. */
  readonly holders: Holders;

  constructor(cursors: readonly Cursor[], nodes: readonly Uint32Array[]) {
    this.#nodes = nodes;
    this.holders = cursors.flatMap(cursor => cursor.holders).sort((a, b) => a - b);
  }

  /** The pointer at word `at` of all nodes; null when they differ. */
  at(at: number): Pointer | 'hole' | null {
    const first = this.#nodes[0] as Uint32Array;
    for (const words of this.#nodes) {
      for (let offset = 0; offset < 3; offset++) {
        if (words[at + offset] !== first[at + offset]) return null;
      }
    }
    return word(first, at) === 0 ? 'hole' : readPointer(first, at);
  }
}

/** Joins cursors at the same pointer. */
function merge(cursors: readonly Cursor[]): Cursor[] {
  if (cursors.length < 2) return [...cursors];
  const byKey = new Map<string, {pointer: Pointer; level: number; holders: number[]}>();
  for (const {pointer, level, holders} of cursors) {
    const key = `${level}:${pointer.volume}:${pointer.segment}:${pointer.sector}`;
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, {pointer, level, holders: [...holders]});
    else for (const holder of holders) same.holders.push(holder);
  }
  const merged = [...byKey.values()];
  for (const {holders} of merged) holders.sort((a, b) => a - b);
  return merged;
}
