/**
 * The end of a volume's log: appends batches to segments and knows what is durable.
 *
 *     segment 1      segment 2      segment 3
 *     ├──────────────├──────────────├───────▏· · · zeros · · ·┤
 *      sealed, synced  sealed,        position
 *                      not yet synced
 *
 * Rule:  batches are appended in LSN order and never rewritten. A segment is created by the first
 *        batch that needs it.
 * Zeros: overwriting zeros that are already on disk makes a commit's fdatasync a third cheaper than
 *        growing the file does, for it has no metadata to write. So once a segment sees barrier after
 *        barrier the file is grown ahead of the position; a bulk load, which has few barriers, pays
 *        nothing for it.
 */
import {assert} from '../base/assert.ts';
import type {Lsn, SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {SegmentFile, Zone} from '../page-store/zone.ts';
import {encodeHeader, type BatchFields, type BatchPlace} from './batch.ts';
import {encodeSegmentHeader, SEGMENT_HEADER_BYTES} from './segment-header.ts';

export const SEGMENT_BYTES: number = 64 * 2 ** 20;
/** Barriers in one segment before it is grown ahead. */
const ZERO_AHEAD_BARRIERS_MIN = 32;
const ZERO_AHEAD_BYTES = 2 ** 20;
const ZERO_AHEAD_LOW_BYTES = 64 * 2 ** 10;

export type LogStart = {
  readonly zone: Zone;
  readonly volume: VolumeNumber;
  readonly epoch: number;
  /** LSN of the last batch there is. */
  readonly lsn: Lsn;
  /** The number of the first segment to create. */
  readonly segment: SegmentNumber;
  readonly segmentBytes: number;
  /** Throws when another writer took over: a segment that it may want must not be made. */
  readonly checkWriter: () => void;
};

export type NewBatch = Omit<BatchFields, keyof BatchPlace | 'epoch' | 'lsn' | 'durableLsn'>;

export type SyncTarget = {
  readonly fds: readonly number[];
  readonly lsn: Lsn;
  /** There is nothing to wait for. */
  readonly isDurable: boolean;
};

export class LogWriter {
  readonly #start: LogStart;
  #file: SegmentFile | null = null;
  #segment: SegmentNumber;
  /** Where the next batch goes in the current segment. */
  #offset = SEGMENT_HEADER_BYTES;
  #sizeBytes = 0;
  #barriersInSegment = 0;
  #lsn: Lsn;
  #durableLsn: Lsn;
  /** Sealed segments that hold batches not yet known to be durable. */
  #sealed: {file: SegmentFile; segment: SegmentNumber; lastLsn: Lsn}[] = [];
  bytesAppended = 0;

  constructor(start: LogStart) {
    this.#start = start;
    this.#segment = start.segment;
    this.#lsn = start.lsn;
    this.#durableLsn = start.lsn;
  }

  /** LSN of the last batch appended. */
  get lsn(): Lsn {
    return this.#lsn;
  }

  get durableLsn(): Lsn {
    return this.#durableLsn;
  }

  /** Where the log goes on: the place of the next batch, if it fits there. */
  get position(): {segment: SegmentNumber; offset: number} {
    return {segment: this.#segment, offset: this.#offset};
  }

  /** Makes room for a batch of at most `bytes` and returns where it will lie. */
  reserve(bytes: number): BatchPlace {
    const {volume, segmentBytes} = this.#start;
    assert(
      bytes <= segmentBytes - SEGMENT_HEADER_BYTES,
      `a batch of ${bytes} bytes fits a segment`,
    );
    if (this.#file !== null && this.#offset + bytes > segmentBytes) this.#seal();
    if (this.#file === null) this.#createSegment();
    return {volume, segment: this.#segment, offset: this.#offset};
  }

  /** Appends a batch at the place that `reserve` gave; `header` is at least as long as its entries need. */
  append(
    place: BatchPlace,
    batch: NewBatch,
    pages: readonly Uint8Array[],
    headerLength?: number,
  ): void {
    const file = this.#file;
    assert(
      file !== null && place.offset === this.#offset && place.segment === this.#segment,
      'a batch goes where room was made for it',
    );
    const lsn = (this.#lsn + 1) as Lsn;
    const header = encodeHeader(
      {...place, ...batch, epoch: this.#start.epoch, lsn, durableLsn: this.#durableLsn},
      headerLength,
    );
    file.write([header, ...pages], place.offset);
    const bytes = header.length + pages.reduce((sum, page) => sum + page.length, 0);
    this.#offset += bytes;
    this.#sizeBytes = Math.max(this.#sizeBytes, this.#offset);
    this.bytesAppended += bytes;
    this.#lsn = lsn;
  }

  /**
   * What to sync so that all that was appended is durable; then call `noteDurable` with `lsn`. A
   * mirror is asked to, and has no descriptors.
   */
  requestSync(): SyncTarget {
    const files = this.#undurableFiles();
    const isDurable = files.length === 0;
    const {zone, volume} = this.#start;
    if (zone.mirror === null) {
      const fds = files.map(({file: {syncDescriptor}}) => {
        assert(syncDescriptor !== null, 'this zone is synced by descriptor');
        return syncDescriptor;
      });
      return {fds, lsn: this.#lsn, isDurable};
    }
    const segments = files.map(({segment}) => segment);
    if (!isDurable) zone.mirror.requestSync(volume, segments, this.#lsn);
    return {fds: [], lsn: this.#lsn, isDurable};
  }

  #undurableFiles(): {file: SegmentFile; segment: SegmentNumber}[] {
    if (this.#durableLsn === this.#lsn) return [];
    this.#zeroAhead();
    const files = this.#sealed.map(({file, segment}) => ({file, segment}));
    if (this.#file !== null) files.push({file: this.#file, segment: this.#segment});
    return files;
  }

  noteDurable(lsn: Lsn): void {
    if (lsn <= this.#durableLsn) return;
    assert(lsn <= this.#lsn, 'nothing is durable that was not appended');
    this.#durableLsn = lsn;
    this.#sealed = this.#sealed.filter(sealed => {
      if (sealed.lastLsn > lsn) return true;
      sealed.file.close();
      return false;
    });
  }

  /** Makes all that was appended durable, on this thread. Throws when another writer took over meanwhile. */
  sync(): void {
    const lsn = this.#lsn;
    const files = this.#undurableFiles();
    for (const {file} of files) file.sync();
    if (files.length > 0) this.#start.checkWriter();
    this.noteDurable(lsn);
  }

  /** Lets go of the segments. What follows the position is cut off. */
  close(): void {
    this.sync();
    if (this.#file !== null) {
      if (this.#sizeBytes > this.#offset) this.#file.truncate(this.#offset);
      this.#file.close();
    }
    this.#file = null;
  }

  /** Lets go of the segments as they are, after a failure or a close. */
  abandon(): void {
    this.#file?.close();
    this.#file = null;
    for (const {file} of this.#sealed) file.close();
    this.#sealed = [];
  }

  #seal(): void {
    const file = this.#file as SegmentFile;
    if (this.#sizeBytes > this.#offset) file.truncate(this.#offset);
    if (this.#durableLsn === this.#lsn) file.close();
    else this.#sealed.push({file, segment: this.#segment, lastLsn: this.#lsn});
    this.#file = null;
    this.#segment = (this.#segment + 1) as SegmentNumber;
  }

  #createSegment(): void {
    const {zone, volume, epoch} = this.#start;
    this.#start.checkWriter();
    const segment = this.#segment;
    this.#file = zone.createSegment(volume, segment);
    this.#file.write([encodeSegmentHeader({volume, segment, epoch, startLsn: this.#lsn})], 0);
    this.#offset = SEGMENT_HEADER_BYTES;
    this.#sizeBytes = SEGMENT_HEADER_BYTES;
    this.#barriersInSegment = 0;
  }

  #zeroAhead(): void {
    if (this.#file === null || ++this.#barriersInSegment < ZERO_AHEAD_BARRIERS_MIN) return;
    if (this.#sizeBytes - this.#offset > ZERO_AHEAD_LOW_BYTES) return;
    const end = Math.min(this.#start.segmentBytes, this.#sizeBytes + ZERO_AHEAD_BYTES);
    if (end <= this.#sizeBytes) return;
    this.#file.write([ZEROS.subarray(0, end - this.#sizeBytes)], this.#sizeBytes);
    this.#sizeBytes = end;
  }
}

const ZEROS: Buffer = Buffer.alloc(ZERO_AHEAD_BYTES);
