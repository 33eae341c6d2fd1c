/**
 * Writes the page-table nodes of a root: batches of up to NODES_PER_BATCH nodes, whose places
 * are known before the batch is appended, because a parent holds the place of its child. The last
 * batch carries the root and so completes the checkpoint; without it the nodes are garbage.
 */
import {crc32} from 'node:zlib';
import {assert} from '../base/assert.ts';
import {headerBytes, type BatchPlace, type PageEntry} from './batch.ts';
import type {LogWriter} from './log-writer.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES, type Pointer} from './pointer.ts';

const NODES_PER_BATCH = 128;
const HEADER_BYTES = headerBytes(0, NODES_PER_BATCH);

export class NodeWriter {
  readonly #log: LogWriter;
  readonly #timestampMs: number;
  #place: BatchPlace | null = null;
  #entries: PageEntry[] = [];
  #pages: Uint8Array[] = [];

  constructor(log: LogWriter, timestampMs: number) {
    this.#log = log;
    this.#timestampMs = timestampMs;
  }

  /** Gives a node of `file`'s tree its place. The words must not change any more. */
  emit(file: number, words: Uint32Array): Pointer {
    if (this.#pages.length === NODES_PER_BATCH) this.#flush(null);
    const place = this.#openPlace();
    const bytes = new Uint8Array(words.buffer, words.byteOffset, PAGE_SIZE_BYTES);
    const crc = crc32(bytes);
    const offset = place.offset + HEADER_BYTES + this.#pages.length * PAGE_SIZE_BYTES;
    this.#entries.push({file, page: 0, crc});
    this.#pages.push(bytes);
    return {
      volume: place.volume,
      segment: place.segment,
      sector: offset / SECTOR_SIZE_BYTES,
      height: 0,
      crc,
    };
  }

  /** Completes what was emitted: with the root of the table of files, if it is a whole tree of files. */
  finish(root: {pointer: Pointer | null} | null = null): void {
    if (root !== null) this.#openPlace();
    if (this.#place !== null) this.#flush(root);
  }

  #openPlace(): BatchPlace {
    this.#place ??= this.#log.reserve(HEADER_BYTES + NODES_PER_BATCH * PAGE_SIZE_BYTES);
    return this.#place;
  }

  #flush(root: {pointer: Pointer | null} | null): void {
    const place = this.#place;
    assert(place !== null, 'there is a place to write to');
    this.#log.append(
      place,
      {timestampMs: this.#timestampMs, nodes: true, root, drops: [], entries: this.#entries},
      this.#pages,
      HEADER_BYTES,
    );
    this.#place = null;
    this.#entries = [];
    this.#pages = [];
  }
}
