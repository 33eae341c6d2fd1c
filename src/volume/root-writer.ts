/**
 * Writes the roots of a volume, and says when: after a second with changes, and at a checkpoint.
 *
 *     batch 10:00:01.2   batch 10:00:01.9 ┃ root ┃ batch 10:00:04.0        a cut: the state at 10:00:02
 *
 * While history is kept, the tree is written before the first batch of a later second changes it: a *cut*. So
 * the state at each whole second is the last root before it, a prefix of the log. About once a minute a cut
 * becomes a checkpoint, which writes the index of moments too; those in between are found in the log.
 *
 * A drop changes the tree before its batch is appended. So a batch with drops has the time of its first
 * one, before which the cut is made, and ends with the operation that dropped (`mustFlush`).
 *
 * Invariants: a root bears the time of the last batch that it holds; times of batches never go down.
 */
import type {Clock} from '../base/clock.ts';
import {crashPoint} from '../base/crash-point.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {FileTable} from './file-table.ts';
import {History, MINUTE_MS, secondOf, type Moment} from './history.ts';
import type {LogWriter} from './log-writer.ts';
import {NodeWriter} from './node-writer.ts';
import type {NodeSource} from './page-tree.ts';
import type {Pointer} from './pointer.ts';
import type {VolumeHead} from './volume-head.ts';
import type {Beginning} from './volume-record.ts';

/** Log after which a checkpoint is written: it bounds what recovery has to follow. */
const CHECKPOINT_LOG_BYTES = 128 * 2 ** 20;
/** What batches of nodes call the tree of the index; the one below is the table of files. */
const HISTORY_FILE = 0xffff_fffe;

export type RootWriterParts = {
  readonly clock: Clock;
  readonly log: LogWriter;
  readonly files: FileTable;
  readonly head: VolumeHead;
  readonly history: History;
  /** Where the nodes of an index come from. */
  readonly indexSource: () => NodeSource;
  /** Time of the last batch. */
  readonly timestampMs: number;
  /** Bytes of log behind the record's checkpoint that recovery followed. */
  readonly recoveredBytes: number;
};

export class RootWriter {
  readonly #clock: Clock;
  readonly #log: LogWriter;
  readonly #files: FileTable;
  readonly #head: VolumeHead;
  readonly #indexSource: () => NodeSource;
  #history: History;
  #timestampMs: number;
  /** The time of the open batch, once it has drops. */
  #openBatchMs: number | null = null;
  #bytesAtCheckpoint: number;
  #checkpointMs = 0;

  constructor(parts: RootWriterParts) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#files = parts.files;
    this.#head = parts.head;
    this.#history = parts.history;
    this.#indexSource = parts.indexSource;
    this.#timestampMs = parts.timestampMs;
    // What recovery followed counts too: crashes must not let the log behind the checkpoint grow.
    this.#bytesAtCheckpoint = -parts.recoveredBytes;
  }

  get history(): History {
    return this.#history;
  }

  /** So much log lies behind the checkpoint that the next one is due. */
  get isDue(): boolean {
    return this.#log.bytesAppended - this.#bytesAtCheckpoint > CHECKPOINT_LOG_BYTES;
  }

  /** On a volume that does not change: something lies in the log that no checkpoint names, or can be thinned. */
  get wantsCheckpoint(): boolean {
    return this.#isBehind || this.#history.wantsTrim(this.tick());
  }

  /** The open batch is to be appended at the end of the operation. */
  get mustFlush(): boolean {
    return this.#openBatchMs !== null;
  }

  /** The time now, never before that of a batch. */
  tick(): number {
    return Math.max(this.#timestampMs, this.#clock.nowMs());
  }

  /** To be called before a drop changes the tree. */
  beforeDrop(): void {
    if (!this.#history.isKept || this.#openBatchMs !== null) return;
    const timestampMs = this.tick();
    this.#cutBefore(timestampMs);
    this.#openBatchMs = timestampMs;
  }

  /** The time of the batch that is about to be appended, and to change the tree. */
  beginBatch(): number {
    const timestampMs = this.#openBatchMs ?? this.tick();
    // With drops the tree is ahead of the log by now, and the cut was made before them.
    if (this.#openBatchMs === null) this.#cutBefore(timestampMs);
    this.#openBatchMs = null;
    this.#timestampMs = timestampMs;
    return timestampMs;
  }

  /** When the second of the last batch is over. There is no open batch. */
  cut(): void {
    this.#cutBefore(this.tick());
  }

  /** There is no open batch. */
  checkpoint(): void {
    // What lies behind the checkpoint may be what a fork begins with: a clean end must not cut it off.
    const isNews = this.#files.dirty || this.#history.dirty;
    if (isNews || this.wantsCheckpoint) this.#write(true);
  }

  setRetention(seconds: number): void {
    const {checkpoint, volume} = this.#head.record;
    const isKept = this.#history.isKept && seconds > 0;
    this.#head.setRetention(seconds);
    this.#history = new History(this.#indexSource(), isKept ? checkpoint.history : null, seconds);
    this.#history.enter(volume, checkpoint.timestampMs, checkpoint.root);
  }

  /** The moment for `atMs`. The checkpoint is as of now. */
  momentAt(atMs: number): Moment {
    return this.#history.at(atMs, this.#clock.nowMs());
  }

  /**
   * Writes the record of a volume that begins as this one is now, or was at `moment`; the checkpoint is as
   * of now. Returns the bytes written, 0 when the child exists already.
   */
  fork(child: VolumeNumber, moment: Moment | null, retentionSeconds: number): number {
    const present = this.#present(retentionSeconds);
    const beginning = moment === null ? present : this.#past(moment, present);
    return this.#head.writeChild(child, this.tick(), beginning);
  }

  /**
   * The head goes to `moment`; the checkpoint is as of now, and nothing is written behind it any more. What
   * the volume was until now stays a moment: if it must, the head is there from the next second on.
   */
  backtrack({root}: Moment): number {
    const {volume, checkpoint} = this.#head.record;
    const nextSecondMs = (secondOf(checkpoint.timestampMs) + 1) * 1000;
    const timestampMs = Math.max(this.tick(), nextSecondMs);
    this.#history.enter(volume, timestampMs, root);
    const history = this.#writeIndex(this.#history);
    this.#log.close();
    crashPoint('volume.backtrack.before-record');
    const {lsn, position} = this.#log;
    this.#head.moveTo({lsn, timestampMs, root, history, ...position});
    crashPoint('volume.backtrack.after-record');
    return timestampMs;
  }

  #present(retentionSeconds: number): Beginning {
    const {volume, checkpoint} = this.#head.record;
    const {lsn, timestampMs, root} = checkpoint;
    const history = retentionSeconds > 0 ? checkpoint.history : null;
    return {
      source: {volume, lsn},
      retentionSeconds,
      // Without a history that says more, the child's begins at its birth.
      timestampMs: history === null ? this.tick() : timestampMs,
      root,
      history,
    };
  }

  /** Its index holds what was before, and is durable; nothing names it but the child's record. */
  #past(moment: Moment, present: Beginning): Beginning {
    const index = new History(this.#indexSource(), present.history, present.retentionSeconds);
    if (present.history !== null) index.forgetFrom(moment.atMs);
    const history = this.#writeIndex(index);
    return {...present, timestampMs: moment.atMs - 1, root: moment.root, history};
  }

  get #isBehind(): boolean {
    return this.#log.bytesAppended > this.#bytesAtCheckpoint;
  }

  #writeIndex(index: History): Pointer | null {
    const writer = new NodeWriter(this.#log, this.#timestampMs);
    const root = index.write(words => writer.emit(HISTORY_FILE, words));
    writer.finish();
    this.#log.sync();
    return root;
  }

  /** Before a batch of `timestampMs`. */
  #cutBefore(timestampMs: number): void {
    if (!this.#history.isKept || !this.#files.dirty) return;
    if (secondOf(timestampMs) === secondOf(this.#timestampMs)) return;
    this.#write(timestampMs - this.#checkpointMs >= MINUTE_MS);
  }

  #write(isCheckpoint: boolean): void {
    const timestampMs = this.#timestampMs;
    const {volume} = this.#head.record;
    const writer = new NodeWriter(this.#log, timestampMs);
    const root = this.#files.write((file, words) => writer.emit(file, words));
    this.#history.enter(volume, timestampMs, root);
    if (!isCheckpoint) {
      writer.finish({pointer: root});
      return;
    }
    const nowMs = this.tick();
    this.#history.trim(nowMs);
    const history = this.#history.write(words => writer.emit(HISTORY_FILE, words));
    writer.finish({pointer: root});
    const {lsn, position} = this.#log;
    this.#head.propose({lsn, timestampMs, root, history, ...position});
    this.#bytesAtCheckpoint = this.#log.bytesAppended;
    this.#checkpointMs = nowMs;
  }
}
