/**
 * The log files of a DB instance, and reading them in portions.
 *
 *     error/engine.log      what the server writes now
 *     error/engine.log.1    what it wrote before the log grew too large
 *
 *     Marker   'INODE:OFFSET', where the next portion begins. When the file was moved away since, the
 *              next portion begins at the start of the one that has its name now. '0' is the start.
 *
 * A portion ends with a whole line where there is one.
 */
import {open, readdir, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {systemErrorCode} from '../base/errors.ts';
import {ENGINE_LOG_NAME} from '../engine/engine-log.ts';

const FOLDER = 'error/';
const FILE_NAMES: readonly string[] = [ENGINE_LOG_NAME, `${ENGINE_LOG_NAME}.1`];
/** As in RDS. */
const PORTION_BYTES_MAX = 1024 * 1024;

export type LogFile = {
  readonly name: string;
  readonly lastWrittenMs: number;
  readonly sizeBytes: number;
};

export type LogPortion = {
  readonly text: string;
  readonly marker: string;
  readonly isMorePending: boolean;
};

/** Where to begin; `end`: with the last lines. */
export type LogPlace = {readonly inode: number | null; readonly offset: number} | 'end';

/** In the order of their names. */
export async function logFiles(runDirectory: string): Promise<LogFile[]> {
  const found = await withoutMissing(readdir(runDirectory), [] as string[]);
  const files: LogFile[] = [];
  for (const name of FILE_NAMES) {
    if (!found.includes(name)) continue;
    const status = await withoutMissing(stat(join(runDirectory, name)), null);
    if (status === null) continue;
    files.push({
      name: FOLDER + name,
      lastWrittenMs: Math.floor(status.mtimeMs),
      sizeBytes: status.size,
    });
  }
  return files;
}

/** Null when the text is no marker. */
export function parseLogMarker(marker: string): LogPlace | null {
  if (marker === '0') return {inode: null, offset: 0};
  const [, inode, offset] = /^(\d{1,15}):(\d{1,15})$/.exec(marker) ?? [];
  return inode === undefined ? null : {inode: Number(inode), offset: Number(offset)};
}

/** At most `linesMax` lines of a log from `place` on; null when the instance has no such log. */
export async function readLogPortion(
  runDirectory: string,
  name: string,
  place: LogPlace,
  linesMax: number,
): Promise<LogPortion | null> {
  const fileName = FILE_NAMES.find(each => FOLDER + each === name);
  if (fileName === undefined) return null;
  const file = await withoutMissing(open(join(runDirectory, fileName)), null);
  if (file === null) return null;
  try {
    const {size, ino} = await file.stat();
    const isMoved = place !== 'end' && place.inode !== null && place.inode !== ino;
    const from =
      place === 'end' ? Math.max(0, size - PORTION_BYTES_MAX) : isMoved ? 0 : place.offset;
    const buffer = Buffer.alloc(Math.max(0, Math.min(size - from, PORTION_BYTES_MAX)));
    const {bytesRead} = await file.read(buffer, 0, buffer.length, from);
    const bytes = buffer.subarray(0, bytesRead);
    if (place === 'end') {
      const text = printable(lastLines(bytes, linesMax));
      return {text, marker: `${ino}:${size}`, isMorePending: false};
    }
    const shown = firstLines(bytes, linesMax, from + bytesRead >= size);
    const end = from + shown.length;
    return {text: printable(shown), marker: `${ino}:${end}`, isMorePending: end < size};
  } finally {
    await file.close();
  }
}

const NEWLINE = 0x0a;

/** `isEnd`: nothing comes after `bytes`, so a line without an end is shown too. */
function firstLines(bytes: Buffer, linesMax: number, isEnd: boolean): Buffer {
  let end = 0;
  for (let lines = 0; lines < linesMax; lines++) {
    const at = bytes.indexOf(NEWLINE, end);
    if (at === -1) return isEnd || end === 0 ? bytes : bytes.subarray(0, end);
    end = at + 1;
  }
  return bytes.subarray(0, end);
}

function lastLines(bytes: Buffer, linesMax: number): Buffer {
  // The newline that ends the last line does not begin another one.
  let start = bytes.at(-1) === NEWLINE ? bytes.length - 1 : bytes.length;
  for (let lines = 0; lines < linesMax; lines++) {
    const at = start === 0 ? -1 : bytes.lastIndexOf(NEWLINE, start - 1);
    if (at === -1) return bytes;
    start = at;
  }
  return bytes.subarray(start + 1);
}

/** XML can carry no control characters but tab, newline and return. */
function printable(bytes: Buffer): string {
  return bytes
    .toString('utf8')
    .replaceAll(/[\p{Cc}\ufffe\uffff]/gu, found => (/\s/.test(found) ? found : '\ufffd'))
    .replaceAll(/[\v\f]/g, '\ufffd');
}

async function withoutMissing<T, D>(work: Promise<T>, missing: D): Promise<T | D> {
  try {
    return await work;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return missing;
    throw error;
  }
}
