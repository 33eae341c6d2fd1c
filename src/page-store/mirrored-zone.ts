/**
 * A zone that is made of several, each with a copy of everything.
 *
 *     volume ──▶ mirror ─┬─▶ zone a     a record, a removal: on a write quorum before it counts
 *                        ├─▶ zone b     appends: to all, in order, waited for by none
 *                        └─▶ zone c     a read: from one, another one if that fails
 *
 * Roles:  see mirror-upkeep.ts. Whoever has a volume claimed, is its writer meanwhile.
 * Errors: unavailable `zone-quorum` when too few zones answer and no writer is at work. A writer waits
 *         instead, for as long as it takes: nothing that it was asked for is given up or called done.
 * Source: docs/decisions/0012-zones-and-quorum.md.
 */
import {assert} from '../base/assert.ts';
import {systemClock} from '../base/clock.ts';
import type {Lsn, SegmentNumber, VolumeNumber} from './ids.ts';
import type {Membership} from './membership.ts';
import {segmentHost} from './mirror-host.ts';
import {good} from './copy-plan.ts';
import {bringBeforeRemoval, claimInZones, releaseInZones} from './mirror-claim.ts';
import {Members, type MirrorSettings} from './mirror-members.ts';
import {MirrorQuorums} from './mirror-quorums.ts';
import {listInZones} from './mirror-listing.ts';
import {MirrorReads} from './mirror-reads.ts';
import {freeBytesOf, membershipStateOf, statesOf} from './mirror-state.ts';
import {MirrorStoreRecord} from './mirror-store-record.ts';
import {MirrorStream} from './mirror-stream.ts';
import {MirrorVolumeRecords} from './mirror-volume-records.ts';
import {MirrorUpkeep, type MirrorRole, type Writer} from './mirror-upkeep.ts';
import {MirroredSegment, type SegmentHost} from './mirrored-segment.ts';
import type {ZoneMedium, ZonePlace} from './zone-channel.ts';
import {expectedText} from './zone-operation.ts';
import type {
  MembershipState,
  Mirror,
  RecordHold,
  SegmentFile,
  SegmentListing,
  SegmentPart,
  SegmentRange,
  VolumeClaim,
  Zone,
  ZoneEvent,
  ZoneState,
} from './zone.ts';

/** Who keeps the store may have a volume open for a moment. */
const LOCK_WAIT_MS = 2000;

export type MirrorOptions = {
  readonly medium: ZoneMedium;
  readonly settings: MirrorSettings;
  /** By default all zones count. */
  readonly membership?: Membership;
  readonly role: MirrorRole;
  readonly onEvent: (event: ZoneEvent) => void;
  readonly wallMs?: () => number;
};

export function openMirroredZone(options: MirrorOptions): Zone {
  return new MirroredZone(options);
}

class MirroredZone implements Zone, Mirror {
  readonly mirror: Mirror = this;
  /** Each of its zones is looked at by itself. */
  readonly isInPlace: () => boolean = () => true;
  readonly #medium: ZoneMedium;
  readonly #members: Members;
  readonly #stream: MirrorStream;
  readonly #reads: MirrorReads;
  readonly #quorums: MirrorQuorums;
  readonly #records: MirrorVolumeRecords;
  readonly #host: SegmentHost;
  readonly #role: MirrorRole;
  readonly #upkeep: MirrorUpkeep;
  readonly #store: MirrorStoreRecord;
  #writer: Writer | null = null;
  /** What was to be synced when the membership was changed last. */
  #markAtChange = 0;

  constructor({medium, settings, role, onEvent, wallMs, ...options}: MirrorOptions) {
    this.#medium = medium;
    this.#role = role;
    const membership = options.membership ?? {number: 0, voters: [medium.names]};
    const clock = wallMs ?? (() => systemClock.nowMs());
    this.#members = new Members(medium, settings, membership, clock, onEvent);
    this.#stream = new MirrorStream(this.#members, {
      onWait: (what, sinceMs) => this.#onWait(what, sinceMs),
    });
    this.#upkeep = new MirrorUpkeep({
      ...{members: this.#members, stream: this.#stream, role},
      writer: () => this.#writer,
      store: () => this.#store,
    });
    this.#quorums = new MirrorQuorums(this.#members, {
      onWait: (what, sinceMs) => this.#onWait(what, sinceMs),
      isOpening: () => this.#writer?.isRecovered === false,
    });
    this.#records = new MirrorVolumeRecords(this.#members, this.#quorums);
    this.#store = new MirrorStoreRecord(this.#members, this.#quorums, role);
    this.#reads = new MirrorReads(this.#members, this.#stream);
    this.#host = segmentHost({
      ...{members: this.#members, stream: this.#stream},
      ...{reads: this.#reads, quorums: this.#quorums},
      isOpening: () => this.#writer?.isRecovered === false,
    });
  }

  get name(): string {
    return this.#medium.names.join(', ');
  }

  // ── Mirror ──

  requestSync(volume: VolumeNumber, segments: readonly SegmentNumber[], lsn: Lsn): void {
    this.#stream.requestSync(volume, segments, lsn);
    this.#upkeep.step();
  }

  durableLsn(): Lsn {
    return this.#members.board.quorumLsn();
  }

  isWritable(): boolean {
    this.#members.refresh();
    return this.#members.isWriteQuorum(this.#members.good());
  }

  states(): readonly ZoneState[] {
    return statesOf(this.#members, this.#role);
  }

  tick(): void {
    this.#upkeep.tick();
    this.#demandSource();
  }

  step(): boolean {
    return this.#upkeep.step();
  }

  setMembership(zones: readonly ZonePlace[], membership: Membership): void {
    const own = this.#members.membership;
    // What was told before may come once more after a restart.
    if (membership.number < own.number) return;
    this.#medium.setZones(zones);
    this.#members.setMembership(
      zones.map(({name}) => name),
      membership,
    );
    this.#upkeep.dropStrangers();
    if (membership.number > own.number) this.#markAtChange = this.#stream.mark;
  }

  membershipState(): MembershipState {
    return membershipStateOf({
      ...{members: this.#members, role: this.#role, upkeep: this.#upkeep},
      ...{writer: this.#writer, markAtChange: this.#markAtChange},
    });
  }

  auditAnew(zone?: string): void {
    this.#upkeep.auditAnew(zone);
  }

  writeStoreRecordTo(zone: string, bytes: Uint8Array): boolean {
    const member = this.#members.all.find(({name}) => name === zone);
    if (member === undefined || member.standing === 'broken') return false;
    assert(!member.isVoter, 'a zone that counts is written to with the others');
    const operation = {kind: 'write-store-record', expected: null, force: true} as const;
    const {hangMs} = this.#members.settings;
    member.isTold = this.#members.askOne(member, operation, hangMs, [bytes])?.ok === true;
    return member.isTold;
  }

  // ── records ──

  readStoreRecord(): Buffer | null {
    return this.#store.read();
  }

  writeStoreRecord(bytes: Uint8Array, expected: Uint8Array | null): void {
    this.#store.write(bytes, expected);
  }

  listVolumes(): VolumeNumber[] {
    const answers = this.#quorums.read({kind: 'list-volumes'}, 'list volumes');
    const volumes = [...answers.values()].flatMap(({value}) => value as VolumeNumber[]);
    return [...new Set(volumes)].sort((a, b) => a - b);
  }

  readVolumeRecord(volume: VolumeNumber): Buffer | null {
    this.#knowStore();
    return this.#records.read(volume);
  }

  possibleRecords(volume: VolumeNumber): Buffer[] {
    return this.#records.possible(volume);
  }

  confirmVolume(volume: VolumeNumber): boolean {
    return this.#records.confirm(volume);
  }

  writeVolumeRecord(volume: VolumeNumber, bytes: Uint8Array, expected: Uint8Array | null): void {
    const writer = this.#writer?.volume === volume ? this.#writer : null;
    const how = {expected: expectedText(expected), force: false, hold: writer !== null};
    const operation = {kind: 'write-volume-record', volume, ...how} as const;
    // Before it is done: a zone that failed after it had written it catches up with this record or none.
    if (writer !== null) writer.record = Buffer.from(bytes);
    this.#quorums.write(() => operation, bytes, `write the record of volume ${volume}`);
  }

  deleteVolumeRecord(volume: VolumeNumber): void {
    bringBeforeRemoval(this.#members, volume);
    this.#quorums.write(
      () => ({kind: 'delete-volume-record', volume}),
      null,
      `remove volume ${volume}`,
    );
  }

  isRemoved(volume: VolumeNumber): boolean {
    return this.#records.isRemoved(volume);
  }

  holdRecord(): RecordHold {
    // The zones look at the record by themselves, after each sync.
    const isCurrent = (): boolean => {
      this.#members.refresh();
      return !this.#members.board.isFenced();
    };
    return {descriptor: null, isCurrent, close: () => undefined};
  }

  deleteEmptyVolume(volume: VolumeNumber): void {
    // A zone that is away may still have the record: only the marks of removal tell that it is old.
    if (this.#members.good().length < this.#members.all.length) return;
    if (!this.#records.isGoneEverywhere(volume)) return;
    this.#quorums.write(
      () => ({kind: 'delete-empty-volume', volume}),
      null,
      `forget volume ${volume}`,
    );
  }

  // ── segments ──

  createSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    // With less than a quorum it goes on in what is left: nothing is acknowledged from that.
    const what = `create segment ${segment} of volume ${volume}`;
    const operation = {kind: 'create-segment', volume, segment} as const;
    this.#quorums.write(() => operation, null, what, this.#quorums.isAllThereIs);
    return this.openSegment(volume, segment);
  }

  openSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    return new MirroredSegment(this.#host, volume, segment);
  }

  readParts(parts: readonly SegmentPart[]): void {
    this.#reads.readParts(parts);
  }

  ensureSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    return this.openSegment(volume, segment);
  }

  /** Each segment once, with what it takes where it takes most. */
  listSegments(volume: VolumeNumber): SegmentListing[] {
    return listInZones(this.#quorums, volume);
  }

  deleteSegment(volume: VolumeNumber, segment: SegmentNumber): void {
    const what = `delete segment ${segment} of volume ${volume}`;
    this.#quorums.write(() => ({kind: 'delete-segment', volume, segment}), null, what);
  }

  compactSegment(
    volume: VolumeNumber,
    segment: SegmentNumber,
    live: readonly SegmentRange[],
  ): number {
    const what = `compact segment ${segment} of volume ${volume}`;
    const operation = {kind: 'compact-segment', volume, segment, live} as const;
    const answers = this.#quorums.write(() => operation, null, what);
    const sizes = [...answers.values()].flatMap(one => (one.ok ? [one.value as number] : []));
    return Math.max(...sizes);
  }

  adoptSegment(): void {
    assert(false, 'a mirror has no copy of its own');
  }

  discardUnfinished(volume: VolumeNumber): void {
    const operation = {kind: 'discard-unfinished', volume} as const;
    this.#quorums.write(() => operation, null, `tidy volume ${volume}`);
  }

  leftovers(): string[] {
    const answers = this.#quorums.read({kind: 'list-leftovers'}, 'look for leftovers');
    return [...answers].flatMap(([member, {value}]) =>
      (value as string[]).map(name => `${member.name}/${name}`),
    );
  }

  removeLeftover(name: string): void {
    const member = this.#members.all.find(zone => name.startsWith(`${zone.name}/`));
    assert(member !== undefined, 'a leftover begins with the name of its zone');
    const operation = {kind: 'remove-leftover', name: name.slice(member.name.length + 1)} as const;
    good(this.#members.askOne(member, operation, this.#members.settings.hangMs) ?? undefined);
  }

  lockVolume(volume: VolumeNumber, isPatient = true): VolumeClaim {
    assert(this.#writer === null, 'a mirror has one writer at a time');
    this.#stream.begin();
    this.#markAtChange = 0;
    for (const member of this.#members.all) this.#members.board.publish(member.slot, 0);
    this.#members.board.clearFenced();
    this.#knowStore();
    claimInZones(this.#members, volume, isPatient ? LOCK_WAIT_MS : 0);
    const writer: Writer = {volume, isRecovered: false, record: null};
    this.#writer = writer;
    return {
      recovered: () => {
        writer.isRecovered = true;
      },
      release: () => {
        if (this.#writer !== writer) return;
        this.#writer = null;
        this.#upkeep.volumeClosed();
        releaseInZones(this.#members, volume);
        this.#stream.begin();
      },
    };
  }

  freeBytes(): number {
    return freeBytesOf(this.#members);
  }

  close(): void {
    this.#members.stop();
  }

  /** Which zones hold the store: what others lack says nothing. */
  #knowStore(): void {
    if (!this.#store.isKnown) this.readStoreRecord();
  }

  /** Something is waited for: zones may return meanwhile, and only a writer at work waits without end. */
  #onWait(what: string, sinceMs: number): void {
    const members = this.#members;
    const {hangMs} = members.settings;
    this.#upkeep.stepOrTick();
    this.#demandSource();
    if (this.#writer?.isRecovered === true && this.#role === 'writer') return;
    const isLost = !members.isWriteQuorum(members.current());
    const isLate = members.nowMs() - sinceMs > hangMs && !members.isStarting();
    if (isLost || isLate) throw members.quorumLost(what);
  }

  /** A writer whose zones have all missed something cannot go on: what they hold is for recovery to tell. */
  #demandSource(): void {
    if (this.#role !== 'writer' || this.#writer?.isRecovered !== true) return;
    if (this.#members.current().length === 0) throw this.#members.quorumLost('go on');
  }
}
