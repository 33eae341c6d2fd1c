/**
 * Does what a mirror asks of one zone: runs in the zone's threads, and in a simulation of them.
 *
 * Fencing: after each sync it looks whether the volume's record is still the one that this writer
 * wrote last. A record of another writer ends this one (`writer-fenced`); one that is gone means that
 * the zone is, for bytes written to deleted files sync without an error. So do those written to files
 * of a directory that was moved away: a sync, and whatever finds its files by name, makes sure of that.
 */
import {AssertionError, unreachable} from '../base/assert.ts';
import {BorealisError, errorMessage, systemErrorCode} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import {expectedRecord, recordChanged} from './expected-record.ts';
import {compareVersions, recordVersion} from './record.ts';
import {fillRange, holdsAll} from './fill-range.ts';
import {performPartReads} from './part-reads.ts';
import {SegmentCache} from './segment-cache.ts';
import {
  isOnSegments,
  LISTING_PAGE,
  type Outcome,
  type RecordOperation,
  type RecordState,
  type SegmentOperation,
  type ZoneOperation,
} from './zone-operation.ts';
import type {
  RecordHold,
  SegmentFile,
  SegmentListing,
  SegmentSource,
  VolumeClaim,
  Zone,
} from './zone.ts';

/** A segment is not compacted, or deleted and made again, more often than that while it is repaired. */
const REPAIR_TRIES = 3;

export type CopySource = {readonly source: string; readonly sourceDirectory?: string};

export type ExecutorParts = {
  readonly zone: Zone;
  /** Another zone of the mirror, to copy from. */
  readonly peer: (source: CopySource) => Zone;
  /** Runs what waits for another zone's disk, which may hang: this zone must not be held up by it for ever. */
  readonly away: <T>(call: () => T) => T;
  /** This zone holds everything up to `lsn` durably. */
  readonly publish: (lsn: number) => void;
};

/** Where what is read goes. */
export type Room = (length: number) => Buffer;
const ownRoom: Room = length => Buffer.allocUnsafe(length);

export type Executed = {readonly value: unknown; readonly bytes: Buffer | null};
const DONE: Executed = {value: null, bytes: null};

/** What they do to files that are open comes to light at the next sync; what was claimed can be let go of. */
const ANYWHERE: ReadonlySet<ZoneOperation['kind']> = new Set<ZoneOperation['kind']>([
  ...(['read', 'read-parts', 'write', 'truncate', 'unlock'] as const),
]);

export class ZoneExecutor {
  readonly #parts: ExecutorParts;
  readonly #zone: Zone;
  readonly #segments: SegmentCache;
  readonly #claims = new Map<VolumeNumber, VolumeClaim>();
  readonly #holds = new Map<VolumeNumber, {hold: RecordHold; bytes: Buffer}>();

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
    this.#zone = parts.zone;
    this.#segments = new SegmentCache(parts.zone);
  }

  /** @throws BorealisError of the zone. */
  run(operation: ZoneOperation, bytes: Buffer, room: Room = ownRoom): Executed {
    if (!ANYWHERE.has(operation.kind)) this.#demandPlace();
    return isOnSegments(operation)
      ? this.#runOnSegments(operation, bytes, room)
      : this.#runOnRecord(operation, bytes);
  }

  #runOnSegments(operation: SegmentOperation, bytes: Buffer, room: Room): Executed {
    switch (operation.kind) {
      case 'read': {
        const {volume, segment, position, length} = operation;
        const into = room(length);
        const got = this.#segments.get(volume, segment).read(position, into, 0, length);
        return {value: null, bytes: into.subarray(0, got)};
      }
      case 'read-parts':
        return performPartReads(this.#segments, operation.parts, room);
      case 'write':
        this.#writable(operation).write([bytes], operation.position);
        return DONE;
      case 'truncate':
        this.#segments.get(operation.volume, operation.segment).truncate(operation.sizeBytes);
        return DONE;
      case 'sync':
        this.sync([operation]);
        return DONE;
      case 'repair':
        this.#repair(operation, bytes);
        return DONE;
      case 'create-segment':
        this.#zone.createSegment(operation.volume, operation.segment).close();
        return DONE;
      case 'copy':
        return {value: this.#copy(operation), bytes: null};
      case 'delete-segment':
        this.#zone.deleteSegment(operation.volume, operation.segment);
        return DONE;
      case 'compact-segment':
        return {value: this.#compact(operation), bytes: null};
      case 'list-segments':
        return {value: this.#listPage(operation), bytes: null};
      case 'tidy':
        this.#segments.closeDeleted();
        return DONE;
      default:
        return unreachable(operation, 'an operation has a known kind');
    }
  }

  /** One fdatasync of each segment for all syncs that wait. */
  sync(operations: readonly Extract<ZoneOperation, {kind: 'sync'}>[]): void {
    const synced = new Set<string>();
    for (const {volume, segments} of operations) {
      for (const segment of segments) {
        if (synced.has(`${volume}:${segment}`)) continue;
        synced.add(`${volume}:${segment}`);
        this.#syncSegment(volume, segment);
      }
    }
    this.#demandPlace();
    for (const volume of new Set(operations.map(operation => operation.volume))) {
      this.#checkWriter(volume);
    }
    const mark = Math.max(...operations.map(operation => operation.mark));
    if (mark > 0) this.#parts.publish(mark);
  }

  close(): void {
    this.#segments.close();
    for (const {hold} of this.#holds.values()) hold.close();
    this.#holds.clear();
    for (const claim of this.#claims.values()) claim.release();
    this.#claims.clear();
  }

  #runOnRecord(operation: RecordOperation, bytes: Buffer): Executed {
    switch (operation.kind) {
      case 'pass':
        return DONE;
      case 'probe': {
        const record = this.#zone.readStoreRecord();
        if (record !== null) this.#zone.writeStoreRecord(record, record);
        return {value: record !== null, bytes: null};
      }
      case 'list-volumes':
        return {value: this.#zone.listVolumes(), bytes: null};
      case 'list-leftovers':
        return {value: this.#zone.leftovers(), bytes: null};
      case 'remove-leftover':
        this.#zone.removeLeftover(operation.name);
        return DONE;
      case 'discard-unfinished':
        this.#zone.discardUnfinished(operation.volume);
        return DONE;
      case 'free-bytes':
        return {value: this.#zone.freeBytes(), bytes: null};
      case 'read-store-record':
        return {value: null, bytes: this.#zone.readStoreRecord()};
      case 'read-volume-record': {
        const record = this.#zone.readVolumeRecord(operation.volume);
        const state: RecordState =
          record !== null
            ? 'present'
            : this.#zone.isRemoved(operation.volume)
              ? 'removed'
              : 'absent';
        return {value: state, bytes: record};
      }
      case 'write-store-record': {
        const found = this.#zone.readStoreRecord();
        const expected = expectedRecord(found, bytes, operation.expected, operation.force);
        if (expected !== 'there') this.#zone.writeStoreRecord(bytes, expected);
        return DONE;
      }
      case 'write-volume-record':
        this.#writeVolumeRecord(operation, bytes);
        return DONE;
      case 'delete-volume-record':
        this.#letGo(operation.volume);
        this.#zone.deleteVolumeRecord(operation.volume);
        return DONE;
      case 'delete-empty-volume':
        this.#zone.deleteEmptyVolume(operation.volume);
        return DONE;
      case 'lock':
        this.#claims.set(operation.volume, this.#zone.lockVolume(operation.volume));
        return DONE;
      case 'unlock':
        this.#letGo(operation.volume);
        this.#claims.get(operation.volume)?.release();
        this.#claims.delete(operation.volume);
        return DONE;
      default:
        return unreachable(operation, 'an operation has a known kind');
    }
  }

  #writeVolumeRecord(
    {volume, expected, force, hold}: Extract<ZoneOperation, {kind: 'write-volume-record'}>,
    bytes: Buffer,
  ): void {
    if (this.#zone.isRemoved(volume)) throw recordChanged(`volume ${volume} was removed`);
    const found = this.#zone.readVolumeRecord(volume);
    const before = expectedRecord(found, bytes, expected, force);
    if (before !== 'there') this.#zone.writeVolumeRecord(volume, bytes, before);
    if (!hold) return;
    this.#letGo(volume);
    this.#holds.set(volume, {hold: this.#zone.holdRecord(volume, bytes), bytes});
  }

  /** One that is gone was swept: whether the zone itself is gone is seen from the record. */
  #syncSegment(volume: VolumeNumber, segment: SegmentNumber): void {
    try {
      this.#segments.get(volume, segment).sync();
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  #demandPlace(): void {
    if (this.#zone.isInPlace()) return;
    const text = `the directory of zone ${this.#zone.name} was moved away`;
    throw new BorealisError('unavailable', 'zone-lost', text);
  }

  #checkWriter(volume: VolumeNumber): void {
    const held = this.#holds.get(volume);
    if (held === undefined || held.hold.isCurrent()) return;
    const found = this.#zone.readVolumeRecord(volume);
    if (found === null) {
      const text = `the record of volume ${volume} is gone from zone ${this.#zone.name}`;
      throw new BorealisError('unavailable', 'zone-lost', text);
    }
    if (compareVersions(recordVersion(found), recordVersion(held.bytes)) <= 0) return;
    const text = `volume ${volume} was taken over by another writer (zone ${this.#zone.name})`;
    throw new BorealisError('conflict', 'writer-fenced', text);
  }

  #letGo(volume: VolumeNumber): void {
    this.#holds.get(volume)?.hold.close();
    this.#holds.delete(volume);
  }

  #writable({volume, segment, make}: Extract<ZoneOperation, {kind: 'write'}>): SegmentFile {
    if (!make) return this.#segments.get(volume, segment);
    try {
      return this.#segments.get(volume, segment);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#zone.ensureSegment(volume, segment).close();
      return this.#segments.get(volume, segment);
    }
  }

  #listPage({volume, after}: Extract<ZoneOperation, {kind: 'list-segments'}>): SegmentListing[] {
    return this.#zone
      .listSegments(volume, {after, limit: LISTING_PAGE})
      .filter(({segment}) => segment > after)
      .slice(0, LISTING_PAGE);
  }

  /** A file that a compaction has replaced takes no repair: the bad bytes went into the new one. */
  #repair(
    {volume, segment, position}: Extract<ZoneOperation, {kind: 'repair'}>,
    bytes: Buffer,
  ): void {
    for (let tries = 0; tries < REPAIR_TRIES; tries++) {
      const file = this.#segments.get(volume, segment);
      if (!file.isDeleted()) {
        file.write([bytes], position);
        file.sync();
        if (!file.isDeleted()) return;
      }
      this.#segments.closeDeleted();
    }
  }

  #compact({volume, segment, live}: Extract<ZoneOperation, {kind: 'compact-segment'}>): number {
    try {
      return this.#zone.compactSegment(volume, segment, live);
    } catch (error) {
      const isLacking =
        error instanceof BorealisError && (error.kind === 'corrupt' || error.kind === 'not-found');
      if (!isLacking) throw error;
      const found = this.#zone.listSegments(volume).find(listing => listing.segment === segment);
      return found?.bytesOnDisk ?? 0;
    }
  }

  /** A copy whose index does not hold cannot be read anywhere: it begins anew. */
  #target(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    try {
      return this.#zone.ensureSegment(volume, segment);
    } catch (error) {
      if (!(error instanceof BorealisError && error.kind === 'corrupt')) throw error;
      this.#zone.deleteSegment(volume, segment);
      return this.#zone.ensureSegment(volume, segment);
    }
  }

  #copy(operation: Extract<ZoneOperation, {kind: 'copy'}>): number {
    const {volume, segment, from, to, rewrite} = operation;
    const {peer} = this.#parts;
    const isOwn = operation.source === this.#zone.name;
    const away = <T>(call: () => T): T => (isOwn ? call() : this.#parts.away(call));
    let file: SegmentFile;
    try {
      file = away(() => peer(operation).openSegment(volume, segment));
    } catch (error) {
      // Swept since it was listed, or the other zone was lost: that alone is no reason to let go of this copy.
      if (!isNotFound(error)) throw error;
      return 0;
    }
    const input: SegmentSource = {
      ranges: file.ranges,
      read: (...range) => away(() => file.read(...range)),
    };
    const output = this.#target(volume, segment);
    try {
      // A compacted copy is taken whole, and holds all that is needed where the other one is not compacted.
      if (input.ranges !== null) {
        if (from === 0 && !holdsAll(output, input.ranges)) {
          this.#zone.adoptSegment(volume, segment, input);
          return input.ranges.reduce((sum, {start, end}) => sum + end - start, 0);
        }
        return 0;
      }
      if (output.ranges !== null) return 0;
      return fillRange(input, output, {from, to, rewrite});
    } finally {
      file.close();
      output.close();
    }
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof BorealisError && error.kind === 'not-found';
}

/** Runs an operation and tells what became of it. A failed assertion is not an outcome. */
export function outcomeOf(
  executor: ZoneExecutor,
  operation: ZoneOperation,
  bytes: Buffer,
  room: Room,
): Outcome {
  try {
    return {ok: true, ...executor.run(operation, bytes, room)};
  } catch (error) {
    return failureOf(error);
  }
}

export function failureOf(error: unknown): Outcome & {ok: false} {
  if (error instanceof AssertionError) throw error;
  if (error instanceof BorealisError) {
    const {kind, code, message} = error;
    return {ok: false, kind, code, message};
  }
  const isGone = systemErrorCode(error) === 'ENOENT';
  const kind = isGone ? 'not-found' : 'unavailable';
  return {ok: false, kind, code: isGone ? 'no-such-file' : 'zone-io', message: errorMessage(error)};
}
