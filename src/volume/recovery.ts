/**
 * Recovery: finds the end of a volume's log and what its batches say, from the last checkpoint on.
 *
 * 1. Headers are followed from the checkpoint: a header counts when its checksum, place, volume and
 *    LSN are right. A segment's header says where the one before ended (`startLsn`), and the record's
 *    fence beyond which LSN nothing of an earlier epoch counts: what a fenced-off writer appended beyond
 *    either is not followed.
 * 2. The pages of batches that were not known to be durable when the last header was written are
 *    verified in order, and the log is cut before the first batch with a bad page.
 *
 * 3. Whatever follows the end is searched for headers. One that says that more was durable than was
 *    found means that the log rotted before its end: that is corruption, never taken for an end.
 *
 * The result is a prefix of what was appended that holds at least all that a barrier covered.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';
import type {Lsn, SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {SegmentFile, Zone} from '../page-store/zone.ts';
import {decodeHeader, looksLikeHeader, type BatchHeader} from './batch.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES} from './pointer.ts';
import {decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader} from './segment-header.ts';
import type {Fence, VolumeRecord} from './volume-record.ts';

export type RecoveredLog = {
  /** To be applied in order. */
  readonly batches: readonly BatchHeader[];
  /** Those at the end that were not known to be durable. */
  readonly undurable: readonly BatchHeader[];
  /** LSN of the last of them, or of the checkpoint. */
  readonly lsn: Lsn;
  readonly timestampMs: number;
  /** Segments to sync before anything new is acknowledged: they may lie in the host's cache only. */
  readonly toSync: readonly SegmentNumber[];
  /** Segments behind the end of the log: no barrier ever covered anything in them. */
  readonly garbage: readonly SegmentNumber[];
  /** One more than the highest segment number there is. */
  readonly nextSegment: SegmentNumber;
};

export function recoverLog(zone: Zone, record: VolumeRecord): RecoveredLog {
  const {volume, checkpoint} = record;
  const segments = zone.listSegments(volume).map(listing => listing.segment);
  const after = segments.filter(segment => segment >= checkpoint.segment);
  const files = new Map(after.map(segment => [segment, zone.openSegment(volume, segment)]));
  try {
    const followed = followHeaders(record, files);
    const batches = cutAtBadPage(followed, files);
    const last = batches.at(-1);
    checkNothingLost(record, last ?? null, files);
    const end = last?.segment ?? checkpoint.segment;
    const durable = highestDurable(batches);
    return {
      batches,
      undurable: batches.filter(batch => batch.lsn > durable),
      lsn: last?.lsn ?? checkpoint.lsn,
      timestampMs: last?.timestampMs ?? checkpoint.timestampMs,
      toSync: after.filter(segment => segment <= end),
      garbage: after.filter(segment => segment > end),
      nextSegment: (Math.max(0, ...segments) + 1) as SegmentNumber,
    };
  } finally {
    for (const file of files.values()) file.close();
  }
}

function followHeaders(
  record: VolumeRecord,
  files: ReadonlyMap<SegmentNumber, SegmentFile>,
): BatchHeader[] {
  const {volume, checkpoint, fence} = record;
  const batches: BatchHeader[] = [];
  let lsn = checkpoint.lsn;
  const headers = new Map(
    [...files].map(([segment, file]) => [segment, readHeader(volume, segment, file)]),
  );
  const numbers = [...files.keys()].sort((a, b) => a - b);
  for (const [index, segment] of numbers.entries()) {
    const header = headers.get(segment);
    // Created, and the power went before its header was durable: nothing in it counts.
    if (header === null || header === undefined) continue;
    const isFirst = segment === checkpoint.segment;
    // It follows what was not found, or a fenced-off writer created it; a later one may go on from here.
    if (!isFirst && header.startLsn !== lsn) continue;
    const limit = nextStart(numbers.slice(index + 1), headers);
    const read = reader(files.get(segment) as SegmentFile);
    let offset = isFirst ? checkpoint.offset : SEGMENT_HEADER_BYTES;
    for (;;) {
      if (lsn >= limit || isFenced(fence, header.epoch, lsn + 1)) break;
      const batch = decodeHeader({volume, segment, offset}, read);
      if (batch === null || batch.lsn !== lsn + 1 || batch.epoch !== header.epoch) break;
      batches.push(batch);
      lsn = batch.lsn;
      offset += batch.batchBytes;
    }
  }
  return batches;
}

const SEARCH_BYTES = 2 ** 20;

/** @throws BorealisError corrupt when a header behind the end knows of durable batches that were not found. */
function checkNothingLost(
  record: VolumeRecord,
  last: BatchHeader | null,
  files: ReadonlyMap<SegmentNumber, SegmentFile>,
): void {
  const {volume, checkpoint} = record;
  const lsn = last?.lsn ?? checkpoint.lsn;
  const endSegment = last?.segment ?? checkpoint.segment;
  const endOffset = last === null ? checkpoint.offset : last.offset + last.batchBytes;
  for (const [segment, file] of files) {
    if (segment < endSegment) continue;
    const from = segment === endSegment ? endOffset : SEGMENT_HEADER_BYTES;
    const durableLsn = highestDurableLsn(record, segment, file, from);
    if (durableLsn <= lsn) continue;
    throw new BorealisError(
      'corrupt',
      'log-corrupt',
      `the log of volume ${volume} ends at LSN ${lsn} in segment ${endSegment}, offset ${endOffset}, but segment ${segment} says that LSN ${durableLsn} was durable`,
    );
  }
}

/** Looks for batch headers at every sector; most segments end with a few zeros. */
function highestDurableLsn(
  record: VolumeRecord,
  segment: SegmentNumber,
  file: SegmentFile,
  from: number,
): number {
  const read = reader(file);
  let highest = 0;
  for (let offset = from; ; offset += SEARCH_BYTES) {
    const bytes = read(offset, SEARCH_BYTES);
    for (let at = 0; at < bytes.length; at += SECTOR_SIZE_BYTES) {
      if (!looksLikeHeader(bytes, at)) continue;
      const place = {volume: record.volume, segment, offset: offset + at};
      const batch = decodeHeader(place, read);
      if (batch === null || isFenced(record.fence, batch.epoch, batch.lsn)) continue;
      highest = Math.max(highest, batch.durableLsn);
    }
    if (bytes.length < SEARCH_BYTES) return highest;
  }
}

/** The LSN at which a later segment takes over; a fenced-off writer may have created some of them. */
function nextStart(
  later: readonly SegmentNumber[],
  headers: ReadonlyMap<SegmentNumber, SegmentHeader | null>,
): number {
  return Math.min(...later.map(segment => headers.get(segment)?.startLsn ?? Infinity));
}

/** What a writer of `epoch` appended as `lsn` is not part of the log. */
function isFenced(fence: Fence | null, epoch: number, lsn: number): boolean {
  return fence !== null && epoch < fence.epoch && lsn > fence.lsn;
}

function cutAtBadPage(
  batches: readonly BatchHeader[],
  files: ReadonlyMap<SegmentNumber, SegmentFile>,
): readonly BatchHeader[] {
  const durable = highestDurable(batches);
  const page = Buffer.allocUnsafe(PAGE_SIZE_BYTES);
  for (const [index, batch] of batches.entries()) {
    if (batch.lsn <= durable) continue;
    const file = files.get(batch.segment) as SegmentFile;
    const whole = batch.entries.every((entry, slot) => {
      const at = batch.offset + batch.headerBytes + slot * PAGE_SIZE_BYTES;
      return (
        file.read(at, page, 0, PAGE_SIZE_BYTES) === PAGE_SIZE_BYTES && crc32(page) === entry.crc
      );
    });
    if (!whole) return batches.slice(0, index);
  }
  return batches;
}

function highestDurable(batches: readonly BatchHeader[]): number {
  return batches.reduce((highest, batch) => Math.max(highest, batch.durableLsn), 0);
}

/** Null when the segment has no header, or one that was meant for another place. */
function readHeader(
  volume: VolumeNumber,
  segment: SegmentNumber,
  file: SegmentFile,
): SegmentHeader | null {
  const header = decodeSegmentHeader(reader(file)(0, SEGMENT_HEADER_BYTES));
  return header?.volume === volume && header.segment === segment ? header : null;
}

function reader(file: SegmentFile): (offset: number, length: number) => Buffer {
  return (offset, length) => {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, file.read(offset, bytes, 0, length));
  };
}
