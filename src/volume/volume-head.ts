/**
 * The head of a volume: its record on disk, and the checkpoint that is on its way there.
 *
 *     nodes in the log ──(not durable yet)──▶ pending ──(durable)──▶ record
 *
 * Rule: the record never names a checkpoint that a power cut could still take away.
 */
import type {Lsn, VolumeNumber} from '../page-store/ids.ts';
import type {Zone} from '../page-store/zone.ts';
import {
  encodeVolumeRecord,
  newVolumeRecord,
  type Checkpoint,
  type VolumeRecord,
} from './volume-record.ts';

/** What a fork wrote and copied, in bytes. */
export type ForkReport = {
  lsn: Lsn;
  bytesWritten: number;
  bytesCopied: number;
  durationMs: number;
};

export class VolumeHead {
  readonly #zone: Zone;
  #record: VolumeRecord;
  #bytes: Buffer;
  #pending: Checkpoint | null = null;

  /** `bytes` is the record as it stands on disk. */
  constructor(zone: Zone, record: VolumeRecord, bytes: Buffer) {
    this.#zone = zone;
    this.#record = record;
    this.#bytes = bytes;
  }

  get record(): VolumeRecord {
    return this.#record;
  }

  get hasPending(): boolean {
    return this.#pending !== null;
  }

  /** A checkpoint is in the log, and takes the place of one that was still pending. */
  propose(checkpoint: Checkpoint): void {
    this.#pending = checkpoint;
  }

  /** Everything up to `lsn` is durable: a checkpoint that this covers becomes the record. */
  noteDurable(lsn: Lsn): void {
    const checkpoint = this.#pending;
    if (checkpoint === null || checkpoint.lsn > lsn) return;
    this.#pending = null;
    this.#write({...this.#record, clean: false, checkpoint});
  }

  /** Nothing follows the checkpoint, and nobody writes any more. */
  markClean(): void {
    if (!this.#record.clean) this.#write({...this.#record, clean: true});
  }

  /**
   * Writes the record of a volume that begins with this one's checkpoint. Returns the bytes written:
   * 0 when the child exists already, which then stays as it is.
   */
  writeChild(child: VolumeNumber, timestampMs: number): number {
    if (this.#zone.readVolumeRecord(child) !== null) return 0;
    const {lsn, root} = this.#record.checkpoint;
    const source = {volume: this.#record.volume, lsn};
    const bytes = encodeVolumeRecord(newVolumeRecord(child, source, root, timestampMs));
    this.#zone.writeVolumeRecord(child, bytes, null);
    return bytes.length;
  }

  #write(record: VolumeRecord): void {
    const bytes = encodeVolumeRecord(record);
    this.#zone.writeVolumeRecord(record.volume, bytes, this.#bytes);
    this.#record = record;
    this.#bytes = bytes;
  }
}
