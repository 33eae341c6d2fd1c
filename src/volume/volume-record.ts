/**
 * A volume's record: the durable name of its root. A volume exists from the moment its record does,
 * and the record is what keeps its pages alive.
 *
 *     {"format":1,"volume":42,"source":{"volume":41,"lsn":900},"createdMs":…,"revision":7,"epoch":3,
 *      "fence":{"epoch":3,"lsn":904},"clean":false,"retentionSeconds":86400,
 *      "checkpoint":{"lsn":905,"timestampMs":…,"root":[41,7,33554944,123456],"history":[0,0,0,0],
 *                    "segment":1,"offset":512}}
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
  /** That of the last batch that it holds. */
  readonly timestampMs: number;
  /** Root of the table of files; null for an empty volume. */
  readonly root: Pointer | null;
  /** Root of the index of past moments, this one among them; null when none are kept. */
  readonly history: Pointer | null;
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
  /** How long past moments are kept; 0 for not at all. */
  readonly retentionSeconds: number;
  readonly checkpoint: Checkpoint;
};

type StoredRecord = Omit<VolumeRecord, 'checkpoint' | 'revision' | 'fence' | 'retentionSeconds'> & {
  format: number;
  /** Not in records from before there were these. */
  revision?: number;
  fence?: Fence | null;
  retentionSeconds?: number;
  checkpoint: Omit<Checkpoint, 'root' | 'history'> & {root: number[]; history?: number[]};
};

/** What a new volume begins with, which another volume may have written. */
export type Beginning = Pick<VolumeRecord, 'source' | 'retentionSeconds'> &
  Pick<Checkpoint, 'timestampMs' | 'root' | 'history'>;

export const EMPTY_BEGINNING: Omit<Beginning, 'timestampMs'> = {
  source: null,
  retentionSeconds: 0,
  root: null,
  history: null,
};

/** The record of a volume whose log is empty. */
export function newVolumeRecord(
  volume: VolumeNumber,
  createdMs: number,
  {source, retentionSeconds, timestampMs, root, history}: Beginning,
): VolumeRecord {
  return {
    volume,
    source,
    createdMs,
    revision: 0,
    epoch: 0,
    fence: null,
    clean: true,
    retentionSeconds,
    checkpoint: {
      lsn: source?.lsn ?? (0 as Lsn),
      timestampMs,
      root,
      history,
      segment: 1 as SegmentNumber,
      offset: SEGMENT_HEADER_BYTES,
    },
  };
}

export function encodeVolumeRecord(record: VolumeRecord): Buffer {
  const {root, history} = record.checkpoint;
  return encodeRecord({
    format: VOLUME_FORMAT,
    ...record,
    checkpoint: {...record.checkpoint, root: wordsOf(root), history: wordsOf(history)},
  });
}

function wordsOf(pointer: Pointer | null): number[] {
  const words = new Uint32Array(POINTER_WORDS);
  writePointer(words, 0, pointer);
  return [...words];
}

/** Reads a volume's record; `bytes` is what a later compare-and-swap expects. Null when the volume does not exist. */
export function readVolumeRecord(
  zone: Zone,
  volume: VolumeNumber,
): {record: VolumeRecord; bytes: Buffer} | null {
  const bytes = zone.readVolumeRecord(volume);
  return bytes === null ? null : {record: decodeVolumeRecord(bytes, volume), bytes};
}

/**
 * Whether there is such a volume; if so, for good: of several zones too few may have the record of one whose
 * making was cut off.
 */
export function volumeExists(zone: Zone, volume: VolumeNumber): boolean {
  return zone.mirror?.confirmVolume(volume) ?? zone.readVolumeRecord(volume) !== null;
}

export function decodeVolumeRecord(bytes: Buffer, volume: VolumeNumber): VolumeRecord {
  const value = decodeRecord(bytes, `record of volume ${volume}`) as StoredRecord;
  if (value.format !== VOLUME_FORMAT) {
    throw new BorealisError(
      'invalid',
      'volume-format',
      `volume ${volume} has format ${value.format}; this Borealis reads format ${VOLUME_FORMAT}`,
    );
  }
  const {format: _, ...record} = value;
  const {root, history = [0, 0, 0, 0]} = value.checkpoint;
  const checkpoint = {
    ...record.checkpoint,
    root: readPointer(Uint32Array.from(root), 0),
    history: readPointer(Uint32Array.from(history), 0),
  };
  const {revision = 0, fence = null, retentionSeconds = 0} = value;
  return {...record, revision, fence, retentionSeconds, checkpoint};
}
