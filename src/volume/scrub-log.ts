/**
 * The log of a volume behind its checkpoint, as units to verify: what a barrier covered, and headers.
 *
 * A writer may append meanwhile. Nothing that it does is taken for damage: only what was known to be
 * durable counts, and an end of the log that cannot be only if it is found twice, a second apart.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {SegmentFile, Zone} from '../page-store/zone.ts';
import {decodeHeader, type BatchHeader} from './batch.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {bestHeader, recoverLog} from './recovery.ts';
import type {Unit} from './scrub-units.ts';
import {copyReader, fromAnyCopy, isMissing, type ReadBytes} from './segment-copies.ts';
import {SEGMENT_HEADER_BYTES} from './segment-header.ts';
import type {VolumeRecord} from './volume-record.ts';

type SegmentPlace = {readonly volume: VolumeNumber; readonly segment: SegmentNumber};

export type NamedUnit = Unit & {readonly what: string};

/** The log ends where it cannot: `message` says how. */
export type BrokenLog = {readonly message: string};

const LOOK_AGAIN_MS = 1_000;

/** Batches of the log that a barrier covered. Yields how long to wait. Null while the log is being changed. */
export function* durableBatches(
  zone: Zone,
  record: VolumeRecord,
): Generator<number, readonly BatchHeader[] | BrokenLog | null> {
  const first = follow(zone, record);
  if (first === null || !('message' in first)) return first;
  yield LOOK_AGAIN_MS;
  const second = follow(zone, record);
  const isSame = second !== null && 'message' in second && second.message === first.message;
  return isSame || (second !== null && !('message' in second)) ? second : null;
}

function follow(zone: Zone, record: VolumeRecord): readonly BatchHeader[] | BrokenLog | null {
  try {
    const {batches, durableLsn} = recoverLog(zone, record);
    return batches.filter(({lsn}) => lsn <= durableLsn);
  } catch (error) {
    if (!(error instanceof BorealisError)) throw error;
    // A segment that was listed and is gone: an opening or a sweep is at work.
    if (error.kind === 'not-found') return null;
    if (error.kind === 'corrupt') return {message: error.message};
    throw error;
  }
}

/** Header and pages of the batches of one segment, and the segment's own header, in ascending order. */
export function logUnits(
  {volume}: VolumeRecord,
  segment: SegmentNumber,
  file: SegmentFile,
  batches: readonly BatchHeader[],
): NamedUnit[] {
  const units = segmentHeaderUnits(file, {volume, segment});
  for (const batch of batches) {
    const {offset, headerBytes, lsn, epoch, entries} = batch;
    const header = fromAnyCopy(file, read => {
      const found = decodeHeader({volume, segment, offset}, read);
      return found?.lsn === lsn && found.epoch === epoch ? read(offset, headerBytes) : null;
    });
    if (header === null) continue;
    const what = `header of batch ${lsn} in the log of volume ${volume}`;
    units.push({position: offset, length: headerBytes, crc: crc32(header), what});
    for (const [slot, {file: number, page, crc}] of entries.entries()) {
      units.push({
        position: offset + headerBytes + slot * PAGE_SIZE_BYTES,
        length: PAGE_SIZE_BYTES,
        crc,
        what: batch.nodes
          ? `page-table node in the log of volume ${volume}`
          : `page ${page} of file ${number} in the log of volume ${volume}`,
      });
    }
  }
  return units;
}

/** The header of a segment as its best copy holds it; none when no copy does. */
function segmentHeaderUnits(file: SegmentFile, {volume, segment}: SegmentPlace): NamedUnit[] {
  const best = bestHeader(volume, segment, file);
  if (best === null) return [];
  const what = `header of segment ${segment} of volume ${volume}`;
  return [{position: 0, length: SEGMENT_HEADER_BYTES, crc: crc32(best.bytes), what}];
}

/**
 * The header of a segment that is not part of a log any more, and the copies that do not hold it. A
 * copy that was compacted has none.
 */
export function badHeader(
  file: SegmentFile,
  place: SegmentPlace,
): {readonly unit: NamedUnit; readonly bad: readonly number[]} | null {
  const copies = file.copies.map((_, copy) =>
    fromOneCopy(file, copy, read => read(0, SEGMENT_HEADER_BYTES)),
  );
  const what = `header of segment ${place.segment} of volume ${place.volume}`;
  const [unit = {position: 0, length: SEGMENT_HEADER_BYTES, crc: -1, what}] = segmentHeaderUnits(
    file,
    place,
  );
  const bad = [...copies.keys()].filter(copy => {
    const bytes = copies[copy] ?? Buffer.alloc(0);
    return bytes.length > 0 && crc32(bytes) !== unit.crc;
  });
  // Where all others were compacted nobody knows what it was, and nobody needs it.
  const isUnknown = unit.crc === -1 && bad.length < copies.length;
  return bad.length === 0 || isUnknown ? null : {unit, bad};
}

function fromOneCopy<T>(file: SegmentFile, copy: number, read: (bytes: ReadBytes) => T): T | null {
  try {
    return read(copyReader(file, copy));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
