/** A DB instance that serves, as the requests of the service see it. */
import type {Attachment} from '../attachment/attachment.ts';
import {assert, AssertionError} from '../base/assert.ts';
import {systemClock, withDeadline} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import type {EngineReplication, RunningEngine} from '../engine/engine.ts';
import type {InstanceMethods, StepReport} from './messages.ts';

/** A serving thread that does not answer for so long waits for zones itself. */
const ANSWER_MS_MAX = 5_000;
/** Whoever asks for statistics waits a little longer than for each part of them. */
const STATISTICS_PART_MS_MAX = 1_000;

/** The end of an engine's log, to go with a failure. */
export type LogTail = {tail(): string};

export type RunningInstance = {
  readonly port: number;
  readonly serverVersion: string;
  /** Resolves with the reason when the engine or the attachment ends unasked. */
  readonly failed: Promise<Error>;
  readonly methods: {
    [M in keyof InstanceMethods]: (
      params: InstanceMethods[M]['params'],
    ) => Promise<InstanceMethods[M]['result']>;
  };
};

export function runningInstance(engine: RunningEngine, attachment: Attachment): RunningInstance {
  return {
    port: engine.port,
    serverVersion: engine.serverVersion,
    failed: Promise.race([engine.failed, attachment.failed]),
    methods: {
      fork: async ({child, ...options}) => {
        const steps: StepReport[] = [];
        // The engine's own checkpoint now is of no use to a fork of the past.
        if (options.atMs === undefined) await engine.prepareFork(step => steps.push(step));
        const result = await timed('fork-volume', steps, () => attachment.fork(child, options));
        return {...result, steps};
      },
      setRetention: async ({seconds}) => {
        await attachment.setRetention(seconds);
        return {};
      },
      checkpoint: async () => ({lsn: await attachment.checkpoint()}),
      statistics: async () => {
        const [volume, own] = await Promise.all([
          inTime(attachment.statistics()),
          inTime(engine.statistics()),
        ]);
        return {volume, engine: own};
      },
      changeZones: config => attachment.changeZones(config),
      setMaster: async ({master}) => {
        await engine.setMaster(master);
        return {};
      },
      setTls: async ({tls}) => {
        await engine.setTls(tls);
        return {};
      },
      isTokenUser: async ({user}) => ({isTokenUser: await engine.isTokenUser(user)}),
      admitReaders: async ({verifier}) => {
        await replicationOf(engine).admitReaders(verifier);
        return {};
      },
      follow: async ({source}) => {
        await replicationOf(engine).follow(source);
        return {};
      },
      replication: () => replicationOf(engine).progress(),
      configure: async ({parameters}) => ({isTaken: await engine.configure(parameters)}),
      stop: async ({mode}) => {
        const {waitingWrites, isWritable} = await withDeadline(
          attachment.statistics(),
          ANSWER_MS_MAX,
          withoutQuorum,
        );
        if (!isWritable) throw withoutQuorum();
        if (waitingWrites > 0) throw withoutSpace();
        await engine.stop(mode);
        await attachment.detach();
        return {};
      },
    },
  };
}

/** Null when it is late or fails: that one part hangs must not hide the other one. */
async function inTime<T>(part: Promise<T>): Promise<T | null> {
  try {
    const late = (): Error => new BorealisError('unavailable', 'statistics-late', 'no answer');
    return await withDeadline(part, STATISTICS_PART_MS_MAX, late);
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    return null;
  }
}

function replicationOf({replication}: RunningEngine): EngineReplication {
  assert(replication !== null, 'the service adds readers to engines that replicate');
  return replication;
}

/** What is dirty in memory may be far more than the reserve; recovery replays the engine's log instead. */
function withoutSpace(): BorealisError {
  return new BorealisError(
    'quota',
    'storage-full',
    'storage is full: the engine ends without a last checkpoint, as in a crash',
  );
}

/** What an engine writes as it shuts down would wait for zones that may never return. */
function withoutQuorum(): BorealisError {
  return new BorealisError(
    'unavailable',
    'zone-quorum',
    'too few zones can be written to: the engine ends without a last checkpoint, as in a crash',
  );
}

/** Runs `work` and adds how long it took to `steps`. */
export async function timed<T>(
  name: string,
  steps: {push(step: StepReport): unknown},
  work: () => Promise<T>,
): Promise<T> {
  const beganMs = systemClock.monotonicMs();
  const result = await work();
  steps.push({name, durationMs: systemClock.monotonicMs() - beganMs});
  return result;
}
