/**
 * An open segment of a zone in memory: its calls fail, end in the middle, or go astray as the faults of
 * its disk say; what then becomes of the bytes is memory-segment.ts's matter.
 */
import {assert} from '../../base/assert.ts';
import {readPieces, type ReadVector} from '../segment-pieces.ts';
import type {SegmentFile, SegmentPiece} from '../zone.ts';
import type {MemorySegmentData} from './memory-segment.ts';
import {inputOutputError, type ZoneFaults} from './zone-faults.ts';

const SECTOR_BYTES = 512;

/** What a segment needs of the disk that it lies on. */
type Disk = {
  readonly faults: ZoneFaults;
  roomBytes(): number;
  anySegment(): MemorySegmentData;
  closed(): void;
};

export class MemorySegment implements SegmentFile {
  readonly syncDescriptor: number;
  readonly ranges = null;
  readonly copies: readonly string[];
  readonly #data: MemorySegmentData;
  readonly #disk: Disk;
  #isOpen = true;

  constructor(data: MemorySegmentData, descriptor: number, zone: string, disk: Disk) {
    this.#data = data;
    this.copies = [zone];
    this.syncDescriptor = descriptor;
    this.#disk = disk;
  }

  read(position: number, into: Uint8Array, intoOffset: number, length: number): number {
    assert(this.#isOpen, 'a segment is read while it is open');
    return this.#disk.faults.call('read', () => {
      const bytes = this.#data.read(position, position + length);
      into.set(bytes, intoOffset);
      return bytes.length;
    });
  }

  readPieces(pieces: readonly SegmentPiece[]): void {
    const readVector: ReadVector = (position, buffers) => {
      const bytes = Buffer.concat(buffers);
      const got = this.read(position, bytes, 0, bytes.length);
      let at = 0;
      for (const buffer of buffers) {
        buffer.set(bytes.subarray(at, Math.min(at + buffer.length, Math.max(at, got))));
        at += buffer.length;
      }
      return got;
    };
    readPieces(readVector, pieces);
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    assert(this.#isOpen, 'a segment is written while it is open');
    const {faults} = this.#disk;
    const bytes = Buffer.concat(buffers);
    const writePart = (): void => {
      const sectors = Math.floor(bytes.length / SECTOR_BYTES);
      this.#data.write(bytes.subarray(0, faults.random(sectors + 1) * SECTOR_BYTES), position);
    };
    faults.call('write', () => this.#write(bytes, position), writePart);
  }

  sync(): void {
    const {faults} = this.#disk;
    faults.call('sync', () => {
      if (!faults.strikes('sync-error')) return this.#data.sync();
      this.#data.failSync(faults.random(2) === 0);
      throw inputOutputError('sync');
    });
  }

  truncate(sizeBytes: number): void {
    this.#disk.faults.call('metadata', () => this.#data.truncate(sizeBytes));
  }

  readCopy(
    _copy: number,
    position: number,
    into: Uint8Array,
    intoOffset: number,
    length: number,
  ): number {
    return this.read(position, into, intoOffset, length);
  }

  writeCopy(_copy: number, position: number, bytes: Uint8Array): void {
    this.write([bytes], position);
  }

  repairCopy(): void {
    assert(false, 'the only copy cannot be repaired from another one');
  }

  isDeleted(): boolean {
    return this.#data.deleted;
  }

  close(): void {
    this.#isOpen = false;
    this.#disk.closed();
  }

  #write(bytes: Buffer, position: number): void {
    const {faults} = this.#disk;
    const room = this.#disk.roomBytes() + this.#data.length - position;
    if (bytes.length > room) {
      const fits = Math.max(0, Math.floor(room / SECTOR_BYTES) * SECTOR_BYTES);
      this.#data.write(bytes.subarray(0, fits), position);
      throw faults.full();
    }
    const isLost = faults.strikes('lose-write', this.copies[0]);
    const isMisdirected = faults.strikes('misdirect-write', this.copies[0]);
    if (!isLost && !isMisdirected) return this.#data.write(bytes, position);
    // Its place keeps what it had; where there was nothing, there are zeros.
    const missing = position + bytes.length - this.#data.length;
    if (missing > 0) {
      const zeros = Math.min(missing, bytes.length);
      this.#data.write(Buffer.alloc(zeros), position + bytes.length - zeros);
    }
    if (!isMisdirected) return;
    const target = this.#disk.anySegment();
    const sectors = Math.floor(target.length / SECTOR_BYTES);
    target.write(bytes, faults.random(sectors + 1) * SECTOR_BYTES);
  }
}
