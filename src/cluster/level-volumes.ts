/**
 * Makes every zone hold the logs of volumes that nobody has open (volume/level-idle.ts).
 *
 * A volume is not tried while a process has it, or is about to: to find that out from its lock in the
 * zones takes seconds in which the storage thread answers nobody.
 */
import {every} from '../base/clock.ts';
import {BorealisError, errorChain} from '../base/errors.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {LaunchedProcesses} from './launched-processes.ts';
import type {World} from './world.ts';

/** How often volumes are looked for that were not closed in order. */
const LEVEL_PERIOD_MS = 15_000;

export type LevelWorld = Pick<World, 'volumeLocks'> & {
  readonly storage: Pick<World['storage'], 'membership'>;
  readonly processes: Pick<LaunchedProcesses, 'list'>;
};

/** Returns what ends it. */
export function levelFromTimeToTime(
  world: LevelWorld & Pick<World, 'logger' | 'zones'>,
): () => void {
  let isLevelling = false;
  return every(LEVEL_PERIOD_MS, () => {
    if (isLevelling || world.zones.length === 1) return;
    isLevelling = true;
    void levelAll(world).then(waiting => {
      isLevelling = false;
      if (waiting.length > 0) world.logger.info(`not levelled yet: ${waiting.join('; ')}`);
    });
  });
}

/** Levels what nobody has; returns why that could not be, for each volume that is still to be. Never rejects. */
export async function levelAll(world: LevelWorld): Promise<readonly string[]> {
  const waiting: string[] = [];
  try {
    for (const volume of await world.storage.membership.unclean()) {
      waiting.push(...(await levelIfIdle(world, volume)));
    }
  } catch (error) {
    waiting.push(errorChain(error));
  }
  return waiting;
}

async function levelIfIdle(world: LevelWorld, volume: VolumeNumber): Promise<readonly string[]> {
  if (world.processes.list().some(({config}) => config.volume === volume)) return [];
  const release = await world.volumeLocks.tryAcquire(String(volume));
  if (release === undefined) return [`volume ${volume} is being opened`];
  try {
    await world.storage.membership.settle(volume);
  } catch (error) {
    const isGone = error instanceof BorealisError && error.kind === 'not-found';
    if (!isGone) return [`volume ${volume}: ${errorChain(error)}`];
  } finally {
    release();
  }
  return [];
}
