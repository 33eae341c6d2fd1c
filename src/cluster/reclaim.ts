/**
 * When space is given back: at the start, after a deletion, and once so much was appended that there
 * may be something to gain. A sweep excludes nobody; it is one turn, and comes again while there is more.
 */
import {every} from '../base/clock.ts';
import {errorChain} from '../base/errors.ts';
import {checkpointWriters} from './checkpoint-writers.ts';
import type {World} from './world.ts';

const GROWTH_POLL_MS = 5_000;

/** One turn. */
export async function reclaim(world: World): Promise<void> {
  const {unsettled} = await world.storage.sweepNeed();
  if (unsettled.length > 0) {
    await checkpointWriters(world, ({volume}) => volume !== null && unsettled.includes(volume));
  }
  const beganMs = world.clock.monotonicMs();
  const report = await world.storage.sweep();
  world.counts.noteSweep(report, world.clock.monotonicMs() - beganMs);
  if (report.bytesFreed > 0) world.logger.info({...report}, 'gave back space');
  if (report.more) world.reconciler.enqueue('sweep');
}

/** Asks now and then whether a sweep is due. Returns what ends it. */
export function watchGrowth(world: World): () => void {
  let isAsking = false;
  const ask = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      const {isDue} = await world.storage.sweepNeed();
      if (isDue) world.reconciler.enqueue('sweep');
    } catch (error) {
      world.logger.warn(`cannot tell whether a sweep is due: ${errorChain(error)}`);
    } finally {
      isAsking = false;
    }
  };
  return every(GROWTH_POLL_MS, () => void ask());
}
