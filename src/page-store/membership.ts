/**
 * Which zones count, of all that a mirror gives what is written.
 *
 *     a b c      a b c │ a b c d      a b c d          voters: one set, or two while it changes
 *                                                       learner: a zone in neither, filled meanwhile
 *
 * What is acknowledged is on a write quorum of every set, more than half of its zones; what must not be
 * missed is asked of a read quorum of every set, the smallest number that always shares a zone with a
 * write quorum. So processes with one set and with two may be at work at the same time; those with the
 * first alone and with the second alone may not. Source: docs/decisions/0018-change-of-zones.md.
 */
import {BorealisError} from '../base/errors.ts';

export type Membership = {
  /** Counts the changes of a store's membership; 0 for the zones that it began with. */
  readonly number: number;
  /** One set of names, or two: what is in force, and what is to be. */
  readonly voters: readonly (readonly string[])[];
};

/** More than half of the zones: two such quorums always have a zone in common. */
export function majority(zoneCount: number): number {
  return Math.floor(zoneCount / 2) + 1;
}

export function isVoter({voters}: Membership, name: string): boolean {
  return voters.some(set => set.includes(name));
}

/** What all of these zones hold durably may be acknowledged. */
export function isWriteQuorum({voters}: Membership, names: readonly string[]): boolean {
  return voters.every(set => countOf(set, names) >= majority(set.length));
}

/** Whatever was acknowledged is in one of these zones. */
export function isReadQuorum({voters}: Membership, names: readonly string[]): boolean {
  return voters.every(set => countOf(set, names) > set.length - majority(set.length));
}

/** `2 of 3 zones`, for people. */
export function describeQuorum({voters}: Membership): string {
  const sets = voters.map(set => `${majority(set.length)} of ${set.length} zones`);
  return [...new Set(sets)].join(' and ');
}

function countOf(set: readonly string[], names: readonly string[]): number {
  return set.filter(name => names.includes(name)).length;
}

/** @throws BorealisError conflict when a store was changed since the list of its zones that is at hand was written. */
export function refuseStaleMembership(
  recorded: Membership | undefined,
  own: Membership | undefined,
): void {
  if (recorded === undefined || recorded.number <= (own?.number ?? 0)) return;
  const names = (recorded.voters.at(-1) ?? []).join(', ');
  const what =
    own === undefined
      ? 'It is opened as if it had never been changed'
      : `The list is change ${own.number}`;
  throw new BorealisError(
    'conflict',
    'zones-stale',
    `The list of zones is older than the store: the store was changed to ${names} (change ${recorded.number}). ${what}. Restore the newest zones.json of the data directory; a zone that was removed is no part of the store any more.`,
  );
}
