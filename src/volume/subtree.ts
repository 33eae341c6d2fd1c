/**
 * What a subtree of the page table holds, counted once: nodes never change, so neither does this.
 *
 * Units: a *unit* is 8 KiB of the log, a page or a node.
 */
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {PageReader} from './page-reader.ts';
import {FANOUT, forEachPointer} from './page-tree.ts';
import {PAGE_SIZE_BYTES, POINTER_WORDS, word, type Pointer} from './pointer.ts';

/** Whether a node belongs to the table of files or to a file's tree. */
export type Levels = 'table' | 'file';

export type Subtree = {
  readonly pages: number;
  readonly nodes: number;
  /** Units in each segment: volume, segment, count, and so on. */
  readonly segments: Uint32Array;
};

/** Limit of what is remembered, in words of 4 bytes: 64 MiB, enough for about a TiB of pages. */
const WORDS_MAX = 2 ** 24;
/** What an entry costs beyond its segments. */
const ENTRY_WORDS = 40;

export class SubtreeCounter {
  readonly #reader: PageReader;
  readonly #toleratesLoss: boolean;
  readonly #known = new Map<string, Subtree>();
  #words = 0;
  nodesLoaded = 0;
  /** Nodes of which no copy was good, and which were taken for nodes without children. */
  nodesLost = 0;

  constructor(reader: PageReader, toleratesLoss: boolean) {
    this.#reader = reader;
    this.#toleratesLoss = toleratesLoss;
  }

  /** What was counted above a lost node is counted anew: the node may have come back. */
  forgetLost(): void {
    if (this.nodesLost === 0) return;
    this.nodesLost = 0;
    this.#known.clear();
    this.#words = 0;
  }

  load(pointer: Pointer): Uint32Array {
    this.nodesLoaded++;
    try {
      return this.#reader.loadNode(
        pointer,
        () => `page-table node ${pointer.volume}:${pointer.segment}:${pointer.sector}`,
      );
    } catch (error) {
      const isLost = error instanceof BorealisError && error.kind === 'corrupt';
      if (!isLost || !this.#toleratesLoss) throw error;
      this.nodesLost++;
      return new Uint32Array(PAGE_SIZE_BYTES / 4);
    }
  }

  forEachChild(pointer: Pointer, visit: (child: Pointer) => void): void {
    forEachPointer(this.load(pointer), visit);
  }

  /** `level` counts node levels at and below `pointer`: 0 for a page. The node itself is counted too. */
  count(pointer: Pointer, level: number, levels: Levels): Subtree {
    if (level === 0) {
      return {pages: 1, nodes: 0, segments: Uint32Array.of(pointer.volume, pointer.segment, 1)};
    }
    const {volume, segment, sector, crc} = pointer;
    const key = `${levels}${level}:${volume}:${segment}:${sector}:${crc}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const counted = this.#countNode(pointer, level, levels);
    this.#words += ENTRY_WORDS + counted.segments.length;
    if (this.#words > WORDS_MAX) {
      this.#known.clear();
      this.#words = ENTRY_WORDS + counted.segments.length;
    }
    this.#known.set(key, counted);
    return counted;
  }

  #countNode(pointer: Pointer, level: number, levels: Levels): Subtree {
    const words = this.load(pointer);
    const units = new UnitCount();
    units.add(pointer.volume, pointer.segment, 1);
    let pages = 0;
    let nodes = 1;
    if (levels === 'file' && level === 1) {
      for (let at = 0; at < FANOUT * POINTER_WORDS; at += POINTER_WORDS) {
        if (words[at] === 0) continue;
        units.add(word(words, at), word(words, at + 1), 1);
        pages++;
      }
      return {pages, nodes, segments: units.toArray()};
    }
    const isTable = levels === 'table' && level === 1;
    forEachPointer(words, child => {
      const below = isTable
        ? this.count(child, child.height, 'file')
        : this.count(child, level - 1, levels);
      pages += below.pages;
      nodes += below.nodes;
      units.addAll(below.segments);
    });
    return {pages, nodes, segments: units.toArray()};
  }
}

/** Units by segment. */
export class UnitCount {
  readonly #byVolume = new Map<number, Map<number, number>>();
  total = 0;

  add(volume: number, segment: number, count: number): void {
    let segments = this.#byVolume.get(volume);
    if (segments === undefined) {
      segments = new Map<number, number>();
      this.#byVolume.set(volume, segments);
    }
    segments.set(segment, (segments.get(segment) ?? 0) + count);
    this.total += count;
  }

  /** Triples as `Subtree.segments` has them. */
  addAll(triples: Uint32Array): void {
    for (let at = 0; at < triples.length; at += 3) {
      this.add(word(triples, at), word(triples, at + 1), word(triples, at + 2));
    }
  }

  get(volume: VolumeNumber, segment: SegmentNumber): number {
    return this.#byVolume.get(volume)?.get(segment) ?? 0;
  }

  /** Units in the segments of `volume`. */
  ofVolume(volume: VolumeNumber): number {
    let sum = 0;
    for (const count of this.#byVolume.get(volume)?.values() ?? []) sum += count;
    return sum;
  }

  toArray(): Uint32Array {
    const triples: number[] = [];
    for (const [volume, segments] of this.#byVolume) {
      for (const [segment, count] of segments) triples.push(volume, segment, count);
    }
    return Uint32Array.from(triples);
  }
}
