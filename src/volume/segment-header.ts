/**
 * The first sector of a segment: whose it is and where in the log it goes on.
 *
 *     magic "BORSEG01" │ crc32 │ format │ volume │ segment │ epoch │ startLsn (64 bit)
 *
 * `startLsn` is the LSN of the last batch before this segment. What an earlier segment holds beyond
 * it was written by a writer that had been fenced off, and is not part of the log.
 * Source: docs/formats/segment.md.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';
import type {Lsn, SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {SECTOR_SIZE_BYTES} from './pointer.ts';

const MAGIC = 'BORSEG01';
export const SEGMENT_FORMAT = 1;
export const SEGMENT_HEADER_BYTES: number = SECTOR_SIZE_BYTES;

export type SegmentHeader = {
  readonly volume: VolumeNumber;
  readonly segment: SegmentNumber;
  readonly epoch: number;
  readonly startLsn: Lsn;
};

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt32LE(SEGMENT_FORMAT, 12);
  bytes.writeUInt32LE(header.volume, 16);
  bytes.writeUInt32LE(header.segment, 20);
  bytes.writeUInt32LE(header.epoch, 24);
  bytes.writeBigUInt64LE(BigInt(header.startLsn), 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
  return bytes;
}

/** Null when there is no header: the segment was being created when the power went. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | null {
  if (bytes.length < SEGMENT_HEADER_BYTES) return null;
  if (bytes.toString('latin1', 0, 8) !== MAGIC) return null;
  if (crc32(bytes.subarray(12)) !== bytes.readUInt32LE(8)) return null;
  const format = bytes.readUInt32LE(12);
  if (format !== SEGMENT_FORMAT) {
    throw new BorealisError(
      'invalid',
      'segment-format',
      `segment of format ${format}; this Borealis reads format ${SEGMENT_FORMAT}`,
    );
  }
  return {
    volume: bytes.readUInt32LE(16) as VolumeNumber,
    segment: bytes.readUInt32LE(20) as SegmentNumber,
    epoch: bytes.readUInt32LE(24),
    startLsn: Number(bytes.readBigUInt64LE(32)) as Lsn,
  };
}
