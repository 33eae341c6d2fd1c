/**
 * A window on a buffer that holds a message of the FUSE protocol: little-endian integers at byte
 * offsets. 64-bit fields travel as JavaScript numbers (exact up to 2^53; no BigInt, since every
 * request passes through here); larger values are rounded, which no field in use reaches.
 */
import {endianness} from 'node:os';
import {assert} from '../../base/assert.ts';

assert(
  endianness() === 'LE',
  'messages are read through typed arrays, so the machine is little-endian',
);

const TWO_TO_32 = 2 ** 32;
const PAGE_BYTES = 4096;

export class WireView {
  readonly #buffer: ArrayBuffer;
  readonly #byteOffset: number;
  readonly #words: Uint32Array;
  readonly #bytes: Buffer;
  /** Windows on whole pages from `#pagesFrom` on, by page count, made once each. */
  readonly #pages: Buffer[] = [];
  #pagesFrom = -1;

  /** `byteOffset` counts from the start of `buffer` and is a multiple of 8, like `byteLength`. */
  constructor(buffer: ArrayBuffer, byteOffset: number, byteLength: number) {
    assert(byteOffset % 8 === 0 && byteLength % 8 === 0, 'a message is aligned to 8 bytes');
    this.#buffer = buffer;
    this.#byteOffset = byteOffset;
    this.#words = new Uint32Array(buffer, byteOffset, byteLength / 4);
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength);
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  u32(at: number): number {
    return this.#words[at >>> 2] as number;
  }

  u64(at: number): number {
    return this.u32(at) + this.u32(at + 4) * TWO_TO_32;
  }

  /** Two's complement, for times before 1970. */
  s64(at: number): number {
    return this.u32(at) + (this.u32(at + 4) | 0) * TWO_TO_32;
  }

  putU32(at: number, value: number): void {
    this.#words[at >>> 2] = value;
  }

  /** Negative values are stored in two's complement. */
  putU64(at: number, value: number): void {
    this.#words[at >>> 2] = value;
    this.#words[(at >>> 2) + 1] = Math.floor(value / TWO_TO_32);
  }

  putU16(at: number, value: number): void {
    this.#bytes.writeUInt16LE(value, at);
  }

  /** The NUL-terminated byte string that starts at `at` and ends before `end`, one character a byte. */
  text(at: number, end: number): string {
    const terminator = this.#bytes.indexOf(0, at);
    assert(terminator >= at && terminator < end, 'the kernel ends each name with a NUL');
    return this.#bytes.toString('latin1', at, terminator);
  }

  /** Stores a byte string without a terminator; returns its length. */
  putText(at: number, text: string): number {
    return this.#bytes.write(text, at, 'latin1');
  }

  fillZero(from: number, to: number): void {
    this.#bytes.fill(0, from, to);
  }

  /** A window on `length` bytes. Windows of whole pages at one place are kept, as data requests ask for little else. */
  slice(at: number, length: number): Uint8Array {
    const pageCount = length / PAGE_BYTES;
    if (!Number.isInteger(pageCount)) return this.#slice(at, length);
    if (this.#pagesFrom !== at) {
      this.#pagesFrom = at;
      this.#pages.length = 0;
    }
    return (this.#pages[pageCount] ??= this.#slice(at, length));
  }

  #slice(at: number, length: number): Buffer {
    assert(at + length <= this.#bytes.length, 'a window lies inside the message');
    return Buffer.from(this.#buffer, this.#byteOffset + at, length);
  }
}
