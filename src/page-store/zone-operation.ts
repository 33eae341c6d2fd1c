/**
 * What a mirror asks of one of its zones. An operation goes into one of the zone's two lines:
 *
 *     append line   all that changes the zone, in order; an fdatasync takes as long as it takes
 *     read line     reads, and the copying of a zone that catches up; never behind an fdatasync
 *
 * Parts of a log that is being written (`write`, `truncate`, `sync`) have no answer: that they are
 * done is seen from the line's progress, and one that fails stops the line for good, so that what is
 * done is always a prefix of what was asked.
 */
import {BorealisError, type ErrorKind} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import {bytesOfParts} from './part-reads.ts';
import type {SegmentRange} from './zone.ts';

type InVolume = {readonly volume: VolumeNumber};
type InSegment = InVolume & {readonly segment: SegmentNumber};

/** What concerns bytes in segments. */
export type SegmentOperation =
  /** Writes the bytes; `make` the segment if it is not there. */
  | (InSegment & {readonly kind: 'write'; readonly position: number; readonly make: boolean})
  | (InSegment & {readonly kind: 'truncate'; readonly sizeBytes: number})
  /** Syncs, sees that the volume's record is still that of this writer, and publishes `mark` unless it is 0. */
  | (InVolume & {
      readonly kind: 'sync';
      readonly segments: readonly SegmentNumber[];
      readonly mark: number;
    })
  | (InSegment & {readonly kind: 'create-segment' | 'delete-segment'})
  /** Answers with the bytes that it takes on disk then. A copy that lacks something stays as it is. */
  | (InSegment & {readonly kind: 'compact-segment'; readonly live: readonly SegmentRange[]})
  /** Writes the bytes over bad ones and syncs. */
  | (InSegment & {readonly kind: 'repair'; readonly position: number})
  | (InSegment & {readonly kind: 'read'; readonly position: number; readonly length: number})
  /** Reads several parts, as part-reads.ts has them. */
  | {readonly kind: 'read-parts'; readonly parts: readonly number[]}
  /**
   * Fills in what bytes `from` up to `to` lack that another zone has, durably: a place of a log is
   * written once, so a sector that holds something here is as good as the other one, or better, for
   * that may have rotted. With `rewrite` the bytes are written even where nothing is lacking: a zone
   * that failed may have them in its host's cache only. Answers with how many there were. `inOrder`
   * puts it into the append line, before what is appended later.
   */
  | (InSegment & {
      readonly kind: 'copy';
      readonly source: string;
      /** Where that one lies, as it was when this was asked; unknown to a simulated zone. */
      readonly sourceDirectory?: string;
      readonly from: number;
      readonly to: number;
      readonly inOrder: boolean;
      readonly rewrite: boolean;
    })
  /** A page of the listing: at most LISTING_PAGE of those behind `after`. */
  | (InVolume & {readonly kind: 'list-segments'; readonly after: number})
  /** Lets go of segments that were deleted. */
  | {readonly kind: 'tidy'};

/** What concerns records, and the zone as a whole. */
export type RecordOperation =
  /** The bytes are the record. With `force` any older one is replaced, else exactly `expected`. */
  | {readonly kind: 'write-store-record'; readonly expected: string | null; readonly force: boolean}
  | (InVolume & {
      readonly kind: 'write-volume-record';
      readonly expected: string | null;
      readonly force: boolean;
      /** This writer looks at it after each sync from now on. */
      readonly hold: boolean;
    })
  | (InVolume & {
      readonly kind:
        | 'delete-volume-record'
        | 'delete-empty-volume'
        | 'discard-unfinished'
        | 'lock'
        | 'unlock';
    })
  | {readonly kind: 'remove-leftover'; readonly name: string}
  | (InVolume & {readonly kind: 'read-volume-record'})
  /**
   * Writes the store record once more, for a disk may be there to read, and take no writes. Answers
   * whether there is one.
   */
  | {readonly kind: 'probe'}
  /** Does nothing: its answer says that all before it is done. */
  | {readonly kind: 'pass'}
  | {readonly kind: 'read-store-record' | 'list-volumes' | 'list-leftovers' | 'free-bytes'};

/** Listings of one answer: an eighth of a megabyte at most, where a line has room for four. */
export const LISTING_PAGE = 1024;

export type ZoneOperation = SegmentOperation | RecordOperation;
type Kind = ZoneOperation['kind'];

export type RecordState = 'absent' | 'present' | 'removed';

/** What became of an operation. `value` can be told as JSON. */
export type Outcome =
  | {readonly ok: true; readonly value: unknown; readonly bytes: Buffer | null}
  | {readonly ok: false; readonly kind: ErrorKind; readonly code: string; readonly message: string};

export type LineName = 'append' | 'read';

const SEGMENT_KINDS: ReadonlySet<Kind> = new Set<SegmentOperation['kind']>([
  ...(['write', 'truncate', 'sync', 'create-segment', 'delete-segment'] as const),
  'compact-segment',
  ...(['repair', 'read', 'read-parts', 'copy', 'list-segments', 'tidy'] as const),
]);
const READ_KINDS: ReadonlySet<Kind> = new Set<Kind>([
  ...(['read', 'read-parts', 'copy', 'list-segments', 'tidy', 'read-volume-record'] as const),
  ...(['read-store-record', 'list-volumes', 'list-leftovers', 'free-bytes'] as const),
]);
const STREAMED_KINDS: ReadonlySet<Kind> = new Set<Kind>(['write', 'truncate', 'sync']);

/** A record as an operation says what it expects. */
export function expectedText(record: Uint8Array | null): string | null {
  return record === null ? null : Buffer.from(record).toString('latin1');
}

export function isOnSegments(operation: ZoneOperation): operation is SegmentOperation {
  return SEGMENT_KINDS.has(operation.kind);
}

export function lineOf(operation: ZoneOperation): LineName {
  if (operation.kind === 'copy' && operation.inOrder) return 'append';
  return READ_KINDS.has(operation.kind) ? 'read' : 'append';
}

/** How much of a segment it reads; 0 for anything else. */
export function bytesToRead(operation: ZoneOperation): number {
  if (operation.kind === 'read') return operation.length;
  return operation.kind === 'read-parts' ? bytesOfParts(operation.parts) : 0;
}

/** It is part of a log that is being written: it has no answer, and its failure stops the line. */
export function isStreamed(operation: ZoneOperation): boolean {
  return STREAMED_KINDS.has(operation.kind);
}

export function outcomeError({
  kind,
  code,
  message,
}: {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly message: string;
}): BorealisError {
  return new BorealisError(kind, code, message);
}
