/**
 * A question that may take long, asked by many: it is under way once at a time, and who has waited long
 * enough goes without. So what hangs holds up nobody, and is not asked again before it has answered.
 */
import {AssertionError} from './assert.ts';
import {withDeadline} from './clock.ts';

export class Probe<T> {
  readonly #ask: () => Promise<T>;
  #asked: Promise<T> | null = null;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  /** Null when there is no answer within `limitMs`, or it failed. */
  async answer(limitMs: number): Promise<T | null> {
    try {
      return await withDeadline(this.#join(), limitMs, () => new Error('no answer in time'));
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      return null;
    }
  }

  #join(): Promise<T> {
    if (this.#asked !== null) return this.#asked;
    const asked = this.#ask();
    this.#asked = asked;
    const forget = (): void => {
      this.#asked = null;
    };
    asked.then(forget, forget);
    return asked;
  }
}

/** A probe for each key. Those that are not named any more are forgotten. */
export class Probes<K, T> {
  readonly #ask: (key: K) => Promise<T>;
  #probes = new Map<K, Probe<T>>();

  constructor(ask: (key: K) => Promise<T>) {
    this.#ask = ask;
  }

  /** The answers in the order of the keys. */
  async answers(keys: readonly K[], limitMs: number): Promise<(T | null)[]> {
    this.#probes = new Map(
      keys.map(key => [key, this.#probes.get(key) ?? new Probe(() => this.#ask(key))]),
    );
    return Promise.all(Array.from(this.#probes.values(), probe => probe.answer(limitMs)));
  }
}
