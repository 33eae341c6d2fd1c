/** Locks between the service's own tasks; nothing of them outlives the process. */
import {assert} from '../base/assert.ts';

export type Release = () => void;

/** One holder for each key; others wait in the order in which they came. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  async acquire(key: string): Promise<Release> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const gate = new AbortController();
    const tail = before.then(() => aborted(gate.signal));
    this.#tails.set(key, tail);
    await before;
    return () => {
      gate.abort();
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    };
  }

  /** Takes the key if nobody holds or awaits it. */
  tryAcquire(key: string): Promise<Release> | undefined {
    return this.#tails.has(key) ? undefined : this.acquire(key);
  }

  async hold<T>(key: string, work: () => Promise<T>): Promise<T> {
    const release = await this.acquire(key);
    try {
      return await work();
    } finally {
      release();
    }
  }
}

/** Resolves once the signal is given. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), {once: true});
  });
}

/**
 * Many sharers or one who is alone. Who waits to be alone goes before later sharers, so that a stream
 * of forks cannot keep the sweeper out for ever.
 */
export class SharedLock {
  #sharers = 0;
  #alone = false;
  readonly #waiting: {alone: boolean; start: () => void}[] = [];

  async share<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter(false);
    try {
      return await work();
    } finally {
      assert(this.#sharers > 0, 'a sharer leaves once');
      this.#sharers--;
      this.#wake();
    }
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter(true);
    try {
      return await work();
    } finally {
      this.#alone = false;
      this.#wake();
    }
  }

  #enter(alone: boolean): Promise<void> {
    return new Promise(start => {
      this.#waiting.push({alone, start});
      this.#wake();
    });
  }

  #wake(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#alone || (next.alone && this.#sharers > 0)) return;
      if (next.alone) this.#alone = true;
      else this.#sharers++;
      this.#waiting.shift();
      next.start();
    }
  }
}
