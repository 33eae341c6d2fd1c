/**
 * A set of pages of the log, a bit for each: pages do not overlap, so of two at most one begins in any
 * 8 KiB of a segment.
 */
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES, type Pointer} from './pointer.ts';

const SECTORS_PER_PAGE: number = PAGE_SIZE_BYTES / SECTOR_SIZE_BYTES;
const GROWN_BYTES = 1024;

export class PageSet {
  readonly #bits = new Map<string, Uint8Array>();

  has(pointer: Pointer): boolean {
    const bit = bitOf(pointer);
    const byte = this.#bits.get(segmentOf(pointer))?.[bit >>> 3] ?? 0;
    return (byte & (1 << (bit & 7))) !== 0;
  }

  add(pointer: Pointer): void {
    const bit = bitOf(pointer);
    const key = segmentOf(pointer);
    let bits = this.#bits.get(key);
    if (bits === undefined || bits.length <= bit >>> 3) {
      const grown = new Uint8Array(Math.ceil(((bit >>> 3) + 1) / GROWN_BYTES) * GROWN_BYTES);
      if (bits !== undefined) grown.set(bits);
      bits = grown;
      this.#bits.set(key, bits);
    }
    bits[bit >>> 3] = (bits[bit >>> 3] ?? 0) | (1 << (bit & 7));
  }
}

function bitOf({sector}: Pointer): number {
  return Math.floor(sector / SECTORS_PER_PAGE);
}

function segmentOf({volume, segment}: Pointer): string {
  return `${volume}:${segment}`;
}
