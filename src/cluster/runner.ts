/** What the supervisor knows of one instance: a row of lives, each in one role and with one process. */
import {withDeadline} from '../base/clock.ts';
import {errorChain} from '../base/errors.ts';
import type {Logger} from '../base/log.ts';
import type {InstanceProcess} from '../instance/instance-process.ts';
import type {InstanceConfig, StepReport} from '../instance/messages.ts';
import {backoffMs} from './reconciler.ts';
import type {InstanceRecord} from './records.ts';
import type {World} from './world.ts';

/** A clean shutdown with a checkpoint of a large buffer pool; what takes longer is ended by force. */
const STOP_MS_MAX = 20_000;
/** An instance that serves between its crashes is worth more attempts than one that never does. */
const CRASH_DELAY_MS_MAX = 2_000;

/** Failures in a row after which the status says `failed`. */
export const START_FAILURES_MAX = 3;
/** An instance that served for so long begins with a clean slate after a crash. */
export const STABLE_MS_MIN = 10_000;
/** PostgreSQL itself may recover for ten minutes; what takes longer to be ready hangs. */
export const START_MS_MAX: number = 12 * 60_000;

export type Runner = {
  state: 'starting' | 'ready' | 'resting';
  handle: InstanceProcess | null;
  /** Of the present life. */
  role: InstanceRecord['role'];
  /** The writer's port that a reader follows. */
  follows: number | null;
  /** A failover made it the writer; to be told once it serves. */
  isTakingOver: boolean;
  readonly stopping: AbortController;
  /** Ends the present life, with the reason; the next one begins at once. */
  turn: AbortController;
  /** Resolves when the runner has come to its end. */
  done: Promise<void>;
};

export type SupervisorWorld = Pick<
  World,
  | 'catalog'
  | 'launch'
  | 'storage'
  | 'scramVerifier'
  | 'certificates'
  | 'shownCertificates'
  | 'tokenRefusal'
  | 'offers'
  | 'storeZones'
  | 'hostMemoryBytes'
  | 'reserveBytes'
  | 'instancesDirectory'
  | 'startMsMax'
  | 'clock'
  | 'logger'
  | 'counts'
  | 'zoneHealth'
  | 'endpoints'
  | 'volumeLocks'
  | 'damage'
>;

export type SupervisorEvents = {
  /** An instance of this cluster came up, or does not. */
  readonly onSettled: (clusterIdentifier: string) => void;
  /** The volume of a reader was let go of. */
  readonly onFreed: () => void;
};

/** A reader that serves. */
export type ServingReader = {
  readonly identifier: string;
  readonly process: InstanceProcess;
  readonly writerServes: boolean;
};

/** Where an instance works for one life. */
export type Place = Pick<InstanceConfig, 'volume' | 'source'> & {
  /** What it took to get there. */
  readonly steps: readonly StepReport[];
  /** To be called once the process is gone. */
  release(): void;
};

export function newRunner(): Runner {
  return {
    state: 'starting',
    handle: null,
    role: 'writer',
    follows: null,
    isTakingOver: false,
    stopping: new AbortController(),
    turn: new AbortController(),
    done: Promise.resolve(),
  };
}

export function serves(runner: Runner): runner is Runner & {handle: InstanceProcess} {
  return runner.state === 'ready' && runner.handle !== null && !isEnding(runner);
}

/** The present life is to end. */
export function isEnding({stopping, turn}: Runner): boolean {
  return stopping.signal.aborted || turn.signal.aborted;
}

/** Ends the process of a writer: in order if it serves. */
export async function endProcess({handle, state}: Runner, logger: Logger): Promise<void> {
  if (handle === null) return;
  if (state !== 'ready') {
    handle.kill();
    return;
  }
  try {
    const stopped = handle.request('stop', {mode: 'fast'}).then(() => handle.exited);
    await withDeadline(
      Promise.race([stopped, handle.exited]),
      STOP_MS_MAX,
      () => new Error(`it did not stop within ${STOP_MS_MAX} ms`),
    );
  } catch (error) {
    logger.warn({pid: handle.pid}, `ended by force: ${errorChain(error)}`);
    handle.kill();
  }
}

/** Clients wait: the first crash of an instance that served is followed by a start at once. */
export function restartDelayMs(wasReady: boolean, failures: number): number {
  if (!wasReady) return backoffMs(failures);
  return failures <= 1 ? 0 : Math.min(backoffMs(failures), CRASH_DELAY_MS_MAX);
}

export function hangs(durationMs: number): Error {
  return new Error(`it was not ready within ${Math.round(durationMs / 1_000)} s`);
}
