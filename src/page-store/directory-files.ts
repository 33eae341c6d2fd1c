/** Open files of a directory zone, and what their errors become. */
import fs from 'node:fs';
import {assert} from '../base/assert.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import {readPieces} from './segment-pieces.ts';
import type {RecordHold, SegmentFile, SegmentPiece} from './zone.ts';

export class DirectoryHold implements RecordHold {
  readonly descriptor: number;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  isCurrent(): boolean {
    return fs.fstatSync(this.descriptor).nlink > 0;
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }
}

export class DirectorySegment implements SegmentFile {
  readonly syncDescriptor: number;
  readonly ranges = null;
  readonly copies: readonly string[];
  readonly #file: string;

  constructor(zone: string, file: string, descriptor: number) {
    this.copies = [zone];
    this.#file = file;
    this.syncDescriptor = descriptor;
  }

  read(position: number, into: Uint8Array, intoOffset: number, length: number): number {
    let done = 0;
    try {
      while (done < length) {
        const count = fs.readSync(
          this.syncDescriptor,
          into,
          intoOffset + done,
          length - done,
          position + done,
        );
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      throw ioError(`read ${this.#file}`, error);
    }
    return done;
  }

  readPieces(pieces: readonly SegmentPiece[]): void {
    readPieces((position, buffers) => this.#readVector(position, buffers), pieces);
  }

  #readVector(position: number, buffers: readonly Uint8Array[]): number {
    const [only] = buffers;
    if (buffers.length === 1 && only !== undefined)
      return this.read(position, only, 0, only.length);
    return attempt(`read ${this.#file}`, () =>
      fs.readvSync(this.syncDescriptor, buffers, position),
    );
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    try {
      let rest = buffers;
      let at = position;
      while (rest.length > 0) {
        let written = fs.writevSync(this.syncDescriptor, rest, at);
        at += written;
        rest = rest.flatMap(buffer => {
          const skipped = Math.min(written, buffer.length);
          written -= skipped;
          return skipped === buffer.length ? [] : [buffer.subarray(skipped)];
        });
      }
    } catch (error) {
      throw ioError(`write ${this.#file}`, error);
    }
  }

  sync(): void {
    attempt(`sync ${this.#file}`, () => fs.fdatasyncSync(this.syncDescriptor));
  }

  truncate(sizeBytes: number): void {
    attempt(`truncate ${this.#file}`, () => fs.ftruncateSync(this.syncDescriptor, sizeBytes));
  }

  readCopy(
    _copy: number,
    position: number,
    into: Uint8Array,
    intoOffset: number,
    length: number,
  ): number {
    return this.read(position, into, intoOffset, length);
  }

  writeCopy(_copy: number, position: number, bytes: Uint8Array): void {
    this.write([bytes], position);
  }

  repairCopy(): void {
    assert(false, 'the only copy cannot be repaired from another one');
  }

  isDeleted(): boolean {
    return fs.fstatSync(this.syncDescriptor).nlink === 0;
  }

  close(): void {
    fs.closeSync(this.syncDescriptor);
  }
}

export function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw ioError(what, error);
  }
}

export function ioError(what: string, cause: unknown): BorealisError {
  if (cause instanceof BorealisError) return cause;
  const code = systemErrorCode(cause);
  if (code === 'EEXIST') {
    return new BorealisError('conflict', 'already-exists', `cannot ${what}: it exists`, cause);
  }
  if (code === 'ENOENT') {
    return new BorealisError('not-found', 'no-such-file', `cannot ${what}: it is gone`, cause);
  }
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new BorealisError(
    'unavailable',
    full ? 'zone-full' : 'zone-io',
    `cannot ${what}: ${full ? 'the disk is full' : (code ?? 'I/O failed')}`,
    cause,
  );
}
