/** Processes that a killed service left behind. */
import {sleep} from '../base/clock.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import {isRunning, type ProcessIdentity} from '../base/process-identity.ts';

/** A process that was killed is gone once its parent took notice; init does so within milliseconds. */
const END_WAIT_MS_MAX = 10_000;
const END_POLL_MS = 10;

/** Kills a process of ours that a killed service left behind, and waits until it is gone. */
export async function endLeftover(identity: ProcessIdentity): Promise<'gone' | 'killed'> {
  if (!isRunning(identity)) return 'gone';
  for (let waitedMs = 0; waitedMs < END_WAIT_MS_MAX; waitedMs += END_POLL_MS) {
    if (!isRunning(identity)) return 'killed';
    try {
      process.kill(identity.pid, 'SIGKILL');
    } catch (error) {
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
    await sleep(END_POLL_MS);
  }
  throw new BorealisError(
    'unavailable',
    'leftover-process',
    `Process ${identity.pid} of an earlier run does not end. It holds a volume open; end it and start again.`,
  );
}
