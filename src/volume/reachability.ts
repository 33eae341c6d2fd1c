/**
 * What the roots of a store reach, read from the log without opening a volume.
 *
 * Pages keep their address for ever and a fork keeps its source's positions, so two volumes share a
 * page exactly where their trees hold the same pointer at the same place. `measureUsage` therefore
 * walks the trees of all volumes side by side and stops where only one distinct node is left; below
 * it a count is enough, and because nodes never change, counts are remembered from one call to the next.
 *
 *     v1 ──▶ A ──▶ (x, y)        place 0: A ≠ B, so look inside:  x = x  shared by v1, v2
 *     v2 ──▶ B ──▶ (x, z)                                         y, z   owned by one each
 *
 * Units: pages of 8 KiB; page-table nodes are not counted, they are about 1/512 of the pages.
 * As of:  each volume's last checkpoint, i.e. its record on disk.
 */
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {Zone} from '../page-store/zone.ts';
import {PageReader} from './page-reader.ts';
import {FANOUT, forEachPointer} from './page-tree.ts';
import {POINTER_WORDS, readPointer, type Pointer} from './pointer.ts';
import {readVolumeRecord, type VolumeRecord} from './volume-record.ts';

/** Remembered counts; each takes some 100 bytes. */
const COUNTS_MAX = 200_000;

export type Usage = {logicalPages: number; sharedPages: number; ownedPages: number};

/** A subtree and the volumes that hold it at one place. */
type Cursor = {pointer: Pointer; level: number; volumes: readonly number[]};
type Levels = 'table' | 'file';

export class Reachability {
  readonly #zone: Zone;
  readonly #reader: PageReader;
  readonly #counts = new Map<string, number>();

  constructor(zone: Zone) {
    this.#zone = zone;
    this.#reader = new PageReader(zone);
  }

  /** Records of all volumes that exist. */
  records(): VolumeRecord[] {
    return this.#zone.listVolumes().flatMap(volume => {
      const found = readVolumeRecord(this.#zone, volume);
      return found === null ? [] : [found.record];
    });
  }

  measureUsage(records: readonly VolumeRecord[]): Usage[] {
    const usage = records.map(() => ({logicalPages: 0, sharedPages: 0, ownedPages: 0}));
    const cursors = records.flatMap((record, index): Cursor[] => {
      const {root} = record.checkpoint;
      return root === null ? [] : [{pointer: root, level: root.height, volumes: [index]}];
    });
    this.#compare(merge(cursors), 'table', (volumes, pages) => {
      for (const index of volumes) {
        const one = usage[index] as Usage;
        one.logicalPages += pages;
        if (volumes.length > 1) one.sharedPages += pages;
        else one.ownedPages += pages;
      }
    });
    this.#reader.closeDeleted();
    return usage;
  }

  /** The segments that hold a page or a node that some record's root reaches. */
  liveSegments(records: readonly VolumeRecord[]): LiveSegments {
    const live = new LiveSegments();
    const visited = new Set<string>();
    for (const {checkpoint} of records) {
      if (checkpoint.root === null) continue;
      this.#mark(checkpoint.root, checkpoint.root.height, 'table', live, visited);
    }
    this.#reader.closeDeleted();
    return live;
  }

  close(): void {
    this.#reader.close();
  }

  #compare(
    cursors: readonly Cursor[],
    levels: Levels,
    report: (volumes: readonly number[], pages: number) => void,
  ): void {
    const [only] = cursors;
    if (only === undefined) return;
    if (cursors.length === 1) {
      report(only.volumes, this.#count(only.pointer, only.level, levels));
      return;
    }
    const level = Math.max(...cursors.map(cursor => cursor.level));
    if (level === 0) {
      if (levels === 'file') {
        for (const cursor of cursors) report(cursor.volumes, 1);
      }
      return;
    }
    const nodes = cursors.map(cursor => (cursor.level < level ? null : this.#load(cursor.pointer)));
    for (let index = 0; index < FANOUT; index++) {
      const children = cursors.flatMap((cursor, at): Cursor[] => {
        const words = nodes[at] as Uint32Array | null;
        // A tree that is not as high as another stands at the first place of the levels above it.
        if (words === null) return index === 0 ? [cursor] : [];
        const pointer = readPointer(words, index * POINTER_WORDS);
        if (pointer === null) return [];
        const isFileRoot = levels === 'table' && level === 1;
        const below = isFileRoot ? pointer.height : level - 1;
        return [{pointer, level: below, volumes: cursor.volumes}];
      });
      const next = levels === 'table' && level === 1 ? 'file' : levels;
      if (children.length > 0) this.#compare(merge(children), next, report);
    }
  }

  /** Pages below a node, or 1 for a page. */
  #count(pointer: Pointer, level: number, levels: Levels): number {
    if (level === 0) return 1;
    const key = `${levels}${level}:${keyOf(pointer)}`;
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    let pages = 0;
    forEachPointer(this.#load(pointer), child => {
      if (levels === 'table' && level === 1) pages += this.#count(child, child.height, 'file');
      else pages += level === 1 ? 1 : this.#count(child, level - 1, levels);
    });
    if (this.#counts.size >= COUNTS_MAX) this.#counts.clear();
    this.#counts.set(key, pages);
    return pages;
  }

  #mark(
    pointer: Pointer,
    level: number,
    levels: Levels,
    live: LiveSegments,
    visited: Set<string>,
  ): void {
    live.add(pointer.volume, pointer.segment);
    if (level === 0) return;
    const key = keyOf(pointer);
    if (visited.has(key)) return;
    visited.add(key);
    forEachPointer(this.#load(pointer), child => {
      if (levels === 'table' && level === 1) this.#mark(child, child.height, 'file', live, visited);
      else if (level === 1) live.add(child.volume, child.segment);
      else this.#mark(child, level - 1, levels, live, visited);
    });
  }

  #load(pointer: Pointer): Uint32Array {
    return this.#reader.loadNode(pointer, () => `page-table node ${keyOf(pointer)}`);
  }
}

export class LiveSegments {
  readonly #byVolume = new Map<VolumeNumber, Set<SegmentNumber>>();

  add(volume: VolumeNumber, segment: SegmentNumber): void {
    const segments = this.#byVolume.get(volume);
    if (segments === undefined) this.#byVolume.set(volume, new Set([segment]));
    else segments.add(segment);
  }

  has(volume: VolumeNumber, segment: SegmentNumber): boolean {
    return this.#byVolume.get(volume)?.has(segment) ?? false;
  }
}

/** Joins cursors at the same pointer. */
function merge(cursors: readonly Cursor[]): Cursor[] {
  if (cursors.length < 2) return [...cursors];
  const byKey = new Map<string, Cursor>();
  for (const cursor of cursors) {
    const key = `${cursor.level}:${keyOf(cursor.pointer)}`;
    const same = byKey.get(key);
    byKey.set(
      key,
      same === undefined ? cursor : {...same, volumes: [...same.volumes, ...cursor.volumes]},
    );
  }
  return [...byKey.values()];
}

function keyOf({volume, segment, sector}: Pointer): string {
  return `${volume}:${segment}:${sector}`;
}
