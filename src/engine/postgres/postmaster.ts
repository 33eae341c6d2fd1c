/**
 * The server process: spawned, watched until it is ready, ended.
 *
 * Readiness is the last line of `postmaster.pid`, as pg_ctl reads it: unlike a connection attempt it
 * costs the recovering server nothing and puts no refusal in its log.
 */
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {sleep, systemClock} from '../../base/clock.ts';
import {BorealisError, systemErrorCode} from '../../base/errors.ts';
import type {StopMode} from '../engine.ts';
import {exitText, spawnServer, type ExitReason, type ProgramOptions} from '../server-process.ts';

/** Well below what a person notices; a read of a cached page each. */
const READY_POLL_MS = 3;
/** Redo of as much WAL as `max_wal_size` allows takes seconds; a slow disk may take minutes. */
const READY_TIMEOUT_MS = 10 * 60_000;
/** A fast stop writes a checkpoint: at most shared_buffers of pages. */
const STOP_FAST_TIMEOUT_MS = 60_000;
/** What PostgreSQL itself gives its children after SIGQUIT. */
const STOP_IMMEDIATE_TIMEOUT_MS = 5_000;
/** Status line of postmaster.pid, from 0. */
const STATUS_LINE = 7;

export type Postmaster = {
  readonly pid: number;
  readonly exited: Promise<ExitReason>;
  /** Resolves when the server takes connections; rejects when it ends instead. */
  ready(): Promise<void>;
  /** Makes the server read its configuration files again. */
  reload(): void;
  stop(mode: StopMode): Promise<void>;
};

export type PostmasterOptions = ProgramOptions & {readonly dataDirectory: string};

export async function spawnPostmaster(options: PostmasterOptions): Promise<Postmaster> {
  const {pid, exited, signal, endsWithin} = await spawnServer(options);
  return {
    pid,
    exited,
    ready: () => waitUntilReady(options, pid, exited),
    reload: () => signal('SIGHUP'),
    stop: async mode => {
      if (mode === 'fast') {
        signal('SIGINT');
        if (await endsWithin(STOP_FAST_TIMEOUT_MS)) return;
      }
      signal('SIGQUIT');
      if (await endsWithin(STOP_IMMEDIATE_TIMEOUT_MS)) return;
      signal('SIGKILL');
      await exited;
    },
  };
}

async function waitUntilReady(
  {dataDirectory, log}: PostmasterOptions,
  pid: number,
  exited: Promise<ExitReason>,
): Promise<void> {
  let ended: ExitReason | undefined;
  void exited.then(reason => (ended = reason));
  const deadlineMs = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  while (!(await isReady(dataDirectory, pid))) {
    if (ended !== undefined) {
      throw new BorealisError(
        'unavailable',
        'engine-start',
        `PostgreSQL ended with ${exitText(ended)} before it was ready${lastComplaint(log.tail())}`,
      );
    }
    if (systemClock.monotonicMs() > deadlineMs) {
      throw new BorealisError(
        'unavailable',
        'engine-start',
        `PostgreSQL was not ready within ${READY_TIMEOUT_MS / 1000} s`,
      );
    }
    await sleep(READY_POLL_MS);
  }
}

async function isReady(dataDirectory: string, pid: number): Promise<boolean> {
  try {
    const lines = (await readFile(join(dataDirectory, 'postmaster.pid'), 'latin1')).split('\n');
    // In a nested PID namespace the server would know itself by another number; it has none.
    return lines[0] === String(pid) && lines[STATUS_LINE]?.trim() === 'ready';
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** What the log says is wrong, as `: …`: its last error or else its last line; empty when it is empty. */
export function lastComplaint(log: string): string {
  const lines = log.split('\n').filter(line => line !== '');
  const line = lines.findLast(text => /(FATAL|PANIC|ERROR|error):/.test(text)) ?? lines.at(-1);
  return line === undefined ? '' : `: ${line.replace(/^.*?(FATAL|PANIC|ERROR|error):\s*/, '')}`;
}
