/**
 * Reads pages of the log by pointer and verifies each against the checksum that its parent holds. A
 * page that is not what its parent says is taken from another zone's copy, and the bad one is repaired.
 * Errors: corrupt, naming volume, file, page and the zones tried, when no copy is good.
 */
import {crc32} from 'node:zlib';
import {BorealisError, errorMessage} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {SegmentCache} from '../page-store/segment-cache.ts';
import type {SegmentFile, Zone} from '../page-store/zone.ts';
import {fromAnyCopy, zonesTried} from './segment-copies.ts';
import type {NodeSource} from './page-tree.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES, SECTOR_MAX, word, type Pointer} from './pointer.ts';

/** Pages that follow each other in the log as they do in the file: read with one call. */
type Run = {volume: number; segment: number; sector: number; firstPage: number; count: number};

export class PageReader {
  readonly #zone: Zone;
  readonly #segments: SegmentCache;
  readonly #run: Run = {volume: 0, segment: 0, sector: 0, firstPage: 0, count: 0};
  readonly #crcs: number[] = [];
  pagesRead = 0;

  constructor(zone: Zone) {
    this.#zone = zone;
    this.#segments = new SegmentCache(zone);
  }

  /** Reads one page into `into` at `at`; `what` names it in an error. */
  readPage(pointer: Pointer, into: Uint8Array, at: number, what: () => string): void {
    const file = this.#open(pointer.volume, pointer.segment, what);
    this.pagesRead++;
    const position = pointer.sector * SECTOR_SIZE_BYTES;
    const got = this.#read(file, position, into, at, PAGE_SIZE_BYTES, what);
    const page = into.subarray(at, at + PAGE_SIZE_BYTES);
    if (got !== PAGE_SIZE_BYTES || crc32(page) !== pointer.crc) {
      repairPage(file, position, pointer.crc, page, what());
    }
  }

  /** Loads a page-table node. */
  loadNode(pointer: Pointer, what: () => string): Uint32Array {
    const bytes = Buffer.allocUnsafeSlow(PAGE_SIZE_BYTES);
    this.readPage(pointer, bytes, 0, what);
    return new Uint32Array(bytes.buffer, 0, PAGE_SIZE_BYTES / 4);
  }

  /** Forgets a run that an error left unread. */
  begin(): void {
    this.#run.count = 0;
  }

  /**
   * Adds `page` of `file`, whose pointer stands at word `pointerAt`, to the run that is being
   * collected, and reads the run before it if the page does not continue it. Page p goes to
   * `into[at + (p − base) × 8192]`.
   */
  collect(
    words: Uint32Array,
    pointerAt: number,
    file: number,
    page: number,
    base: number,
    into: Uint8Array,
    at: number,
  ): void {
    const run = this.#run;
    const sector = word(words, pointerAt + 2) & SECTOR_MAX;
    const continues =
      run.count > 0 &&
      words[pointerAt] === run.volume &&
      words[pointerAt + 1] === run.segment &&
      page === run.firstPage + run.count &&
      sector === run.sector + (run.count * PAGE_SIZE_BYTES) / SECTOR_SIZE_BYTES;
    if (!continues) {
      this.finish(file, base, into, at);
      run.volume = word(words, pointerAt);
      run.segment = word(words, pointerAt + 1);
      run.sector = sector;
      run.firstPage = page;
    }
    this.#crcs[run.count] = word(words, pointerAt + 3);
    run.count++;
  }

  /** Reads the run that was collected. */
  finish(file: number, base: number, into: Uint8Array, at: number): void {
    const {volume, segment, sector, firstPage, count} = this.#run;
    if (count === 0) return;
    this.#run.count = 0;
    this.pagesRead += count;
    const start = at + (firstPage - base) * PAGE_SIZE_BYTES;
    const name = (index: number): string =>
      `page ${firstPage + index} of file ${file} in volume ${volume}`;
    const source = this.#open(volume as VolumeNumber, segment as SegmentNumber, () => name(0));
    const position = sector * SECTOR_SIZE_BYTES;
    const got = this.#read(source, position, into, start, count * PAGE_SIZE_BYTES, () => name(0));
    for (let index = 0; index < count; index++) {
      const from = start + index * PAGE_SIZE_BYTES;
      const whole = got >= (index + 1) * PAGE_SIZE_BYTES;
      const page = into.subarray(from, from + PAGE_SIZE_BYTES);
      const crc = this.#crcs[index] as number;
      if (!whole || crc32(page) !== crc) {
        repairPage(source, position + index * PAGE_SIZE_BYTES, crc, page, name(index));
      }
    }
  }

  closeDeleted(): void {
    this.#segments.closeDeleted();
  }

  close(): void {
    this.#segments.close();
  }

  #open(volume: VolumeNumber, segment: SegmentNumber, what: () => string): SegmentFile {
    return this.#orLost(what, () => this.#segments.get(volume, segment));
  }

  #read(
    file: SegmentFile,
    position: number,
    into: Uint8Array,
    at: number,
    length: number,
    what: () => string,
  ): number {
    return this.#orLost(what, () => file.read(position, into, at, length));
  }

  #orLost<T>(what: () => string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      // Anything else, such as no descriptor to be had, says nothing of the page.
      if (!(error instanceof BorealisError && error.kind === 'not-found')) throw error;
      throw new BorealisError(
        'corrupt',
        'page-lost',
        `cannot read ${what()}: ${errorMessage(error)} (zone ${this.#zone.name})`,
        error,
      );
    }
  }
}

/** The nodes of one table of files, or of one index of moments, as `reader` finds them. */
export function nodeSource(reader: PageReader): NodeSource {
  return {
    load: pointer =>
      reader.loadNode(
        pointer,
        () => `page-table node at ${pointer.segment}:${pointer.sector} of volume ${pointer.volume}`,
      ),
    nodesLoaded: 0,
    nodesDirty: 0,
  };
}

/**
 * Fills `into` with the page from the first copy that holds it as its checksum says, and puts it over
 * the bad ones before that.
 */
function repairPage(
  file: SegmentFile,
  position: number,
  crc: number,
  into: Uint8Array,
  what: string,
): void {
  const bad: number[] = [];
  const good = fromAnyCopy(file, (read, copy) => {
    const page = read(position, PAGE_SIZE_BYTES);
    if (page.length === PAGE_SIZE_BYTES && crc32(page) === crc) return page;
    bad.push(copy);
    return null;
  });
  if (good === null) {
    throw new BorealisError(
      'corrupt',
      'page-corrupt',
      `${what}: its checksum does not hold (${zonesTried(file)})`,
    );
  }
  into.set(good);
  for (const copy of bad) file.repairCopy(copy, position, good, what);
}
