/**
 * What the roots of a store reach, counted: of each volume, of each segment, and of volumes that are
 * gone. Read from the log without opening a volume.
 *
 * Subtrees are counted once in the life of the census, because nodes never change; a later count
 * reads only what is new and where volumes differ.
 *
 * Units: a unit is 8 KiB of the log: a page, or a page-table node.
 * As of:  each volume's last checkpoint, i.e. its record.
 */
import type {VolumeNumber} from '../page-store/ids.ts';
import type {Zone} from '../page-store/zone.ts';
import type {Holders} from './holders.ts';
import {PageReader} from './page-reader.ts';
import {FANOUT, forEachPointer} from './page-tree.ts';
import type {Pointer} from './pointer.ts';
import {walkShared} from './shared-walk.ts';
import {SubtreeCounter, UnitCount, type Levels} from './subtree.ts';
import type {UnitPlace} from './unit-names.ts';
import type {VolumeRecord} from './volume-record.ts';

export type Share = {
  /** Pages that the volume's root reaches. */
  logicalPages: number;
  /** Of those, pages that another volume reaches too, by its root or in its history. */
  sharedPages: number;
  /** Of those, pages that no other volume reaches. */
  ownedPages: number;
  /** Page-table nodes that the root reaches, that others reach too, and that it alone reaches. */
  logicalNodes: number;
  sharedNodes: number;
  ownedNodes: number;
  /** Pages and nodes that the volume's history reaches, its index among them, and no volume's head does. */
  historyPages: number;
  historyNodes: number;
  /** Of those, what no other volume's history reaches: freed if its history is given up. */
  ownedHistoryPages: number;
  ownedHistoryNodes: number;
};

export type Counts = {
  /** In the order of the records. */
  readonly shares: readonly Share[];
  /** Everything that is reachable, each unit once. */
  readonly live: UnitCount;
  /** Of that, what only histories reach. */
  readonly historyUnits: number;
  /** Volume without a record → volume that reaches units in its segments → how many. */
  readonly heldOfRemoved: ReadonlyMap<VolumeNumber, ReadonlyMap<VolumeNumber, number>>;
};

/** Segments by volume. */
export type SegmentSet = ReadonlyMap<number, {has(segment: number): boolean}>;

/** Sectors at which a live unit begins, by volume and segment. */
export type LiveSectors = Map<number, Map<number, number[]>>;

export type CensusOptions = {
  /** False leaves bad copies of nodes as they are. */
  readonly repairs?: boolean;
  readonly toleratesLoss?: boolean;
};

export class Census {
  readonly #reader: PageReader;
  readonly #subtrees: SubtreeCounter;

  /**
   * A node of which no copy is good is an error, or, with `toleratesLoss`, counts as one without
   * children: see `nodesLost`.
   */
  constructor(zone: Zone, {repairs = true, toleratesLoss = false}: CensusOptions = {}) {
    this.#reader = new PageReader(zone, {repairs});
    this.#subtrees = new SubtreeCounter(this.#reader, toleratesLoss);
  }

  /** Lost nodes that the last count met: it lacks what they led to. */
  get nodesLost(): number {
    return this.#subtrees.nodesLost;
  }

  /** Page-table nodes read so far, 8 KiB each. */
  get nodesLoaded(): number {
    return this.#subtrees.nodesLoaded;
  }

  count(records: readonly VolumeRecord[]): Counts {
    this.#subtrees.forgetLost();
    const tally = new Tally(records);
    walkShared(records, {
      load: pointer => this.#subtrees.load(pointer),
      unit: ({volume, segment}, level, holders) =>
        tally.add(holders, {
          pages: level === 0 ? 1 : 0,
          nodes: level === 0 ? 0 : 1,
          segments: Uint32Array.of(volume, segment, 1),
        }),
      subtree: (pointer, level, levels, holders) =>
        tally.add(holders, this.#subtrees.count(pointer, level, levels)),
    });
    this.#reader.closeDeleted();
    return tally.counts();
  }

  /** Fills in where in the wanted segments live units begin; `wanted` holds an empty list for each. */
  locate(records: readonly VolumeRecord[], wanted: LiveSectors): void {
    this.visit(records, wanted, ({volume, segment, sector}) => {
      wanted.get(volume)?.get(segment)?.push(sector);
    });
  }

  /** Visits each unit that lies in a wanted segment once. */
  visit(
    records: readonly VolumeRecord[],
    wanted: SegmentSet,
    visit: (pointer: Pointer, holders: Holders) => void,
  ): void {
    walkShared(records, {
      load: pointer => this.#subtrees.load(pointer),
      unit: (pointer, _level, holders) => {
        if (isIn(pointer, wanted)) visit(pointer, holders);
      },
      subtree: (pointer, level, levels, holders) =>
        this.#visitBelow(pointer, level, levels, wanted, found => visit(found, holders)),
    });
    this.#reader.closeDeleted();
  }

  /** Visits each unit of one volume that lies in a wanted segment, with what it is. */
  visitNamed(
    {checkpoint: {root}}: VolumeRecord,
    wanted: SegmentSet,
    visit: (pointer: Pointer, place: UnitPlace) => void,
  ): void {
    const below = (pointer: Pointer, place: UnitPlace): void => {
      const {level, file, first} = place;
      if (isIn(pointer, wanted)) visit(pointer, place);
      if (level === 0) return;
      const levels = file === null ? 'table' : 'file';
      if (!touches(this.#subtrees.count(pointer, level, levels).segments, wanted)) return;
      const span = FANOUT ** (level - 1);
      forEachPointer(this.#subtrees.load(pointer), (child, index) => {
        const at = first + index * span;
        if (file === null && level === 1) below(child, {level: child.height, file: at, first: 0});
        else below(child, {level: level - 1, file, first: at});
      });
    };
    if (root !== null) below(root, {level: root.height, file: null, first: 0});
  }

  close(): void {
    this.#reader.close();
  }

  #visitBelow(
    pointer: Pointer,
    level: number,
    levels: Levels,
    wanted: SegmentSet,
    visit: (pointer: Pointer) => void,
  ): void {
    if (level === 0) {
      if (isIn(pointer, wanted)) visit(pointer);
      return;
    }
    const {segments} = this.#subtrees.count(pointer, level, levels);
    if (!touches(segments, wanted)) return;
    if (isIn(pointer, wanted)) visit(pointer);
    const isTable = levels === 'table' && level === 1;
    this.#subtrees.forEachChild(pointer, child => {
      if (isTable) this.#visitBelow(child, child.height, 'file', wanted, visit);
      else this.#visitBelow(child, level - 1, levels, wanted, visit);
    });
  }
}

function isIn({volume, segment}: Pointer, wanted: SegmentSet): boolean {
  return wanted.get(volume)?.has(segment) === true;
}

function touches(segments: Uint32Array, wanted: SegmentSet): boolean {
  for (let at = 0; at < segments.length; at += 3) {
    const ofVolume = wanted.get(segments[at] as number);
    if (ofVolume?.has(segments[at + 1] as number) === true) return true;
  }
  return false;
}

type Found = {readonly pages: number; readonly nodes: number; readonly segments: Uint32Array};

class Tally {
  readonly #records: readonly VolumeRecord[];
  readonly #existing: ReadonlySet<number>;
  readonly #shares: Share[];
  readonly #live = new UnitCount();
  #historyUnits = 0;
  readonly #heldOfRemoved = new Map<VolumeNumber, Map<VolumeNumber, number>>();

  constructor(records: readonly VolumeRecord[]) {
    this.#records = records;
    this.#existing = new Set(records.map(record => record.volume));
    this.#shares = records.map(() => ({
      logicalPages: 0,
      sharedPages: 0,
      ownedPages: 0,
      logicalNodes: 0,
      sharedNodes: 0,
      ownedNodes: 0,
      historyPages: 0,
      historyNodes: 0,
      ownedHistoryPages: 0,
      ownedHistoryNodes: 0,
    }));
  }

  add(holders: Holders, {pages, nodes, segments}: Found): void {
    this.#live.addAll(segments);
    const isShared = holders.volumes.length > 1;
    for (const holder of holders.heads) {
      const share = this.#shares[holder] as Share;
      share.logicalPages += pages;
      share.logicalNodes += nodes;
      if (isShared) {
        share.sharedPages += pages;
        share.sharedNodes += nodes;
      } else {
        share.ownedPages += pages;
        share.ownedNodes += nodes;
      }
    }
    const ofHistory = holders.heads.length === 0 ? holders.histories : [];
    for (const holder of ofHistory) {
      const share = this.#shares[holder] as Share;
      share.historyPages += pages;
      share.historyNodes += nodes;
      if (isShared) continue;
      share.ownedHistoryPages += pages;
      share.ownedHistoryNodes += nodes;
    }
    if (ofHistory.length > 0) this.#historyUnits += pages + nodes;
    for (let at = 0; at < segments.length; at += 3) {
      if (this.#existing.has(segments[at] as number)) continue;
      this.#addHeld(segments[at] as VolumeNumber, segments[at + 2] as number, holders.volumes);
    }
  }

  counts(): Counts {
    return {
      shares: this.#shares,
      live: this.#live,
      historyUnits: this.#historyUnits,
      heldOfRemoved: this.#heldOfRemoved,
    };
  }

  #addHeld(removed: VolumeNumber, units: number, holders: Holders['volumes']): void {
    let byHolder = this.#heldOfRemoved.get(removed);
    if (byHolder === undefined) {
      byHolder = new Map<VolumeNumber, number>();
      this.#heldOfRemoved.set(removed, byHolder);
    }
    for (const holder of holders) {
      const {volume} = this.#records[holder] as VolumeRecord;
      byHolder.set(volume, (byHolder.get(volume) ?? 0) + units);
    }
  }
}
