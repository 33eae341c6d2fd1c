import fc from 'fast-check';
import {expect, test} from 'vitest';
import {page} from './listing.ts';

const name = fc.string({minLength: 1, maxLength: 6});

/** All pages, with a change of the list before each. */
function pages(list: () => string[], MaxRecords: number): string[] {
  const shown: string[] = [];
  let Marker: string | undefined;
  do {
    const answer = page(list(), each => each, {MaxRecords, Marker});
    expect(answer.records.length).toBeLessThanOrEqual(MaxRecords);
    shown.push(...answer.records);
    ({Marker} = answer);
  } while (Marker !== undefined);
  return shown;
}

const sorted = (names: Iterable<string>): string[] =>
  [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));

test('pages of any size show every record once, in order', () => {
  fc.assert(
    fc.property(
      fc.array(name, {maxLength: 400}),
      fc.integer({min: 20, max: 100}),
      (names, size) => {
        expect(pages(() => sorted(names), size)).toEqual(sorted(names));
      },
    ),
  );
});

test('what comes or goes between pages makes no other record appear twice or not at all', () => {
  fc.assert(
    fc.property(
      fc.array(name, {minLength: 21, maxLength: 200}),
      fc.array(fc.tuple(name, fc.nat()), {maxLength: 20}),
      (names, changes) => {
        const list = new Set(names);
        const steady = new Set(names);
        let next = 0;
        const shown = pages(() => {
          const before = sorted(list);
          const [added, removed] = changes[next++] ?? [];
          if (added !== undefined && !list.has(added)) list.add(added);
          const gone = removed === undefined ? undefined : before[removed % before.length];
          if (gone !== undefined && list.size > 1) {
            list.delete(gone);
            steady.delete(gone);
          }
          return sorted(list);
        }, 20);
        expect(new Set(shown).size).toBe(shown.length);
        expect(shown.filter(each => steady.has(each))).toEqual(sorted(steady));
      },
    ),
  );
});
