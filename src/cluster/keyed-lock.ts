/** Locks between the service's own tasks; nothing of them outlives the process. */
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
