/**
 * A fork recovers by replaying the WAL since its last checkpoint's redo point. When that is much, a
 * checkpoint before the fork is cheaper than the redo after it.
 */
import {systemClock, withDeadline} from '../../base/clock.ts';
import {BorealisError} from '../../base/errors.ts';
import type {ReportStep} from '../engine.ts';
import {withSession, type SocketAddress} from './session.ts';

/**
 * Under pgbench on a volume, redo took about 10 ms a MiB and a checkpoint of as much about 5 ms, after
 * which the source writes whole pages again. Below this the checkpoint gains nothing to speak of.
 */
const REDO_BYTES_MAX = 16 * 1024 * 1024;
/** A checkpoint of all shared_buffers takes about one. Past this the fork goes ahead, and recovers for longer. */
const CHECKPOINT_TIMEOUT_MS = 2_000;

export async function prepareFork(address: SocketAddress, report: ReportStep): Promise<void> {
  const beganMs = systemClock.monotonicMs();
  let name = 'inspect-wal';
  const work = withSession(address, async session => {
    const [row] = await session.query(
      `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 AS bytes FROM pg_control_checkpoint()`,
    );
    if (Number(row?.['bytes']) <= REDO_BYTES_MAX) return;
    name = 'checkpoint-engine';
    await session.query('CHECKPOINT');
  });
  try {
    await withDeadline(
      work,
      CHECKPOINT_TIMEOUT_MS,
      () => new BorealisError('unavailable', 'engine-checkpoint-late', 'the checkpoint is late'),
    );
  } catch (error) {
    if (!(error instanceof BorealisError) || error.code !== 'engine-checkpoint-late') throw error;
    name = 'checkpoint-engine-late';
    // The session ends with its checkpoint; how is of no more interest.
    work.catch(() => undefined);
  }
  report({name, durationMs: systemClock.monotonicMs() - beganMs});
}
