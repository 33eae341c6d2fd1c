/**
 * A cluster volume: numbered files of 8 KiB pages, copy-on-write, on one log.
 *
 *     writePage ──▶ open batch ──flush──▶ log (host cache) ──barrier──▶ log (durable)
 *                                  │
 *                                  ▼
 *                              file table ──checkpoint──▶ nodes in the log, root in the record
 *
 * Rules:  one writer a volume. A batch is cut only between operations (`endOperation`), so an
 *         operation is in the log whole or not at all. A fork is a checkpoint, a barrier and the
 *         child's record, which is durable before `fork` returns: that record keeps the pages alive.
 * Units:  page numbers count pages of a file; file numbers name files; nothing here counts bytes of a file.
 * Errors: corrupt and unavailable pass through from the store. A failed append or sync leaves the
 *         volume unusable: every later call throws `volume-failed`, because the host may have dropped
 *         what it could not write. Open it again: recovery finds what is durable.
 * Source: docs/formats/segment.md, docs/formats/page-table.md, docs/decisions/0002-crash-consistency.md.
 */
import {crc32} from 'node:zlib';
import {assert} from '../base/assert.ts';
import type {Clock} from '../base/clock.ts';
import {BorealisError, errorMessage} from '../base/errors.ts';
import type {Lsn, VolumeNumber} from '../page-store/ids.ts';
import type {VolumeClaim, Zone} from '../page-store/zone.ts';
import {headerBytes} from './batch.ts';
import type {FileTable} from './file-table.ts';
import type {LogWriter} from './log-writer.ts';
import {checkRetention, type RestorableRange} from './history.ts';
import {mergeRuns, OpenBatch} from './open-batch.ts';
import type {PageReader} from './page-reader.ts';
import {TREE_PAGES_MAX} from './page-tree.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {readPages} from './read-pages.ts';
import type {RootWriter} from './root-writer.ts';
import type {BarrierTarget, VolumeStatistics} from './statistics.ts';
import {unitName} from './unit-names.ts';
import type {BacktrackReport, ForkOptions, ForkReport, VolumeHead} from './volume-head.ts';

/** A batch of this many pages is appended even when no barrier asks for it: 2 MiB. */
const BATCH_PAGES_MAX = 256;
/** 64 TiB in pages: one file can fill the volume. */
export const FILE_PAGES_MAX: number = 2 ** 33;
assert(FILE_PAGES_MAX <= TREE_PAGES_MAX, 'a file fits its tree');

export type VolumeParts = {
  readonly zone: Zone;
  readonly clock: Clock;
  readonly reader: PageReader;
  readonly log: LogWriter;
  readonly files: FileTable;
  readonly head: VolumeHead;
  readonly roots: RootWriter;
  readonly claim: VolumeClaim;
  /** The zone was opened for this volume alone and is closed with it. */
  readonly ownsZone: boolean;
};

export class Volume {
  readonly #zone: Zone;
  readonly #clock: Clock;
  readonly #reader: PageReader;
  readonly #log: LogWriter;
  readonly #files: FileTable;
  readonly #head: VolumeHead;
  readonly #roots: RootWriter;
  readonly #claim: VolumeClaim;
  readonly #ownsZone: boolean;
  readonly #batch = new OpenBatch();
  #bytesAtIdle = -1;
  #beforeFlush: () => void = () => undefined;
  #beforeCheckpoint: () => void = () => undefined;
  #failure: unknown = null;
  #closed = false;
  #changesInOperation = 0;
  #pagesWritten = 0;
  #barriers = 0;

  /** Made by `openVolume`. */
  constructor(parts: VolumeParts) {
    this.#zone = parts.zone;
    this.#clock = parts.clock;
    this.#reader = parts.reader;
    this.#log = parts.log;
    this.#files = parts.files;
    this.#head = parts.head;
    this.#roots = parts.roots;
    this.#claim = parts.claim;
    this.#ownsZone = parts.ownsZone;
  }

  get number(): VolumeNumber {
    return this.#head.record.volume;
  }

  get lsn(): Lsn {
    return this.#log.lsn;
  }

  freeBytes(): number {
    return this.#zone.freeBytes();
  }

  /** False while a write quorum of zones is missing: what needs it would wait. */
  isWritable(): boolean {
    return this.#zone.mirror?.isWritable() ?? true;
  }

  /** What it lies in. */
  get zone(): Zone {
    return this.#zone;
  }

  /**
   * What the layer above keeps in memory is written into pages by these: `beforeFlush` what a batch
   * must hold to be whole, `beforeCheckpoint` the rest as well.
   */
  onFlush(hooks: {beforeFlush: () => void; beforeCheckpoint: () => void}): void {
    this.#beforeFlush = hooks.beforeFlush;
    this.#beforeCheckpoint = hooks.beforeCheckpoint;
  }

  /** Fills `into[at …]` with `count` pages of `file` from `first`. Holes are zeros. */
  readPages(file: number, first: number, count: number, into: Uint8Array, at: number): void {
    this.#checkUsable();
    const [volume, files, batch, reader] = [this.number, this.#files, this.#batch, this.#reader];
    const from = {volume, files, batch, reader};
    readPages(from, file, first, count, into, at);
    this.#files.trim();
  }

  /** True when the page was written and not dropped since. */
  isAllocated(file: number, page: number): boolean {
    return this.#batch.get(file, page) !== null || this.#files.tree(file).find(page) !== null;
  }

  /**
   * The bytes of a page to change in place, now: they are part of the open batch. With `keep` false
   * the caller overwrites all of them. Valid until the operation ends.
   */
  changePage(file: number, page: number, keep: boolean): Buffer {
    this.#checkUsable();
    assert(page >= 0 && page < FILE_PAGES_MAX, `page ${page} is below ${FILE_PAGES_MAX}`);
    const fresh = this.#batch.get(file, page);
    if (fresh === null) return this.#addPage(file, page, keep);
    this.noteChange();
    return fresh;
  }

  #addPage(file: number, page: number, keep: boolean): Buffer {
    const pointer = keep ? this.#files.tree(file).find(page) : null;
    // The slot exists only once nothing can fail any more: a slot half filled must not be appended.
    const old = Buffer.alloc(pointer === null ? 0 : PAGE_SIZE_BYTES);
    const name = (): string => unitName(this.number, {level: 0, file, first: page});
    if (pointer !== null) this.#reader.readPage(pointer, old, 0, name);
    this.noteChange();
    const bytes = this.#batch.add(file, page);
    if (pointer !== null) old.copy(bytes);
    else if (keep) bytes.fill(0);
    return bytes;
  }

  /** Makes holes of pages `from` up to but not including `to`. Returns how many of them were allocated. */
  drop(file: number, from: number, to: number): number {
    this.#checkUsable();
    this.#attempt(() => this.#roots.beforeDrop());
    const tree = this.#files.change(file);
    const isPending = (page: number): boolean =>
      page >= from && page < to && tree.find(page) === null;
    const onlyPending = [...this.#batch.pagesOf(file)].filter(isPending).length;
    const dropped = this.#attempt(() => tree.drop(from, to));
    this.#batch.drop({file, from, to});
    return dropped + onlyPending;
  }

  /** Makes a hole of the whole file at a cost that does not depend on its size. */
  dropFile(file: number): void {
    this.#checkUsable();
    this.noteChange();
    this.#attempt(() => this.#roots.beforeDrop());
    this.#batch.drop({file, from: 0, to: FILE_PAGES_MAX});
    this.#files.change(file).dropAll();
  }

  /** The next page from `page` on, below `end`, that is allocated (or is not): for SEEK_DATA and SEEK_HOLE. */
  nextPage(file: number, page: number, end: number, allocated: boolean): number {
    this.flush();
    const found = this.#files.tree(file).next(page, allocated);
    this.#files.trim();
    return Math.min(found, end);
  }

  /** To be called after each operation: here, and only here, a batch may be cut. */
  endOperation(): void {
    this.#changesInOperation = 0;
    if (this.#batch.slotCount >= BATCH_PAGES_MAX || this.#roots.mustFlush) this.flush();
    if (this.#roots.isDue || this.#files.wantsWrite) this.#writeCheckpoint();
  }

  /** Something that belongs to the open batch was changed, here or in the memory of the layer above. */
  noteChange(): void {
    this.#changesInOperation++;
  }

  /**
   * An operation failed. If it had changed something it can be neither finished nor taken back: the
   * volume fails with it, and recovery finds it as it was before.
   */
  abandonOperation(error: unknown): void {
    if (this.#changesInOperation > 0) this.#failure ??= error;
  }

  /** Appends the open batch to the log. Not durable yet. */
  flush(): void {
    this.#checkUsable();
    this.#beforeFlush();
    if (this.#batch.isEmpty) return;
    const slots = this.#batch.liveSlots();
    const drops = this.#batch.drops;
    const header = headerBytes(drops.length, slots.length);
    const timestampMs = this.#attempt(() => this.#roots.beginBatch());
    const place = this.#attempt(() => this.#log.reserve(header + slots.length * PAGE_SIZE_BYTES));
    const entries = slots.map(({file, page, bytes}) => ({file, page, crc: crc32(bytes)}));
    const batch = {timestampMs, nodes: false, root: null, drops: [...drops], entries};
    const pages = mergeRuns(slots.map(slot => slot.bytes));
    this.#attempt(() => this.#log.append(place, batch, pages));
    this.#attempt(() => this.#files.setPages(place, header, entries));
    this.#pagesWritten += slots.length;
    this.#batch.reset();
    this.#files.trim();
  }

  /**
   * Appends the open batch and says what to sync: after fdatasync of all `fds`, and if `holdFd` still
   * has a link then, all up to `lsn` is durable: tell `noteDurable`. A mirror syncs by itself.
   */
  barrierTarget(): BarrierTarget {
    this.flush();
    this.#barriers++;
    const target = this.#attempt(() => this.#log.requestSync());
    return {...target, holdFd: this.#head.holdDescriptor};
  }

  /** Everything up to `lsn` is durable now. */
  noteDurable(lsn: Lsn): void {
    this.#log.noteDurable(lsn);
    if (!this.isWritable()) return;
    this.#attempt(() => this.#head.noteDurable(this.#log.durableLsn));
  }

  /** Makes everything so far durable, on this thread. */
  barrier(): Lsn {
    this.flush();
    this.#barriers++;
    this.#attempt(() => this.#log.sync());
    this.#attempt(() => this.#head.noteDurable(this.#log.durableLsn));
    return this.#log.lsn;
  }

  /** Barrier and checkpoint: the record on disk names the volume as it is now. */
  checkpoint(): Lsn {
    this.#writeCheckpoint();
    return this.barrier();
  }

  /**
   * Makes `child` a volume that begins as this one is now, or was at a past moment. Nothing is copied.
   * Repeating it after a crash is safe: a child that exists stays as it is.
   */
  fork(child: VolumeNumber, options: ForkOptions = {}): ForkReport {
    const startMs = this.#clock.monotonicMs();
    const bytesBefore = this.#log.bytesAppended;
    const {atMs, retentionSeconds = this.#head.record.retentionSeconds} = options;
    checkRetention(retentionSeconds);
    this.checkpoint();
    const moment = atMs === undefined ? null : this.#roots.momentAt(atMs);
    const recordBytes = this.#attempt(() => this.#roots.fork(child, moment, retentionSeconds));
    return {
      lsn: this.#head.record.checkpoint.lsn,
      atMs: moment?.atMs ?? null,
      bytesWritten: this.#log.bytesAppended - bytesBefore + recordBytes,
      bytesCopied: 0,
      durationMs: this.#clock.monotonicMs() - startMs,
    };
  }

  /** The times that it can be forked as of, and go back to; null while no history is kept. */
  restorableRange(): RestorableRange | null {
    this.#checkUsable();
    return this.#roots.history.range(this.#clock.nowMs());
  }

  /** How long past moments are kept from now on; what is older goes at once, and with 0 all of it. */
  setRetention(seconds: number): void {
    checkRetention(seconds);
    this.checkpoint();
    this.#attempt(() => this.#roots.setRetention(seconds));
    this.checkpoint();
  }

  /**
   * The head goes back, or forward again, to what the volume was at `atMs`, in one step; what it was
   * until now stays a moment. Nobody uses the volume, which is closed by it.
   */
  backtrack(atMs: number): BacktrackReport {
    this.checkpoint();
    const moment = this.#roots.momentAt(atMs);
    const fromMs = this.#attempt(() => this.#roots.backtrack(moment));
    this.#release();
    return {atMs: moment.atMs, fromMs};
  }

  /** To be called about once a second: nothing waits in memory for long, and an idle volume is checkpointed. */
  onIdle(): void {
    if (this.#failure !== null || this.#closed) return;
    this.#attempt(() => this.#zone.mirror?.tick());
    this.flush();
    // What follows would wait for a quorum of zones, and reads with it.
    if (!this.isWritable()) return;
    this.#reader.closeDeleted();
    this.#files.trim();
    this.#attempt(() => this.#roots.cut());
    if (this.#head.hasPending) this.barrier();
    const isQuiet = this.#log.bytesAppended === this.#bytesAtIdle;
    if (isQuiet && this.#roots.wantsCheckpoint) this.checkpoint();
    this.#bytesAtIdle = this.#log.bytesAppended;
  }

  statistics(): VolumeStatistics {
    return {
      zones: this.#zone.mirror?.states() ?? [{zone: this.#zone.name, state: 'healthy'}],
      lsn: this.#log.lsn,
      durableLsn: this.#log.durableLsn,
      pagesRead: this.#reader.pagesRead,
      pagesWritten: this.#pagesWritten,
      bytesAppended: this.#log.bytesAppended,
      barriers: this.#barriers,
      nodesLoaded: this.#files.nodesLoaded,
    };
  }

  /** Checkpoints, marks the volume clean and lets go of it; without a quorum as by a crash. Idempotent. */
  close(): void {
    if (this.#closed) return;
    try {
      if (this.#failure === null && this.isWritable()) {
        this.checkpoint();
        this.#log.close();
        this.#head.markClean();
      }
    } finally {
      this.#release();
    }
  }

  #release(): void {
    this.#closed = true;
    this.#log.abandon();
    this.#reader.close();
    this.#head.close();
    this.#claim.release();
    if (this.#ownsZone) this.#zone.close();
  }

  #writeCheckpoint(): void {
    this.#checkUsable();
    this.#beforeCheckpoint();
    this.flush();
    this.#attempt(() => this.#roots.checkpoint());
    this.#files.trim();
  }

  #attempt<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #checkUsable(): void {
    if (this.#failure !== null) {
      throw new BorealisError(
        'unavailable',
        'volume-failed',
        `volume ${this.number} failed and must be opened again: ${errorMessage(this.#failure)}`,
        this.#failure,
      );
    }
    if (this.#closed) {
      throw new BorealisError('closed', 'volume-closed', `volume ${this.number} is closed`);
    }
  }
}
