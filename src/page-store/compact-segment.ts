/**
 * A compact segment: what is left of a sealed segment once its dead pages were given back.
 *
 *     0        512        dataStart (a multiple of 4,096)
 *     ├ header ┼ index ─ ─┼ range 0 ┼ range 1 ┼ …
 *
 * The index says which sectors of the segment each range holds, in ascending order, so that every
 * pointer stays valid: a position is looked up by binary search. What was dropped is not there: a read
 * of it comes back short, as one behind the end does, and is never answered with zeros.
 *
 * Units:  ranges and positions in bytes of the segment as it was written, multiples of 512.
 * Errors: corrupt `segment-corrupt` when header or index do not hold, or when a range that is to be
 *         kept cannot be read whole; invalid `segment-format` for another format.
 * Source: docs/formats/compact-segment.md.
 */
import {crc32} from 'node:zlib';
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import type {SegmentFile, SegmentPiece, SegmentRange, SegmentSource} from './zone.ts';

const MAGIC = 'BORCMP01';
export const COMPACT_FORMAT = 1;
const HEADER_BYTES = 512;
const SECTOR_BYTES = 512;
const ENTRY_BYTES = 8;
/** Data begins on a block of the file system. */
const ALIGNMENT_BYTES = 4096;
const COPY_BYTES = 2 ** 20;
/** 8 GiB, what a pointer can reach, in pages that lie apart. */
const RANGES_MAX = 2 ** 20;

type Place = {readonly volume: VolumeNumber; readonly segment: SegmentNumber};

/** Writes to `target`, an empty file, what `source` holds in `live`. Not synced. */
export function writeCompact(
  place: Place,
  source: Pick<SegmentSource, 'read'>,
  target: SegmentFile,
  live: readonly SegmentRange[],
): void {
  const head = encodeHead(place, live);
  target.write([head], 0);
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  let at = head.length;
  for (const {start, end} of live) {
    for (let from = start; from < end; from += COPY_BYTES) {
      const length = Math.min(COPY_BYTES, end - from);
      if (source.read(from, buffer, 0, length) !== length) {
        throw corrupt(place, `bytes ${from} to ${from + length} are to be kept and are not there`);
      }
      target.write([buffer.subarray(0, length)], at);
      at += length;
    }
  }
}

/** The file itself, or, when it is compact, one that is read and repaired at the positions of old. */
export function recognizeSegment(place: Place, file: SegmentFile): SegmentFile {
  const header = Buffer.alloc(HEADER_BYTES);
  const got = file.read(0, header, 0, HEADER_BYTES);
  if (got < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) return file;
  return new CompactSegment(file, readIndex(place, header, file));
}

function encodeHead({volume, segment}: Place, live: readonly SegmentRange[]): Buffer {
  assert(live.length <= RANGES_MAX, `${live.length} ranges are at most ${RANGES_MAX}`);
  const dataStart = dataStartOf(live.length);
  const bytes = Buffer.alloc(dataStart);
  let before = -1;
  for (const [index, {start, end}] of live.entries()) {
    const whole = start % SECTOR_BYTES === 0 && end % SECTOR_BYTES === 0;
    assert(whole && start > before && end > start, 'ranges are sectors, ascending and apart');
    bytes.writeUInt32LE(start / SECTOR_BYTES, HEADER_BYTES + index * ENTRY_BYTES);
    bytes.writeUInt32LE((end - start) / SECTOR_BYTES, HEADER_BYTES + index * ENTRY_BYTES + 4);
    before = end;
  }
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt32LE(COMPACT_FORMAT, 12);
  bytes.writeUInt32LE(volume, 16);
  bytes.writeUInt32LE(segment, 20);
  bytes.writeUInt32LE(live.length, 24);
  bytes.writeUInt32LE(dataStart, 28);
  bytes.writeUInt32LE(crc32(bytes.subarray(HEADER_BYTES)), 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(12, HEADER_BYTES)), 8);
  return bytes;
}

function dataStartOf(rangeCount: number): number {
  return Math.ceil((HEADER_BYTES + rangeCount * ENTRY_BYTES) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

type Index = {readonly ranges: readonly SegmentRange[]; readonly positions: readonly number[]};

function readIndex(place: Place, header: Buffer, file: SegmentFile): Index {
  if (crc32(header.subarray(12)) !== header.readUInt32LE(8)) {
    throw corrupt(place, 'the checksum of its header does not hold');
  }
  const format = header.readUInt32LE(12);
  if (format !== COMPACT_FORMAT) {
    throw new BorealisError(
      'invalid',
      'segment-format',
      `compact segment of format ${format}; this Borealis reads format ${COMPACT_FORMAT}`,
    );
  }
  const here =
    header.readUInt32LE(16) === place.volume && header.readUInt32LE(20) === place.segment;
  if (!here) throw corrupt(place, 'its header names another segment');
  const count = header.readUInt32LE(24);
  const dataStart = header.readUInt32LE(28);
  if (count > RANGES_MAX || dataStart !== dataStartOf(count)) {
    throw corrupt(place, `an index of ${count} ranges does not end at ${dataStart}`);
  }
  const bytes = Buffer.alloc(dataStart - HEADER_BYTES);
  const got = file.read(HEADER_BYTES, bytes, 0, bytes.length);
  if (got !== bytes.length || crc32(bytes) !== header.readUInt32LE(32)) {
    throw corrupt(place, 'the checksum of its index does not hold');
  }
  const ranges: SegmentRange[] = [];
  const positions: number[] = [];
  let at = dataStart;
  for (let index = 0; index < count; index++) {
    const start = bytes.readUInt32LE(index * ENTRY_BYTES) * SECTOR_BYTES;
    const length = bytes.readUInt32LE(index * ENTRY_BYTES + 4) * SECTOR_BYTES;
    ranges.push({start, end: start + length});
    positions.push(at);
    at += length;
  }
  return {ranges, positions};
}

class CompactSegment implements SegmentFile {
  readonly ranges: readonly SegmentRange[];
  readonly #file: SegmentFile;
  readonly #positions: readonly number[];

  constructor(file: SegmentFile, {ranges, positions}: Index) {
    this.#file = file;
    this.ranges = ranges;
    this.#positions = positions;
  }

  get syncDescriptor(): number | null {
    return this.#file.syncDescriptor;
  }

  get copies(): readonly string[] {
    return this.#file.copies;
  }

  read(position: number, into: Uint8Array, intoOffset: number, length: number): number {
    const index = this.#rangeAt(position);
    if (index === null) return 0;
    const {start, end} = this.ranges[index] as SegmentRange;
    const at = (this.#positions[index] as number) + position - start;
    return this.#file.read(at, into, intoOffset, Math.min(length, end - position));
  }

  /** What lies apart in the segment as it was may lie side by side in the file. */
  readPieces(pieces: readonly SegmentPiece[]): void {
    const within: {outer: SegmentPiece; inner: SegmentPiece}[] = [];
    for (const outer of pieces) {
      const {position, into} = outer;
      const index = this.#rangeAt(position);
      const {start, end} = this.ranges[index ?? -1] ?? {start: 0, end: 0};
      if (index === null || position + into.length > end) continue;
      const at = (this.#positions[index] as number) + position - start;
      within.push({outer, inner: {position: at, into, got: 0}});
    }
    this.#file.readPieces(within.map(({inner}) => inner));
    for (const {outer, inner} of within) outer.got = inner.got;
  }

  /** To repair what is there; the rest has no place to go to. */
  write(buffers: readonly Uint8Array[], position: number): void {
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const index = this.#rangeAt(position);
    const {start, end} = this.ranges[index ?? -1] ?? {start: 0, end: 0};
    if (index === null || position + length > end) {
      // A sweep came between: nothing needs it any more.
      const text = `bytes ${position} to ${position + length} were dropped by a compaction`;
      throw new BorealisError('conflict', 'range-dropped', text);
    }
    this.#file.write(buffers, (this.#positions[index] as number) + position - start);
  }

  sync(): void {
    this.#file.sync();
  }

  truncate(): void {
    assert(false, 'a compact segment is sealed');
  }

  readCopy(
    _copy: number,
    position: number,
    into: Uint8Array,
    intoOffset: number,
    length: number,
  ): number {
    return this.read(position, into, intoOffset, length);
  }

  writeCopy(_copy: number, position: number, bytes: Uint8Array): void {
    this.write([bytes], position);
  }

  repairCopy(): void {
    assert(false, 'the only copy cannot be repaired from another one');
  }

  isDeleted(): boolean {
    return this.#file.isDeleted();
  }

  close(): void {
    this.#file.close();
  }

  #rangeAt(position: number): number | null {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ranges[middle] as SegmentRange).end <= position) low = middle + 1;
      else high = middle;
    }
    const range = this.ranges[low];
    return range !== undefined && range.start <= position ? low : null;
  }
}

function corrupt({volume, segment}: Place, what: string): BorealisError {
  return new BorealisError(
    'corrupt',
    'segment-corrupt',
    `segment ${segment} of volume ${volume}: ${what}`,
  );
}
