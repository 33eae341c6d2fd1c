/** A segment of a mirror: written through the stream to all zones, read from one of them. */
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import type {SegmentFile, SegmentPart, SegmentPiece} from './zone.ts';

/** What a segment asks of its mirror. */
export type SegmentHost = {
  readonly zoneNames: () => readonly string[];
  append(place: SegmentPlace, position: number, buffers: readonly Uint8Array[]): void;
  truncate(place: SegmentPlace, sizeBytes: number): void;
  sync(place: SegmentPlace): void;
  read(place: SegmentPlace, position: number, into: Uint8Array): number;
  readParts(parts: readonly SegmentPart[]): void;
  readCopy(place: SegmentPlace, copy: number, position: number, into: Uint8Array): number;
  writeCopy(place: SegmentPlace, copy: number, position: number, bytes: Uint8Array): void;
  repair(place: SegmentPlace, copy: number, fix: Repair): void;
};

export type SegmentPlace = {readonly volume: VolumeNumber; readonly segment: SegmentNumber};
export type Repair = {
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly what: string;
};

export class MirroredSegment implements SegmentFile {
  readonly syncDescriptor = null;
  /** Each zone's copy may have been compacted or not. */
  readonly ranges = null;
  readonly place: SegmentPlace;
  readonly #host: SegmentHost;

  constructor(host: SegmentHost, volume: VolumeNumber, segment: SegmentNumber) {
    this.#host = host;
    this.place = {volume, segment};
  }

  get copies(): readonly string[] {
    return this.#host.zoneNames();
  }

  read(position: number, into: Uint8Array, intoOffset: number, length: number): number {
    const target = into.subarray(intoOffset, intoOffset + length);
    return this.#host.read(this.place, position, target);
  }

  readPieces(pieces: readonly SegmentPiece[]): void {
    const parts = pieces.map(piece => ({...piece, file: this}));
    this.#host.readParts(parts);
    for (const [index, piece] of pieces.entries()) piece.got = parts[index]?.got ?? 0;
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    this.#host.append(this.place, position, buffers);
  }

  sync(): void {
    this.#host.sync(this.place);
  }

  truncate(sizeBytes: number): void {
    this.#host.truncate(this.place, sizeBytes);
  }

  /** The zones' threads let go of deleted segments by themselves. */
  isDeleted(): boolean {
    return false;
  }

  close(): void {
    // Descriptors are the zones' own.
  }

  readCopy(
    copy: number,
    position: number,
    into: Uint8Array,
    intoOffset: number,
    length: number,
  ): number {
    const target = into.subarray(intoOffset, intoOffset + length);
    return this.#host.readCopy(this.place, copy, position, target);
  }

  writeCopy(copy: number, position: number, bytes: Uint8Array): void {
    this.#host.writeCopy(this.place, copy, position, bytes);
  }

  repairCopy(copy: number, position: number, bytes: Uint8Array, what: string): void {
    this.#host.repair(this.place, copy, {position, bytes, what});
  }
}
