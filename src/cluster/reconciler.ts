/**
 * Drives resources towards what their records ask for: one queue, a few at a time, each resource at
 * most once at a time.
 *
 *     enqueue ──▶ queued ──▶ running ──▶ done
 *                   ▲           │ failed: waits, twice as long each time
 *                   └───────────┘ enqueued meanwhile: once more at once
 *
 * It keeps nothing on disk: the records are the work list, and a start enqueues all of them.
 */
import {after} from '../base/clock.ts';
import {errorChain} from '../base/errors.ts';
import type {Logger} from '../base/log.ts';

export type ResourceKey = `cluster/${string}` | `instance/${string}` | 'sweep';

/** Two cores' worth of initdb and recovery side by side; more would only slow each one down. */
export const CONCURRENCY_MAX = 4;
const BACKOFF_MS_MIN = 200;
export const BACKOFF_MS_MAX = 30_000;

/** `attempt` counts from 1 and begins anew after a success. Throws to be called again later. */
export type Reconcile = (key: ResourceKey, attempt: number) => Promise<void>;

type Entry = {
  state: 'queued' | 'running' | 'waiting';
  again: boolean;
  attempt: number;
  cancel: () => void;
};

export class Reconciler {
  readonly #reconcile: Reconcile;
  readonly #logger: Logger;
  readonly #entries = new Map<ResourceKey, Entry>();
  readonly #queue: ResourceKey[] = [];
  readonly #idleWaiters: (() => void)[] = [];
  readonly #failures = new Map<string, number>();
  #running = 0;
  #stopped = false;

  constructor(reconcile: Reconcile, logger: Logger) {
    this.#reconcile = reconcile;
    this.#logger = logger;
  }

  /** Failed attempts so far: of `cluster`, `instance` and `sweep`. */
  get failures(): ReadonlyMap<string, number> {
    return this.#failures;
  }

  enqueue(key: ResourceKey): void {
    if (this.#stopped) return;
    const entry = this.#entries.get(key);
    if (entry?.state === 'queued') return;
    if (entry?.state === 'running') {
      entry.again = true;
      return;
    }
    entry?.cancel();
    this.#entries.set(key, {
      state: 'queued',
      again: false,
      attempt: entry?.attempt ?? 0,
      cancel: () => undefined,
    });
    this.#queue.push(key);
    this.#pump();
  }

  /** Takes no more work and waits for what runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue.length = 0;
    for (const entry of this.#entries.values()) entry.cancel();
    if (this.#running > 0) await new Promise<void>(resolve => this.#idleWaiters.push(resolve));
  }

  #pump(): void {
    while (this.#running < CONCURRENCY_MAX) {
      const key = this.#queue.shift();
      if (key === undefined) return;
      this.#running++;
      void this.#run(key);
    }
  }

  async #run(key: ResourceKey): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.state = 'running';
    entry.again = false;
    entry.attempt++;
    try {
      await this.#reconcile(key, entry.attempt);
      entry.attempt = 0;
      this.#entries.delete(key);
      if (entry.again) this.enqueue(key);
    } catch (error) {
      this.#retryLater(key, entry, error);
    } finally {
      this.#running--;
      if (this.#running === 0) for (const wake of this.#idleWaiters.splice(0)) wake();
      this.#pump();
    }
  }

  #retryLater(key: ResourceKey, entry: Entry, error: unknown): void {
    if (this.#stopped) return;
    const [kind = key] = key.split('/');
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1);
    const delayMs = backoffMs(entry.attempt);
    this.#logger.warn({resource: key, attempt: entry.attempt, delayMs}, errorChain(error));
    entry.state = 'waiting';
    entry.cancel = after(delayMs, () => this.enqueue(key));
  }
}

/** The wait after the `attempt`-th failure in a row, counted from 1. */
export function backoffMs(attempt: number): number {
  return Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(attempt - 1, 20));
}
