/**
 * A batch: what is appended to the log atomically. On recovery it is taken whole or not at all.
 *
 *     ┌ header, 512 × n bytes ──────────────────────────┬ pages, 8,192 bytes each ┐
 *     │ fixed part │ drops │ one entry for each page    │ page 0 │ page 1 │ …     │
 *     └─────────────────────────────────────────────────┴─────────────────────────┘
 *
 * Drops (truncate, punch hole, unlink) come before the pages: a page that was written before a drop
 * of its range is left out of the batch, so this order always gives the same result.
 * The header names its own place, so a misdirected write is not taken for a batch; it carries the
 * checksum of each page, so a torn one is not either.
 * Source: docs/formats/segment.md.
 */
import {crc32} from 'node:zlib';
import type {Lsn, SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {
  PAGE_SIZE_BYTES,
  readPointer,
  SECTOR_SIZE_BYTES,
  writePointer,
  type Pointer,
} from './pointer.ts';

const MAGIC = 0x48435442; // "BTCH"
const FIXED_BYTES = 96;
const DROP_BYTES = 24;
const ENTRY_BYTES = 16;
const TWO_32 = 2 ** 32;

/** Far above the header of the largest batch that fits a segment. */
const HEADER_BYTES_MAX = 2 ** 22;

const FLAG_NODES = 1;
const FLAG_CHECKPOINT = 2;

/** Pages `from` up to but not including `to` of `file` became holes. */
export type Drop = {readonly file: number; readonly from: number; readonly to: number};
export type PageEntry = {readonly file: number; readonly page: number; readonly crc: number};
export type BatchPlace = {
  readonly volume: VolumeNumber;
  readonly segment: SegmentNumber;
  /** Bytes from the start of the segment; a multiple of 512. */
  readonly offset: number;
};

export type BatchHeader = BatchPlace & {
  readonly epoch: number;
  readonly lsn: Lsn;
  /** Every batch up to this one was known to be durable when this one was written. */
  readonly durableLsn: Lsn;
  readonly timestampMs: number;
  /** The pages are page-table nodes: recovery skips them. */
  readonly nodes: boolean;
  /** The root that a checkpoint has just completed; null in other batches. */
  readonly root: {readonly pointer: Pointer | null} | null;
  readonly drops: readonly Drop[];
  readonly entries: readonly PageEntry[];
  /** Length of the header in bytes. */
  readonly headerBytes: number;
  /** Length of the whole batch in bytes. */
  readonly batchBytes: number;
};

export function headerBytes(dropCount: number, pageCount: number): number {
  const used = FIXED_BYTES + dropCount * DROP_BYTES + pageCount * ENTRY_BYTES;
  return Math.ceil(used / SECTOR_SIZE_BYTES) * SECTOR_SIZE_BYTES;
}

export type BatchFields = Omit<BatchHeader, 'headerBytes' | 'batchBytes'>;

/** `length` may exceed what the entries need: a checkpoint reserves room before it counts its nodes. */
export function encodeHeader(
  batch: BatchFields,
  length: number = headerBytes(batch.drops.length, batch.entries.length),
): Buffer {
  const bytes = Buffer.alloc(length);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, length / 4);
  words[0] = MAGIC;
  words[2] = length;
  words[3] = batch.entries.length;
  words[4] = batch.drops.length;
  words[5] = (batch.nodes ? FLAG_NODES : 0) | (batch.root === null ? 0 : FLAG_CHECKPOINT);
  words[6] = batch.volume;
  words[7] = batch.segment;
  words[8] = batch.offset / SECTOR_SIZE_BYTES;
  words[9] = batch.epoch;
  write64(words, 10, batch.lsn);
  write64(words, 12, batch.durableLsn);
  write64(words, 14, batch.timestampMs);
  writePointer(words, 16, batch.root?.pointer ?? null);
  let at = FIXED_BYTES / 4;
  for (const drop of batch.drops) {
    words[at] = drop.file;
    write64(words, at + 2, drop.from);
    write64(words, at + 4, drop.to);
    at += DROP_BYTES / 4;
  }
  for (const entry of batch.entries) {
    words[at] = entry.file;
    words[at + 1] = entry.crc;
    write64(words, at + 2, entry.page);
    at += ENTRY_BYTES / 4;
  }
  words[1] = crc32(bytes.subarray(8));
  return bytes;
}

/** True when a header may begin at `at`; `decodeHeader` knows for sure. */
export function looksLikeHeader(bytes: Buffer, at: number): boolean {
  return at + 4 <= bytes.length && bytes.readUInt32LE(at) === MAGIC;
}

/**
 * Reads the header that should be at `place`; null when there is none (zeros, a torn or foreign
 * batch). `read` gives up to `length` bytes from `offset` of the segment.
 */
export function decodeHeader(
  place: BatchPlace,
  read: (offset: number, length: number) => Buffer,
): BatchHeader | null {
  const first = read(place.offset, SECTOR_SIZE_BYTES);
  if (first.length < SECTOR_SIZE_BYTES || first.readUInt32LE(0) !== MAGIC) return null;
  const length = first.readUInt32LE(8);
  const pageCount = first.readUInt32LE(12);
  const dropCount = first.readUInt32LE(16);
  if (length > HEADER_BYTES_MAX) return null;
  if (length % SECTOR_SIZE_BYTES !== 0 || length < headerBytes(dropCount, pageCount)) return null;
  const raw = length === first.length ? first : read(place.offset, length);
  if (raw.length < length) return null;
  if (crc32(raw.subarray(8, length)) !== raw.readUInt32LE(4)) return null;
  const bytes = Buffer.alloc(length);
  raw.copy(bytes);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, length / 4);
  const at = (index: number): number => words[index] as number;
  const here =
    at(6) === place.volume && at(7) === place.segment && at(8) * SECTOR_SIZE_BYTES === place.offset;
  if (!here) return null;
  const flags = at(5);
  const entriesAt = (FIXED_BYTES + dropCount * DROP_BYTES) / 4;
  return {
    ...place,
    epoch: at(9),
    lsn: read64(words, 10) as Lsn,
    durableLsn: read64(words, 12) as Lsn,
    timestampMs: read64(words, 14),
    nodes: (flags & FLAG_NODES) !== 0,
    root: (flags & FLAG_CHECKPOINT) === 0 ? null : {pointer: readPointer(words, 16)},
    drops: Array.from({length: dropCount}, (_, index) => {
      const base = (FIXED_BYTES + index * DROP_BYTES) / 4;
      return {file: at(base), from: read64(words, base + 2), to: read64(words, base + 4)};
    }),
    entries: Array.from({length: pageCount}, (_, index) => {
      const base = entriesAt + (index * ENTRY_BYTES) / 4;
      return {file: at(base), crc: at(base + 1), page: read64(words, base + 2)};
    }),
    headerBytes: length,
    batchBytes: length + pageCount * PAGE_SIZE_BYTES,
  };
}

function write64(words: Uint32Array, at: number, value: number): void {
  words[at] = value % TWO_32;
  words[at + 1] = Math.floor(value / TWO_32);
}

function read64(words: Uint32Array, at: number): number {
  return (words[at] as number) + (words[at + 1] as number) * TWO_32;
}
