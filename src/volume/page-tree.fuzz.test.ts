import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {PageTree, TREE_PAGES_MAX, type NodeSource} from './page-tree.ts';
import type {Pointer} from './pointer.ts';

const EDGES = [0, 1, 511, 512, 513, 262_143, 262_144, 2 ** 27 - 1, 2 ** 27, TREE_PAGES_MAX - 1];
const page = fc.oneof(fc.constantFrom(...EDGES), fc.nat(1500), fc.nat(2 ** 30));

type Command =
  | {kind: 'set'; page: number; crc: number}
  | {kind: 'drop'; from: number; count: number}
  | {kind: 'dropAll'}
  | {kind: 'write'}
  | {kind: 'evict'}
  | {kind: 'reload'};

const command: fc.Arbitrary<Command> = fc.oneof(
  {weight: 6, arbitrary: fc.record({kind: fc.constant('set' as const), page, crc: fc.nat()})},
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      from: page,
      count: fc.oneof(fc.nat(600), fc.constant(TREE_PAGES_MAX)),
    }),
  },
  {weight: 1, arbitrary: fc.constant({kind: 'dropAll' as const})},
  {weight: 2, arbitrary: fc.constant({kind: 'write' as const})},
  {weight: 2, arbitrary: fc.constant({kind: 'evict' as const})},
  {weight: 2, arbitrary: fc.constant({kind: 'reload' as const})},
);

/** A log of nodes in an array. */
function nodeLog(): {source: NodeSource; emit: (words: Uint32Array) => Pointer} {
  const nodes: Uint32Array[] = [];
  return {
    source: {
      load: pointer => Uint32Array.from(nodes[pointer.sector] as Uint32Array),
      nodesLoaded: 0,
      nodesDirty: 0,
    },
    emit: words => {
      nodes.push(Uint32Array.from(words));
      return pointerTo(nodes.length - 1);
    },
  };
}

function pointerTo(sector: number, crc = 7): Pointer {
  return {volume: 1 as VolumeNumber, segment: 1 as SegmentNumber, sector, height: 0, crc};
}

test('a page tree reads as the map that it was built from, whatever is written, evicted and loaded between', () => {
  fc.assert(
    fc.property(fc.array(command, {maxLength: 60}), commands => {
      const {source, emit} = nodeLog();
      const model = new Map<number, number>();
      let tree = new PageTree(source, null);
      for (const step of commands) {
        switch (step.kind) {
          case 'set':
            tree.set(step.page, pointerTo(1, step.crc));
            model.set(step.page, step.crc);
            break;
          case 'drop': {
            const gone = [...model.keys()].filter(
              at => at >= step.from && at < step.from + step.count,
            );
            for (const at of gone) model.delete(at);
            expect(tree.drop(step.from, step.from + step.count)).toBe(gone.length);
            break;
          }
          case 'dropAll':
            tree.dropAll();
            model.clear();
            break;
          case 'write':
            tree.write(emit);
            break;
          case 'evict':
            tree.evict();
            break;
          case 'reload':
            tree.write(emit);
            tree.unload();
            tree = new PageTree(source, tree.root);
            break;
        }
      }
      for (const at of [...EDGES, ...model.keys()]) {
        expect(tree.find(at)?.crc).toBe(model.get(at));
      }
      tree.write(emit);
      expect(source.nodesDirty).toBe(0);
      tree.unload();
      expect(source.nodesLoaded).toBe(0);
    }),
    {numRuns: 300},
  );
});

test('a root that was written stays as it was while the tree goes on', () => {
  const {source, emit} = nodeLog();
  const tree = new PageTree(source, null);
  for (let at = 0; at < 2000; at++) tree.set(at, pointerTo(1, at + 1));
  tree.write(emit);
  const old = tree.root;
  for (let at = 0; at < 2000; at += 3) tree.set(at, pointerTo(1, 9999));
  tree.drop(600, 900);
  tree.write(emit);
  const past = new PageTree(source, old);
  for (let at = 0; at < 2000; at++) expect(past.find(at)?.crc).toBe(at + 1);
});
