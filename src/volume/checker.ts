/**
 * Verifies one zone of a store on which nobody works: store record, volume records, every page-table
 * node and page that a root reaches, roots of past moments among them, the log behind each checkpoint,
 * segment headers and indexes; and finds what a crash left over. Writes nothing.
 *
 * What is shared is verified once. Memory: a name for each node and a bit for each page, which is about a
 * name for each 4 MiB, and more where moments are many.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {highestVolume} from '../page-store/store.ts';
import type {SegmentFile, Zone} from '../page-store/zone.ts';
import {isEmptyRoot} from './history.ts';
import {PageReader} from './page-reader.ts';
import {PageSet} from './page-set.ts';
import {FANOUT, forEachPointer} from './page-tree.ts';
import {PAGE_SIZE_BYTES, type Pointer} from './pointer.ts';
import {recoverLog} from './recovery.ts';
import {decodeSegmentHeader, SEGMENT_HEADER_BYTES} from './segment-header.ts';
import {unitName} from './unit-names.ts';
import {readVolumeRecord, type VolumeRecord} from './volume-record.ts';

/** `damage`: something is lost or wrong. `leftover`: something means nothing and can go. */
export type Finding = {
  readonly kind: 'damage' | 'leftover';
  readonly code: string;
  readonly message: string;
};

export type ZoneCheck = {
  readonly findings: readonly Finding[];
  readonly records: readonly VolumeRecord[];
  readonly segments: number;
  readonly nodesVerified: number;
  readonly pagesVerified: number;
};

/** One rotten disk must not fill the memory; the rest is counted. */
const FINDINGS_MAX = 1_000;

export function checkZone(zone: Zone): ZoneCheck {
  return new ZoneChecker(zone).run();
}

class ZoneChecker {
  readonly #zone: Zone;
  readonly #reader: PageReader;
  readonly #findings: Finding[] = [];
  #findingCount = 0;
  /** Nodes whose subtree was verified. */
  readonly #seen = new Set<string>();
  readonly #verified = new PageSet();
  /** Segments that something reachable lies in: `volume:segment`. */
  readonly #reached = new Set<string>();
  readonly #page = Buffer.alloc(PAGE_SIZE_BYTES);
  #pagesVerified = 0;
  #segments = 0;

  constructor(zone: Zone) {
    this.#zone = zone;
    this.#reader = new PageReader(zone);
  }

  run(): ZoneCheck {
    const volumes = this.#zone.listVolumes();
    this.#checkStoreRecord(volumes);
    const records = volumes.flatMap(volume => this.#readRecord(volume) ?? []);
    for (const record of records) {
      const {root, history} = record.checkpoint;
      if (root !== null) this.#verify(record.volume, root, root.height, null, 0);
      if (history !== null) this.#verifyHistory(record.volume, history, history.height);
      this.#attempt(`log of volume ${record.volume}`, () => this.#verifyLog(record));
    }
    for (const volume of volumes) {
      this.#checkSegments(volume, records.find(record => record.volume === volume) ?? null);
    }
    for (const name of this.#zone.leftovers()) {
      this.#add('leftover', 'temporary-file', `${name} is left over from a crash`);
    }
    this.#reader.close();
    if (this.#findingCount > FINDINGS_MAX) {
      const more = this.#findingCount - FINDINGS_MAX;
      this.#findings.push({kind: 'damage', code: 'more', message: `and ${more} more findings`});
    }
    return {
      findings: this.#findings,
      records,
      segments: this.#segments,
      nodesVerified: this.#seen.size,
      pagesVerified: this.#pagesVerified,
    };
  }

  #checkStoreRecord(volumes: readonly VolumeNumber[]): void {
    this.#attempt('store record', () => {
      const handedOut = highestVolume(this.#zone);
      for (const volume of volumes) {
        if (volume <= handedOut) continue;
        this.#add(
          'damage',
          'volume-number',
          `volume ${volume} is there, but numbers were handed out up to ${handedOut} only`,
        );
      }
    });
  }

  #readRecord(volume: VolumeNumber): VolumeRecord | null {
    return this.#attempt(`record of volume ${volume}`, () => {
      const record = readVolumeRecord(this.#zone, volume)?.record ?? null;
      if (record !== null && record.volume !== volume) {
        this.#add(
          'damage',
          'record-misplaced',
          `the record of volume ${volume} is that of volume ${record.volume}`,
        );
        return null;
      }
      return record;
    });
  }

  /** The index of moments, and the roots that it names. */
  #verifyHistory(volume: VolumeNumber, pointer: Pointer, level: number): void {
    const {segment, sector, crc} = pointer;
    this.#reached.add(`${pointer.volume}:${segment}`);
    const key = `history${level}:${pointer.volume}:${segment}:${sector}:${crc}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const name = `index of moments, level ${level}, of volume ${volume}`;
    const words = this.#attempt(name, () => this.#reader.loadNode(pointer, () => name));
    if (words === null) return;
    forEachPointer(words, child => {
      if (level > 1) this.#verifyHistory(volume, child, level - 1);
      else if (!isEmptyRoot(child)) this.#verify(volume, child, child.height, null, 0);
    });
  }

  /** `file` is null in the table of files; `first` is the first file or page below `pointer`. */
  #verify(
    volume: VolumeNumber,
    pointer: Pointer,
    level: number,
    file: number | null,
    first: number,
  ): void {
    this.#reached.add(`${pointer.volume}:${pointer.segment}`);
    if (level === 0) {
      if (this.#verified.has(pointer)) return;
      this.#verified.add(pointer);
      const name = unitName(volume, {level, file, first});
      this.#attempt(name, () => this.#reader.readPage(pointer, this.#page, 0, () => name));
      this.#pagesVerified++;
      return;
    }
    const kind = file === null ? 'table' : 'file';
    const {segment, sector, crc} = pointer;
    const key = `${kind}${level}:${pointer.volume}:${segment}:${sector}:${crc}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const name = unitName(volume, {level, file, first});
    const words = this.#attempt(name, () => this.#reader.loadNode(pointer, () => name));
    if (words === null) return;
    const span = FANOUT ** (level - 1);
    forEachPointer(words, (child, index) => {
      const below = first + index * span;
      if (file === null && level === 1) this.#verify(volume, child, child.height, below, 0);
      else this.#verify(volume, child, level - 1, file, below);
    });
  }

  /** Recovery would take these batches: those that a barrier covered must be whole. */
  #verifyLog(record: VolumeRecord): void {
    const {volume} = record;
    const {batches} = recoverLog(this.#zone, record);
    for (const {segment, offset, headerBytes, entries} of batches) {
      this.#reached.add(`${volume}:${segment}`);
      const source = this.#zone.openSegment(volume, segment);
      try {
        for (const [slot, {file, page, crc}] of entries.entries()) {
          const at = offset + headerBytes + slot * PAGE_SIZE_BYTES;
          const got = source.read(at, this.#page, 0, PAGE_SIZE_BYTES);
          this.#pagesVerified++;
          if (got === PAGE_SIZE_BYTES && crc32(this.#page) === crc) continue;
          this.#add(
            'damage',
            'page-corrupt',
            `page ${page} of file ${file} in the log of volume ${volume}: its checksum does not hold`,
          );
        }
      } finally {
        source.close();
      }
    }
  }

  #checkSegments(volume: VolumeNumber, record: VolumeRecord | null): void {
    let orphanBytes = 0;
    for (const {segment, bytesOnDisk} of this.#zone.listSegments(volume)) {
      this.#segments++;
      const isReached = this.#reached.has(`${volume}:${segment}`);
      if (isReached) this.#checkSegment(volume, segment, record);
      else if (record === null) orphanBytes += bytesOnDisk;
    }
    // A record that could not be read may be what reaches them.
    const isRemoved = this.#zone.readVolumeRecord(volume) === null;
    if (orphanBytes > 0 && isRemoved) {
      this.#add(
        'leftover',
        'orphan-segments',
        `volume ${volume} was removed, and segments of ${orphanBytes} bytes that nothing reaches are left of it`,
      );
    }
  }

  #checkSegment(volume: VolumeNumber, segment: SegmentNumber, record: VolumeRecord | null): void {
    const name = `segment ${segment} of volume ${volume}`;
    this.#attempt(name, () => {
      const file = this.#zone.openSegment(volume, segment);
      try {
        if (file.ranges === null) this.#checkHeader(name, volume, segment, file);
        else if (record !== null && segment >= record.checkpoint.segment) {
          this.#add('damage', 'log-compacted', `${name} is compact and yet part of the log`);
        }
      } finally {
        file.close();
      }
    });
  }

  #checkHeader(
    name: string,
    volume: VolumeNumber,
    segment: SegmentNumber,
    file: SegmentFile,
  ): void {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const got = file.read(0, bytes, 0, bytes.length);
    const header = decodeSegmentHeader(bytes.subarray(0, got));
    if (header?.volume === volume && header.segment === segment) return;
    this.#add('damage', 'segment-header', `${name}: its header is not there or not its own`);
  }

  /** Runs a step; what the store says of it becomes a finding. */
  #attempt<T>(name: string, step: () => T): T | null {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof BorealisError) || error.kind === 'internal') throw error;
      const isNamed = error.message.includes(name);
      this.#add('damage', error.code, isNamed ? error.message : `${name}: ${error.message}`);
      return null;
    }
  }

  #add(kind: Finding['kind'], code: string, message: string): void {
    this.#findingCount++;
    if (this.#findings.length >= FINDINGS_MAX) return;
    this.#findings.push({kind, code, message});
  }
}
