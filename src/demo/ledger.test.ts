import {describe, expect, test} from 'vitest';
import type {Transaction} from './bank.ts';
import {checkLedger} from './ledger.ts';

const entry = (number: number, delta = 7): Transaction => ({
  entry: number,
  aid: number,
  tid: 1,
  bid: 1,
  delta,
});
const upTo = (last: number): Transaction[] =>
  Array.from({length: last}, (_, index) => entry(index + 1));

describe('a clone’s history against the ledger', () => {
  test('holds when it has all that was acknowledged and some that was under way', () => {
    expect(checkLedger(upTo(3), upTo(5), upTo(4))).toEqual({
      expected: 3,
      lost: [],
      foreign: [],
      underway: 1,
    });
  });

  test('names an acknowledged transaction that is not there', () => {
    expect(checkLedger(upTo(3), upTo(3), [entry(1), entry(3)]).lost).toEqual([2]);
  });

  test('names a transaction that came back changed as lost and as foreign', () => {
    const check = checkLedger(upTo(2), upTo(2), [entry(1), entry(2, -7)]);
    expect([check.lost, check.foreign]).toEqual([[2], [2]]);
  });

  test('names a transaction that was sent only after the clone was there', () => {
    expect(checkLedger(upTo(1), upTo(2), upTo(3)).foreign).toEqual([3]);
  });
});
