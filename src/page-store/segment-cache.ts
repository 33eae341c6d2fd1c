/**
 * Open segments of a store, for reading: at most SEGMENTS_OPEN_MAX at a time, the one unused for
 * longest is closed first. A volume reads its own segments and those of every volume that it
 * descends from, whoever is still appending to them.
 */
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import type {SegmentFile, Zone} from './zone.ts';

/** Well below the 1,024 descriptors that a process may open where nobody raised the limit. */
export const SEGMENTS_OPEN_MAX = 384;

export class SegmentCache {
  readonly #zone: Zone;
  /** Least recently used volume first, and within it the least recently used segment. */
  readonly #volumes = new Map<VolumeNumber, Map<SegmentNumber, SegmentFile>>();
  #openCount = 0;
  /** The last one handed out: runs of pages mostly come from one segment. */
  #last: {volume: VolumeNumber; segment: SegmentNumber; file: SegmentFile} | null = null;

  constructor(zone: Zone) {
    this.#zone = zone;
  }

  get(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    const last = this.#last;
    if (last !== null && last.segment === segment && last.volume === volume) return last.file;
    let segments = this.#volumes.get(volume);
    let file = segments?.get(segment);
    if (file === undefined) {
      if (this.#openCount >= SEGMENTS_OPEN_MAX) this.#closeOldest();
      file = this.#zone.openSegment(volume, segment);
      this.#openCount++;
      segments = this.#volumes.get(volume) ?? new Map<SegmentNumber, SegmentFile>();
    } else {
      segments?.delete(segment);
    }
    this.#volumes.delete(volume);
    this.#volumes.set(volume, segments ?? new Map<SegmentNumber, SegmentFile>());
    this.#volumes.get(volume)?.set(segment, file);
    this.#last = {volume, segment, file};
    return file;
  }

  /** Closes the segments that were deleted meanwhile, so that the disk gets their space back. */
  closeDeleted(): void {
    this.#closeWhere(file => file.isDeleted());
  }

  close(): void {
    this.#closeWhere(() => true);
  }

  #closeOldest(): void {
    for (const [volume, segments] of this.#volumes) {
      for (const segment of segments.keys()) {
        this.#drop(volume, segment);
        return;
      }
    }
  }

  #closeWhere(condition: (file: SegmentFile) => boolean): void {
    for (const [volume, segments] of this.#volumes) {
      for (const [segment, file] of segments) {
        if (condition(file)) this.#drop(volume, segment);
      }
    }
  }

  #drop(volume: VolumeNumber, segment: SegmentNumber): void {
    const segments = this.#volumes.get(volume);
    segments?.get(segment)?.close();
    segments?.delete(segment);
    if (segments?.size === 0) this.#volumes.delete(volume);
    this.#openCount--;
    this.#last = null;
  }
}
