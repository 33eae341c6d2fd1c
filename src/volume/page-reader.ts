/**
 * Reads pages of the log by pointer and verifies each against the checksum that its parent holds. A
 * page that is not what its parent says is taken from another zone's copy, and the bad one is repaired.
 * Errors: corrupt, naming volume, file, page, place and the zones tried, when no copy is good. Nothing
 *         else fails with it, and `onDamage` hears of each such page once.
 */
import {crc32} from 'node:zlib';
import {BorealisError, errorMessage} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {SegmentCache} from '../page-store/segment-cache.ts';
import type {Damage, SegmentFile, Zone} from '../page-store/zone.ts';
import {isMissing, zonesTried} from './segment-copies.ts';
import type {NodeSource} from './page-tree.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES, SECTOR_MAX, word, type Pointer} from './pointer.ts';
import {unitName} from './unit-names.ts';

/** Pages that follow each other in the log as they do in the file: read with one call. */
type Run = {volume: number; segment: number; sector: number; firstPage: number; count: number};

export type PageReaderOptions = {
  /** The volume whose pages are read: they may lie in another one's segments. */
  readonly volume?: VolumeNumber;
  /** False leaves bad copies as they are. */
  readonly repairs?: boolean;
  readonly onDamage?: (damage: Damage) => void;
};

type Place = {
  readonly volume: VolumeNumber;
  readonly segment: SegmentNumber;
  readonly offset: number;
};

/** A page that is read again and again is told once; a rotten disk must not fill the memory. */
const DAMAGES_TOLD_MAX = 1_000;

export class PageReader {
  readonly #zone: Zone;
  readonly #options: PageReaderOptions;
  readonly #told = new Set<string>();
  readonly #segments: SegmentCache;
  readonly #run: Run = {volume: 0, segment: 0, sector: 0, firstPage: 0, count: 0};
  readonly #crcs: number[] = [];
  pagesRead = 0;

  constructor(zone: Zone, options: PageReaderOptions = {}) {
    this.#zone = zone;
    this.#options = options;
    this.#segments = new SegmentCache(zone);
  }

  /** Reads one page into `into` at `at`; `what` names it in an error. */
  readPage(pointer: Pointer, into: Uint8Array, at: number, what: () => string): void {
    const {volume, segment, sector} = pointer;
    const place = {volume, segment, offset: sector * SECTOR_SIZE_BYTES};
    const file = this.#open(place, what);
    this.pagesRead++;
    const got = this.#read(file, place, into, at, PAGE_SIZE_BYTES, what);
    const page = into.subarray(at, at + PAGE_SIZE_BYTES);
    if (got !== PAGE_SIZE_BYTES || crc32(page) !== pointer.crc) {
      this.#rescue(file, place, pointer.crc, page, what());
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
    const owner = this.#options.volume ?? (volume as VolumeNumber);
    const name = (index: number): string =>
      unitName(owner, {level: 0, file, first: firstPage + index});
    const place = (index: number): Place => ({
      volume: volume as VolumeNumber,
      segment: segment as SegmentNumber,
      offset: sector * SECTOR_SIZE_BYTES + index * PAGE_SIZE_BYTES,
    });
    const source = this.#open(place(0), () => name(0));
    const bytes = count * PAGE_SIZE_BYTES;
    const got = this.#read(source, place(0), into, start, bytes, () => name(0));
    for (let index = 0; index < count; index++) {
      const from = start + index * PAGE_SIZE_BYTES;
      const whole = got >= (index + 1) * PAGE_SIZE_BYTES;
      const page = into.subarray(from, from + PAGE_SIZE_BYTES);
      const crc = this.#crcs[index] as number;
      if (!whole || crc32(page) !== crc) {
        this.#rescue(source, place(index), crc, page, name(index));
      }
    }
  }

  closeDeleted(): void {
    this.#segments.closeDeleted();
  }

  close(): void {
    this.#segments.close();
  }

  #open(place: Place, what: () => string): SegmentFile {
    return this.#orLost(place, what, () => this.#segments.get(place.volume, place.segment));
  }

  #read(
    file: SegmentFile,
    place: Place,
    into: Uint8Array,
    at: number,
    length: number,
    what: () => string,
  ): number {
    return this.#orLost(place, what, () => file.read(place.offset, into, at, length));
  }

  #orLost<T>(place: Place, what: () => string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      // Anything else, such as no descriptor to be had, says nothing of the page.
      const isLost =
        error instanceof BorealisError && (error.kind === 'not-found' || error.kind === 'corrupt');
      if (!isLost) throw error;
      const zones = this.#zone.name.split(', ');
      this.#tell(place, what(), zones);
      throw new BorealisError(
        'corrupt',
        'page-lost',
        `cannot read ${what()}: ${errorMessage(error)} (zone ${this.#zone.name})`,
        error,
      );
    }
  }

  /**
   * Fills `into` with the page from the first copy that holds it as its checksum says, and puts it
   * over the bad ones before that.
   */
  #rescue(file: SegmentFile, place: Place, crc: number, into: Uint8Array, what: string): void {
    const {volume, segment, offset} = place;
    const bad: number[] = [];
    const unread: string[] = [];
    let good: Buffer | null = null;
    for (let copy = 0; copy < file.copies.length && good === null; copy++) {
      const page = this.#readCopy(file, copy, offset);
      if (page === null) unread.push(file.copies[copy] as string);
      else if (page.length === PAGE_SIZE_BYTES && crc32(page) === crc) good = page;
      else bad.push(copy);
    }
    const where = `at offset ${offset} of segment ${segment} of volume ${volume}`;
    if (good === null && unread.length > 0) {
      // A zone that does not answer may hold it: then nothing is lost.
      const zones = bad.map(copy => file.copies[copy]).join(', ');
      throw new BorealisError(
        'unavailable',
        'page-out-of-reach',
        `${what}: its checksum does not hold, ${where} (zones ${zones}); zones that cannot be asked: ${unread.join(', ')}`,
      );
    }
    if (good === null) {
      this.#tell(place, what, file.copies);
      throw new BorealisError(
        'corrupt',
        'page-corrupt',
        `${what}: its checksum does not hold, ${where} (${zonesTried(file)})`,
      );
    }
    into.set(good);
    if (this.#options.repairs === false) return;
    for (const copy of bad) file.repairCopy(copy, offset, good, what);
  }

  /** Null when the zone cannot be asked; a copy that is not there is empty. */
  #readCopy(file: SegmentFile, copy: number, offset: number): Buffer | null {
    const bytes = Buffer.allocUnsafe(PAGE_SIZE_BYTES);
    try {
      return bytes.subarray(0, file.readCopy(copy, offset, bytes, 0, PAGE_SIZE_BYTES));
    } catch (error) {
      if (file.copies.length === 1 || !isMissing(error)) throw error;
      const {kind} = error as BorealisError;
      return kind === 'unavailable' ? null : bytes.subarray(0, 0);
    }
  }

  #tell(place: Place, what: string, zones: readonly string[]): void {
    const {onDamage, volume = place.volume} = this.#options;
    const key = `${place.volume}:${place.segment}:${place.offset}`;
    if (onDamage === undefined || this.#told.has(key) || this.#told.size >= DAMAGES_TOLD_MAX)
      return;
    this.#told.add(key);
    onDamage({...place, what, zones, readBy: [volume]});
  }
}

/** The nodes of one table of files of `volume`, or of one index of moments, as `reader` finds them. */
export function nodeSource(reader: PageReader, volume: VolumeNumber): NodeSource {
  return {
    load: pointer =>
      reader.loadNode(
        pointer,
        () =>
          `page-table node of volume ${volume}, at sector ${pointer.sector} of segment ${pointer.segment} of volume ${pointer.volume}`,
      ),
    nodesLoaded: 0,
    nodesDirty: 0,
  };
}
