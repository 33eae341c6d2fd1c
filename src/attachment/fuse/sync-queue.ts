/**
 * The queue of barriers between the serving thread, which alone adds, and the sync thread, which
 * alone takes. No locks: a ring of 32-bit words in shared memory.
 *
 *     f64 durable LSN │ i32 head, tail, state │ ring of RING_WORDS i32
 *
 *     record  unique low, unique high, written bytes or −1, LSN low, LSN high, hold fd or −1,
 *             asked µs low, asked µs high, fd count, fd …
 *             (it may wrap round the end of the ring anywhere)
 *
 * head counts the words added, tail those whose barriers are done: disk synced, durable LSN
 * published and replies written. Both wrap at 2^32; only their difference counts. A thread writes
 * first the words, then its counter with Atomics, so whoever has seen the counter sees the words.
 *
 * Rule: a descriptor may be closed (noteDurable) only while the queue is empty, because a record that
 * waits names descriptors, and a number that was closed soon means another file.
 */
import {assert} from '../../base/assert.ts';
import {BorealisError} from '../../base/errors.ts';
import type {Lsn} from '../../page-store/ids.ts';

/** 64 KiB: 2,000 barriers of two descriptors. The kernel has far fewer requests waiting. */
const RING_WORDS = 16_384;
const RECORD_HEADER_WORDS = 9;
/** Descriptors of one barrier: all segments of all zones written since the last one. */
const RECORD_FDS_MAX: number = RING_WORDS / 2 - RECORD_HEADER_WORDS;
const DURABLE_BYTES = 8;
const HEAD = 0;
const TAIL = 1;
const STATE = 2;
const RING = 3;
const STATE_RUNNING = 0;
const STATE_STOPPING = 1;
const STATE_FAILED = 2;
/** How long a wait lasts before the state is looked at again. */
const LOOK_AGAIN_MS = 100;
const TWO_TO_32 = 2 ** 32;
assert(2 ** Math.log2(RING_WORDS) === RING_WORDS, 'positions are found with a mask');

export type SyncRecord = {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  /** The result of a WRITE, or null for a request that has no result. */
  readonly writtenBytes: number | null;
  readonly lsn: Lsn;
  readonly fds: readonly number[];
  /** See `BarrierTarget`. */
  readonly holdFd: number | null;
  /** When the barrier was asked for; see `sharedMonotonicUs`. */
  readonly askedUs: number;
};

export class SyncQueue {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #durable: Float64Array;

  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(DURABLE_BYTES + (RING + RING_WORDS) * 4);
    this.#durable = new Float64Array(this.shared, 0, 1);
    this.#words = new Int32Array(this.shared, DURABLE_BYTES);
  }

  // ── the serving thread ──

  /** Adds a barrier; waits while the ring is full. */
  push(record: SyncRecord): void {
    const {fds, lsn, askedUs} = record;
    assert(fds.length <= RECORD_FDS_MAX, 'the descriptors of a barrier fit the ring');
    const wordCount = RECORD_HEADER_WORDS + fds.length;
    const head = this.#load(HEAD);
    this.#waitWhile(tail => RING_WORDS - ((head - tail) | 0) < wordCount);
    this.#put(head, record.uniqueLow);
    this.#put(head + 1, record.uniqueHigh);
    this.#put(head + 2, record.writtenBytes ?? -1);
    this.#put(head + 3, lsn);
    this.#put(head + 4, Math.floor(lsn / TWO_TO_32));
    this.#put(head + 5, record.holdFd ?? -1);
    this.#put(head + 6, askedUs);
    this.#put(head + 7, Math.floor(askedUs / TWO_TO_32));
    this.#put(head + 8, fds.length);
    for (let index = 0; index < fds.length; index++) {
      this.#put(head + RECORD_HEADER_WORDS + index, fds[index] as number);
    }
    Atomics.store(this.#words, HEAD, (head + wordCount) | 0);
    Atomics.notify(this.#words, HEAD);
  }

  /** No barrier waits or is under way. */
  isEmpty(): boolean {
    return this.#load(TAIL) === this.#load(HEAD);
  }

  /** Throws when the sync thread has failed: nothing may be called durable any more. */
  waitUntilEmpty(): void {
    const head = this.#load(HEAD);
    this.#waitWhile(tail => tail !== head);
  }

  /** Everything up to here is durable. Call it while the queue is empty. */
  durableLsn(): Lsn {
    return this.#durable[0] as Lsn;
  }

  get failed(): boolean {
    return this.#load(STATE) === STATE_FAILED;
  }

  // ── the sync thread ──

  /** Waits for barriers. False: asked to stop, and none is left. */
  waitForWork(): boolean {
    for (;;) {
      const head = this.#load(HEAD);
      if (head !== this.#load(TAIL)) return true;
      if (this.#load(STATE) !== STATE_RUNNING) return false;
      Atomics.wait(this.#words, HEAD, head, LOOK_AGAIN_MS);
    }
  }

  /** All that wait, oldest first. They count as under way until `finish`. */
  take(): {records: SyncRecord[]; position: number} {
    const head = this.#load(HEAD);
    const records: SyncRecord[] = [];
    let at = this.#load(TAIL);
    while (at !== head) {
      const start = at;
      const fdCount = this.#get(start + 8);
      const written = this.#get(start + 2);
      const holdFd = this.#get(start + 5);
      records.push({
        uniqueLow: this.#get(start) >>> 0,
        uniqueHigh: this.#get(start + 1) >>> 0,
        writtenBytes: written < 0 ? null : written,
        lsn: this.#getLong(start + 3) as Lsn,
        fds: Array.from({length: fdCount}, (_, index) =>
          this.#get(start + RECORD_HEADER_WORDS + index),
        ),
        holdFd: holdFd < 0 ? null : holdFd,
        askedUs: this.#getLong(start + 6),
      });
      at = (start + RECORD_HEADER_WORDS + fdCount) | 0;
    }
    return {records, position: head};
  }

  publishDurable(lsn: Lsn): void {
    assert(lsn >= (this.#durable[0] as number), 'what is durable stays so');
    this.#durable[0] = lsn;
  }

  /** What `take` returned with `position` has been answered. */
  finish(position: number): void {
    Atomics.store(this.#words, TAIL, position);
    Atomics.notify(this.#words, TAIL);
  }

  fail(): void {
    Atomics.store(this.#words, STATE, STATE_FAILED);
    Atomics.notify(this.#words, TAIL);
  }

  // ── the main thread ──

  /** The sync thread ends once nothing waits. */
  stop(): void {
    Atomics.compareExchange(this.#words, STATE, STATE_RUNNING, STATE_STOPPING);
    Atomics.notify(this.#words, HEAD);
  }

  #waitWhile(condition: (tail: number) => boolean): void {
    for (;;) {
      const tail = this.#load(TAIL);
      if (this.failed) {
        throw new BorealisError('closed', 'sync-failed', 'The sync thread failed; see its error.');
      }
      if (!condition(tail)) return;
      Atomics.wait(this.#words, TAIL, tail, LOOK_AGAIN_MS);
    }
  }

  #load(word: number): number {
    return Atomics.load(this.#words, word);
  }

  #put(position: number, value: number): void {
    this.#words[RING + (position & (RING_WORDS - 1))] = value;
  }

  #get(position: number): number {
    return this.#words[RING + (position & (RING_WORDS - 1))] as number;
  }

  #getLong(position: number): number {
    return (this.#get(position) >>> 0) + this.#get(position + 1) * TWO_TO_32;
  }
}
