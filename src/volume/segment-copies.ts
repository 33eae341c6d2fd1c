/**
 * The copies of a segment, one in each zone, as recovery sees them: what is good in any of them
 * counts, and is written where it is missing.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';
import type {SegmentFile} from '../page-store/zone.ts';
import type {BatchHeader} from './batch.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';

/** Up to `length` bytes from `offset`; fewer at the end. */
export type ReadBytes = (offset: number, length: number) => Buffer;

/** What `accept` makes of the first copy that it takes; null when it takes none. */
export function fromAnyCopy<T>(
  file: SegmentFile,
  accept: (read: ReadBytes, copy: number) => T | null,
): T | null {
  for (let copy = 0; copy < file.copies.length; copy++) {
    const accepted = accept(copyReader(file, copy), copy);
    if (accepted !== null) return accepted;
  }
  return null;
}

/** A copy that is not there reads as empty, unless it is the only one. */
export function copyReader(file: SegmentFile, copy: number): ReadBytes {
  return (offset, length) => {
    const bytes = Buffer.allocUnsafe(length);
    try {
      return bytes.subarray(0, file.readCopy(copy, offset, bytes, 0, length));
    } catch (error) {
      if (file.copies.length > 1 && isMissing(error)) return bytes.subarray(0, 0);
      throw error;
    }
  };
}

/** The copy cannot be read, which says nothing of the other ones. */
export function isMissing(error: unknown): boolean {
  return (
    error instanceof BorealisError &&
    (error.kind === 'not-found' ||
      error.kind === 'corrupt' ||
      (error.kind === 'unavailable' && error.code !== 'zone-quorum'))
  );
}

/** A page that some copy holds as its checksum says, or null. */
export function goodPage(file: SegmentFile, position: number, crc: number): Buffer | null {
  return fromAnyCopy(file, read => {
    const page = read(position, PAGE_SIZE_BYTES);
    return page.length === PAGE_SIZE_BYTES && crc32(page) === crc ? page : null;
  });
}

/**
 * Writes a batch to every copy that does not hold it; with `all`, to every copy once more. `header`
 * is its header as some copy holds it. A page that no copy holds stays as it is.
 */
export function levelBatch(
  file: SegmentFile,
  batch: BatchHeader,
  header: Buffer,
  all: boolean,
): void {
  levelBytes(file, batch.offset, header, all);
  const pagesAt = batch.offset + batch.headerBytes;
  const bytes = batch.entries.length * PAGE_SIZE_BYTES;
  const found = file.copies.map((_, copy) => copyReader(file, copy)(pagesAt, bytes));
  const isGood = (copy: Buffer, at: number, crc: number): boolean =>
    copy.length >= at + PAGE_SIZE_BYTES && crc32(copy.subarray(at, at + PAGE_SIZE_BYTES)) === crc;
  for (const [slot, {crc}] of batch.entries.entries()) {
    const at = slot * PAGE_SIZE_BYTES;
    const good = found.find(copy => isGood(copy, at, crc))?.subarray(at, at + PAGE_SIZE_BYTES);
    if (good === undefined) continue;
    for (const [copy, held] of found.entries()) {
      if (all || !isGood(held, at, crc)) file.writeCopy(copy, pagesAt + at, good);
    }
  }
}

/** Writes bytes to every copy that has others there; with `all`, to every copy once more. */
export function levelBytes(file: SegmentFile, position: number, bytes: Buffer, all: boolean): void {
  for (let copy = 0; copy < file.copies.length; copy++) {
    if (all || !copyReader(file, copy)(position, bytes.length).equals(bytes)) {
      file.writeCopy(copy, position, bytes);
    }
  }
}

/** The zones that cannot be asked at the moment: what their copies hold is open. */
export function unreadCopies(file: SegmentFile): string[] {
  return file.copies.filter((_, copy) => {
    try {
      file.readCopy(copy, 0, Buffer.alloc(1), 0, 1);
      return false;
    } catch (error) {
      if (file.copies.length === 1 || !isMissing(error)) throw error;
      return (error as BorealisError).kind === 'unavailable';
    }
  });
}

/** Names the zones of a segment's copies for an error. */
export function zonesTried({copies}: SegmentFile): string {
  return copies.length === 1 ? `zone ${copies[0]}` : `zones ${copies.join(', ')}`;
}
