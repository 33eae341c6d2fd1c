/**
 * A page tree: the copy-on-write radix tree from page number to pointer.
 *
 *     height 2:  root ──▶ branch ──▶ leaf ──▶ page        one node = one page = 512 pointers
 *     height 1:                      root ──▶ page
 *     height 0:                               root        a file of one page needs no node
 *
 * The tree grows in height as pages further out are written and never shrinks but to empty. Nodes in
 * the log never change; a change makes the node in memory *dirty*, and a checkpoint writes dirty nodes
 * to new places, children before parents.
 *
 * Invariants: the ancestors of a dirty node are dirty; a clean node equals its image in the log.
 * Limits:     4 levels × 9 bits = 2^36 pages; the volume allows fewer (FILE_PAGES_MAX).
 * Errors:     a page number out of range is the caller's bug. Errors of loading a node pass through.
 * Source:     docs/formats/page-table.md.
 */
import {assert} from '../base/assert.ts';
import {POINTER_WORDS, readPointer, word, writePointer, type Pointer} from './pointer.ts';

const FANOUT_BITS = 9;
export const FANOUT: number = 2 ** FANOUT_BITS;
const HEIGHT_MAX = 4;
export const TREE_PAGES_MAX: number = FANOUT ** HEIGHT_MAX;
const NODE_WORDS = FANOUT * POINTER_WORDS;

/** Where nodes come from, and the count of those in memory. Shared by all trees of a volume. */
export type NodeSource = {
  /** Loads and verifies the node that `pointer` names; the array is the caller's from then on. */
  load(pointer: Pointer): Uint32Array;
  nodesLoaded: number;
  nodesDirty: number;
};

export class TreeNode {
  readonly words: Uint32Array;
  /** Loaded children by index; null in a leaf. */
  readonly children: (TreeNode | undefined)[] | null;
  dirty = false;
  /** Set on use, cleared by eviction: a node is evicted when it was unused for a whole round. */
  used = true;

  constructor(words: Uint32Array, level: number) {
    this.words = words;
    this.children = level > 1 ? Array.from({length: FANOUT}) : null;
  }
}

export class PageTree {
  readonly #source: NodeSource;
  /** The root pointer; while the root node is dirty its address is stale. */
  readonly #root = new Uint32Array(POINTER_WORDS);
  readonly #heightMin: number;
  #height: number;
  #node: TreeNode | null = null;
  #dirty = false;
  used = true;

  /**
   * `heightMin` 1 is for the table of a volume's files, whose leaves hold roots: there the height in a
   * pointer belongs to the file's tree, so the table's own root must be a node.
   */
  constructor(source: NodeSource, root: Pointer | null, heightMin = 0) {
    this.#source = source;
    this.#heightMin = heightMin;
    this.#height = root?.height ?? heightMin;
    writePointer(this.#root, 0, root);
  }

  /** True when something changed since the last `write`. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** The root as last written. Only right while the tree is clean. */
  get root(): Pointer | null {
    assert(!this.#dirty, 'the root of a clean tree is asked for');
    return readPointer(this.#root, 0);
  }

  get height(): number {
    return this.#height;
  }

  /** The pointer of `page`, or null for a hole. */
  find(page: number): Pointer | null {
    if (this.#height === 0) return page === 0 ? readPointer(this.#root, 0) : null;
    const leaf = this.leaf(page);
    return leaf === null ? null : readPointer(leaf, (page % FANOUT) * POINTER_WORDS);
  }

  /**
   * The words of the leaf that covers `page` (entry `page % 512`), or null when all of it is a hole.
   * Valid until the next change of the tree. Only for trees of height 1 and more.
   */
  leaf(page: number): Uint32Array | null {
    assert(page >= 0 && Number.isInteger(page), `page ${page} is a page number`);
    if (page >= FANOUT ** this.#height) return null;
    let node = this.#rootNode();
    for (let level = this.#height; node !== null && level > 1; level--) {
      node = this.#child(node, level, indexAt(page, level));
    }
    return node?.words ?? null;
  }

  /** Points `page` at `pointer`. */
  set(page: number, pointer: Pointer): void {
    assert(page >= 0 && page < TREE_PAGES_MAX, `page ${page} is below ${TREE_PAGES_MAX}`);
    this.#grow(page);
    this.#dirty = true;
    if (this.#height === 0) {
      writePointer(this.#root, 0, {...pointer, height: 0});
      return;
    }
    let node = this.#rootNode() ?? this.#newRoot();
    this.#markDirty(node);
    for (let level = this.#height; level > 1; level--) {
      const index = indexAt(page, level);
      let child = this.#child(node, level, index);
      if (child === null) {
        child = this.#emptyNode(level - 1);
        (node.children as (TreeNode | undefined)[])[index] = child;
      }
      this.#markDirty(child);
      node = child;
    }
    writePointer(node.words, (page % FANOUT) * POINTER_WORDS, pointer);
  }

  /** Makes holes of the pages from `from` up to but not including `to`. Returns how many were not holes. */
  drop(from: number, to: number): number {
    if (from >= to) return 0;
    if (this.#height === 0) {
      if (from > 0 || this.#root[0] === 0) return 0;
      this.#clear();
      return 1;
    }
    const node = this.#rootNode();
    if (node === null) return 0;
    return this.#dropBelow(node, this.#height, 0, from, to);
  }

  /**
   * The first page from `from` on that is allocated, or that is not: Infinity when there is none.
   * Skips what a missing node covers in one step.
   */
  next(from: number, allocated: boolean): number {
    const none = allocated ? Infinity : Math.max(from, FANOUT ** this.#height);
    if (from >= FANOUT ** this.#height) return none;
    if (this.#height === 0) return (this.#root[0] !== 0) === allocated ? 0 : none;
    const node = this.#rootNode();
    if (node === null) return allocated ? Infinity : from;
    return this.#nextBelow(node, this.#height, 0, from, allocated) ?? none;
  }

  /** Makes a hole of everything, without looking at it. */
  dropAll(): void {
    if (this.#node !== null) this.#forget(this.#node);
    this.#clear();
  }

  /**
   * Writes the dirty nodes, children before parents. `emit` gives a node its place in the log. Then
   * the tree is clean and `root` names it.
   */
  write(emit: (words: Uint32Array) => Pointer): void {
    if (this.#node?.dirty === true) {
      this.#writeNode(this.#node, emit);
      const pointer = emit(this.#node.words);
      writePointer(this.#root, 0, {...pointer, height: this.#height});
      this.#markClean(this.#node);
    }
    this.#dirty = false;
  }

  /** The number of nodes that `write` would emit. */
  dirtyNodeCount(): number {
    return this.#node === null ? 0 : countDirty(this.#node);
  }

  /** Lets go of clean nodes that were not used since the last call, until `isEnough`. */
  evict(isEnough: () => boolean = () => false): void {
    const node = this.#node;
    if (node === null) return;
    this.#evictBelow(node, isEnough);
    if (isEnough()) return;
    if (!node.dirty && !node.used && !hasLoadedChild(node)) {
      this.#source.nodesLoaded--;
      this.#node = null;
    } else {
      node.used = false;
    }
  }

  /** Lets go of all nodes of a clean tree. */
  unload(): void {
    assert(!this.#dirty, 'only a clean tree is unloaded');
    if (this.#node !== null) this.#forget(this.#node);
    this.#node = null;
  }

  #clear(): void {
    this.#root.fill(0);
    this.#height = this.#heightMin;
    this.#node = null;
    this.#dirty = true;
  }

  #rootNode(): TreeNode | null {
    if (this.#node === null) {
      const pointer = readPointer(this.#root, 0);
      if (pointer === null) return null;
      this.#node = this.#load(pointer, this.#height);
    }
    this.#node.used = true;
    return this.#node;
  }

  #child(node: TreeNode, level: number, index: number): TreeNode | null {
    const children = node.children as (TreeNode | undefined)[];
    let child = children[index];
    if (child === undefined) {
      const pointer = readPointer(node.words, index * POINTER_WORDS);
      if (pointer === null) return null;
      child = this.#load(pointer, level - 1);
      children[index] = child;
    }
    child.used = true;
    return child;
  }

  #load(pointer: Pointer, level: number): TreeNode {
    const node = new TreeNode(this.#source.load(pointer), level);
    this.#source.nodesLoaded++;
    return node;
  }

  #emptyNode(level: number): TreeNode {
    this.#source.nodesLoaded++;
    return new TreeNode(new Uint32Array(NODE_WORDS), level);
  }

  #newRoot(): TreeNode {
    this.#node = this.#emptyNode(this.#height);
    return this.#node;
  }

  #grow(page: number): void {
    if (this.#node === null && this.#root[0] === 0) {
      while (page >= FANOUT ** this.#height) this.#height++;
      return;
    }
    while (page >= FANOUT ** this.#height) {
      const below = this.#height > 0 ? this.#rootNode() : null;
      this.#height++;
      const root = this.#newRoot();
      root.words.set(this.#root, 0);
      // A child's height is known from its level; only roots carry one.
      const pointer = readPointer(this.#root, 0);
      writePointer(root.words, 0, pointer === null ? null : {...pointer, height: 0});
      if (below !== null) (root.children as (TreeNode | undefined)[])[0] = below;
      this.#markDirty(root);
    }
  }

  #dropBelow(node: TreeNode, level: number, first: number, from: number, to: number): number {
    const span = FANOUT ** (level - 1);
    const begin = Math.max(0, Math.floor((from - first) / span));
    const end = Math.min(FANOUT, Math.ceil((to - first) / span));
    let dropped = 0;
    for (let index = begin; index < end; index++) {
      const at = index * POINTER_WORDS;
      const childFirst = first + index * span;
      if (level === 1) {
        if (node.words[at] === 0) continue;
        dropped++;
      } else {
        const child = this.#child(node, level, index);
        if (child === null) continue;
        dropped += this.#dropBelow(child, level - 1, childFirst, from, to);
        if (childFirst < from || childFirst + span > to) {
          if (child.dirty) this.#touch(node);
          continue;
        }
        this.#forget(child);
        (node.children as (TreeNode | undefined)[])[index] = undefined;
      }
      this.#touch(node);
      writePointer(node.words, at, null);
    }
    return dropped;
  }

  #nextBelow(
    node: TreeNode,
    level: number,
    first: number,
    from: number,
    allocated: boolean,
  ): number | null {
    const span = FANOUT ** (level - 1);
    for (let index = Math.max(0, Math.floor((from - first) / span)); index < FANOUT; index++) {
      const childFirst = first + index * span;
      const child = level === 1 ? null : this.#child(node, level, index);
      if (child !== null) {
        const found = this.#nextBelow(child, level - 1, childFirst, from, allocated);
        if (found !== null) return found;
      } else {
        const isPage = level === 1 && node.words[index * POINTER_WORDS] !== 0;
        if (isPage === allocated) return Math.max(from, childFirst);
      }
    }
    return null;
  }

  #touch(node: TreeNode): void {
    this.#markDirty(node);
    this.#dirty = true;
  }

  #writeNode(node: TreeNode, emit: (words: Uint32Array) => Pointer): void {
    if (node.children === null) return;
    for (let index = 0; index < FANOUT; index++) {
      const child = node.children[index];
      if (child === undefined || !child.dirty) continue;
      this.#writeNode(child, emit);
      writePointer(node.words, index * POINTER_WORDS, emit(child.words));
      this.#markClean(child);
    }
  }

  #markDirty(node: TreeNode): void {
    if (node.dirty) return;
    node.dirty = true;
    this.#source.nodesDirty++;
  }

  #markClean(node: TreeNode): void {
    if (!node.dirty) return;
    node.dirty = false;
    this.#source.nodesDirty--;
  }

  #forget(node: TreeNode): void {
    this.#source.nodesLoaded--;
    if (node.dirty) this.#source.nodesDirty--;
    for (const child of node.children ?? []) {
      if (child !== undefined) this.#forget(child);
    }
  }

  #evictBelow(node: TreeNode, isEnough: () => boolean): void {
    if (node.children === null) return;
    for (let index = 0; index < FANOUT; index++) {
      const child = node.children[index];
      if (child === undefined) continue;
      this.#evictBelow(child, isEnough);
      if (isEnough()) return;
      if (!child.dirty && !child.used && !hasLoadedChild(child)) {
        this.#source.nodesLoaded--;
        node.children[index] = undefined;
      } else {
        child.used = false;
      }
    }
  }
}

function hasLoadedChild(node: TreeNode): boolean {
  return node.children?.some(child => child !== undefined) ?? false;
}

function countDirty(node: TreeNode): number {
  if (!node.dirty) return 0;
  let count = 1;
  for (const child of node.children ?? []) {
    if (child !== undefined) count += countDirty(child);
  }
  return count;
}

function indexAt(page: number, level: number): number {
  return Math.floor(page / FANOUT ** (level - 1)) % FANOUT;
}

/** Calls `visit` for every pointer of a node that is not a hole. */
export function forEachPointer(
  words: Uint32Array,
  visit: (pointer: Pointer, index: number) => void,
): void {
  for (let index = 0; index < FANOUT; index++) {
    if (word(words, index * POINTER_WORDS) === 0) continue;
    visit(readPointer(words, index * POINTER_WORDS) as Pointer, index);
  }
}
