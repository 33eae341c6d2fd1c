/**
 * The table of files: a page tree from file number to the root of that file's page tree, and the
 * trees of the files that are in use, under one limit of memory.
 *
 *     root ──▶ table of files ──▶ tree of file 7 ──▶ pages of file 7
 *
 * A *root* of the volume is the root of this table: one pointer names a whole file system.
 */
import type {BatchPlace, PageEntry} from './batch.ts';
import {PageTree, type NodeSource} from './page-tree.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES, type Pointer} from './pointer.ts';

/** Trees without nodes in memory cost little, but not nothing. */
const TREES_MAX = 65_536;
/** Share of the limit that a trim leaves in memory. */
const KEPT_SHARE = 0.75;
const TABLE_FILE = 0xffff_ffff;

export class FileTable {
  readonly #source: NodeSource;
  readonly #table: PageTree;
  readonly #trees = new Map<number, PageTree>();
  readonly #changed = new Set<number>();
  readonly #nodesMax: number;
  #tableChanged = false;

  constructor(source: NodeSource, root: Pointer | null, nodeCacheBytes: number) {
    this.#source = source;
    this.#table = new PageTree(source, root, 1);
    this.#nodesMax = Math.max(64, Math.floor(nodeCacheBytes / PAGE_SIZE_BYTES));
  }

  get nodesLoaded(): number {
    return this.#source.nodesLoaded;
  }

  /** To read; call `change` instead before a change. */
  tree(file: number): PageTree {
    let tree = this.#trees.get(file);
    if (tree === undefined) {
      tree = new PageTree(this.#source, this.#table.find(file));
      this.#trees.set(file, tree);
    }
    tree.used = true;
    return tree;
  }

  /** The tree of a file that is about to change. */
  change(file: number): PageTree {
    this.#changed.add(file);
    this.#tableChanged = true;
    return this.tree(file);
  }

  /** Points to the pages of a batch, which follow its header. */
  setPages(place: BatchPlace, headerBytes: number, entries: readonly PageEntry[]): void {
    const {volume, segment} = place;
    let sector = (place.offset + headerBytes) / SECTOR_SIZE_BYTES;
    for (const {file, page, crc} of entries) {
      this.change(file).set(page, {volume, segment, sector, height: 0, crc});
      sector += PAGE_SIZE_BYTES / SECTOR_SIZE_BYTES;
    }
  }

  /** True when something changed since the last `write`. */
  get dirty(): boolean {
    return this.#tableChanged;
  }

  /** True when so many nodes are dirty that they should be written. */
  get wantsWrite(): boolean {
    return this.#source.nodesDirty > this.#nodesMax / 2;
  }

  /** Writes what changed, children before parents, and returns the root that names it all. */
  write(emit: (file: number, words: Uint32Array) => Pointer): Pointer | null {
    for (const file of this.#changed) {
      const tree = this.tree(file);
      tree.write(words => emit(file, words));
      const root = tree.root;
      if (root === null) this.#table.drop(file, file + 1);
      else this.#table.set(file, root);
    }
    this.#changed.clear();
    this.#table.write(words => emit(TABLE_FILE, words));
    this.#tableChanged = false;
    return this.#table.root;
  }

  /** Keeps to the limit of memory: lets go of clean nodes and trees that were not used lately. */
  trim(): void {
    if (!this.#overLimit()) return;
    // Well below the limit, so that the next trim is not due at once; no further, for what is hot
    // would only be loaded again.
    const isEnough = (): boolean =>
      this.#source.nodesLoaded <= this.#nodesMax * KEPT_SHARE && this.#trees.size <= TREES_MAX;
    for (let round = 0; round < 2 && !isEnough(); round++) {
      for (const [file, tree] of this.#trees) {
        if (isEnough()) return;
        tree.evict(isEnough);
        if (tree.used || this.#changed.has(file)) {
          tree.used = false;
        } else if (!tree.dirty) {
          tree.unload();
          this.#trees.delete(file);
        }
      }
      this.#table.evict(isEnough);
    }
  }

  #overLimit(): boolean {
    return this.#source.nodesLoaded > this.#nodesMax || this.#trees.size > TREES_MAX;
  }
}
