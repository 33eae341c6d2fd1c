/** Which bytes a zone that catches up is to copy. */
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import type {Ask, Job} from './mirror-job.ts';
import type {Member} from './mirror-member.ts';
import type {RecordVersion} from './record.ts';
import {LISTING_PAGE, type Outcome, outcomeError} from './zone-operation.ts';
import type {SegmentListing} from './zone.ts';

/** Copied by one operation, and how many of them are under way at a time. */
const COPY_BYTES = 4 * 2 ** 20;
const COPIES_AT_A_TIME = 32;
/** What is written when a segment is made, before anything of the log. */
const SEGMENT_HEADER_BYTES = 512;

export type Copy = {
  readonly segment: SegmentNumber;
  readonly from: number;
  readonly to: number;
};

/**
 * What `own` lacks of `there`. What the zone's record vouches for is whole as far as it goes: what it has of
 * that is left alone, since a bad copy elsewhere must not fill in its zeros. Of the rest the bytes are compared.
 */
export function planCopies(
  there: readonly SegmentListing[],
  own: readonly SegmentListing[],
  settled: RecordVersion['settled'],
): Copy[] {
  const sizes = new Map(own.map(({segment, sizeBytes}) => [segment, sizeBytes]));
  return there
    .map(({segment, sizeBytes}) => {
      const from = vouchedBytes(segment, sizes.get(segment) ?? 0, settled);
      return {segment, from, to: sizeBytes};
    })
    .filter(({segment, from, to}) => from < to || !sizes.has(segment));
}

/**
 * How much of a copy of so many bytes its record vouches for. Where the log goes on at the very beginning of a
 * segment, there may be one that another writer began.
 */
function vouchedBytes(
  segment: SegmentNumber,
  sizeBytes: number,
  settled: RecordVersion['settled'],
): number {
  if (settled === null || segment > settled.segment) return 0;
  if (segment < settled.segment) return sizeBytes;
  return settled.offset > SEGMENT_HEADER_BYTES ? Math.min(sizeBytes, settled.offset) : 0;
}

/** The part of `copies` that lies before the end of what a record vouches for. */
export function settledPart(copies: readonly Copy[], settled: RecordVersion['settled']): Copy[] {
  if (settled === null) return [];
  return copies.flatMap(copy => {
    if (copy.segment > settled.segment) return [];
    const to = copy.segment === settled.segment ? Math.min(copy.to, settled.offset) : copy.to;
    return [{...copy, to}];
  });
}

/** All segments of a volume in one zone, page by page. */
export function* listSegments(member: Member, volume: VolumeNumber): Listing {
  const all: SegmentListing[] = [];
  for (let after = 0; ; after = all.at(-1)?.segment ?? 0) {
    const [outcome] = yield [{member, operation: {kind: 'list-segments', volume, after}}];
    const page = good(outcome).value as readonly SegmentListing[];
    all.push(...page);
    if (page.length < LISTING_PAGE) return all;
  }
}

type Listing = Generator<readonly Ask[], readonly SegmentListing[], readonly Outcome[]>;

/**
 * The copies as operations of at most COPY_BYTES. With `rewrite` what the zone has is written once more: whatever
 * no record of it vouches for may have been forgotten by a sync that failed.
 */
export function copyAsks(
  member: Member,
  source: Member,
  volume: VolumeNumber,
  copies: readonly Copy[],
  {inOrder, rewrite}: {readonly inOrder: boolean; readonly rewrite: boolean},
): Ask[] {
  return copies.flatMap(({segment, from, to}) => {
    const asks: Ask[] = [];
    for (let at = from; at < to; at += COPY_BYTES) {
      const end = Math.min(to, at + COPY_BYTES);
      const range = {volume, segment, source: source.name, from: at, to: end, inOrder, rewrite};
      asks.push({member, operation: {kind: 'copy', ...range}});
    }
    return asks;
  });
}

/** Runs copies a few at a time and counts them as progress of `member`. */
export function* runCopies(member: Member, asks: readonly Ask[]): Job {
  for (let at = 0; at < asks.length; at += COPIES_AT_A_TIME) {
    const some = asks.slice(at, at + COPIES_AT_A_TIME);
    const outcomes = yield some;
    for (const outcome of outcomes) good(outcome);
    const bytes = some.reduce((sum, ask) => sum + copiedBytes(ask), 0);
    const {bytesDone, bytesTotal} = member.progress;
    member.progress = {bytesDone: bytesDone + bytes, bytesTotal};
  }
}

export function copiedBytes({operation}: Ask): number {
  return operation.kind === 'copy' ? operation.to - operation.from : 0;
}

/** @throws BorealisError that the zone answered with. */
export function good(outcome: Outcome | undefined): Outcome & {ok: true} {
  if (outcome?.ok === true) return outcome;
  throw outcomeError(outcome ?? {kind: 'unavailable', code: 'zone-io', message: 'no answer'});
}
