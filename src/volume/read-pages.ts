/**
 * Reads a range of a file's pages: from the open batch what is there, from the log the rest, all that is
 * there at once.
 */
import type {VolumeNumber} from '../page-store/ids.ts';
import type {FileTable} from './file-table.ts';
import type {OpenBatch} from './open-batch.ts';
import type {PageReader} from './page-reader.ts';
import {FANOUT} from './page-tree.ts';
import {PAGE_SIZE_BYTES, POINTER_WORDS} from './pointer.ts';
import {unitName} from './unit-names.ts';

export type PageSources = {
  /** For errors. */
  readonly volume: VolumeNumber;
  readonly files: FileTable;
  readonly batch: OpenBatch;
  readonly reader: PageReader;
};

/** Fills `into[at …]` with `count` pages of `file` from `first`. Holes are zeros. */
export function readPages(
  {volume, files, batch, reader}: PageSources,
  file: number,
  first: number,
  count: number,
  into: Uint8Array,
  at: number,
): void {
  const name = (page: number): string => unitName(volume, {level: 0, file, first: page});
  reader.begin({file, base: first, into, at});
  const tree = files.tree(file);
  const pending = batch.hasFile(file);
  let leaf: Uint32Array | null = null;
  let leafOf = -1;
  for (let page = first; page < first + count; page++) {
    const target = at + (page - first) * PAGE_SIZE_BYTES;
    const fresh = pending ? batch.get(file, page) : null;
    if (fresh !== null) {
      into.set(fresh, target);
      continue;
    }
    if (tree.height === 0) {
      const pointer = tree.find(page);
      if (pointer === null) into.fill(0, target, target + PAGE_SIZE_BYTES);
      else reader.readPage(pointer, into, target, () => name(page));
      continue;
    }
    const index = Math.floor(page / FANOUT);
    if (index !== leafOf) {
      leaf = tree.leaf(page);
      leafOf = index;
    }
    const pointerAt = (page % FANOUT) * POINTER_WORDS;
    if (leaf === null || leaf[pointerAt] === 0) {
      into.fill(0, target, target + PAGE_SIZE_BYTES);
    } else {
      reader.collect(leaf, pointerAt, page);
    }
  }
  reader.finish();
}
