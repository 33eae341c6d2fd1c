/** What one root reaches, found without any cleverness: every node is read, every pointer followed. */
import type {Zone} from '../../page-store/zone.ts';
import {PageReader} from '../page-reader.ts';
import {forEachPointer} from '../page-tree.ts';
import {PAGE_SIZE_BYTES, type Pointer} from '../pointer.ts';
import type {VolumeRecord} from '../volume-record.ts';

export type Reached = {
  /** `volume:segment:sector` of each. */
  readonly pages: ReadonlySet<string>;
  readonly nodes: ReadonlySet<string>;
};

/** Reads and verifies every page, too. */
export function naiveWalk(zone: Zone, {checkpoint}: VolumeRecord): Reached {
  const reader = new PageReader(zone);
  const pages = new Set<string>();
  const nodes = new Set<string>();
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  const walk = (pointer: Pointer, level: number, isTable: boolean): void => {
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
        if (isTable && level === 1) walk(child, child.height, false);
        else walk(child, level - 1, isTable);
      },
    );
  };
  if (checkpoint.root !== null) walk(checkpoint.root, checkpoint.root.height, true);
  reader.close();
  return {pages, nodes};
}
