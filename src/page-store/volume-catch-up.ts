/**
 * Brings the log of the volume that this mirror's writer has open up to date in one zone, while the
 * writer goes on.
 *
 *     copy what is sealed ─▶ copy the rest in order, then feed it what is appended ─▶ sync
 *       (read line)            (append line: nothing appended later overtakes it)
 *          ─▶ record ─▶ current
 *
 * Rule: a zone gets a record only once it holds durably all that the record vouches for.
 */
import {assert} from '../base/assert.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import {
  copiedBytes,
  copyAsks,
  good,
  listSegments,
  planCopies,
  runCopies,
  type Copy,
} from './copy-plan.ts';
import type {Ask, Job} from './mirror-job.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {MirrorStream} from './mirror-stream.ts';
import {recordVersion} from './record.ts';
import {checkSameStore} from './store-identity.ts';
import type {SegmentListing} from './zone.ts';

/** Why a writer leaves a zone alone that is to count later. */
export const NOT_FILLED = 'it is to be filled first, or this process does not see its directory';

export type VolumeCatchUp = {
  readonly members: Members;
  readonly stream: MirrorStream;
  readonly member: Member;
  readonly volume: VolumeNumber;
  /** The store record as the mirror knows it, and the volume's record as the writer writes it, or wrote it last. */
  readonly storeRecord: () => Buffer | null;
  readonly record: () => Buffer;
};

export function* catchUpVolume(parts: VolumeCatchUp): Job {
  const {members, stream, member, volume} = parts;
  const source = pickSource(members);
  const [store, record] = yield [
    {member, operation: {kind: 'read-store-record'}},
    {member, operation: {kind: 'read-volume-record', volume}},
    {member: source, operation: {kind: 'pass'}},
  ];
  const storeRecord = good(store).bytes;
  checkSameStore(storeRecord, parts.storeRecord());
  members.noteStore(member, storeRecord !== null);
  // The record is the last that the keeper gives it. A process that sees another place under its name sees none.
  if (storeRecord === null && !member.isVoter) throw new Error(NOT_FILLED);
  const {value, bytes} = good(record);
  if (value === 'removed') throw new Error(`volume ${volume} was removed in it`);
  const settled = bytes === null ? null : (recordVersion(Buffer.from(bytes))?.settled ?? null);
  const own = yield* listSegments(member, volume);
  // Before the listing: what is written whole only after that is copied once more below.
  const open = stream.firstUnwritten ?? (Infinity as SegmentNumber);
  const there = yield* listSegments(source, volume);

  const copies = planCopies(there, own, settled);
  const asks = copyAsks(member, source, volume, copies, {inOrder: false, rewrite: true});
  const bytesTotal = asks.reduce((sum, ask) => sum + copiedBytes(ask), 0);
  member.progress = {bytesDone: 0, bytesTotal};
  yield* runCopies(member, asks);
  yield* deleteForeign(member, volume, own, there);

  const now = yield* listSegments(source, volume);
  const rest = unfinished(there, now, open, stream.ends);
  yield startFeeding(parts, source, rest);
  yield* handOver(
    parts,
    [...stream.ends.keys()].filter(segment => segment >= open),
  );
}

/** No writer's segment but one of another epoch: it would stand in the way. */
function* deleteForeign(
  member: Member,
  volume: VolumeNumber,
  own: readonly SegmentListing[],
  there: readonly SegmentListing[],
): Job {
  const known = new Set(there.map(({segment}) => segment));
  const foreign = own.filter(({segment}) => !known.has(segment));
  const outcomes = yield foreign.map(({segment}) => {
    return {member, operation: {kind: 'delete-segment', volume, segment}} as const;
  });
  for (const outcome of outcomes) good(outcome);
}

/** What was appended since `there` was listed, or may not have been written whole then. */
function unfinished(
  there: readonly SegmentListing[],
  now: readonly SegmentListing[],
  open: SegmentNumber,
  ends: ReadonlyMap<SegmentNumber, number>,
): Copy[] {
  const before = sizesOf(there);
  const sizes = sizesOf(now);
  for (const [segment, end] of ends) sizes.set(segment, end);
  return [...sizes]
    .filter(([segment, size]) => segment >= open || before.get(segment) !== size)
    .sort(([a], [b]) => a - b)
    .map(([segment, to]) => ({segment, from: 0, to}));
}

function sizesOf(listings: readonly SegmentListing[]): Map<SegmentNumber, number> {
  return new Map(listings.map(({segment, sizeBytes}) => [segment, sizeBytes]));
}

/** All of this at one moment: nothing is appended between the copies and what is fed after them. */
function startFeeding(
  {stream, member, volume}: VolumeCatchUp,
  source: Member,
  rest: readonly Copy[],
): Ask[] {
  const asks = copyAsks(member, source, volume, rest, {inOrder: true, rewrite: true}).map(ask => {
    const ticket = member.channel?.submit(ask.operation, []) ?? null;
    if (ticket === null) throw new Error('there is too much to copy at once');
    return {...ask, ticket};
  });
  stream.alsoFeed(member);
  return asks;
}

function* handOver(parts: VolumeCatchUp, segments: readonly SegmentNumber[]): Job {
  const {stream, member, volume} = parts;
  // Whoever holds the lock there, the record decides.
  yield [{member, operation: {kind: 'lock', volume}}];
  for (;;) {
    const record = parts.record();
    const synced = member.channel?.submit({kind: 'sync', volume, segments, mark: 0}, []);
    if (synced === null) throw new Error('it is too slow for what is written');
    const write = {expected: null, force: true, hold: true} as const;
    const operation = {kind: 'write-volume-record', volume, ...write} as const;
    const [written] = yield [{member, operation, bytes: record}];
    good(written);
    if (parts.record().equals(record)) break;
  }
  const all = [...stream.ends.keys()];
  stream.join(
    member,
    volume,
    all.filter(segment => segments.length === 0 || segment >= (segments[0] ?? 0)),
  );
}

/** The zone that is least behind with what it was given. */
function pickSource(members: Members): Member {
  const behind = ({channel}: Member): number =>
    channel === null ? Infinity : channel.submitted('append') - channel.done('append');
  const [source] = members.good().sort((a, b) => behind(a) - behind(b));
  if (source === undefined) throw new Error('there is no zone to copy from');
  assert(source.standing === 'current', 'a good zone is current');
  return source;
}
