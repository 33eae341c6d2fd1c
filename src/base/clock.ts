/** The only place that reads a clock or sets a timer, so that tests can say what time it is. */
export type Clock = {
  /** Milliseconds since 1970, UTC. May step when the machine's clock is set. */
  nowMs(): number;
  /** Milliseconds on a clock that never steps, for durations. */
  monotonicMs(): number;
};

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Microseconds on the clock that never steps, the same in all threads of a process: each thread's `monotonicMs` has a beginning of its own. */
export function sharedMonotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1e3);
}

/** Resolves after `durationMs`. With a signal that aborts, resolves at once. */
export function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    signal?.addEventListener('abort', done);
  });
}

/** Calls `tick` every `periodMs` until the returned function is called. Does not keep the process alive. */
export function every(periodMs: number, tick: () => void): () => void {
  const timer = setInterval(tick, periodMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Calls `run` once after `delayMs` unless the returned function is called first. */
export function after(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}

/** Rejects with `error()` when `work` takes longer than `limitMs`. The work itself goes on. */
export async function withDeadline<T>(
  work: Promise<T>,
  limitMs: number,
  error: () => Error,
): Promise<T> {
  let cancel = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = after(limitMs, () => reject(error()));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
