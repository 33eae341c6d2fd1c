/**
 * What the zones of a mirror hold durably, in memory that all threads share: each zone's own thread
 * publishes, whoever answers barriers waits here for a write quorum.
 *
 *     i64 durable LSN × 16 slots │ i32 bell, fenced, voters, stopped
 *
 * A zone has a slot for as long as it is open. `voters` is one word, so that whoever reads it sees one
 * membership: 16 bits for the slots of each of at most two sets. The bell is rung at whatever a zone's
 * thread has done, so that one word is enough to wait on.
 */
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import type {Lsn} from './ids.ts';
import {majority} from './membership.ts';

/** A region has at most six Availability Zones. */
export const ZONES_MAX = 6;
/** More than zones: one that was removed may hang in its last call for long. */
export const SLOTS_MAX = 16;
const SETS_MAX = 2;
const BELL = 0;
const FENCED = 1;
const VOTERS = 2;
const STOPPED = 3;
const WORD_COUNT = 4;
const LOOK_AGAIN_MS = 1000;

export class ZoneBoard {
  readonly shared: SharedArrayBuffer;
  readonly #durable: BigInt64Array;
  readonly #words: Int32Array;

  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(SLOTS_MAX * 8 + WORD_COUNT * 4);
    this.#durable = new BigInt64Array(this.shared, 0, SLOTS_MAX);
    this.#words = new Int32Array(this.shared, SLOTS_MAX * 8);
  }

  /** Whose marks count: the slots of each set of voters. */
  setVoters(sets: readonly (readonly number[])[]): void {
    assert(sets.length >= 1 && sets.length <= SETS_MAX, 'there are one or two sets of voters');
    let word = 0;
    for (const [index, slots] of sets.entries()) {
      assert(slots.length > 0 && slots.length <= ZONES_MAX, 'a set has from one to six zones');
      for (const slot of slots) word |= 1 << (index * SLOTS_MAX + slot);
    }
    Atomics.store(this.#words, VOTERS, word);
    this.ring();
  }

  /** The zone in this slot holds everything up to `lsn` durably. */
  publish(slot: number, lsn: number): void {
    Atomics.store(this.#durable, slot, BigInt(lsn));
    this.ring();
  }

  /** Another writer took over: whoever waits is to give up. */
  setFenced(): void {
    Atomics.store(this.#words, FENCED, 1);
    this.ring();
  }

  isFenced(): boolean {
    return Atomics.load(this.#words, FENCED) === 1;
  }

  clearFenced(): void {
    Atomics.store(this.#words, FENCED, 0);
  }

  /** Nobody is to wait for a quorum any more. */
  stop(): void {
    Atomics.store(this.#words, STOPPED, 1);
    this.ring();
  }

  /** The highest LSN that a write quorum has reached. Throws `writer-fenced` when another writer took over. */
  quorumLsn(): Lsn {
    if (this.isFenced()) {
      const text = 'The volume was taken over by another writer.';
      throw new BorealisError('conflict', 'writer-fenced', text);
    }
    const word = Atomics.load(this.#words, VOTERS);
    let lowest = Infinity;
    for (let set = 0; set < SETS_MAX; set++) {
      const marks: number[] = [];
      for (let slot = 0; slot < SLOTS_MAX; slot++) {
        if ((word & (1 << (set * SLOTS_MAX + slot))) === 0) continue;
        marks.push(Number(Atomics.load(this.#durable, slot)));
      }
      if (marks.length === 0) continue;
      marks.sort((a, b) => b - a);
      lowest = Math.min(lowest, marks[majority(marks.length) - 1] ?? 0);
    }
    return (lowest === Infinity ? 0 : lowest) as Lsn;
  }

  /** Returns once a write quorum holds everything up to `lsn`. Throws `zone-wait-ended` when it was stopped. */
  waitUntilDurable(lsn: Lsn): void {
    for (;;) {
      const seen = this.bell();
      if (this.quorumLsn() >= lsn) return;
      if (Atomics.load(this.#words, STOPPED) === 1) {
        const text = 'The session ended while a barrier waited for a write quorum of zones.';
        throw new BorealisError('closed', 'zone-wait-ended', text);
      }
      this.waitForBell(seen, LOOK_AGAIN_MS);
    }
  }

  bell(): number {
    return Atomics.load(this.#words, BELL);
  }

  ring(): void {
    Atomics.add(this.#words, BELL, 1);
    Atomics.notify(this.#words, BELL);
  }

  /** Returns when the bell is no longer at `seen`, or after `limitMs`. */
  waitForBell(seen: number, limitMs: number): void {
    Atomics.wait(this.#words, BELL, seen, Math.max(0, limitMs));
  }
}
