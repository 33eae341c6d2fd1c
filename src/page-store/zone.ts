/**
 * A zone is one complete copy of the store, standing for an Availability Zone. This is the small
 * interface that every driver implements; the volume knows nothing else of where bytes lie.
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
import type {SegmentNumber, VolumeNumber} from './ids.ts';

/** Bytes `start` up to but not including `end` of a segment; multiples of 512. */
export type SegmentRange = {readonly start: number; readonly end: number};

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
  /** Writes all buffers one after the other at `position`. */
  write(buffers: readonly Uint8Array[], position: number): void;
  /** Returns once all that was written is durable. */
  sync(): void;
  /** Cuts off what follows `sizeBytes`. */
  truncate(sizeBytes: number): void;
  /** True once the segment was deleted from the zone, or compacted, while this file was open. */
  isDeleted(): boolean;
  close(): void;
};

export type SegmentListing = {readonly segment: SegmentNumber; readonly bytesOnDisk: number};

export type Zone = {
  readonly name: string;
  /** The bytes of the store record, or null in a zone that is not yet part of a store. */
  readStoreRecord(): Buffer | null;
  /** `expected` is what the caller read last (null: none): anything else there is a conflict. */
  writeStoreRecord(bytes: Uint8Array, expected: Uint8Array | null): void;
  listVolumes(): VolumeNumber[];
  readVolumeRecord(volume: VolumeNumber): Buffer | null;
  writeVolumeRecord(volume: VolumeNumber, bytes: Uint8Array, expected: Uint8Array | null): void;
  /** Idempotent. The volume's segments stay. */
  deleteVolumeRecord(volume: VolumeNumber): void;
  createSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile;
  openSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile;
  /** In ascending order. Empty when the volume does not exist. */
  listSegments(volume: VolumeNumber): SegmentListing[];
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
  /** Removes what compactions that were cut off left. Only for the one process that compacts. */
  discardUnfinished(volume: VolumeNumber): void;
  /**
   * Claims the volume for a writer in this process until the returned function is called or the
   * process dies. Conflict `volume-locked` while another process holds it.
   */
  lockVolume(volume: VolumeNumber): () => void;
  /** Names of files that a crash left behind and that mean nothing, for people to read. */
  leftovers(): string[];
  /** Removes one of `leftovers`. Only while nobody writes to the store. */
  removeLeftover(name: string): void;
  /** Forgets a volume that has neither record nor segments. Idempotent; does nothing otherwise. */
  deleteEmptyVolume(volume: VolumeNumber): void;
  /** Free bytes that an unprivileged writer could still use. */
  freeBytes(): number;
};
