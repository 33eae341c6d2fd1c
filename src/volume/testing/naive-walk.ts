/** What one root reaches, found without any cleverness: every node is read, every pointer followed. */
import type {Zone} from '../../page-store/zone.ts';
import {isEmptyRoot} from '../history.ts';
import {PageReader} from '../page-reader.ts';
import {forEachPointer} from '../page-tree.ts';
import {PAGE_SIZE_BYTES, type Pointer} from '../pointer.ts';
import type {VolumeRecord} from '../volume-record.ts';

export type Reached = {
  /** `volume:segment:sector` of each. */
  readonly pages: ReadonlySet<string>;
  readonly nodes: ReadonlySet<string>;
};

type Levels = 'history' | 'table' | 'file';
const BELOW = {history: 'table', table: 'file', file: 'file'} as const;

/** What the head reaches. Reads and verifies every page, too. */
export function naiveWalk(zone: Zone, {checkpoint}: VolumeRecord): Reached {
  return walk(zone, checkpoint.root, 'table');
}

/** What the index of moments reaches, itself included. */
export function naiveHistory(zone: Zone, {checkpoint}: VolumeRecord): Reached {
  return walk(zone, checkpoint.history, 'history');
}

function walk(zone: Zone, root: Pointer | null, levels: Levels): Reached {
  const reader = new PageReader(zone);
  const pages = new Set<string>();
  const nodes = new Set<string>();
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  const below = (pointer: Pointer, level: number, of: Levels): void => {
    const name = `${pointer.volume}:${pointer.segment}:${pointer.sector}`;
    if (level === 0) {
      pages.add(name);
      reader.readPage(pointer, bytes, 0, () => name);
      return;
    }
    nodes.add(name);
    forEachPointer(
      reader.loadNode(pointer, () => name),
      child => {
        if (level > 1 || of === 'file') below(child, level - 1, of);
        else if (!isEmptyRoot(child)) below(child, child.height, BELOW[of]);
      },
    );
  };
  if (root !== null) below(root, root.height, levels);
  reader.close();
  return {pages, nodes};
}
