/**
 * Forks the volume of a DB cluster as of now, whoever has it open.
 *
 *     writer ready      it forks its own volume         writer starting   wait until it is one or the other
 *     nobody            the store forks the idle volume  writer died in between   look whether the child
 *                                                        is there; if not, begin again
 *
 * Every transaction that was acknowledged before the call is in the child, for the fork begins after it.
 */
import {assert} from '../base/assert.ts';
import {sleep, withDeadline} from '../base/clock.ts';
import {BorealisError, errorChain} from '../base/errors.ts';
import type {ForkResult} from '../attachment/attachment.ts';
import type {StepReport} from '../instance/messages.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {invalidClusterState} from './faults.ts';
import {clusterOfResource} from './instances-of.ts';
import type {ClusterRecord} from './records.ts';
import type {World} from './world.ts';

/** As long as an endpoint holds a client: the writer is back by then or something is wrong. */
const FORK_MS_MAX = 30_000;
/** A writer that dies under each fork is not going to serve the next one. */
const FORK_ATTEMPTS_MAX = 5;

export type ForkOutcome = {readonly steps: readonly StepReport[]; readonly bytesCopied: number};

export async function forkCluster(
  world: World,
  seen: ClusterRecord,
  child: VolumeNumber,
): Promise<ForkOutcome> {
  const deadlineMs = world.clock.monotonicMs() + FORK_MS_MAX;
  for (let attempt = 1; attempt <= FORK_ATTEMPTS_MAX;) {
    // It may be renamed meanwhile.
    const source = clusterOfResource(world, seen.resourceId);
    if (source === undefined || source.volume === null || source.status === 'deleting') {
      throw invalidClusterState(
        `DB cluster ${seen.identifier} was deleted while it was being cloned.`,
      );
    }
    const sourceIdentifier = source.identifier;
    const writer = world.supervisor.writer(sourceIdentifier);
    if (writer === 'starting') {
      await waitForWriter(world, sourceIdentifier, deadlineMs);
      continue;
    }
    if (writer === 'none') {
      refuseLate(world, sourceIdentifier, deadlineMs);
      const outcome = await forkIdle(world, source.volume, child);
      if (outcome !== 'opened-by-another') return outcome;
      continue;
    }
    attempt++;
    try {
      const result = await writer.request('fork', {child});
      return {steps: result.steps, bytesCopied: result.bytesCopied};
    } catch (error) {
      world.logger.warn({cluster: sourceIdentifier}, `a fork was cut off: ${errorChain(error)}`);
      if (await isAlive(writer.exited)) throw error;
      if (await world.storage.exists(child)) return {steps: [], bytesCopied: 0};
    }
  }
  throw new BorealisError(
    'unavailable',
    'InvalidDBClusterStateFault',
    `The writer of DB cluster ${seen.identifier} ended during each of ${FORK_ATTEMPTS_MAX} attempts to clone it.`,
  );
}

const LOCK_POLL_MS = 5;
/** A process whose channel broke takes a moment to be seen dead. */
const EXIT_NOTICE_MS = 1_000;

async function isAlive(exited: Promise<unknown>): Promise<boolean> {
  const gone = exited.then(() => false);
  const alive = new Error('still running');
  return await withDeadline(gone, EXIT_NOTICE_MS, () => alive).catch((error: unknown) => {
    assert(error === alive, '`exited` never rejects');
    return true;
  });
}

async function forkIdle(
  world: World,
  source: VolumeNumber,
  child: VolumeNumber,
): Promise<ForkOutcome | 'opened-by-another'> {
  const release = await world.volumeLocks.tryAcquire(String(source));
  if (release === undefined) {
    // Another fork of the same volume is at work (milliseconds), or an instance took it just now:
    // waiting for the lock itself could then last as long as the instance lives.
    await sleep(LOCK_POLL_MS);
    return 'opened-by-another';
  }
  try {
    const result: ForkResult = await world.storage.forkIdle(source, child);
    return {
      steps: [{name: 'fork', durationMs: result.durationMs}],
      bytesCopied: result.bytesCopied,
    };
  } finally {
    release();
  }
}

async function waitForWriter(world: World, source: string, deadlineMs: number): Promise<void> {
  const leftMs = refuseLate(world, source, deadlineMs);
  await withDeadline(world.supervisor.changed(), leftMs, () => stillStarting(source));
}

function refuseLate(world: World, source: string, deadlineMs: number): number {
  const leftMs = deadlineMs - world.clock.monotonicMs();
  if (leftMs <= 0) throw stillStarting(source);
  return leftMs;
}

function stillStarting(source: string): BorealisError {
  return invalidClusterState(
    `The writer of DB cluster ${source} is still starting after ${FORK_MS_MAX} ms. Clone it once it is available.`,
  );
}
