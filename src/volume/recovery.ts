/**
 * Recovery: finds the end of a volume's log and what its batches say, from the last checkpoint on.
 *
 * 1. Headers are followed from the checkpoint: a header counts when its checksum, place, volume and
 *    LSN are right, in whichever copy. A segment's header says where the one before ended (`startLsn`),
 *    and the record's fence beyond which LSN nothing of an earlier epoch counts: what a fenced-off writer
 *    appended beyond either is not followed.
 * 2. The pages of batches that were not known to be durable when the last header was written are
 *    verified in order, and the log is cut before the first batch with a page that no copy holds.
 *
 * 3. Whatever follows the end is searched for headers. One that says that more was durable than was
 *    found means that the log rotted before its end: that is corruption, never taken for an end. While a
 *    zone is away that may hold what is missing, it is unavailable.
 *
 * The result is a prefix of what was appended that holds at least all that a barrier covered.
 */
import {BorealisError} from '../base/errors.ts';
import type {Lsn, SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {SegmentFile, Zone} from '../page-store/zone.ts';
import {decodeHeader, looksLikeHeader, type BatchHeader} from './batch.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES} from './pointer.ts';
import {
  copyReader,
  fromAnyCopy,
  goodPage,
  levelBatch,
  levelBytes,
  unreadCopies,
  zonesTried,
} from './segment-copies.ts';
import {decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader} from './segment-header.ts';
import type {Fence, VolumeRecord} from './volume-record.ts';

export type RecoveredLog = {
  /** To be applied in order. */
  readonly batches: readonly BatchHeader[];
  /** Up to here batches were known to be durable. */
  readonly durableLsn: number;
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

type Files = ReadonlyMap<SegmentNumber, SegmentFile>;
type Followed = Pick<VolumeRecord, 'volume' | 'checkpoint' | 'fence'>;

export function recoverLog(zone: Zone, record: Followed): RecoveredLog {
  const {volume, checkpoint} = record;
  const segments = zone.listSegments(volume).map(listing => listing.segment);
  const after = segments.filter(segment => segment >= checkpoint.segment);
  return withFiles(zone, volume, after, files => {
    const batches = cutAtBadPage(followHeaders(record, files), files);
    const last = batches.at(-1);
    checkNothingLost(record, last ?? null, files);
    const end = last?.segment ?? checkpoint.segment;
    return {
      batches,
      durableLsn: highestDurable(batches),
      lsn: last?.lsn ?? checkpoint.lsn,
      timestampMs: last?.timestampMs ?? checkpoint.timestampMs,
      toSync: after.filter(segment => segment <= end),
      garbage: after.filter(segment => segment > end),
      nextSegment: (Math.max(0, ...segments) + 1) as SegmentNumber,
    };
  });
}

/**
 * Makes every copy hold what was found, durably. What was not known to be durable is written once
 * more, in place: after a sync that failed the host may take its cached pages for written, and to
 * sync them again would succeed and write nothing.
 */
export function levelLog(zone: Zone, volume: VolumeNumber, log: RecoveredLog): void {
  withFiles(zone, volume, log.toSync, files => {
    const headed = new Set<SegmentNumber>();
    for (const batch of log.batches) {
      const file = files.get(batch.segment) as SegmentFile;
      const all = batch.lsn > log.durableLsn;
      // With one copy there is nothing to compare it with.
      if (!all && file.copies.length === 1) continue;
      const place = {volume, segment: batch.segment, offset: batch.offset};
      const header = fromAnyCopy(file, read => {
        const found = decodeHeader(place, read);
        if (found?.lsn !== batch.lsn || found.epoch !== batch.epoch) return null;
        return read(batch.offset, batch.headerBytes);
      });
      if (header === null) continue;
      if (!headed.has(batch.segment)) {
        headed.add(batch.segment);
        const best = bestHeader(volume, batch.segment, file);
        if (best !== null) levelBytes(file, 0, best.bytes, all);
      }
      levelBatch(file, batch, header, all);
    }
    for (const file of files.values()) file.sync();
  });
}

function withFiles<T>(
  zone: Zone,
  volume: VolumeNumber,
  segments: readonly SegmentNumber[],
  run: (files: Files) => T,
): T {
  const files = new Map<SegmentNumber, SegmentFile>();
  try {
    for (const segment of segments) files.set(segment, zone.openSegment(volume, segment));
    return run(files);
  } finally {
    for (const file of files.values()) file.close();
  }
}

function followHeaders({volume, checkpoint, fence}: Followed, files: Files): BatchHeader[] {
  const batches: BatchHeader[] = [];
  let lsn = checkpoint.lsn;
  const headers = new Map(
    [...files].map(([segment, file]) => [
      segment,
      bestHeader(volume, segment, file)?.header ?? null,
    ]),
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
    const file = files.get(segment) as SegmentFile;
    let offset = isFirst ? checkpoint.offset : SEGMENT_HEADER_BYTES;
    for (;;) {
      if (lsn >= limit || isFenced(fence, header.epoch, lsn + 1)) break;
      const next = lsn + 1;
      const place = {volume, segment, offset};
      const batch = fromAnyCopy(file, read => {
        const found = decodeHeader(place, read);
        return found?.lsn === next && found.epoch === header.epoch ? found : null;
      });
      if (batch === null) break;
      batches.push(batch);
      lsn = batch.lsn;
      offset += batch.batchBytes;
    }
  }
  return batches;
}

/** What a writer of `epoch` appended as `lsn` is not part of the log. */
function isFenced(fence: Fence | null, epoch: number, lsn: number): boolean {
  return fence !== null && epoch < fence.epoch && lsn > fence.lsn;
}

const SEARCH_BYTES = 2 ** 20;

/**
 * @throws BorealisError when a header behind the end knows of durable batches that were not found: corrupt, or
 *   unavailable while a zone cannot be asked that may hold them.
 */
function checkNothingLost(record: Followed, last: BatchHeader | null, files: Files): void {
  const {volume, checkpoint} = record;
  const lsn = last?.lsn ?? checkpoint.lsn;
  const endSegment = last?.segment ?? checkpoint.segment;
  const endOffset = last === null ? checkpoint.offset : last.offset + last.batchBytes;
  for (const [segment, file] of files) {
    if (segment < endSegment) continue;
    const from = segment === endSegment ? endOffset : SEGMENT_HEADER_BYTES;
    const found = file.copies.map((_, copy) =>
      highestDurableLsn(record, segment, file, copy, from),
    );
    const durableLsn = Math.max(...found);
    if (durableLsn <= lsn) continue;
    const what = `the log of volume ${volume} ends at LSN ${lsn} in segment ${endSegment}, offset ${endOffset}, but segment ${segment} says that LSN ${durableLsn} was durable (${zonesTried(file)})`;
    const unread = unreadCopies(file);
    if (unread.length === 0) throw new BorealisError('corrupt', 'log-corrupt', what);
    throw new BorealisError(
      'unavailable',
      'log-out-of-reach',
      `${what}; zones that cannot be asked: ${unread.join(', ')}`,
    );
  }
}

/** Looks for batch headers at every sector; most segments end with a few zeros. */
function highestDurableLsn(
  record: Followed,
  segment: SegmentNumber,
  file: SegmentFile,
  copy: number,
  from: number,
): number {
  const read = copyReader(file, copy);
  let highest = 0;
  for (let offset = from; ; offset += SEARCH_BYTES) {
    const bytes = read(offset, SEARCH_BYTES);
    for (let at = 0; at < bytes.length; at += SECTOR_SIZE_BYTES) {
      if (!looksLikeHeader(bytes, at)) continue;
      const batch = decodeHeader({volume: record.volume, segment, offset: offset + at}, read);
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

function cutAtBadPage(batches: readonly BatchHeader[], files: Files): readonly BatchHeader[] {
  const durable = highestDurable(batches);
  for (const [index, batch] of batches.entries()) {
    if (batch.lsn <= durable) continue;
    const file = files.get(batch.segment) as SegmentFile;
    const pagesAt = batch.offset + batch.headerBytes;
    const whole = batch.entries.every(
      ({crc}, slot) => goodPage(file, pagesAt + slot * PAGE_SIZE_BYTES, crc) !== null,
    );
    if (!whole) return batches.slice(0, index);
  }
  return batches;
}

function highestDurable(batches: readonly BatchHeader[]): number {
  return batches.reduce((highest, batch) => Math.max(highest, batch.durableLsn), 0);
}

/**
 * The header of a segment: of its copies' the one of the highest epoch, because a writer that was
 * fenced off may have begun a segment of the same number in a zone that its successor did not see.
 * Null when there is none, or none that was meant for this place.
 */
export function bestHeader(
  volume: VolumeNumber,
  segment: SegmentNumber,
  file: SegmentFile,
): {header: SegmentHeader; bytes: Buffer} | null {
  let best: {header: SegmentHeader; bytes: Buffer} | null = null;
  for (let copy = 0; copy < file.copies.length; copy++) {
    const bytes = copyReader(file, copy)(0, SEGMENT_HEADER_BYTES);
    const header = decodeSegmentHeader(bytes);
    if (header?.volume !== volume || header.segment !== segment) continue;
    if (best === null || header.epoch > best.header.epoch) best = {header, bytes};
  }
  return best;
}
