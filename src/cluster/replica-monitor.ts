/**
 * Watches readers: asks each that serves, once a second, how far it is, and starts one again, on a
 * fresh fork, that is broken or too far behind.
 *
 *     caught up    lag is how long the writer's latest message was on its way
 *     behind, or   lag is the time since the last commit that it replayed, but not more than since it
 *     cut off      was last caught up: a writer that writes nothing makes nobody late
 *
 * Only the reader is asked, so the writer has no load from it.
 */
import {every} from '../base/clock.ts';
import {errorChain} from '../base/errors.ts';
import type {ReplicationProgress} from '../engine/engine.ts';
import type {Supervisor} from './supervisor.ts';
import type {World} from './world.ts';

const LOOK_PERIOD_MS = 1_000;
/**
 * A connection to the writer is made anew within a second. What is cut off for longer, while the
 * writer serves, asks for WAL that is gone, or hangs.
 */
const BROKEN_MS_MAX = 10_000;
/** A query on a reader may hold replay up for 30 seconds (max_standby_streaming_delay); past twice that it does not catch up. */
const LAG_MS_MAX = 60_000;

/** Monotonic times in milliseconds. */
type Watch = {
  readonly pid: number;
  caughtUpMs: number;
  /** It streamed, or its writer was not there to stream from. */
  wellMs: number;
  lagMs: number | null;
};

export class ReplicaMonitor {
  readonly #world: Pick<World, 'clock' | 'logger'>;
  readonly #supervisor: Pick<Supervisor, 'readers' | 'restart'>;
  #watches = new Map<string, Watch>();
  #isLooking = false;
  #stop: () => void = () => undefined;

  constructor(
    world: Pick<World, 'clock' | 'logger'>,
    supervisor: Pick<Supervisor, 'readers' | 'restart'>,
  ) {
    this.#world = world;
    this.#supervisor = supervisor;
  }

  /** AuroraReplicaLag in milliseconds; null for what is no reader, or does not serve. */
  lagMs(identifier: string): number | null {
    return this.#watches.get(identifier)?.lagMs ?? null;
  }

  start(): void {
    this.#stop = every(LOOK_PERIOD_MS, () => void this.look());
  }

  stop(): void {
    this.#stop();
  }

  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#lookAtAll();
    } finally {
      this.#isLooking = false;
    }
  }

  async #lookAtAll(): Promise<void> {
    const readers = this.#supervisor.readers();
    const nowMs = this.#world.clock.monotonicMs();
    this.#watches = new Map(
      readers.map(({identifier, process}) => {
        const known = this.#watches.get(identifier);
        const fresh = {pid: process.pid, caughtUpMs: nowMs, wellMs: nowMs, lagMs: null};
        return [identifier, known?.pid === process.pid ? known : fresh];
      }),
    );
    await Promise.all(
      readers.map(async ({identifier, process, writerServes}) => {
        const watch = this.#watches.get(identifier);
        if (watch === undefined) return;
        const progress = await process.request('replication', {}).catch((error: unknown) => {
          this.#world.logger.warn(
            {instance: identifier},
            `how far it is, is unknown: ${errorChain(error)}`,
          );
          return null;
        });
        this.#judge(identifier, watch, progress, writerServes);
      }),
    );
  }

  #judge(
    identifier: string,
    watch: Watch,
    progress: ReplicationProgress | null,
    writerServes: boolean,
  ): void {
    const nowMs = this.#world.clock.monotonicMs();
    if (progress?.isStreaming === true || !writerServes) watch.wellMs = nowMs;
    if (progress?.isStreaming === true && progress.isCaughtUp) watch.caughtUpMs = nowMs;
    watch.lagMs =
      progress === null ? nowMs - watch.caughtUpMs : lagOf(progress, nowMs - watch.caughtUpMs);
    if (nowMs - watch.wellMs > BROKEN_MS_MAX) {
      this.#supervisor.restart(identifier, 'it lost its writer and is forked anew');
    } else if (writerServes && watch.lagMs > LAG_MS_MAX) {
      this.#supervisor.restart(identifier, 'it fell too far behind and is forked anew');
    }
  }
}

/** `caughtUpAgeMs`: since it was last seen caught up. */
export function lagOf(progress: ReplicationProgress, caughtUpAgeMs: number): number {
  const {isStreaming, isCaughtUp, transitMs, replayedAgeMs} = progress;
  if (isStreaming && isCaughtUp) return Math.max(0, transitMs ?? 0);
  return Math.min(caughtUpAgeMs, Math.max(0, replayedAgeMs ?? caughtUpAgeMs));
}
