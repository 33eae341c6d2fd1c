/**
 * The head of a volume: its record on disk, and the checkpoint that is on its way there.
 *
 *     nodes in the log ──(not durable yet)──▶ pending ──(durable)──▶ record
 *
 * Rule: the record never names a checkpoint that a power cut could still take away.
 * Epoch: a writer owns the volume while the record is the one it wrote last. It takes hold of that
 *        record, and looks at it after each sync and before anything is acknowledged: so one that was
 *        paused while another one took over acknowledges nothing any more.
 */
import {BorealisError} from '../base/errors.ts';
import type {Lsn, VolumeNumber} from '../page-store/ids.ts';
import type {RecordHold, Zone} from '../page-store/zone.ts';
import {
  encodeVolumeRecord,
  newVolumeRecord,
  volumeExists,
  type Beginning,
  type Checkpoint,
  type VolumeRecord,
} from './volume-record.ts';

export type ForkOptions = {
  /** As of then instead of now: the boundary at or before it, within the restorable range. */
  readonly atMs?: number;
  /** How long the child keeps its history; as long as its source if nothing is said. */
  readonly retentionSeconds?: number;
};

export type BacktrackReport = {
  /** The moment that the head went to. */
  readonly atMs: number;
  /** From when on it is there: a moment before that is what it was until then. */
  readonly fromMs: number;
};

/** What a fork wrote and copied, in bytes. */
export type ForkReport = {
  lsn: Lsn;
  /** The past moment that the child begins with; null when it begins with the present. */
  atMs: number | null;
  bytesWritten: number;
  bytesCopied: number;
  durationMs: number;
};

export class VolumeHead {
  readonly #zone: Zone;
  #record: VolumeRecord;
  #bytes: Buffer;
  #hold: RecordHold | null = null;
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

  /**
   * Begins the next epoch, before the log is looked at: from here on no earlier writer can
   * acknowledge anything. Of a volume that was closed in order the end of the log is known already.
   */
  beginEpoch(): void {
    const {clean, checkpoint} = this.#record;
    const epoch = this.#record.epoch + 1;
    const fence = clean ? {epoch, lsn: checkpoint.lsn} : this.#record.fence;
    this.#write({...this.#record, epoch, fence, clean: false});
  }

  /** The log ends at `lsn`, for good: what an earlier writer appends behind it never counts. */
  decideEnd(lsn: Lsn): void {
    const {epoch, fence} = this.#record;
    if (fence?.epoch === epoch && fence.lsn === lsn) return;
    this.#write({...this.#record, fence: {epoch, lsn}});
  }

  /** Descriptor of the record that this writer wrote last; its link count is 0 once another one took over. */
  get holdDescriptor(): number | null {
    return this.#hold?.descriptor ?? null;
  }

  /** @throws BorealisError conflict `writer-fenced` when another writer took over. */
  checkWriter(): void {
    if (this.#hold?.isCurrent() !== false) return;
    const {volume, epoch} = this.#record;
    throw new BorealisError(
      'conflict',
      'writer-fenced',
      `volume ${volume} was taken over by another writer: epoch ${epoch} has ended`,
    );
  }

  close(): void {
    this.#hold?.close();
    this.#hold = null;
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

  /** With 0 the index of past moments is let go of. */
  setRetention(retentionSeconds: number): void {
    const {checkpoint} = this.#record;
    const history = retentionSeconds === 0 ? null : checkpoint.history;
    this.#write({...this.#record, retentionSeconds, checkpoint: {...checkpoint, history}});
  }

  /** The head goes to a checkpoint that is durable, and behind which there is nothing in the log. */
  moveTo(checkpoint: Checkpoint): void {
    this.#write({...this.#record, clean: true, checkpoint});
  }

  /** Writes the record of a new volume. Returns the bytes written: 0 when the child exists already, which then stays as it is. */
  writeChild(child: VolumeNumber, createdMs: number, beginning: Beginning): number {
    if (volumeExists(this.#zone, child)) return 0;
    const bytes = encodeVolumeRecord(newVolumeRecord(child, createdMs, beginning));
    this.#zone.writeVolumeRecord(child, bytes, null);
    return bytes.length;
  }

  #write(changed: VolumeRecord): void {
    const record = {...changed, revision: this.#record.revision + 1};
    const bytes = encodeVolumeRecord(record);
    this.#zone.writeVolumeRecord(record.volume, bytes, this.#bytes);
    this.#record = record;
    this.#bytes = bytes;
    this.#hold?.close();
    this.#hold = null;
    this.#hold = this.#zone.holdRecord(record.volume, bytes);
  }
}
