/**
 * Records: small JSON objects that a person can read, closed by a checksum line.
 *
 *     {"format":1,…}\n
 *     crc32 0a1b2c3d\n
 *
 * The checksum covers the first line with its line feed. Of what a record says the page store reads
 * only its version: which of two copies is the newer one. Source: docs/formats/records.md.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber} from './ids.ts';

export function encodeRecord(value: object): Buffer {
  const line = `${JSON.stringify(value)}\n`;
  return Buffer.from(`${line}crc32 ${checksum(line)}\n`);
}

/** @throws BorealisError corrupt when the checksum does not hold; `what` names the record in the message. */
export function decodeRecord(bytes: Buffer, what: string): unknown {
  const text = bytes.toString('utf8');
  const end = text.indexOf('\n') + 1;
  const line = text.slice(0, end);
  if (end === 0 || text.slice(end) !== `crc32 ${checksum(line)}\n`) {
    throw new BorealisError('corrupt', 'record-corrupt', `${what}: its checksum does not hold`);
  }
  return JSON.parse(line);
}

export type RecordVersion = {
  /** Number of the volume's writer; 0 in a record that has none. */
  readonly epoch: number;
  /** Counts the replacements of the record; 0 in one from before they were counted. */
  readonly revision: number;
  /**
   * Of a volume: up to this place of its own segments its log is whole and durable in a zone that has
   * this record. Null in a record of something else.
   */
  readonly settled: {readonly segment: SegmentNumber; readonly offset: number} | null;
};

/** Null when the checksum does not hold. */
export function recordVersion(bytes: Buffer): RecordVersion | null {
  let value: {
    epoch?: number;
    revision?: number;
    checkpoint?: NonNullable<RecordVersion['settled']>;
  };
  try {
    value = decodeRecord(bytes, 'record') as typeof value;
  } catch (error) {
    if (error instanceof BorealisError && error.kind === 'corrupt') return null;
    throw error;
  }
  const {epoch = 0, revision = 0, checkpoint} = value;
  const settled =
    checkpoint === undefined ? null : {segment: checkpoint.segment, offset: checkpoint.offset};
  return {epoch, revision, settled};
}

/** Not there, or as it was written. */
export function isSoundRecord(bytes: Uint8Array | null): boolean {
  return bytes === null || recordVersion(Buffer.from(bytes)) !== null;
}

/** Which of two copies of a record is newer: positive when `a` is, 0 when they are of one version. None is oldest. */
export function compareVersions(a: RecordVersion | null, b: RecordVersion | null): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  return a.epoch - b.epoch || a.revision - b.revision;
}

/** Whether `found` is the newer one of two copies of a record; none, or a bad one, is oldest. */
export function isNewerRecord(found: Buffer | null, than: Buffer | null): boolean {
  const version = (bytes: Buffer | null): RecordVersion | null =>
    bytes === null ? null : recordVersion(bytes);
  return compareVersions(version(found), version(than)) > 0;
}

function checksum(line: string): string {
  return crc32(line).toString(16).padStart(8, '0');
}
