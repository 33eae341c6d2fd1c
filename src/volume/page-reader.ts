/**
 * Reads pages of the log by pointer and verifies each against the checksum that its parent holds. A
 * page that is not what its parent says is taken from another zone's copy, and the bad one is repaired.
 * Errors: corrupt, naming volume, file, page, place and the zones tried, when no copy is good. Nothing
 *         else fails with it, and `onDamage` hears of each such page once.
 */
import {crc32} from 'node:zlib';
import {assert} from '../base/assert.ts';
import {BorealisError, errorMessage} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {SegmentCache, SEGMENTS_OPEN_MAX} from '../page-store/segment-cache.ts';
import type {Damage, SegmentFile, SegmentPart, Zone} from '../page-store/zone.ts';
import {isMissing, zonesTried} from './segment-copies.ts';
import type {NodeSource} from './page-tree.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES, SECTOR_MAX, word, type Pointer} from './pointer.ts';
import {unitName} from './unit-names.ts';

/** Pages that follow each other in the log as they do in the file. */
type Run = Place & {readonly firstPage: number; readonly crcs: number[]};

/** Page p of `file` goes to `into[at + (p − base) × 8192]`. */
export type ReadTarget = {
  readonly file: number;
  readonly base: number;
  readonly into: Uint8Array;
  readonly at: number;
};

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
/** Read at once: each may lie in a segment of its own, and all of them are open meanwhile. */
const RUNS_MAX = 128;
assert(RUNS_MAX < SEGMENTS_OPEN_MAX, 'what is read at once stays open');

export class PageReader {
  readonly #zone: Zone;
  readonly #options: PageReaderOptions;
  readonly #told = new Set<string>();
  readonly #segments: SegmentCache;
  #target: ReadTarget = {file: 0, base: 0, into: Buffer.alloc(0), at: 0};
  #runs: Run[] = [];
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

  /** Begins to read pages of `target.file`; what an error left unread is forgotten. */
  begin(target: ReadTarget): void {
    this.#target = target;
    this.#runs = [];
  }

  /**
   * Adds `page`, whose pointer stands at word `pointerAt`, to what is to be read: to the last run if it
   * continues that one.
   */
  collect(words: Uint32Array, pointerAt: number, page: number): void {
    const run = this.#runs.at(-1);
    const volume = word(words, pointerAt) as VolumeNumber;
    const segment = word(words, pointerAt + 1) as SegmentNumber;
    const offset = (word(words, pointerAt + 2) & SECTOR_MAX) * SECTOR_SIZE_BYTES;
    const crc = word(words, pointerAt + 3);
    const continues =
      run !== undefined &&
      volume === run.volume &&
      segment === run.segment &&
      page === run.firstPage + run.crcs.length &&
      offset === run.offset + run.crcs.length * PAGE_SIZE_BYTES;
    if (continues) {
      run.crcs.push(crc);
      return;
    }
    if (this.#runs.length >= RUNS_MAX) this.finish();
    this.#runs.push({volume, segment, offset, firstPage: page, crcs: [crc]});
  }

  /** Reads what was collected: all runs at once, and alone what that did not bring. */
  finish(): void {
    const runs = this.#runs;
    this.#runs = [];
    const [first] = runs;
    if (first === undefined) return;
    if (runs.length === 1) {
      this.#readRun(
        first,
        this.#open(first, () => this.#nameOf(first, 0)),
        null,
      );
      return;
    }
    const parts = runs.map(run => ({
      file: this.#open(run, () => this.#nameOf(run, 0)),
      position: run.offset,
      into: this.#bytesOf(run, 0, run.crcs.length),
      got: 0,
    }));
    this.#zone.readParts(parts);
    for (const [index, run] of runs.entries()) {
      const {file, into, got} = parts[index] as SegmentPart;
      this.#readRun(run, file, got === into.length ? got : null);
    }
  }

  /** Verifies a run, of which `got` bytes are there already; null: none. */
  #readRun(run: Run, source: SegmentFile, got: number | null): void {
    const {crcs, offset} = run;
    const count = crcs.length;
    this.pagesRead += count;
    const bytes = this.#bytesOf(run, 0, count);
    const known =
      got ?? this.#read(source, run, bytes, 0, bytes.length, () => this.#nameOf(run, 0));
    for (let index = 0; index < count; index++) {
      const whole = known >= (index + 1) * PAGE_SIZE_BYTES;
      const page = this.#bytesOf(run, index, 1);
      const crc = crcs[index] as number;
      if (!whole || crc32(page) !== crc) {
        const place = {...run, offset: offset + index * PAGE_SIZE_BYTES};
        this.#rescue(source, place, crc, page, this.#nameOf(run, index));
      }
    }
  }

  /** Where `count` pages of a run from its page `index` go. */
  #bytesOf({firstPage}: Run, index: number, count: number): Uint8Array {
    const {base, into, at} = this.#target;
    const start = at + (firstPage + index - base) * PAGE_SIZE_BYTES;
    return into.subarray(start, start + count * PAGE_SIZE_BYTES);
  }

  #nameOf({volume, firstPage}: Run, index: number): string {
    const owner = this.#options.volume ?? volume;
    return unitName(owner, {level: 0, file: this.#target.file, first: firstPage + index});
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
   * Fills `into` with the page from a copy that holds it as its checksum says, and puts it over the bad ones
   * that were found meanwhile: it looks on until there is one, for some copy was bad.
   */
  #rescue(file: SegmentFile, place: Place, crc: number, into: Uint8Array, what: string): void {
    const {volume, segment, offset} = place;
    const bad: number[] = [];
    const unread: string[] = [];
    let good: Buffer | null = null;
    for (let copy = 0; copy < file.copies.length; copy++) {
      const page = this.#readCopy(file, copy, offset);
      if (page === null) unread.push(file.copies[copy] as string);
      else if (page.length === PAGE_SIZE_BYTES && crc32(page) === crc) good ??= page;
      else bad.push(copy);
      if (good !== null && bad.length > 0) break;
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
