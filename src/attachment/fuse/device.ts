/**
 * The descriptor of /dev/fuse. Each read is one request, each write one reply, from any thread.
 *
 *     ENOENT (read)             a request was given up before it was read: read the next
 *     ENOENT (write)            a request was given up before it was answered
 *     ENODEV                    unmounted
 *     ECONNABORTED, EPERM       the connection was aborted, or its last mount is gone
 */
import {readSync, writeSync} from 'node:fs';
import {systemErrorCode} from '../../base/errors.ts';

const ENDED: ReadonlySet<string | undefined> = new Set(['ENODEV', 'ECONNABORTED', 'EPERM']);
const TRY_AGAIN: ReadonlySet<string | undefined> = new Set(['ENOENT', 'EINTR', 'EAGAIN']);

/** Waits for the next request; returns its length, or null when the session has ended. */
export function receive(
  fd: number,
  buffer: Uint8Array,
  offset: number,
  lengthMax: number,
): number | null {
  for (;;) {
    try {
      return readSync(fd, buffer, offset, lengthMax, null);
    } catch (error) {
      const code = systemErrorCode(error);
      if (ENDED.has(code)) return null;
      if (!TRY_AGAIN.has(code)) throw error;
    }
  }
}

/** Sends one reply. False: nobody waits for it any more. */
export function send(fd: number, buffer: Uint8Array, offset: number, length: number): boolean {
  try {
    writeSync(fd, buffer, offset, length, null);
    return true;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || ENDED.has(code)) return false;
    throw error;
  }
}
