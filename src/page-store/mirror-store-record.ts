/**
 * The store record in the zones of a mirror, and what it tells of each zone:
 *
 *     none                of a store that exists: the zone is new or was emptied
 *     of another store    it is left out
 *     an older one        it missed a change of the store, or is as it once was
 */
import {BorealisError} from '../base/errors.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {Answers, MirrorQuorums} from './mirror-quorums.ts';
import {MISSED_CHANGE, type MirrorRole} from './mirror-upkeep.ts';
import {isNewerRecord} from './record.ts';
import {commonStore, foreignZone, isUnused, storeIdOf} from './store-identity.ts';
import {expectedText, type Outcome} from './zone-operation.ts';

export class MirrorStoreRecord {
  readonly #members: Members;
  readonly #quorums: MirrorQuorums;
  readonly #role: MirrorRole;
  #record: Buffer | null = null;
  #isKnown = false;

  constructor(members: Members, quorums: MirrorQuorums, role: MirrorRole) {
    this.#members = members;
    this.#quorums = quorums;
    this.#role = role;
  }

  /** As it was read, or asked to be written, last. */
  get record(): Buffer | null {
    return this.#record;
  }

  /** It was read. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  read(): Buffer | null {
    const members = this.#members;
    const sinceMs = members.nowMs();
    for (;;) {
      const idle = members.current().filter(member => member.isIdle);
      const answers = this.#answers();
      const newest = this.#newestOf(answers);
      this.#record = newest;
      this.#isKnown = true;
      if (newest !== null && this.#role === 'keeper' && !this.#isMade(answers)) {
        this.write(newest, null);
        return newest;
      }
      this.#noteEmpty(answers, newest !== null, idle);
      const older = this.#olderThan(newest, answers).filter(member => idle.includes(member));
      if (this.#role === 'writer' || older.length === 0) return newest;
      // What another process changes just now gets there in a moment.
      const isSure = this.#role === 'keeper' || members.nowMs() - sinceMs > members.settings.readMs;
      if (isSure) for (const member of older) members.break(member, MISSED_CHANGE);
      if (isSure) return newest;
      members.waitForBell(members.board.bell(), members.settings.readMs);
    }
  }

  #answers(): Answers {
    const answers = this.#quorums.read({kind: 'read-store-record'}, 'read the store record');
    return this.#role === 'keeper' && !this.#isMade(answers) ? this.#readEverywhere() : answers;
  }

  /**
   * False when no zone holds a store, or fewer than a read quorum one in which there is nothing: whoever was
   * making it died. Then it is made, or brought to all zones.
   */
  #isMade(answers: Answers): boolean {
    const holders = [...answers].filter(([, {bytes}]) => bytes !== null);
    if (this.#members.isReadQuorum(holders.map(([member]) => member))) return true;
    return holders.some(([, {bytes}]) => bytes !== null && !isUnused(bytes));
  }

  /**
   * The answers of all zones: a new store is about to be made, and a slow zone may hold the one that there is
   * while others are disks that were not mounted.
   */
  #readEverywhere(): Answers {
    const members = this.#members;
    const voters = members.all.filter(member => member.isVoter);
    const answers = members.askAll({
      members: () => voters,
      operation: () => ({kind: 'read-store-record'}),
      limitMs: members.settings.hangMs,
    });
    const found = new Map<Member, Outcome & {ok: true}>();
    for (const [member, outcome] of answers) if (outcome.ok) found.set(member, outcome);
    const silent = voters.find(member => !found.has(member));
    if (silent === undefined) return found;
    throw new BorealisError(
      'unavailable',
      'store-unknown',
      `No zone that answers holds a store that was ever used, and zone ${silent.name} does not answer (${silent.standing === 'broken' ? silent.reason : 'it takes too long'}). A new store is made only when all zones are there, for that one may hold the store.`,
    );
  }

  /**
   * What zones answered later. One that did not when the record was read may have a newer one, of a change that
   * was given up: then all come to that.
   */
  note(answers: Answers): void {
    const current = new Map([...answers].filter(([{standing}]) => standing === 'current'));
    const newest = this.#newestOf(current);
    if (this.#record === null || !isNewerRecord(newest, this.#record)) return;
    this.#record = newest;
    for (const member of this.#olderThan(newest, current)) {
      this.#members.break(member, MISSED_CHANGE);
    }
  }

  write(bytes: Uint8Array, expected: Uint8Array | null): void {
    // Whoever has an older one missed a change: there is one process that makes them.
    const operation = {
      kind: 'write-store-record',
      expected: expectedText(expected),
      force: true,
    } as const;
    const {isWriteQuorum} = this.#quorums;
    const before = this.#record;
    // Before it is done: where it is given up, some zone may have it, and then all come to it. Not the first
    // one: until it is done, a zone without any lacks nothing.
    if (expected !== null) this.#record = Buffer.from(bytes);
    try {
      this.#quorums.write(
        () => operation,
        bytes,
        'write the store record',
        isWriteQuorum,
        member => this.#members.noteStore(member, true),
      );
    } catch (error) {
      if (error instanceof BorealisError && error.kind === 'conflict') this.#record = before;
      throw error;
    }
    this.#record = Buffer.from(bytes);
  }

  #newestOf(answers: Answers): Buffer | null {
    const store = commonStore([...answers.values()].map(({bytes}) => bytes));
    let newest: Buffer | null = null;
    for (const [member, {bytes}] of answers) {
      const found = bytes === null ? null : Buffer.from(bytes);
      const id = storeIdOf(found);
      if (id !== null && id !== store) this.#members.break(member, foreignZone().message);
      else if (newest === null || isNewerRecord(found, newest)) newest = found;
    }
    return newest;
  }

  /** A writer may still bring its own volume there; that the zone is whole is the keeper's matter. */
  #noteEmpty(answers: Answers, isStore: boolean, idle: readonly Member[]): void {
    for (const [member, {bytes}] of answers) {
      // The record may be on the way there.
      if (bytes === null && isStore && !idle.includes(member)) continue;
      this.#members.noteStore(member, bytes !== null);
      if (bytes === null && isStore && this.#role !== 'writer') {
        this.#members.break(member, 'it is new or was emptied');
      }
    }
  }

  /**
   * A zone that is as it once was may hold volumes that were removed since: it catches up first. What fewer
   * than a read quorum have is a change that was given up, and says nothing of the others.
   */
  #olderThan(newest: Buffer | null, answers: Answers): Member[] {
    const older = [...answers].flatMap(([member, {bytes}]) =>
      bytes !== null && isNewerRecord(newest, Buffer.from(bytes)) ? [member] : [],
    );
    const others = [...answers.keys()].filter(member => !older.includes(member));
    return this.#members.isReadQuorum(others) ? older : [];
  }
}
