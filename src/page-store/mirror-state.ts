/** What a mirror's zones amount to together: how much room there is, how far a change of zones has come. */
import {majority} from './membership.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {MirrorRole, MirrorUpkeep, Writer} from './mirror-upkeep.ts';
import type {MembershipState, ZoneState} from './zone.ts';

const UNKNOWN_FREE_BYTES = 2 ** 50;

/** What a write quorum has room for: a zone that is fuller will be left out. */
export function freeBytesOf(members: Members): number {
  const answers = members.askAll({
    members: () => members.good(),
    operation: () => ({kind: 'free-bytes'}),
    limitMs: members.settings.readMs,
  });
  const room = members.membership.voters.map(set => {
    const free = [...answers].flatMap(([{name}, one]) =>
      one.ok && set.includes(name) ? [one.value as number] : [],
    );
    free.sort((a, b) => b - a);
    // Fewer answers than that say nothing of space: it is the quorum that is waited for then.
    return free[majority(set.length) - 1] ?? UNKNOWN_FREE_BYTES;
  });
  return Math.min(...room);
}

/** For people. A keeper calls a zone healthy only once it has said that it holds the store. */
export function statesOf(members: Members, role: MirrorRole): ZoneState[] {
  return members.all.map(({name: zone, state, hasStore, openedMs}) => {
    if (role !== 'keeper' || state.state !== 'healthy' || hasStore !== null) return state;
    return {zone, state: 'degraded', reason: 'it has not answered yet', sinceMs: openedMs};
  });
}

export type SettledParts = {
  readonly members: Members;
  readonly role: MirrorRole;
  readonly upkeep: MirrorUpkeep;
  readonly writer: Writer | null;
  /** What was to be synced when the membership was changed last. */
  readonly markAtChange: number;
};

export function membershipStateOf(parts: SettledParts): MembershipState {
  const {members} = parts;
  members.refresh();
  const names = (of: readonly Member[]): string[] => of.map(({name}) => name);
  return {
    number: members.membership.number,
    current: names(members.current()),
    broken: names(members.all.filter(({standing}) => standing === 'broken')),
    isSettled: isSettled(parts),
  };
}

function isSettled({members, role, upkeep, writer, markAtChange}: SettledParts): boolean {
  switch (role) {
    case 'sweeper':
      return true;
    case 'keeper':
      return members.isWriteQuorum(members.all.filter(member => upkeep.isWhole(member)));
    case 'writer':
      if (writer?.isRecovered !== true || !members.isWriteQuorum(members.current())) return false;
      return members.board.quorumLsn() >= markAtChange;
  }
}
