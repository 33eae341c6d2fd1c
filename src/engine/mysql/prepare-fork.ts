/**
 * A fork recovers by replaying the redo log since its last checkpoint. When that is much, a checkpoint
 * before the fork is cheaper than the redo after it.
 */
import {systemClock, withDeadline} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {ReportStep} from '../engine.ts';
import type {Session} from './session.ts';

/** Below this the checkpoint gains nothing to speak of. */
const REDO_BYTES_MAX = 16 * 1024 * 1024;
/** Past this the fork goes ahead, and recovers for longer. */
const CHECKPOINT_TIMEOUT_MS = 2_000;

export async function prepareFork(session: Session, report: ReportStep): Promise<void> {
  const beganMs = systemClock.monotonicMs();
  let name = 'inspect-redo';
  const [row] = await session.query(`SHOW GLOBAL STATUS LIKE 'Innodb_checkpoint_age'`);
  if (Number(row?.['Value'] ?? 0) > REDO_BYTES_MAX) {
    name = (await checkpoint(session)) ? 'checkpoint-engine' : 'checkpoint-engine-late';
  }
  report({name, durationMs: systemClock.monotonicMs() - beganMs});
}

/** False when it was not done in time, or the server has no such command. */
async function checkpoint(session: Session): Promise<boolean> {
  const [row] = await session.query(`SHOW GLOBAL VARIABLES LIKE 'innodb_log_checkpoint_now'`);
  if (row === undefined) return false;
  const work = session.query('SET GLOBAL innodb_log_checkpoint_now = ON');
  const late = new BorealisError('unavailable', 'engine-checkpoint-late', 'the checkpoint is late');
  try {
    await withDeadline(work, CHECKPOINT_TIMEOUT_MS, () => late);
    return true;
  } catch (error) {
    if (error !== late) throw error;
    // It goes on; how it ends is of no more interest.
    work.catch(() => undefined);
    return false;
  }
}
