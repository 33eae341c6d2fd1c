/**
 * A zone is one complete copy of the store, standing for an Availability Zone. This is the small
 * interface that every driver implements; the volume knows nothing else of where bytes lie. A mirror
 * is a zone too: one that is made of several, each of which holds a copy.
 *
 *     zone ─┬─ store record           identity and format of the store, and the next volume number
 *           └─ volume N ─┬─ record    the volume's root of everything; replaced by compare-and-swap
 *                        └─ segments  1, 2, 3 …: written once from front to back, then only read;
 *                                     a sealed one may be compacted to what is still reachable
 *
 * Rules:  a segment is created once (creating it again is a conflict: that is how two writers of one
 *         volume find out); its bytes below the last sync survive a power cut; those above may be
 *         lost, torn or reordered. Replacing a record is atomic and durable on return.
 * Units:  offsets and lengths in bytes.
 * Errors: BorealisError: conflict (exists, or the record is not the expected one), unavailable (I/O
 *         failed; `cause` holds the system's error), not-found.
 */
import type {Lsn, SegmentNumber, VolumeNumber} from './ids.ts';
import type {Membership} from './membership.ts';
import type {ZonePlace} from './zone-channel.ts';

/** Bytes `start` up to but not including `end` of a segment; multiples of 512. */
export type SegmentRange = {readonly start: number; readonly end: number};

/** A part of a segment that is wanted: bytes from `position`, as many as `into` has. */
export type SegmentPiece = {
  readonly position: number;
  readonly into: Uint8Array;
  /** Bytes that were read. Fewer than all of them: it is to be read alone, which tells why. */
  got: number;
};

/** One of several that are read at once, from one copy alone if that is named. */
export type SegmentPart = SegmentPiece & {readonly file: SegmentFile; readonly copy?: number};

export type SegmentFile = {
  /** Descriptor for fdatasync on another thread, or null where the driver has none. */
  readonly syncDescriptor: number | null;
  /** What a compacted segment still holds, in ascending order; null for a segment as it was written. */
  readonly ranges: readonly SegmentRange[] | null;
  /**
   * Fills `into[intoOffset … +length]` from `position`; returns the bytes read, fewer at the end and
   * before what a compaction dropped.
   */
  read(position: number, into: Uint8Array, intoOffset: number, length: number): number;
  /** Reads several pieces with as few calls as it can, in no order. Never throws: see `got`. */
  readPieces(pieces: readonly SegmentPiece[]): void;
  /** Writes all buffers one after the other at `position`. */
  write(buffers: readonly Uint8Array[], position: number): void;
  /** Returns once all that was written is durable. */
  sync(): void;
  /** Cuts off what follows `sizeBytes`. */
  truncate(sizeBytes: number): void;
  /** True once the segment was deleted from the zone, or compacted, while this file was open. */
  isDeleted(): boolean;
  close(): void;
  /** The zones that should hold a copy of this segment; `copy` below is an index of it. */
  readonly copies: readonly string[];
  /** As `read`, from one copy alone. Throws not-found or unavailable when it cannot be read. */
  readCopy(
    copy: number,
    position: number,
    into: Uint8Array,
    intoOffset: number,
    length: number,
  ): number;
  /** Writes to one copy alone, making it if it is not there. Durable after the next `sync`. */
  writeCopy(copy: number, position: number, bytes: Uint8Array): void;
  /**
   * Puts good bytes over bad ones of one copy, durably, and reports that; `what` names them. A copy
   * that is not there at all is copied whole, later. Never throws: a repair may fail and be tried again.
   */
  repairCopy(copy: number, position: number, bytes: Uint8Array, what: string): void;
};

/** A segment as whoever copies it sees it. */
export type SegmentSource = Pick<SegmentFile, 'ranges' | 'read'>;

export type SegmentListing = {
  readonly segment: SegmentNumber;
  /** What it takes of the disk. */
  readonly bytesOnDisk: number;
  /** Its length: where reads end. */
  readonly sizeBytes: number;
};

/** The first `limit` segments behind `after`; a zone may list more. */
export type ListingPart = {readonly after: number; readonly limit: number};

/** A record as it stood when it was taken hold of. */
export type RecordHold = {
  /** Descriptor of the record: its link count is 0 once the record was replaced. Null where the driver has none. */
  readonly descriptor: number | null;
  /** True while nobody has replaced the record. */
  isCurrent(): boolean;
  close(): void;
};

/** A volume claimed for the writer in this process. */
export type VolumeClaim = {
  /** The log was followed to its end, which is durable: what is behind may now be copied from it. */
  recovered(): void;
  release(): void;
};

/** How one zone of a mirror fares. */
export type ZoneState = {readonly zone: string} & (
  | {readonly state: 'healthy'}
  | {readonly state: 'degraded'; readonly reason: string; readonly sinceMs: number}
  | {readonly state: 'catching-up'; readonly bytesDone: number; readonly bytesTotal: number}
);

export type ZoneEvent =
  | {readonly type: 'state'; readonly atMs: number; readonly state: ZoneState}
  | {
      readonly type: 'repaired';
      readonly atMs: number;
      readonly zone: string;
      readonly volume: VolumeNumber;
      readonly segment: SegmentNumber;
      readonly offset: number;
      readonly bytes: number;
      readonly what: string;
    }
  /** No copy holds a page as its checksum says. */
  | ({readonly type: 'damaged'; readonly atMs: number} & Damage);

export type Damage = {
  /** Names the page, or what else it is. */
  readonly what: string;
  /** Volumes that reach it. */
  readonly readBy: readonly VolumeNumber[];
  /** Where it lies. */
  readonly volume: VolumeNumber;
  readonly segment: SegmentNumber;
  readonly offset: number;
  /** The zones whose copies were tried. */
  readonly zones: readonly string[];
};

/** What a zone that is made of several can do on top. */
export type Mirror = {
  /**
   * Begins to make segments durable, and returns at once. When a write quorum has done it,
   * `durableLsn` is at least `lsn`.
   */
  requestSync(volume: VolumeNumber, segments: readonly SegmentNumber[], lsn: Lsn): void;
  /** What a write quorum holds durably, as far as `requestSync` asked. Throws once the writer was fenced off. */
  durableLsn(): Lsn;
  /** A write quorum is there: a call that needs it does not wait for a zone to return. */
  isWritable(): boolean;
  /**
   * To be called about once a second: notices zones that hang, tries those that failed, catches up.
   * Throws unavailable `zone-quorum` for a writer whose zones have all missed something: its volume
   * must be opened again.
   */
  tick(): void;
  /** Goes on with a catch-up, a step of many. True while one is under way. */
  step(): boolean;
  states(): readonly ZoneState[];
  /** From now on these are the zones, and those of `membership` count. */
  setMembership(zones: readonly ZonePlace[], membership: Membership): void;
  membershipState(): MembershipState;
  /**
   * Of the keeper: looks at every zone anew, for `isSettled` to say what is true from now on. At one zone
   * alone, which somebody else has found to fail: until then it is not called healthy.
   */
  auditAnew(zone?: string): void;
  /**
   * All that a later opening may find a volume's record to be, the newest first; none for a volume that nobody
   * can open. Throws unavailable `zone-quorum` when that cannot be told.
   */
  possibleRecords(volume: VolumeNumber): Buffer[];
  /** Whether the volume exists. If so it does for good: a record that too few zones have is brought to a write quorum. */
  confirmVolume(volume: VolumeNumber): boolean;
  /** Writes a store record to one zone that does not count; false when that did not take it. */
  writeStoreRecordTo(zone: string, bytes: Uint8Array): boolean;
};

/** How far a process has come with the membership that it was told last. */
export type MembershipState = {
  readonly number: number;
  /** Zones that lack nothing, as this process sees it. */
  readonly current: readonly string[];
  /** Zones that it cannot use now. */
  readonly broken: readonly string[];
  /**
   * Whatever this process may have acknowledged, in this membership and before, is on a write quorum of
   * every set of voters. Of the keeper: whatever is in volumes that no writer has open, as found since
   * `auditAnew`.
   */
  readonly isSettled: boolean;
};

export type Zone = {
  readonly name: string;
  /** False once its directory was moved away, or another one stands there: files that are open are the old one's. */
  isInPlace(): boolean;
  /** The bytes of the store record, or null in a zone that is not yet part of a store. */
  readStoreRecord(): Buffer | null;
  /** `expected` is what the caller read last (null: none): anything else there is a conflict. */
  writeStoreRecord(bytes: Uint8Array, expected: Uint8Array | null): void;
  listVolumes(): VolumeNumber[];
  readVolumeRecord(volume: VolumeNumber): Buffer | null;
  writeVolumeRecord(volume: VolumeNumber, bytes: Uint8Array, expected: Uint8Array | null): void;
  /** Idempotent. The volume's segments stay. */
  deleteVolumeRecord(volume: VolumeNumber): void;
  /** True once `deleteVolumeRecord` has been here. False again when the volume was forgotten. */
  isRemoved(volume: VolumeNumber): boolean;
  /** Takes hold of the record; conflict `record-changed` when it is not `expected`. */
  holdRecord(volume: VolumeNumber, expected: Uint8Array): RecordHold;
  createSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile;
  openSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile;
  /** Reads parts of any of its segments that are open, all at once. Never throws: see `got`. */
  readParts(parts: readonly SegmentPart[]): void;
  /** Opens a segment, made if it is not there, of a volume that may have no record here yet: to copy into. */
  ensureSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile;
  /** In ascending order. Empty when the volume does not exist. `part` spares looking at the others. */
  listSegments(volume: VolumeNumber, part?: ListingPart): SegmentListing[];
  /** Idempotent. */
  deleteSegment(volume: VolumeNumber, segment: SegmentNumber): void;
  /**
   * Rewrites a sealed segment, compacted before or not, so that it holds `live` and nothing else, each
   * byte at the position that it had. Atomic and durable on return; files that are open go on with the
   * old one. `live` is ascending, its ranges do not touch, and all of it is there: else corrupt.
   * Returns the bytes that the segment takes on disk now.
   */
  compactSegment(
    volume: VolumeNumber,
    segment: SegmentNumber,
    live: readonly SegmentRange[],
  ): number;
  /** Puts a compact segment of another zone in the place of this zone's copy, if any. Atomic and durable. */
  adoptSegment(volume: VolumeNumber, segment: SegmentNumber, source: SegmentSource): void;
  /** Removes what compactions that were cut off left. Only for the one process that compacts. */
  discardUnfinished(volume: VolumeNumber): void;
  /**
   * Claims the volume for a writer in this process until the claim is released or the process dies.
   * Conflict `volume-locked` while another process holds it; a zone of several waits a moment for one that
   * only looks, unless `isPatient` is false.
   */
  lockVolume(volume: VolumeNumber, isPatient?: boolean): VolumeClaim;
  /** Names of files that a crash left behind and that mean nothing, for people to read. */
  leftovers(): string[];
  /** Removes one of `leftovers`. Only while nobody writes to the store. */
  removeLeftover(name: string): void;
  /** Forgets a volume that has neither record nor segments. Idempotent; does nothing otherwise. */
  deleteEmptyVolume(volume: VolumeNumber): void;
  /** Free bytes that an unprivileged writer could still use. */
  freeBytes(): number;
  /** Null in a zone that is one by itself. */
  readonly mirror: Mirror | null;
  /** Lets go of threads and descriptors. */
  close(): void;
};
