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
import type {Pointer} from './pointer.ts';
import {walkShared} from './shared-walk.ts';
import {SubtreeCounter, UnitCount, type Levels} from './subtree.ts';
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

/** Sectors at which a live unit begins, by volume and segment. */
export type LiveSectors = Map<number, Map<number, number[]>>;

export class Census {
  readonly #reader: PageReader;
  readonly #subtrees: SubtreeCounter;

  constructor(zone: Zone) {
    this.#reader = new PageReader(zone);
    this.#subtrees = new SubtreeCounter(this.#reader);
  }

  /** Page-table nodes read so far, 8 KiB each. */
  get nodesLoaded(): number {
    return this.#subtrees.nodesLoaded;
  }

  count(records: readonly VolumeRecord[]): Counts {
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
    const note = ({volume, segment, sector}: Pointer): void => {
      wanted.get(volume)?.get(segment)?.push(sector);
    };
    walkShared(records, {
      load: pointer => this.#subtrees.load(pointer),
      unit: note,
      subtree: (pointer, level, levels) => this.#locateBelow(pointer, level, levels, wanted, note),
    });
    this.#reader.closeDeleted();
  }

  close(): void {
    this.#reader.close();
  }

  #locateBelow(
    pointer: Pointer,
    level: number,
    levels: Levels,
    wanted: LiveSectors,
    note: (pointer: Pointer) => void,
  ): void {
    if (level === 0) {
      note(pointer);
      return;
    }
    const {segments} = this.#subtrees.count(pointer, level, levels);
    if (!touches(segments, wanted)) return;
    note(pointer);
    const isTable = levels === 'table' && level === 1;
    this.#subtrees.forEachChild(pointer, child => {
      if (isTable) this.#locateBelow(child, child.height, 'file', wanted, note);
      else this.#locateBelow(child, level - 1, levels, wanted, note);
    });
  }
}

function touches(segments: Uint32Array, wanted: LiveSectors): boolean {
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
