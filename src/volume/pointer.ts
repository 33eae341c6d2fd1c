/**
 * Pointers: how a page-table node, a batch or a record names a page of the log.
 *
 *     word 0   volume      0: a hole (never written, reads as zeros)
 *     word 1   segment
 *     word 2   height (8 bits) and sector (24 bits, units of 512 bytes from the segment's start)
 *     word 3   CRC-32 of the 8,192 bytes pointed at
 *
 * On disk four little-endian 32-bit words, 16 bytes. `height` is used only where the pointer is the
 * root of a tree: the number of node levels above the pages.
 */
import {endianness} from 'node:os';
import {assert} from '../base/assert.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';

export const PAGE_SIZE_BYTES = 8192;
export const SECTOR_SIZE_BYTES = 512;
export const POINTER_WORDS = 4;
export const SECTOR_BITS = 24;
export const SECTOR_MAX: number = 2 ** SECTOR_BITS - 1;

// Nodes are read and written as words in place; every platform that Node 20 runs on is little-endian
// but for s390x, which this excludes.
assert(endianness() === 'LE', 'the store is little-endian');

export type Pointer = {
  readonly volume: VolumeNumber;
  readonly segment: SegmentNumber;
  readonly sector: number;
  readonly height: number;
  readonly crc: number;
};

/** Reads the pointer at word `at`; null for a hole. */
export function readPointer(words: Uint32Array, at: number): Pointer | null {
  if (words[at] === 0) return null;
  const location = word(words, at + 2);
  return {
    volume: word(words, at) as VolumeNumber,
    segment: word(words, at + 1) as SegmentNumber,
    sector: location & SECTOR_MAX,
    height: location >>> SECTOR_BITS,
    crc: word(words, at + 3),
  };
}

export function writePointer(words: Uint32Array, at: number, pointer: Pointer | null): void {
  if (pointer === null) {
    words.fill(0, at, at + POINTER_WORDS);
    return;
  }
  assert(pointer.sector <= SECTOR_MAX, `sector ${pointer.sector} fits a pointer`);
  words[at] = pointer.volume;
  words[at + 1] = pointer.segment;
  words[at + 2] = ((pointer.height << SECTOR_BITS) | pointer.sector) >>> 0;
  words[at + 3] = pointer.crc;
}

/** A word that is known to lie inside the array. */
export function word(words: Uint32Array, at: number): number {
  return words[at] as number;
}
