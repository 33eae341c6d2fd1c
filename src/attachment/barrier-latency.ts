/**
 * How long barriers took, from the request to the answer, as a histogram in memory that threads share.
 *
 *     f64 sum in microseconds │ f64 count × (bounds + 1)
 *
 * One thread notes, any may read. A value is one aligned word, so it is read whole; sum and counts may be
 * a barrier apart.
 */
import {assert} from '../base/assert.ts';

/** Upper bounds in seconds: from what a disk with a battery takes to what a hung one does. */
export const BARRIER_BOUNDS_S: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10,
];
const BOUNDS_US: readonly number[] = BARRIER_BOUNDS_S.map(bound => bound * 1e6);
const SUM = 0;
const COUNTS = 1;
const WORD_COUNT: number = COUNTS + BOUNDS_US.length + 1;

export type LatencyHistogram = {
  /** Barriers in each bucket, not cumulative: one for each of `BARRIER_BOUNDS_S`, then those beyond. */
  readonly counts: readonly number[];
  readonly sumSeconds: number;
};

export class BarrierLatency {
  readonly shared: SharedArrayBuffer;
  readonly #words: Float64Array;

  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(WORD_COUNT * 8);
    this.#words = new Float64Array(this.shared);
    assert(this.#words.length === WORD_COUNT, 'all threads have the same buckets');
  }

  note(durationUs: number): void {
    let bucket = 0;
    while (bucket < BOUNDS_US.length && durationUs > (BOUNDS_US[bucket] as number)) bucket++;
    this.#add(COUNTS + bucket, 1);
    this.#add(SUM, Math.max(0, durationUs));
  }

  read(): LatencyHistogram {
    return {
      counts: Array.from(this.#words.subarray(COUNTS)),
      sumSeconds: (this.#words[SUM] as number) / 1e6,
    };
  }

  #add(word: number, value: number): void {
    this.#words[word] = (this.#words[word] as number) + value;
  }
}
