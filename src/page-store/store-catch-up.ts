/**
 * Brings one zone up to date with all volumes of the store, as far as no writer has them open: what
 * was removed, segments that are settled, and records. What lies behind a volume's checkpoint is its
 * writer's own, or for the next opening to level; volume/level-idle.ts does that before long.
 * What the zone holds is not overwritten, and deleted only if no other zone has it: another copy may be
 * the bad one.
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
import type {Answers} from './mirror-quorums.ts';
import {compareVersions, isSoundRecord, recordVersion, type RecordVersion} from './record.ts';
import {TOO_FEW_ZONES} from './mirror-job.ts';
import {checkSameStore} from './store-identity.ts';
import {expectedText, type Outcome, type RecordState} from './zone-operation.ts';
import type {SegmentListing} from './zone.ts';

type Found = {
  readonly state: RecordState;
  readonly bytes: Buffer | null;
  readonly version: RecordVersion | null;
  readonly segments: readonly SegmentListing[];
};

type SegmentCopy = {readonly listing: SegmentListing; readonly source: Member};

/** As the mirror knows it. */
export type StoreRecord = {
  readonly record: Buffer | null;
  note(answers: Answers): void;
};

const ANEW = {inOrder: false, rewrite: true} as const;

export class StoreCatchUp {
  readonly #members: Members;
  readonly #member: Member;
  readonly #store: StoreRecord;
  #witnesses: readonly Member[] = [];

  constructor(members: Members, member: Member, store: StoreRecord) {
    this.#members = members;
    this.#member = member;
    this.#store = store;
  }

  *run(): Job {
    const member = this.#member;
    yield* this.#findWitnesses();
    // One that is full, or takes no writes, lacks nothing for as long as there is nothing to write.
    if (member.standing === 'catching-up' && this.#members.settings.probeMs < Infinity) {
      const [probed] = yield [{member, operation: {kind: 'probe'}}];
      good(probed);
    }
    // With none to tell what it lacks it lacks nothing: see #findWitnesses.
    while (this.#witnesses.length > 0) {
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
    const isRemoved = rest.some(({state}) => state === 'removed');
    const isUnknown = !isRemoved && newest.state === 'absent';
    // One that comes back with what none of the others knows: it was never acknowledged. Of two that
    // are current the one may just have been told of it, and the other one is about to be.
    const isForeign = isUnknown && member.standing === 'catching-up' && this.#areAllAsked;
    if (isRemoved || isUnknown) {
      yield* this.#bringOrphans(volume, own, rest);
      if (own.state === 'present' && (isRemoved || isForeign)) {
        const [removed] = yield [{member, operation: {kind: 'delete-volume-record', volume}}];
        good(removed);
      }
      if (isForeign) yield* this.#forget(volume);
      return;
    }
    const isBehind = compareVersions(own.version, newest.version) < 0;
    const isToVouch =
      isBehind &&
      this.#mayReplace(own, rest) &&
      (own.state !== 'present' || (yield* this.#isIdle(volume)));
    // What the record is to vouch for must be on the disk: that a sync of it failed, a writer may have seen that
    // is gone. Below a record that vouches already nothing is lacking.
    const rewrite = isToVouch || member.standing !== 'current';
    yield* this.#bringSegments(volume, own, newest, rest, rewrite);
    if (isToVouch) yield* this.#bringRecord(volume, own, newest, rest);
  }

  /**
   * A record that rotted may have been newer than what the others that are there have: they replace it once
   * they are a read quorum without it.
   */
  #mayReplace({bytes, version}: Found, rest: readonly Found[]): boolean {
    if (bytes === null || version !== null) return true;
    const isSound = (found: Found): boolean => found.bytes === null || found.version !== null;
    return this.#members.isReadQuorum(
      this.#witnesses.filter((_, index) => isSound(rest[index] as Found)),
    );
  }

  /**
   * Without a mark of removal: a writer may be making this volume just now, and the others are told of it next.
   * Then it is given back at the next look, where a mark would take it from the others too.
   */
  *#forget(volume: VolumeNumber): Job {
    const member = this.#member;
    const [forgotten] = yield [{member, operation: {kind: 'delete-empty-volume', volume}}];
    good(forgotten);
  }

  /** Every other zone of the mirror is a witness: what none of them has, nobody needs. */
  get #areAllAsked(): boolean {
    return this.#witnesses.length === this.#members.all.length - 1;
  }

  /**
   * Segments of a volume without a record, which others may still reach. Nothing says which copy of them
   * is whole, so only what is not there at all is copied; reads and a scrub see to the rest.
   */
  *#bringOrphans(volume: VolumeNumber, own: Found, rest: readonly Found[]): Job {
    const sizes = new Map(own.segments.map(({segment, sizeBytes}) => [segment, sizeBytes]));
    for (const [index, {segments}] of rest.entries()) {
      const source = this.#witnesses[index] as Member;
      const copies = segments.flatMap(({segment, sizeBytes}) => {
        const from = sizes.get(segment) ?? 0;
        sizes.set(segment, Math.max(from, sizeBytes));
        return from < sizeBytes ? [{segment, from, to: sizeBytes}] : [];
      });
      yield* runCopies(this.#member, copyAsks(this.#member, source, volume, copies, ANEW));
    }
    yield* this.#deleteForeign(volume, own, rest, Infinity);
    // After a sync that failed they may lie in the host's cache only: written once more, and synced.
    if (this.#member.standing === 'current') return;
    const held = own.segments.map(({segment, sizeBytes}) => ({segment, from: 0, to: sizeBytes}));
    yield* runCopies(this.#member, copyAsks(this.#member, this.#member, volume, held, ANEW));
  }

  /**
   * Segments below the place that the newest record vouches for: copied where they lack something. The
   * zones that have that record are whole there.
   */
  *#bringSegments(
    volume: VolumeNumber,
    own: Found,
    newest: Found,
    rest: readonly Found[],
    rewrite: boolean,
  ): Job {
    const below = newest.version?.settled?.segment ?? Infinity;
    const longest = this.#wholeCopies(newest, rest).filter(({listing}) => listing.segment < below);
    const listed = longest.map(({listing}) => listing);
    const copies = planCopies(listed, own.segments, own.version?.settled ?? null);
    yield* this.#copy(volume, copies, longest, rewrite);
    yield* this.#deleteForeign(volume, own, rest, below);
  }

  *#deleteForeign(volume: VolumeNumber, own: Found, rest: readonly Found[], below: number): Job {
    if (!this.#areAllAsked) return;
    const member = this.#member;
    const known = new Set(rest.flatMap(({segments}) => segments.map(({segment}) => segment)));
    const foreign = own.segments.filter(({segment}) => segment < below && !known.has(segment));
    const outcomes = yield foreign.map(({segment}) => {
      return {member, operation: {kind: 'delete-segment', volume, segment}} as const;
    });
    for (const outcome of outcomes) good(outcome);
  }

  /** Only if no writer has the volume open: that one brings its record itself. */
  *#bringRecord(volume: VolumeNumber, own: Found, newest: Found, rest: readonly Found[]): Job {
    const member = this.#member;
    if (newest.bytes === null) return;
    const settled = newest.version?.settled ?? null;
    const longest = this.#wholeCopies(newest, rest);
    const listed = longest.map(({listing}) => listing);
    const lacking = planCopies(listed, own.segments, own.version?.settled ?? null);
    const last = settledPart(lacking, settled).filter(({segment}) => segment === settled?.segment);
    yield* this.#copy(volume, last, longest, true);
    const write = {expected: null, force: true, hold: false} as const;
    const operation = {kind: 'write-volume-record', volume, ...write} as const;
    const [written] = yield [{member, operation, bytes: newest.bytes}];
    if (written?.ok === false && written.kind !== 'conflict') good(written);
  }

  /** No writer has it open, as far as this zone can tell. */
  *#isIdle(volume: VolumeNumber): Generator<readonly Ask[], boolean, readonly Outcome[]> {
    const member = this.#member;
    const [locked] = yield [{member, operation: {kind: 'lock', volume}}];
    if (locked?.ok !== true) return false;
    yield [{member, operation: {kind: 'unlock', volume}}];
    return true;
  }

  /** Of zones that have the newest record, for it vouches for them: each segment once, where it is longest. */
  #wholeCopies(newest: Found, rest: readonly Found[]): SegmentCopy[] {
    const whole = new Map<SegmentNumber, SegmentCopy>();
    for (const [index, {segments, version}] of rest.entries()) {
      if (compareVersions(version, newest.version) !== 0) continue;
      for (const listing of segments) {
        const other = whole.get(listing.segment);
        if (other !== undefined && other.listing.sizeBytes >= listing.sizeBytes) continue;
        whole.set(listing.segment, {listing, source: this.#witnesses[index] as Member});
      }
    }
    return [...whole.values()];
  }

  *#copy(
    volume: VolumeNumber,
    copies: readonly Copy[],
    from: readonly SegmentCopy[],
    rewrite: boolean,
  ): Job {
    const how = {inOrder: false, rewrite};
    const sources = new Map(from.map(({listing, source}) => [listing.segment, source]));
    const asks = copies.flatMap((copy): Ask[] => {
      const source = sources.get(copy.segment);
      return source === undefined ? [] : copyAsks(this.#member, source, volume, [copy], how);
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
      const bytes = this.#store.record;
      if (bytes === null || member.isTold) return;
      const [found] = yield [{member, operation: {kind: 'read-store-record'}}];
      const own = good(found).bytes;
      const isCurrent = member.standing === 'current';
      // One that rotted tells nothing to compare with.
      const force = isCurrent || !isSoundRecord(own);
      const operation = {kind: 'write-store-record', expected: expectedText(own), force} as const;
      const [written] = yield [{member, operation, bytes}];
      if (!isCurrent || (written?.ok === false && written.kind !== 'conflict')) good(written);
      this.#members.noteStore(member, true);
      if (bytes === this.#store.record) return;
    }
  }

  /** The store records of `asked`, this zone first: as they are once nothing of the store is on the way there. */
  *#storeRecords(
    asked: readonly Member[],
  ): Generator<readonly Ask[], readonly Outcome[], readonly Outcome[]> {
    const member = this.#member;
    for (;;) {
      const wasKnown = this.#store.record !== null;
      const wasIdle = member.isIdle;
      const answers = yield asked.map(of => {
        return {member: of, operation: {kind: 'read-store-record'}} as const;
      });
      const hasNone = answers[0]?.ok === true && answers[0].bytes === null;
      const isMadeMeanwhile = !wasKnown && this.#store.record !== null;
      if (!hasNone || (wasIdle && !isMadeMeanwhile)) return answers;
      // Done after what was given to it before.
      const [probed] = yield [{member, operation: {kind: 'probe'}}];
      good(probed);
    }
  }

  /**
   * The other zones that can be asked and hold the store. With this one, if it holds the store too, they
   * must be a read quorum. They need not be current: what was acknowledged is in one of a read quorum.
   * There are none when this one is a read quorum by itself, one of two, and the other one was emptied: that
   * one would have no zone to be filled from if this one waited for it.
   */
  *#findWitnesses(): Job {
    const member = this.#member;
    const others = this.#members.all.filter(
      one => one !== member && one.isVoter && one.standing !== 'broken' && !one.isHung,
    );
    const answers = yield* this.#storeRecords([member, ...others]);
    const [own, ...records] = answers.map(answer => good(answer).bytes);
    const asked = [member, ...others];
    this.#store.note(new Map(asked.map((of, index) => [of, good(answers[index])])));
    if (member.standing === 'broken') throw new Error(member.reason);
    checkSameStore(own ?? null, this.#store.record);
    this.#members.noteStore(member, own != null);
    // It was slow to say so when it was opened.
    if (own == null && member.standing === 'current' && this.#store.record !== null) {
      throw new Error('it is new or was emptied');
    }
    this.#witnesses = others.filter((_, index) => (records[index] ?? null) !== null);
    const holders = own == null ? this.#witnesses : [...this.#witnesses, member];
    const voters = this.#members.all.filter(one => one !== member && one.isVoter);
    const areOthersEmpty = this.#witnesses.length === 0 && others.length === voters.length;
    const canTell = this.#witnesses.length > 0 || areOthersEmpty;
    if (canTell && this.#members.isReadQuorum(holders)) return;
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
