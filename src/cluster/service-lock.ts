/** One service for each data directory. */
import {BorealisError} from '../base/errors.ts';
import type {ProcessIdentity} from '../base/process-identity.ts';
import {acquireProcessLock, processLockHolder, type ProcessLock} from '../base/process-lock.ts';

const NAME = 'service.lock';

/** @throws BorealisError data-directory-in-use, which names the process that has it. */
export function acquireServiceLock(directory: string): ProcessLock {
  const lock = acquireProcessLock(directory, NAME);
  if ('release' in lock) return lock;
  throw new BorealisError(
    'conflict',
    'data-directory-in-use',
    `The data directory ${directory} is in use by the Borealis service with process id ${lock.heldBy.pid}. Stop that one, or name another data directory.`,
  );
}

/** The process that holds the directory now, or undefined. */
export function serviceLockHolder(directory: string): ProcessIdentity | undefined {
  return processLockHolder(directory, NAME);
}
