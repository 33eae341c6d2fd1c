/**
 * Messages from one thread to one other, in shared memory, without locks.
 *
 *     i32 head, tail │ ring of bytes
 *     message  u32 length of JSON, u32 length of bytes │ JSON │ bytes │ up to the next multiple of 4
 *
 * head counts the bytes added, tail those taken; both wrap at 2^32 and only their difference counts.
 * A thread writes first the bytes, then its counter with Atomics, so whoever has seen the counter
 * sees the bytes. A message may wrap round the end of the ring.
 */
import {assert} from '../base/assert.ts';

const HEAD = 0;
const TAIL = 1;
const WORDS_BYTES = 8;
const LENGTHS_BYTES = 8;

export type Message = {readonly value: unknown; readonly bytes: Buffer};

export class MessageRing {
  readonly #words: Int32Array;
  readonly #ring: Buffer;
  readonly #lengths: Buffer = Buffer.alloc(LENGTHS_BYTES);

  /** `capacity` is a power of two; the shared memory holds WORDS_BYTES more from `offset`. */
  constructor(shared: SharedArrayBuffer, offset: number, capacity: number) {
    assert((capacity & (capacity - 1)) === 0, 'positions are found with a mask');
    this.#words = new Int32Array(shared, offset, 2);
    this.#ring = Buffer.from(shared, offset + WORDS_BYTES, capacity);
  }

  static sizeBytes(capacity: number): number {
    return WORDS_BYTES + capacity;
  }

  // ── the thread that adds ──

  /** False when there is no room now. */
  push(value: unknown, bytes: readonly Uint8Array[]): boolean {
    const json = Buffer.from(JSON.stringify(value));
    const length = bytes.reduce((sum, part) => sum + part.length, 0);
    const whole = padded(LENGTHS_BYTES + json.length + length);
    assert(whole <= this.#ring.length, 'a message fits the ring');
    const head = Atomics.load(this.#words, HEAD);
    const used = (head - Atomics.load(this.#words, TAIL)) >>> 0;
    if (this.#ring.length - used < whole) return false;
    this.#lengths.writeUInt32LE(json.length, 0);
    this.#lengths.writeUInt32LE(length, 4);
    let at = head;
    for (const part of [this.#lengths, json, ...bytes]) {
      this.#put(at, part);
      at = (at + part.length) | 0;
    }
    Atomics.store(this.#words, HEAD, (head + whole) | 0);
    Atomics.notify(this.#words, HEAD);
    return true;
  }

  /** Whether a message of so many bytes would ever fit. */
  canHold(bytes: number): boolean {
    return padded(LENGTHS_BYTES + bytes) <= this.#ring.length;
  }

  // ── the thread that takes ──

  /** The oldest message, or null. */
  shift(): Message | null {
    const tail = Atomics.load(this.#words, TAIL);
    if (tail === Atomics.load(this.#words, HEAD)) return null;
    const lengths = this.#get(tail, LENGTHS_BYTES);
    const jsonLength = lengths.readUInt32LE(0);
    const length = lengths.readUInt32LE(4);
    const json = this.#get((tail + LENGTHS_BYTES) | 0, jsonLength);
    const bytes = this.#get((tail + LENGTHS_BYTES + jsonLength) | 0, length);
    const whole = padded(LENGTHS_BYTES + jsonLength + length);
    Atomics.store(this.#words, TAIL, (tail + whole) | 0);
    return {value: JSON.parse(json.toString()), bytes};
  }

  isEmpty(): boolean {
    return Atomics.load(this.#words, TAIL) === Atomics.load(this.#words, HEAD);
  }

  /** Waits up to `limitMs` for a message. */
  waitForMessage(limitMs: number): void {
    const head = Atomics.load(this.#words, HEAD);
    if (head === Atomics.load(this.#words, TAIL)) Atomics.wait(this.#words, HEAD, head, limitMs);
  }

  #put(position: number, part: Uint8Array): void {
    const at = position & (this.#ring.length - 1);
    const first = Math.min(part.length, this.#ring.length - at);
    this.#ring.set(part.subarray(0, first), at);
    if (first < part.length) this.#ring.set(part.subarray(first), 0);
  }

  #get(position: number, length: number): Buffer {
    const at = position & (this.#ring.length - 1);
    const bytes = Buffer.allocUnsafe(length);
    const first = Math.min(length, this.#ring.length - at);
    this.#ring.copy(bytes, 0, at, at + first);
    if (first < length) this.#ring.copy(bytes, first, 0, length - first);
    return bytes;
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
