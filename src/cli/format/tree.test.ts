import {describe, expect, test} from 'vitest';
import {sourceIsGone, treeRows, type TreeItem} from './tree.ts';

/** `a` is a first cluster, `b<a` a clone of it; each is a second younger than the one before. */
function items(...specs: string[]): TreeItem[] {
  return specs.map((spec, index) => {
    const [identifier = '', clonedFrom] = spec.split('<');
    const createdAt = new Date(1_700_000_000_000 + index * 1000).toISOString();
    return {identifier, clonedFrom: clonedFrom ?? null, createdAt};
  });
}

function draw(list: readonly TreeItem[]): string[] {
  return treeRows(list).map(
    row => `${row.prefix}${row.identifier}${row.item === null ? ' (deleted)' : ''}`,
  );
}

describe('the tree of clusters', () => {
  test.each<[string, TreeItem[], string[]]>([
    ['is empty without clusters', [], []],
    ['lists first clusters flat', items('b', 'a'), ['b', 'a']],
    [
      'draws clones of clones',
      items('orders', 'dev<orders', 'test<dev', 'qa<orders'),
      ['orders', '├─ dev', '│  └─ test', '└─ qa'],
    ],
    [
      'shows a deleted source once, above all of its clones',
      items('x<orders', 'y', 'z<orders'),
      ['orders (deleted)', '├─ x', '└─ z', 'y'],
    ],
    [
      'keeps what hangs below the clone of a deleted source',
      items('x<gone', 'y<x'),
      ['gone (deleted)', '└─ x', '   └─ y'],
    ],
    [
      'does not take a younger cluster of the same name for the source',
      items('copy<orders', 'orders'),
      ['orders (deleted)', '└─ copy', 'orders'],
    ],
    [
      'survives a clone that has its deleted source’s own name',
      items('orders<orders'),
      ['orders (deleted)', '└─ orders'],
    ],
  ])('%s', (_, list, lines) => {
    expect(draw(list)).toEqual(lines);
    expect(draw(list.toReversed())).toEqual(lines);
  });

  test('every cluster appears exactly once, however deep', () => {
    const deep = items('c0', ...Array.from({length: 200}, (_, i) => `c${i + 1}<c${i}`));
    expect(treeRows(deep).map(row => row.identifier)).toEqual(deep.map(item => item.identifier));
  });
});

test('a source is gone when nothing older has its name', () => {
  const list = items('a', 'b<a', 'c<x', 'd<e', 'e');
  expect(list.map(item => sourceIsGone(item, list))).toEqual([false, false, true, true, false]);
});
