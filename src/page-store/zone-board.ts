/**
 * What the zones of a mirror hold durably, in memory that all threads share: each zone's own thread
 * publishes, whoever answers barriers waits here for a write quorum.
 *
 *     i64 durable LSN × 6 │ i32 bell, fenced, zones, quorum
 *
 * The bell is rung at whatever a zone's thread has done, so that one word is enough to wait on.
 */
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import type {Lsn} from './ids.ts';

/** A region has at most six Availability Zones. */
export const ZONES_MAX = 6;
const BELL = 0;
const FENCED = 1;
const ZONES = 2;
const QUORUM = 3;
const WORD_COUNT = 4;
const LOOK_AGAIN_MS = 1000;

/** More than half of the zones: two such quorums always have a zone in common. */
export function majority(zoneCount: number): number {
  return Math.floor(zoneCount / 2) + 1;
}

export class ZoneBoard {
  readonly shared: SharedArrayBuffer;
  readonly #durable: BigInt64Array;
  readonly #words: Int32Array;

  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(ZONES_MAX * 8 + WORD_COUNT * 4);
    this.#durable = new BigInt64Array(this.shared, 0, ZONES_MAX);
    this.#words = new Int32Array(this.shared, ZONES_MAX * 8);
  }

  /** To be called once, before anything is published. */
  setUp(zoneCount: number, quorum: number): void {
    assert(zoneCount <= ZONES_MAX && quorum <= zoneCount, 'a quorum is among the zones');
    Atomics.store(this.#words, ZONES, zoneCount);
    Atomics.store(this.#words, QUORUM, quorum);
  }

  /** Zone `index` holds everything up to `lsn` durably. */
  publish(index: number, lsn: number): void {
    Atomics.store(this.#durable, index, BigInt(lsn));
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

  /** The highest LSN that a write quorum has reached. Throws `writer-fenced` when another writer took over. */
  quorumLsn(): Lsn {
    if (this.isFenced()) {
      const text = 'The volume was taken over by another writer.';
      throw new BorealisError('conflict', 'writer-fenced', text);
    }
    const marks: number[] = [];
    for (let index = 0; index < Atomics.load(this.#words, ZONES); index++) {
      marks.push(Number(Atomics.load(this.#durable, index)));
    }
    marks.sort((a, b) => b - a);
    return (marks[Atomics.load(this.#words, QUORUM) - 1] ?? 0) as Lsn;
  }

  /** Returns once a write quorum holds everything up to `lsn`. */
  waitUntilDurable(lsn: Lsn): void {
    for (;;) {
      const seen = this.bell();
      if (this.quorumLsn() >= lsn) return;
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
