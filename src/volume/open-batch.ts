/**
 * The open batch: pages that were written and not yet appended to the log. A page that is written
 * again before the batch is appended takes the same slot, so a hot page costs one image a batch.
 *
 *     chunks    1 MiB buffers of 128 slots; slot s lies in chunk s >> 7
 *     slots     file and page of each slot; a dropped slot is dead and is not appended
 */
import {assert} from '../base/assert.ts';
import type {Drop} from './batch.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';

const CHUNK_SLOTS = 128;
const DEAD = -1;

export type LiveSlot = {readonly file: number; readonly page: number; readonly bytes: Buffer};

export class OpenBatch {
  readonly #chunks: Buffer[] = [];
  readonly #slotFile: number[] = [];
  readonly #slotPage: number[] = [];
  readonly #byFile = new Map<number, Map<number, number>>();
  readonly #drops: Drop[] = [];

  get slotCount(): number {
    return this.#slotFile.length;
  }

  get isEmpty(): boolean {
    return this.#slotFile.length === 0 && this.#drops.length === 0;
  }

  get drops(): readonly Drop[] {
    return this.#drops;
  }

  hasFile(file: number): boolean {
    return this.#byFile.has(file);
  }

  /** The pages of `file` that this batch holds. */
  pagesOf(file: number): Iterable<number> {
    return this.#byFile.get(file)?.keys() ?? [];
  }

  /** The bytes of a page that this batch holds, to read or to change in place. */
  get(file: number, page: number): Buffer | null {
    const slot = this.#byFile.get(file)?.get(page);
    return slot === undefined ? null : this.#bytes(slot);
  }

  /** A new slot for a page that this batch does not hold yet. Its bytes are whatever was there before. */
  add(file: number, page: number): Buffer {
    const slot = this.#slotFile.length;
    let pages = this.#byFile.get(file);
    if (pages === undefined) {
      pages = new Map();
      this.#byFile.set(file, pages);
    }
    assert(!pages.has(page), 'a page has one slot a batch');
    pages.set(page, slot);
    this.#slotFile.push(file);
    this.#slotPage.push(page);
    if (slot >> 7 >= this.#chunks.length) {
      this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK_SLOTS * PAGE_SIZE_BYTES));
    }
    return this.#bytes(slot);
  }

  drop(drop: Drop): void {
    this.#drops.push(drop);
    const pages = this.#byFile.get(drop.file);
    if (pages === undefined) return;
    for (const [page, slot] of pages) {
      if (page < drop.from || page >= drop.to) continue;
      this.#slotFile[slot] = DEAD;
      pages.delete(page);
    }
    if (pages.size === 0) this.#byFile.delete(drop.file);
  }

  /** In the order in which they were first written. */
  liveSlots(): LiveSlot[] {
    const live: LiveSlot[] = [];
    for (let slot = 0; slot < this.#slotFile.length; slot++) {
      const file = this.#slotFile[slot] as number;
      if (file === DEAD) continue;
      live.push({file, page: this.#slotPage[slot] as number, bytes: this.#bytes(slot)});
    }
    return live;
  }

  /** Empties the batch; its memory serves the next one, but for what an outsize batch took. */
  reset(): void {
    this.#slotFile.length = 0;
    this.#slotPage.length = 0;
    this.#drops.length = 0;
    this.#byFile.clear();
    if (this.#chunks.length > 4) this.#chunks.length = 4;
  }

  #bytes(slot: number): Buffer {
    const start = (slot % CHUNK_SLOTS) * PAGE_SIZE_BYTES;
    return (this.#chunks[slot >> 7] as Buffer).subarray(start, start + PAGE_SIZE_BYTES);
  }
}
assert(CHUNK_SLOTS === 1 << 7, 'slot >> 7 is the chunk');

/** Joins buffers that follow each other in memory, so that one write takes few of them. */
export function mergeRuns(buffers: readonly Buffer[]): Buffer[] {
  const merged: Buffer[] = [];
  for (const buffer of buffers) {
    const last = merged.at(-1);
    if (last !== undefined && last.buffer === buffer.buffer) {
      if (last.byteOffset + last.length === buffer.byteOffset) {
        merged[merged.length - 1] = Buffer.from(
          buffer.buffer as ArrayBuffer,
          last.byteOffset,
          last.length + buffer.length,
        );
        continue;
      }
    }
    merged.push(buffer);
  }
  return merged;
}
