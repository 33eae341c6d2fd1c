/**
 * A zone in memory that can lose power and fail: for simulations.
 *
 * What was written since a segment's last sync is lost, torn and reordered by a power cut
 * (memory-segment.ts). Any call can be the last of its process, or fail (zone-faults.ts). Records are
 * atomic and durable.
 */
import {assert} from '../../base/assert.ts';
import {BorealisError} from '../../base/errors.ts';
import {recognizeSegment, writeCompact} from '../compact-segment.ts';
import type {SegmentNumber, VolumeNumber} from '../ids.ts';
import type {
  RecordHold,
  SegmentFile,
  SegmentListing,
  SegmentPart,
  SegmentRange,
  VolumeClaim,
  Zone,
} from '../zone.ts';
import {readByFile} from '../segment-pieces.ts';
import {MemorySegment} from './memory-segment-file.ts';
import {MemorySegmentData} from './memory-segment.ts';
import {ZoneFaults, type Random} from './zone-faults.ts';

/** What a driver needs to replace a record: a block for the temporary file. */
const RECORD_BYTES = 4096;

export class MemoryZone implements Zone {
  readonly name: string;
  readonly mirror = null;
  readonly faults: ZoneFaults;
  #storeRecord: Buffer | null = null;
  readonly #records = new Map<VolumeNumber, Buffer>();
  readonly #segments = new Map<VolumeNumber, Map<SegmentNumber, MemorySegmentData>>();
  /** Which replacement of each record is there: what rots is still the same one. */
  readonly #replacements = new Map<VolumeNumber, symbol>();
  readonly #removed = new Set<VolumeNumber>();
  /** The holder of each lock; one that is gone releases nothing any more. */
  readonly #locks = new Map<VolumeNumber, symbol>();
  readonly #descriptors = new Map<number, MemorySegment>();
  #nextDescriptor = 3;

  constructor(faults: ZoneFaults = new ZoneFaults(), name = 'memory') {
    this.faults = faults;
    this.name = name;
  }

  /** The power goes: every open volume is dead, unsynced bytes survive by chance. */
  crash(random: Random): void {
    this.#locks.clear();
    for (const segments of this.#segments.values()) {
      for (const segment of segments.values()) segment.crash(random);
    }
  }

  /** What is durable now, as a disk of its own, with faults of its own unless they are given. */
  durableCopy(faults: ZoneFaults = new ZoneFaults()): MemoryZone {
    const copy = new MemoryZone(faults, this.name);
    copy.#storeRecord = this.#storeRecord;
    for (const [volume, record] of this.#records) {
      copy.#records.set(volume, record);
      copy.#replacements.set(volume, Symbol('replacement'));
    }
    for (const volume of this.#removed) copy.#removed.add(volume);
    for (const [volume, segments] of this.#segments) {
      const copies = [...segments].map(([segment, data]) => [segment, data.durableCopy()] as const);
      copy.#segments.set(volume, new Map(copies));
    }
    return copy;
  }

  /**
   * The process that writes to `volume`, or every process, dies and the machine goes on: nothing is
   * lost, the locks are free.
   */
  kill(volume?: VolumeNumber): void {
    if (volume === undefined) this.#locks.clear();
    else this.#locks.delete(volume);
  }

  /** Flips one bit of a segment. */
  corrupt(volume: VolumeNumber, segment: SegmentNumber, position: number): void {
    this.#data(volume, segment).flipBit(position);
  }

  /** Flips one bit of a volume's record. */
  corruptRecord(volume: VolumeNumber, position: number): void {
    const record = this.#records.get(volume);
    if (record === undefined) return;
    const rotten = Buffer.from(record);
    rotten.writeUInt8(rotten.readUInt8(position % rotten.length) ^ 1, position % rotten.length);
    this.#records.set(volume, rotten);
  }

  /** What is there, looked at from outside: no call of the zone. */
  contents(): {volume: VolumeNumber; hasRecord: boolean; segments: SegmentListing[]}[] {
    return [...new Set([...this.#records.keys(), ...this.#segments.keys()])].map(volume => ({
      volume,
      hasRecord: this.#records.has(volume),
      segments: this.#listing(volume),
    }));
  }

  /** What is there of a record: no call of the zone. */
  recordState(volume: VolumeNumber): 'present' | 'removed' | 'absent' {
    if (this.#records.has(volume)) return 'present';
    return this.#removed.has(volume) ? 'removed' : 'absent';
  }

  /** The bytes of a segment as a read would see them: no call of the zone. */
  bytesOf(volume: VolumeNumber, segment: SegmentNumber): Buffer {
    const data = this.#data(volume, segment);
    return data.read(0, data.length);
  }

  /** fdatasync of another thread. */
  syncDescriptor(descriptor: number): void {
    const file = this.#descriptors.get(descriptor);
    assert(file !== undefined, `descriptor ${descriptor} is open`);
    file.sync();
  }

  isInPlace(): boolean {
    return true;
  }

  readStoreRecord(): Buffer | null {
    return this.faults.call('read', () => this.#storeRecord);
  }

  writeStoreRecord(bytes: Uint8Array, expected: Uint8Array | null): void {
    this.#change(() => {
      checkExpected(this.#storeRecord, expected);
      this.#storeRecord = Buffer.from(bytes);
    }, RECORD_BYTES);
  }

  listVolumes(): VolumeNumber[] {
    return this.faults.call('read', () =>
      [...new Set([...this.#records.keys(), ...this.#segments.keys(), ...this.#removed])].sort(
        (a, b) => a - b,
      ),
    );
  }

  readVolumeRecord(volume: VolumeNumber): Buffer | null {
    return this.faults.call('read', () => this.#records.get(volume) ?? null);
  }

  writeVolumeRecord(volume: VolumeNumber, bytes: Uint8Array, expected: Uint8Array | null): void {
    this.#change(() => {
      checkExpected(this.#records.get(volume) ?? null, expected);
      this.#records.set(volume, Buffer.from(bytes));
      this.#replacements.set(volume, Symbol('replacement'));
    }, RECORD_BYTES);
  }

  deleteVolumeRecord(volume: VolumeNumber): void {
    this.#change(() => {
      if (this.#records.delete(volume)) this.#removed.add(volume);
    });
  }

  isRemoved(volume: VolumeNumber): boolean {
    return this.faults.call('read', () => this.#removed.has(volume));
  }

  holdRecord(volume: VolumeNumber, expected: Uint8Array): RecordHold {
    return this.faults.call('read', () => {
      checkExpected(this.#records.get(volume) ?? null, expected);
      const held = this.#replacements.get(volume);
      const isCurrent = (): boolean => this.#replacements.get(volume) === held;
      return {descriptor: null, isCurrent, close: () => undefined};
    });
  }

  createSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    return this.#change(() => {
      const segments = this.#segments.get(volume) ?? new Map<SegmentNumber, MemorySegmentData>();
      if (segments.has(segment)) {
        throw new BorealisError('conflict', 'already-exists', `segment ${segment} exists`);
      }
      const data = new MemorySegmentData();
      segments.set(segment, data);
      this.#segments.set(volume, segments);
      return this.#open(data);
    }, RECORD_BYTES);
  }

  ensureSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    const exists = this.#segments.get(volume)?.has(segment) ?? false;
    return exists ? this.openSegment(volume, segment) : this.createSegment(volume, segment);
  }

  openSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    return this.faults.call('read', () =>
      recognizeSegment({volume, segment}, this.#open(this.#data(volume, segment))),
    );
  }

  readParts(parts: readonly SegmentPart[]): void {
    readByFile(parts);
  }

  listSegments(volume: VolumeNumber): SegmentListing[] {
    return this.faults.call('read', () => this.#listing(volume));
  }

  deleteSegment(volume: VolumeNumber, segment: SegmentNumber): void {
    this.#change(() => {
      const data = this.#segments.get(volume)?.get(segment);
      if (data !== undefined) data.deleted = true;
      this.#segments.get(volume)?.delete(segment);
    });
  }

  compactSegment(
    volume: VolumeNumber,
    segment: SegmentNumber,
    live: readonly SegmentRange[],
  ): number {
    const source = this.openSegment(volume, segment);
    try {
      return this.#replaceCompact(volume, segment, source, live);
    } finally {
      source.close();
    }
  }

  adoptSegment(volume: VolumeNumber, segment: SegmentNumber, source: SegmentFile): void {
    assert(source.ranges !== null, 'a segment as it was written is copied in place');
    this.#replaceCompact(volume, segment, source, source.ranges);
  }

  #replaceCompact(
    volume: VolumeNumber,
    segment: SegmentNumber,
    source: SegmentFile,
    live: readonly SegmentRange[],
  ): number {
    const compacted = new MemorySegmentData();
    const target = this.#open(compacted);
    try {
      writeCompact({volume, segment}, source, target, live);
      target.sync();
    } finally {
      target.close();
    }
    this.#change(() => {
      const segments = this.#segments.get(volume) ?? new Map<SegmentNumber, MemorySegmentData>();
      const old = segments.get(segment);
      if (old !== undefined) old.deleted = true;
      segments.set(segment, compacted);
      this.#segments.set(volume, segments);
    });
    return compacted.length;
  }

  /** Here a compaction is whole or was not begun. */
  discardUnfinished(): void {}

  leftovers(): string[] {
    return [];
  }

  removeLeftover(): void {}

  lockVolume(volume: VolumeNumber): VolumeClaim {
    return this.faults.call('metadata', () => {
      if (this.#locks.has(volume)) {
        throw new BorealisError('conflict', 'volume-locked', `volume ${volume} is open`);
      }
      const holder = Symbol('holder');
      this.#locks.set(volume, holder);
      const release = (): void => {
        if (this.#locks.get(volume) === holder) this.#locks.delete(volume);
      };
      return {recovered: () => undefined, release};
    });
  }

  deleteEmptyVolume(volume: VolumeNumber): void {
    this.#change(() => {
      if (this.#records.has(volume)) return;
      if ((this.#segments.get(volume)?.size ?? 0) > 0) return;
      this.#segments.delete(volume);
      this.#removed.delete(volume);
    });
  }

  freeBytes(): number {
    return Math.min(2 ** 40, this.faults.capacityBytes - this.#usedBytes());
  }

  close(): void {
    // Memory needs no letting go.
  }

  /** Where a write goes that misses its place: any segment there is. */
  #anySegment(): MemorySegmentData {
    const all = [...this.#segments.values()].flatMap(segments => [...segments.values()]);
    return all[this.faults.random(all.length)] as MemorySegmentData;
  }

  #open(data: MemorySegmentData): MemorySegment {
    const descriptor = this.#nextDescriptor++;
    const file = new MemorySegment(data, descriptor, this.name, {
      faults: this.faults,
      roomBytes: () => this.faults.capacityBytes - this.#usedBytes(),
      anySegment: () => this.#anySegment(),
      closed: () => this.#descriptors.delete(descriptor),
    });
    this.#descriptors.set(descriptor, file);
    return file;
  }

  /** A change of names or records: atomic. */
  #change<T>(effect: () => T, neededBytes = 0): T {
    if (neededBytes > 0 && this.#usedBytes() + neededBytes > this.faults.capacityBytes) {
      return this.faults.call('metadata', () => {
        throw this.faults.full();
      });
    }
    return this.faults.call('metadata', effect);
  }

  #usedBytes(): number {
    if (this.faults.capacityBytes === Infinity) return 0;
    let used = 0;
    for (const segments of this.#segments.values()) {
      for (const data of segments.values()) used += data.length;
    }
    return used;
  }

  #listing(volume: VolumeNumber): SegmentListing[] {
    return [...(this.#segments.get(volume) ?? [])]
      .map(([segment, {length}]) => ({segment, bytesOnDisk: length, sizeBytes: length}))
      .sort((a, b) => a.segment - b.segment);
  }

  #data(volume: VolumeNumber, segment: SegmentNumber): MemorySegmentData {
    const data = this.#segments.get(volume)?.get(segment);
    if (data === undefined) {
      throw new BorealisError('not-found', 'no-such-file', `no segment ${segment} of ${volume}`);
    }
    return data;
  }
}

function checkExpected(found: Buffer | null, expected: Uint8Array | null): void {
  const same = found === null ? expected === null : expected !== null && found.equals(expected);
  if (!same) throw new BorealisError('conflict', 'record-changed', 'the record was changed');
}
