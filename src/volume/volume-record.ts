/**
 * A volume's record: the durable name of its root. A volume exists from the moment its record does,
 * and the record is what keeps its pages alive.
 *
 *     {"format":1,"volume":42,"source":{"volume":41,"lsn":900},"createdMs":…,"revision":7,"epoch":3,
 *      "fence":{"epoch":3,"lsn":904},"clean":false,
 *      "checkpoint":{"lsn":905,"timestampMs":…,"root":[41,7,33554944,123456],"segment":1,"offset":512}}
 *
 * `segment` and `offset` say where the log goes on after the checkpoint; `clean` that nothing does.
 * Source: docs/formats/records.md.
 */
import {BorealisError} from '../base/errors.ts';
import type {Lsn, SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {decodeRecord, encodeRecord} from '../page-store/record.ts';
import type {Zone} from '../page-store/zone.ts';
import {POINTER_WORDS, readPointer, writePointer, type Pointer} from './pointer.ts';
import {SEGMENT_HEADER_BYTES} from './segment-header.ts';

export const VOLUME_FORMAT = 1;

export type Checkpoint = {
  readonly lsn: Lsn;
  readonly timestampMs: number;
  /** Root of the table of files; null for an empty volume. */
  readonly root: Pointer | null;
  /** Where the log goes on: the first batch after the checkpoint, if there is one. */
  readonly segment: SegmentNumber;
  readonly offset: number;
};

/** Nothing that a writer of an earlier epoch appended beyond `lsn` is part of the log. */
export type Fence = {readonly epoch: number; readonly lsn: Lsn};

export type VolumeRecord = {
  readonly volume: VolumeNumber;
  readonly source: {readonly volume: VolumeNumber; readonly lsn: Lsn} | null;
  readonly createdMs: number;
  /** Counts the replacements of this record: of two copies in two zones it tells the newer one. */
  readonly revision: number;
  /** Number of the last writer. The next one takes the number after it before it writes. */
  readonly epoch: number;
  /** Where the last opening of the volume found the end of the log; null before the first. */
  readonly fence: Fence | null;
  /** True when the log holds nothing after the checkpoint. */
  readonly clean: boolean;
  readonly checkpoint: Checkpoint;
};

type StoredRecord = Omit<VolumeRecord, 'checkpoint' | 'revision' | 'fence'> & {
  format: number;
  /** Not in records from before there were these. */
  revision?: number;
  fence?: Fence | null;
  checkpoint: Omit<Checkpoint, 'root'> & {root: number[]};
};

/** The record of a volume whose log is empty: it begins with `root`, which another volume may have written. */
export function newVolumeRecord(
  volume: VolumeNumber,
  source: VolumeRecord['source'],
  root: Pointer | null,
  timestampMs: number,
): VolumeRecord {
  return {
    volume,
    source,
    createdMs: timestampMs,
    revision: 0,
    epoch: 0,
    fence: null,
    clean: true,
    checkpoint: {
      lsn: source?.lsn ?? (0 as Lsn),
      timestampMs,
      root,
      segment: 1 as SegmentNumber,
      offset: SEGMENT_HEADER_BYTES,
    },
  };
}

export function encodeVolumeRecord(record: VolumeRecord): Buffer {
  const words = new Uint32Array(POINTER_WORDS);
  writePointer(words, 0, record.checkpoint.root);
  return encodeRecord({
    format: VOLUME_FORMAT,
    ...record,
    checkpoint: {...record.checkpoint, root: [...words]},
  });
}

/** Reads a volume's record; `bytes` is what a later compare-and-swap expects. Null when the volume does not exist. */
export function readVolumeRecord(
  zone: Zone,
  volume: VolumeNumber,
): {record: VolumeRecord; bytes: Buffer} | null {
  const bytes = zone.readVolumeRecord(volume);
  if (bytes === null) return null;
  const value = decodeRecord(bytes, `record of volume ${volume}`) as StoredRecord;
  if (value.format !== VOLUME_FORMAT) {
    throw new BorealisError(
      'invalid',
      'volume-format',
      `volume ${volume} has format ${value.format}; this Borealis reads format ${VOLUME_FORMAT}`,
    );
  }
  const {format: _, ...record} = value;
  const words = Uint32Array.from(value.checkpoint.root);
  const checkpoint = {...record.checkpoint, root: readPointer(words, 0)};
  const {revision = 0, fence = null} = value;
  return {record: {...record, revision, fence, checkpoint}, bytes};
}
