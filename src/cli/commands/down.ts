import {existsSync} from 'node:fs';
import type {Command} from 'commander';
import {sleep, systemClock} from '../../base/clock.ts';
import {BorealisError, systemErrorCode} from '../../base/errors.ts';
import {serviceLockHolder} from '../../cluster/service-lock.ts';
import {borealisCommand, contextOf, type CommonOptions} from '../command.ts';

/** Every instance writes a checkpoint on its way out; with many on a busy disk that takes a while. */
const STOP_TIMEOUT_MS = 120_000;
const POLL_MS = 50;

export function downCommand(): Command {
  return borealisCommand({
    name: 'down',
    summary: 'Stop the service of a data directory',
    description:
      'Asks the service that holds the data directory to stop (SIGTERM) and waits until it has. The clusters stay, and come back at the same endpoints with the next `borealis up`. Where none runs there is nothing to do, which is no error.',
    examples: [
      ['borealis down', 'of the default data directory'],
      ['borealis down --data /srv/borealis', 'of another one'],
    ],
  }).action(down);
}

async function down(options: CommonOptions): Promise<void> {
  const {terminal, dataDirectory} = contextOf(options);
  const pid = holderPid(dataDirectory);
  if (pid === null) {
    terminal.result(
      {stopped: false, dataDirectory},
      () => `No Borealis service runs on data directory ${dataDirectory}.`,
    );
    return;
  }
  await terminal.step(`stop the service with process id ${pid}`, async () => {
    askToStop(pid);
    const deadlineMs = systemClock.monotonicMs() + STOP_TIMEOUT_MS;
    while (holderPid(dataDirectory) === pid) {
      if (systemClock.monotonicMs() > deadlineMs) {
        throw new BorealisError(
          'unavailable',
          'service-not-stopped',
          `The service with process id ${pid} has not stopped within ${STOP_TIMEOUT_MS / 1000} s; see what \`borealis up\` prints`,
        );
      }
      await sleep(POLL_MS);
    }
  });
  terminal.result({stopped: true, dataDirectory, pid}, () => 'Stopped.');
}

/** The lock tells the process by its start time too, so that a number used again is not taken for it. */
export function holderPid(dataDirectory: string): number | null {
  return existsSync(dataDirectory) ? (serviceLockHolder(dataDirectory)?.pid ?? null) : null;
}

function askToStop(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (systemErrorCode(error) === 'ESRCH') return;
    throw new BorealisError(
      'invalid',
      'service-not-ours',
      `The service with process id ${pid} belongs to another user; stop it from that account`,
      error,
    );
  }
}
