/**
 * Volume records in the zones of a mirror. What a volume is said to be hangs on who is asked later:
 *
 *     a: removed    b: 7    c: 7        whoever asks a sees that it was removed, the others see 7
 *     a: 8          b: 7    c: 7        whoever asks a sees 8, the others see 7: both must be there for them
 *     a: 8          b: 8    c: 5        every read quorum sees 8: nobody begins with 5 any more
 *     a: 0          b: none c: none     a volume that was being made: it may be there later, or not
 */
import type {VolumeNumber} from './ids.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {MirrorQuorums} from './mirror-quorums.ts';
import {compareVersions, recordVersion, type RecordVersion} from './record.ts';
import type {RecordState} from './zone-operation.ts';

type Copy = {
  readonly member: Member;
  readonly state: RecordState;
  readonly bytes: Buffer | null;
  readonly version: RecordVersion | null;
};

export class MirrorVolumeRecords {
  readonly #members: Members;
  readonly #quorums: MirrorQuorums;

  constructor(members: Members, quorums: MirrorQuorums) {
    this.#members = members;
    this.#quorums = quorums;
  }

  /** The newest; null for a volume that some zone knows to be removed. */
  read(volume: VolumeNumber): Buffer | null {
    return newestOf(this.#readCopies(volume));
  }

  isRemoved(volume: VolumeNumber): boolean {
    return this.#readCopies(volume).some(({state}) => state === 'removed');
  }

  /** Every zone that counts says that it has no record. */
  isGoneEverywhere(volume: VolumeNumber): boolean {
    const {counted} = this.#ask(volume);
    const voters = this.#members.all.filter(({isVoter}) => isVoter);
    return counted.length >= voters.length && counted.every(({state}) => state !== 'present');
  }

  /**
   * Whether the volume exists, and then for good: a record that fewer zones have than a write quorum is
   * brought to one. Nobody has opened such a volume, so its record vouches for nothing of a log.
   */
  confirm(volume: VolumeNumber): boolean {
    const copies = this.#readCopies(volume);
    const newest = newestOf(copies);
    if (newest === null) return false;
    const holders = copies.filter(({state}) => state === 'present');
    if (this.#members.isWriteQuorum(holders.map(({member}) => member))) return true;
    const what = `confirm that volume ${volume} exists`;
    const version = recordVersion(newest);
    if (version?.epoch !== 0 || version.revision !== 0) throw this.#members.quorumLost(what);
    const how = {expected: null, force: true, hold: false} as const;
    const operation = {kind: 'write-volume-record', volume, ...how} as const;
    this.#quorums.write(() => operation, newest, what);
    return true;
  }

  /**
   * All that a later opening may find the record to be: from the version on that no read quorum can miss.
   * One that is being written is waited for while a zone is away, which may have the older one or the newer.
   */
  possible(volume: VolumeNumber): Buffer[] {
    const members = this.#members;
    const sinceMs = members.nowMs();
    for (;;) {
      const {counted, silent} = this.#ask(volume);
      const found = possibleOf(counted.sort(newerFirst), silent, members);
      if (found !== null) return found;
      const what = `tell what volume ${volume} reaches`;
      if (members.nowMs() - sinceMs > members.settings.hangMs) throw members.quorumLost(what);
      // Only now: what was asked has rung it.
      members.waitForBell(members.board.bell(), members.settings.readMs);
    }
  }

  #readCopies(volume: VolumeNumber): Copy[] {
    return this.#ask(volume).counted;
  }

  /**
   * A copy that rotted says nothing, unless all have; nor does one that is not there, in a zone that may be new or
   * emptied. Silent are zones that count and did not answer.
   */
  #ask(volume: VolumeNumber): {counted: Copy[]; silent: Member[]} {
    const members = this.#members;
    const what = `read volume ${volume}`;
    const answers = this.#quorums.read({kind: 'read-volume-record', volume}, what);
    const copies = [...answers].flatMap(([member, {value, bytes}]): Copy[] => {
      const found = bytes === null ? null : Buffer.from(bytes);
      const version = found === null ? null : recordVersion(found);
      if (value === 'absent' && member.hasStore !== true) return [];
      return [{member, state: value as RecordState, bytes: found, version}];
    });
    const silent = members.all.filter(member => member.isVoter && !answers.has(member));
    const sound = copies.filter(({bytes, version}) => bytes === null || version !== null);
    if (members.isReadQuorum(sound.map(({member}) => member))) return {counted: sound, silent};
    const isAll = members.isReadQuorum(copies.map(({member}) => member));
    if (silent.length > 0 || !isAll) throw members.quorumLost(what);
    return {counted: copies, silent};
  }
}

function newestOf(copies: readonly Copy[]): Buffer | null {
  const [newest] = [...copies].sort(newerFirst);
  return newest?.state === 'present' ? newest.bytes : null;
}

const RANKS: Readonly<Record<RecordState, number>> = {absent: 0, present: 1, removed: 2};

function newerFirst(a: Copy, b: Copy): number {
  return RANKS[b.state] - RANKS[a.state] || compareVersions(b.version, a.version);
}

/**
 * Null while it cannot be told: zones that did not answer may have any version. `copies` are of all others but
 * those whose record rotted, which say nothing to an opening either; the newest first.
 */
function possibleOf(
  copies: readonly Copy[],
  silent: readonly Member[],
  members: Members,
): Buffer[] | null {
  const mayMiss = (newer: readonly Copy[]): boolean => {
    const others = copies.filter(copy => !newer.includes(copy)).map(({member}) => member);
    return members.isReadQuorum([...others, ...silent]);
  };
  const found: Copy[] = [];
  let last: Copy | null = null;
  for (const copy of copies) {
    const isOlder = last !== null && newerFirst(last, copy) !== 0;
    if (isOlder && !mayMiss(found)) break;
    found.push(copy);
    last = copy;
  }
  const [newest] = copies;
  const isOne = newest !== undefined && found.every(copy => newerFirst(newest, copy) === 0);
  if (silent.length > 0 && (!isOne || mayMiss(found))) return null;
  return found.flatMap((copy, index) => {
    const before = found[index - 1];
    const isKnown = before !== undefined && newerFirst(before, copy) === 0;
    return isKnown || copy.bytes === null ? [] : [copy.bytes];
  });
}
