/** Checkpoints of running volumes, so that what the store knows of them is as of now. */
import {withDeadline} from '../base/clock.ts';
import {errorChain} from '../base/errors.ts';
import type {ClusterRecord} from './records.ts';
import type {World} from './world.ts';

/** A checkpoint of a volume is bounded by what changed since the last one; a stuck one must not hold up the rest. */
const CHECKPOINT_MS_MAX = 20_000;

/** A cluster whose writer cannot answer now stays as of its last checkpoint. */
export async function checkpointWriters(
  world: Pick<World, 'catalog' | 'supervisor' | 'logger'>,
  isWanted: (cluster: ClusterRecord) => boolean = () => true,
): Promise<void> {
  const wanted = world.catalog.clusters.list().filter(isWanted);
  const writers = wanted.flatMap(({identifier}) => {
    const writer = world.supervisor.writer(identifier);
    return typeof writer === 'string' ? [] : [{identifier, writer}];
  });
  await Promise.all(
    writers.map(async ({identifier, writer}) => {
      try {
        await withDeadline(
          writer.request('checkpoint', {}),
          CHECKPOINT_MS_MAX,
          () => new Error(`no answer within ${CHECKPOINT_MS_MAX} ms`),
        );
      } catch (error) {
        world.logger.warn({cluster: identifier}, `not checkpointed: ${errorChain(error)}`);
      }
    }),
  );
}
