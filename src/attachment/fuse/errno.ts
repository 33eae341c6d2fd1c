/**
 * What a thrown error is to the kernel: an FsError is its errno; everything else of the world is EIO
 * and a log line. A failed assertion is not answered at all, nor is anything once the volume has
 * failed for good: they end the session.
 */
import {constants} from 'node:os';
import {AssertionError} from '../../base/assert.ts';
import {BorealisError} from '../../base/errors.ts';
import {FsError} from '../../volume-fs/types.ts';

export const ENOENT: number = constants.errno.ENOENT;
export const ENOSYS: number = constants.errno.ENOSYS;
const EIO: number = constants.errno.EIO;

/** The code with which a volume refuses everything after a failed write or sync. */
const VOLUME_FAILED = 'volume-failed';

/** The errno for `error`. `onUnexpected` is told what the reply cannot say. Throws what ends the session. */
export function errnoOf(error: unknown, onUnexpected: (error: unknown) => void): number {
  if (error instanceof FsError) return constants.errno[error.code];
  if (error instanceof AssertionError) throw error;
  if (error instanceof BorealisError && error.code === VOLUME_FAILED) throw error;
  onUnexpected(error);
  return EIO;
}
