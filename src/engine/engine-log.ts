/** `engine.log`: what the server writes to its standard error, kept small and readable by its owner only. */
import {closeSync, fchmodSync, fstatSync, openSync, readSync, renameSync, statSync} from 'node:fs';
import {systemErrorCode} from '../base/errors.ts';

export const ENGINE_LOG_NAME = 'engine.log';
/** Beyond this a start moves the log to `engine.log.1`, over an older one. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
/** The end of a log that goes with an error: about forty lines. */
const TAIL_BYTES_MAX = 4 * 1024;

export type EngineLog = {
  /** For the server's stdout and stderr. */
  readonly descriptor: number;
  /** Remembers the end: `tail` tells only what comes after. */
  mark(): void;
  /** The end of what was written since the last mark, or since the log was opened. */
  tail(): string;
  close(): void;
};

export function openEngineLog(path: string): EngineLog {
  rotate(path);
  const descriptor = openSync(path, 'a+', 0o600);
  fchmodSync(descriptor, 0o600);
  let begin = fstatSync(descriptor).size;
  return {
    descriptor,
    mark: () => {
      begin = fstatSync(descriptor).size;
    },
    tail: () => {
      const end = fstatSync(descriptor).size;
      const from = Math.max(begin, end - TAIL_BYTES_MAX);
      const buffer = Buffer.alloc(end - from);
      const length = readSync(descriptor, buffer, 0, buffer.length, from);
      return buffer.toString('utf8', 0, length).trim();
    },
    close: () => closeSync(descriptor),
  };
}

function rotate(path: string): void {
  try {
    if (statSync(path).size > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}
