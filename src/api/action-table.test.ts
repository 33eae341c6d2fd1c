import {expect, test} from 'vitest';
import {ACTIONS} from './actions.ts';
import {OPERATIONS} from './protocol/model.ts';
import {actionTable, subjectOf} from './testing/action-table.ts';

test('docs/actions.md is what the code says now (--update writes it)', async () => {
  await expect(actionTable()).toMatchFileSnapshot('../../docs/actions.md');
});

test('every action that is performed is one of the model, and every other one tells what it is about', () => {
  for (const name of ACTIONS.keys()) expect(OPERATIONS.has(name), name).toBe(true);
  const untold = [...OPERATIONS.keys()].filter(
    name => !ACTIONS.has(name) && subjectOf(name) === undefined,
  );
  expect(untold).toEqual([]);
});
