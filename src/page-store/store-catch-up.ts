/**
 * Brings one zone up to date with all volumes of the store, as far as no writer has them open: what
 * was removed, segments that are settled, and records. What lies behind a volume's checkpoint is its
 * writer's own, or for the next opening to level.
 *
 * The zones that hold the store decide: they are a read quorum, so what none of them knows was never
 * acknowledged.
 * A sweep may run meanwhile: what it deletes is gone when it is to be copied, or is deleted here later.
 */
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import {
  copiedBytes,
  copyAsks,
  good,
  listSegments,
  planCopies,
  runCopies,
  settledPart,
  type Copy,
} from './copy-plan.ts';
import type {Ask, Job} from './mirror-job.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import {compareVersions, recordVersion, type RecordVersion} from './record.ts';
import {TOO_FEW_ZONES} from './mirror-job.ts';
import {checkSameStore} from './store-identity.ts';
import type {Outcome, RecordState} from './zone-operation.ts';
import type {SegmentListing} from './zone.ts';

type Found = {
  readonly state: RecordState;
  readonly bytes: Buffer | null;
  readonly version: RecordVersion | null;
  readonly segments: readonly SegmentListing[];
};

export class StoreCatchUp {
  readonly #members: Members;
  readonly #member: Member;
  readonly #storeRecord: () => Buffer | null;
  #witnesses: readonly Member[] = [];

  constructor(members: Members, member: Member, storeRecord: () => Buffer | null) {
    this.#members = members;
    this.#member = member;
    this.#storeRecord = storeRecord;
  }

  *run(): Job {
    const member = this.#member;
    yield* this.#findWitnesses();
    for (;;) {
      const {changes} = this.#members;
      yield* this.#pass();
      // What changed meanwhile went to the zones that are current: look again.
      if (changes === this.#members.changes) break;
    }
    yield* this.#giveStoreRecord();
    if (member.standing === 'catching-up') this.#members.join(member, 0, 0);
  }

  *#pass(): Job {
    const lists = yield [this.#member, ...this.#witnesses].map(member => {
      return {member, operation: {kind: 'list-volumes'}} as const;
    });
    const volumes = new Set(lists.flatMap(outcome => good(outcome).value as VolumeNumber[]));
    for (const volume of [...volumes].sort((a, b) => a - b)) yield* this.#bringVolume(volume);
  }

  *#bringVolume(volume: VolumeNumber): Job {
    const member = this.#member;
    const others = this.#witnesses;
    const found: Found[] = [];
    for (const of of [member, ...others]) {
      const [record] = yield [{member: of, operation: {kind: 'read-volume-record', volume}}];
      found.push(foundIn(good(record), yield* listSegments(of, volume)));
    }
    const [own, ...rest] = found as [Found, ...Found[]];
    const newest = rest.reduce((best, one) =>
      compareVersions(one.version, best.version) > 0 ? one : best,
    );
    const isGone = rest.some(one => one.state === 'removed') || newest.state === 'absent';
    if (isGone && own.state === 'present') {
      const [removed] = yield [{member, operation: {kind: 'delete-volume-record', volume}}];
      good(removed);
    }
    const below = isGone ? Infinity : (newest.version?.settled?.segment ?? Infinity);
    yield* this.#bringSegments(volume, own, rest, others, below);
    const isBehind = compareVersions(own.version, newest.version) < 0;
    if (!isGone && isBehind) yield* this.#bringRecord(volume, own, newest, rest, others);
  }

  /** Segments below `below`: copied where they lack something, deleted where no other zone has them. */
  *#bringSegments(
    volume: VolumeNumber,
    own: Found,
    rest: readonly Found[],
    others: readonly Member[],
    below: number,
  ): Job {
    const member = this.#member;
    const longest = longestCopies(rest, others).filter(({listing}) => listing.segment < below);
    const listed = longest.map(({listing}) => listing);
    const copies = planCopies(listed, own.segments, own.version?.settled ?? null);
    yield* this.#copy(volume, copies, longest);
    const known = new Set(listed.map(({segment}) => segment));
    const foreign = own.segments.filter(({segment}) => segment < below && !known.has(segment));
    const outcomes = yield foreign.map(({segment}) => {
      return {member, operation: {kind: 'delete-segment', volume, segment}} as const;
    });
    for (const outcome of outcomes) good(outcome);
  }

  /** Only if no writer has the volume open: that one brings its record itself. */
  *#bringRecord(
    volume: VolumeNumber,
    own: Found,
    newest: Found,
    rest: readonly Found[],
    others: readonly Member[],
  ): Job {
    const member = this.#member;
    if (newest.bytes === null) return;
    if (own.state === 'present') {
      const [locked] = yield [{member, operation: {kind: 'lock', volume}}];
      if (locked?.ok !== true) return;
    }
    const settled = newest.version?.settled ?? null;
    const longest = longestCopies(rest, others);
    const all = longest.map(({listing: {segment, sizeBytes}}) => {
      return {segment, from: 0, to: sizeBytes};
    });
    const last = settledPart(all, settled).filter(({segment}) => segment === settled?.segment);
    yield* this.#copy(volume, last, longest);
    const write = {expected: null, force: true, hold: false} as const;
    const operation = {kind: 'write-volume-record', volume, ...write} as const;
    const [written] = yield [{member, operation, bytes: newest.bytes}];
    if (own.state === 'present') yield [{member, operation: {kind: 'unlock', volume}}];
    if (written?.ok === false && written.kind !== 'conflict') good(written);
  }

  *#copy(
    volume: VolumeNumber,
    copies: readonly Copy[],
    from: readonly {listing: SegmentListing; source: Member}[],
  ): Job {
    const sources = new Map(from.map(({listing, source}) => [listing.segment, source]));
    const asks = copies.flatMap((copy): Ask[] => {
      const source = sources.get(copy.segment);
      return source === undefined ? [] : copyAsks(this.#member, source, volume, [copy], false);
    });
    const {bytesDone, bytesTotal} = this.#member.progress;
    const more = asks.reduce((sum, ask) => sum + copiedBytes(ask), 0);
    this.#member.progress = {bytesDone, bytesTotal: bytesTotal + more};
    yield* runCopies(this.#member, asks);
  }

  /**
   * The record as it was acknowledged last, or read. A zone that missed something may hold one of a write
   * that was given up, of any revision: that goes. One that is current is only given what is newer.
   */
  *#giveStoreRecord(): Job {
    const member = this.#member;
    for (;;) {
      const bytes = this.#storeRecord();
      if (bytes === null || member.isTold) return;
      const [found] = yield [{member, operation: {kind: 'read-store-record'}}];
      const own = good(found).bytes;
      const isCurrent = member.standing === 'current';
      const expected = own === null ? null : Buffer.from(own).toString('latin1');
      const operation = {kind: 'write-store-record', expected, force: isCurrent} as const;
      const [written] = yield [{member, operation, bytes}];
      if (!isCurrent || (written?.ok === false && written.kind !== 'conflict')) good(written);
      member.hasStore = true;
      if (bytes === this.#storeRecord()) return;
    }
  }

  /**
   * The other zones that can be asked and hold the store. With this one, if it holds the store too, they
   * must be a read quorum. They need not be current: what was acknowledged is in one of a read quorum.
   */
  *#findWitnesses(): Job {
    const member = this.#member;
    const others = this.#members.all.filter(
      one => one !== member && one.isVoter && one.standing !== 'broken',
    );
    const answers = yield [member, ...others].map(of => {
      return {member: of, operation: {kind: 'read-store-record'}} as const;
    });
    const [own, ...records] = answers.map(answer => good(answer).bytes);
    checkSameStore(own ?? null, this.#storeRecord());
    member.hasStore = own != null;
    // It was slow to say so when it was opened.
    if (own == null && member.standing === 'current' && this.#storeRecord() !== null) {
      throw new Error('it is new or was emptied');
    }
    this.#witnesses = others.filter((_, index) => (records[index] ?? null) !== null);
    const holders = own == null ? this.#witnesses : [...this.#witnesses, member];
    if (this.#witnesses.length > 0 && this.#members.isReadQuorum(holders)) return;
    const text = 'too few other zones are there to tell what it lacks';
    throw new BorealisError('unavailable', TOO_FEW_ZONES, text);
  }
}

function foundIn(record: Outcome & {ok: true}, segments: readonly SegmentListing[]): Found {
  const bytes = record.bytes === null ? null : Buffer.from(record.bytes);
  return {
    state: record.value as RecordState,
    bytes,
    version: bytes === null ? null : recordVersion(bytes),
    segments,
  };
}

/** Each segment once, with the zone where it is longest. */
function longestCopies(
  found: readonly Found[],
  members: readonly Member[],
): {listing: SegmentListing; source: Member}[] {
  const longest = new Map<SegmentNumber, {listing: SegmentListing; source: Member}>();
  for (const [index, {segments}] of found.entries()) {
    for (const listing of segments) {
      const other = longest.get(listing.segment);
      if (other !== undefined && other.listing.sizeBytes >= listing.sizeBytes) continue;
      longest.set(listing.segment, {listing, source: members[index] as Member});
    }
  }
  return [...longest.values()];
}
