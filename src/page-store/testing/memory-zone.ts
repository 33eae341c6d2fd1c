/**
 * A zone in memory that can lose power: for simulations.
 *
 * What was written since a segment's last sync is kept as a list of writes. `crash` lets each of them
 * survive whole, vanish, or survive in part, sector by sector, independently of the others: so writes
 * are lost, torn and reordered as a real disk's cache would. Records are atomic and durable.
 */
import {assert} from '../../base/assert.ts';
import {BorealisError} from '../../base/errors.ts';
import {recognizeSegment, writeCompact} from '../compact-segment.ts';
import type {SegmentNumber, VolumeNumber} from '../ids.ts';
import type {SegmentFile, SegmentListing, SegmentRange, Zone} from '../zone.ts';

const SECTOR_BYTES = 512;

/** A random whole number from 0 up to but not including `below`. */
export type Random = (below: number) => number;

/** A small generator (mulberry32): the same seed gives the same crash. */
export function seeded(seed: number): Random {
  let state = seed;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type PendingWrite = {position: number; bytes: Buffer};

class MemorySegmentData {
  durable: Buffer = Buffer.alloc(0);
  current: Buffer = Buffer.alloc(0);
  pending: PendingWrite[] = [];
  deleted = false;

  write(bytes: Buffer, position: number): void {
    this.current = overlay(this.current, bytes, position);
    this.pending.push({position, bytes: Buffer.from(bytes)});
  }

  sync(): void {
    this.durable = Buffer.from(this.current);
    this.pending = [];
  }

  truncate(sizeBytes: number): void {
    this.current = this.current.subarray(0, sizeBytes);
  }

  crash(random: Random): void {
    let survived: Buffer = Buffer.from(this.durable);
    for (const {position, bytes} of this.pending) {
      const fate = random(3);
      if (fate === 0) continue;
      if (fate === 1) {
        survived = overlay(survived, bytes, position);
        continue;
      }
      for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
        if (random(2) === 0) continue;
        survived = overlay(survived, bytes.subarray(at, at + SECTOR_BYTES), position + at);
      }
    }
    this.current = Buffer.from(survived);
    // What survived may still lie in the cache of the host: only a sync makes it durable.
    this.pending = this.current.equals(this.durable)
      ? []
      : [{position: 0, bytes: Buffer.from(this.current)}];
  }
}

export class MemoryZone implements Zone {
  readonly name = 'memory';
  #storeRecord: Buffer | null = null;
  readonly #records = new Map<VolumeNumber, Buffer>();
  readonly #segments = new Map<VolumeNumber, Map<SegmentNumber, MemorySegmentData>>();
  readonly #locks = new Set<VolumeNumber>();

  /** The power goes: every open volume is dead, unsynced bytes survive by chance. */
  crash(random: Random): void {
    this.#locks.clear();
    for (const segments of this.#segments.values()) {
      for (const segment of segments.values()) segment.crash(random);
    }
  }

  /** The process dies and the machine goes on: nothing is lost, the locks are free. */
  kill(): void {
    this.#locks.clear();
  }

  /** Flips one bit. */
  corrupt(volume: VolumeNumber, segment: SegmentNumber, position: number): void {
    const bytes = this.#data(volume, segment).current;
    bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position);
  }

  readStoreRecord(): Buffer | null {
    return this.#storeRecord;
  }

  writeStoreRecord(bytes: Uint8Array, expected: Uint8Array | null): void {
    checkExpected(this.#storeRecord, expected);
    this.#storeRecord = Buffer.from(bytes);
  }

  listVolumes(): VolumeNumber[] {
    return [...new Set([...this.#records.keys(), ...this.#segments.keys()])].sort((a, b) => a - b);
  }

  readVolumeRecord(volume: VolumeNumber): Buffer | null {
    return this.#records.get(volume) ?? null;
  }

  writeVolumeRecord(volume: VolumeNumber, bytes: Uint8Array, expected: Uint8Array | null): void {
    checkExpected(this.#records.get(volume) ?? null, expected);
    this.#records.set(volume, Buffer.from(bytes));
  }

  deleteVolumeRecord(volume: VolumeNumber): void {
    this.#records.delete(volume);
  }

  createSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    const segments = this.#segments.get(volume) ?? new Map<SegmentNumber, MemorySegmentData>();
    if (segments.has(segment)) {
      throw new BorealisError('conflict', 'already-exists', `segment ${segment} exists`);
    }
    const data = new MemorySegmentData();
    segments.set(segment, data);
    this.#segments.set(volume, segments);
    return new MemorySegment(data);
  }

  openSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    return recognizeSegment({volume, segment}, new MemorySegment(this.#data(volume, segment)));
  }

  listSegments(volume: VolumeNumber): SegmentListing[] {
    return [...(this.#segments.get(volume) ?? [])]
      .map(([segment, data]) => ({segment, bytesOnDisk: data.current.length}))
      .sort((a, b) => a.segment - b.segment);
  }

  deleteSegment(volume: VolumeNumber, segment: SegmentNumber): void {
    const data = this.#segments.get(volume)?.get(segment);
    if (data !== undefined) data.deleted = true;
    this.#segments.get(volume)?.delete(segment);
  }

  compactSegment(
    volume: VolumeNumber,
    segment: SegmentNumber,
    live: readonly SegmentRange[],
  ): number {
    const compacted = new MemorySegmentData();
    const target = new MemorySegment(compacted);
    writeCompact({volume, segment}, this.openSegment(volume, segment), target, live);
    target.sync();
    this.#data(volume, segment).deleted = true;
    this.#segments.get(volume)?.set(segment, compacted);
    return compacted.current.length;
  }

  /** Here a compaction is whole or was not begun. */
  discardUnfinished(): void {}

  leftovers(): string[] {
    return [];
  }

  removeLeftover(): void {}

  lockVolume(volume: VolumeNumber): () => void {
    if (this.#locks.has(volume)) {
      throw new BorealisError('conflict', 'volume-locked', `volume ${volume} is open`);
    }
    this.#locks.add(volume);
    return () => this.#locks.delete(volume);
  }

  deleteEmptyVolume(volume: VolumeNumber): void {
    if (this.#segments.get(volume)?.size === 0) this.#segments.delete(volume);
  }

  freeBytes(): number {
    return 2 ** 40;
  }

  #data(volume: VolumeNumber, segment: SegmentNumber): MemorySegmentData {
    const data = this.#segments.get(volume)?.get(segment);
    if (data === undefined) {
      throw new BorealisError('not-found', 'no-such-file', `no segment ${segment} of ${volume}`);
    }
    return data;
  }
}

class MemorySegment implements SegmentFile {
  readonly syncDescriptor = null;
  readonly ranges = null;
  readonly #data: MemorySegmentData;
  #isOpen = true;

  constructor(data: MemorySegmentData) {
    this.#data = data;
  }

  read(position: number, into: Uint8Array, intoOffset: number, length: number): number {
    assert(this.#isOpen, 'a segment is read while it is open');
    const bytes = this.#data.current.subarray(position, position + length);
    into.set(bytes, intoOffset);
    return bytes.length;
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    assert(this.#isOpen, 'a segment is written while it is open');
    this.#data.write(Buffer.concat(buffers), position);
  }

  sync(): void {
    this.#data.sync();
  }

  truncate(sizeBytes: number): void {
    this.#data.truncate(sizeBytes);
  }

  isDeleted(): boolean {
    return this.#data.deleted;
  }

  close(): void {
    this.#isOpen = false;
  }
}

function overlay(base: Buffer, bytes: Buffer, position: number): Buffer {
  const end = position + bytes.length;
  const result = end > base.length ? Buffer.concat([base, Buffer.alloc(end - base.length)]) : base;
  bytes.copy(result, position);
  return result;
}

function checkExpected(found: Buffer | null, expected: Uint8Array | null): void {
  const same = found === null ? expected === null : expected !== null && found.equals(expected);
  if (!same) throw new BorealisError('conflict', 'record-changed', 'the record was changed');
}
