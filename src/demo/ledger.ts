/**
 * Holds a clone's history against the ledger.
 *
 *     issued ⊇ in the clone ⊇ acknowledged before the call
 *
 * What was acknowledged before the call must be there, exactly as it was sent. What was under way
 * may be there or not. What was sent only after the clone was made must not be.
 */
import type {Transaction} from './bank.ts';

export type LedgerCheck = {
  readonly expected: number;
  /** Acknowledged before the call and not in the clone, or there with another content. */
  readonly lost: readonly number[];
  /** In the clone, though never sent or sent only after the clone was there. */
  readonly foreign: readonly number[];
  /** In the clone besides what was expected: sent, but not acknowledged, when the call was made. */
  readonly underway: number;
};

export function checkLedger(
  acknowledgedBefore: readonly Transaction[],
  issuedUntilThere: readonly Transaction[],
  inClone: readonly Transaction[],
): LedgerCheck {
  const found = new Map(inClone.map(transaction => [transaction.entry, transaction]));
  const sent = new Map(issuedUntilThere.map(transaction => [transaction.entry, transaction]));
  const lost = acknowledgedBefore.filter(each => !same(each, found.get(each.entry)));
  const foreign = inClone.filter(each => !same(each, sent.get(each.entry)));
  const expected = new Set(acknowledgedBefore.map(each => each.entry));
  return {
    expected: expected.size,
    lost: lost.map(each => each.entry),
    foreign: foreign.map(each => each.entry),
    underway: inClone.filter(each => !expected.has(each.entry)).length,
  };
}

function same(a: Transaction, b: Transaction | undefined): boolean {
  return (
    b !== undefined &&
    a.entry === b.entry &&
    a.aid === b.aid &&
    a.tid === b.tid &&
    a.bid === b.bid &&
    a.delta === b.delta
  );
}
