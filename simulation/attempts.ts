/**
 * What comes of a piece of one process, of a writer's or of the service's:
 *
 *     done
 *     ended      in the middle of a call: the process, all of them, or the machine. Opened again later
 *     refused    as the answer to a fault, and to nothing else: then the process goes on as if nothing had
 *                been asked, or its volume has failed and it ends
 *
 * After a refusal the volume is looked at. While zones are away that look may be refused as well; then it is
 * owed, and as soon as no call is under way all zones come back, and it must succeed.
 */
import {BorealisError, errorChain, errorMessage} from '../src/base/errors.ts';
import {ProcessEnded, type Random} from '../src/page-store/testing/zone-faults.ts';
import type {Volume} from '../src/volume/volume.ts';
import {Violation} from './content.ts';
import type {Member, Opened} from './member.ts';
import type {DamageKind, StoreUnderTest} from './store-under-test.ts';

/** What an outcome does to the processes and their volumes. */
export type AttemptHooks = {
  readonly members: readonly Member[];
  /** Damage that may show. */
  readonly damage: DamageKind | null;
  readonly log: (line: string) => void;
  powerCut(): void;
  killAll(): void;
  killWriter(member: Member): void;
  settle(): void;
  /** Demands that an open volume is what its model says. */
  check(member: Member, opened: Opened): void;
};

/** `look`: the volume is looked at if it has not failed. `end`: the process ends in any case. */
type OnRefusal = 'look' | 'end';

export class Attempts {
  readonly #store: StoreUnderTest;
  readonly #random: Random;
  readonly #hooks: AttemptHooks;
  /** Faults that struck so far: an error needs one since its attempt began. */
  #struck = 0;
  /** Above 0 while a call is under way, above 1 while another process runs in the middle of it. */
  #depth = 0;
  #endedInside = false;
  /** A read that follows a refusal is under way. */
  #isLooking = false;
  #owed: {readonly member: Member; readonly opened: Opened}[] = [];

  constructor(store: StoreUnderTest, random: Random, hooks: AttemptHooks) {
    this.#store = store;
    this.#random = random;
    this.#hooks = hooks;
  }

  noteFault(): void {
    this.#struck++;
  }

  /** Runs a piece of `member`'s writer, or of the service. False when it did not get to its end. */
  run(member: Member | null, piece: () => void, onRefusal: OnRefusal = 'look'): boolean {
    const isDone = this.#run(member, piece, onRefusal);
    if (this.#depth === 0) this.#lookAtOwed();
    return isDone;
  }

  #run(member: Member | null, piece: () => void, onRefusal: OnRefusal): boolean {
    const struckBefore = this.#struck;
    this.#depth++;
    try {
      piece();
      return true;
    } catch (error) {
      // In the middle of another's call: the machine or the outer process ended, and it will see to it.
      if (error instanceof ProcessEnded) {
        if (this.#depth > 1) {
          this.#endedInside = true;
          throw error;
        }
        this.#ended(this.#endedInside ? null : member);
        this.#endedInside = false;
      } else if (error instanceof BorealisError) {
        this.#refused(member, error, this.#struck > struckBefore, onRefusal);
      } else {
        throw error;
      }
      return false;
    } finally {
      this.#depth--;
    }
  }

  #ended(member: Member | null): void {
    const hooks = this.#hooks;
    const isPower = this.#random(3) > 0;
    const others = this.#store.takeEndedWriters();
    if (isPower) hooks.powerCut();
    else if (member === null) hooks.killAll();
    else {
      const ended = hooks.members.filter(({number}) => others.includes(number));
      for (const one of ended.concat(member)) {
        hooks.log(`    writer of ${one.number} killed`);
        hooks.killWriter(one);
      }
    }
  }

  #refused(
    member: Member | null,
    error: BorealisError,
    byFault: boolean,
    onRefusal: OnRefusal,
  ): void {
    const hooks = this.#hooks;
    hooks.log(`    refused: ${errorChain(error)}`);
    const isDamage = error.kind === 'corrupt' || error.code === 'record-changed';
    if (isDamage && hooks.damage !== null) {
      if (member !== null) {
        member.corrupt = errorMessage(error);
        hooks.killWriter(member);
      }
      return;
    }
    // The stale writer was first to create a segment: whoever comes second must stop.
    const isFenced = error.code === 'already-exists' && member?.hadStale === true;
    const isExcused = byFault || this.#store.isExcused();
    if (!isFenced && (error.kind !== 'unavailable' || !isExcused))
      throw new Violation(`an error without a cause: ${errorChain(error)}`);
    if (member === null) return;
    const {opened} = member;
    if (onRefusal === 'end' || opened === null || hasFailed(opened.volume)) {
      hooks.killWriter(member);
    } else {
      this.#look(member, opened);
    }
  }

  /** After a refusal. One that follows a look which was refused has to wait. */
  #look(member: Member, opened: Opened): void {
    if (this.#isLooking && this.#store.isExcused()) {
      this.#owed.push({member, opened});
      return;
    }
    const {faults} = this.#store;
    for (const fault of ['end', 'read-error', 'write-error', 'sync-error'] as const) {
      faults.disarm(fault);
    }
    this.#isLooking = true;
    try {
      this.#hooks.check(member, opened);
    } finally {
      this.#isLooking = false;
    }
  }

  #lookAtOwed(): void {
    const owed = this.#owed;
    if (owed.length === 0) return;
    this.#owed = [];
    this.#hooks.settle();
    for (const {member, opened} of owed) {
      if (member.opened === opened) this.#hooks.check(member, opened);
    }
  }
}

/** True when the volume refuses everything until it is opened again. */
export function hasFailed(volume: Volume): boolean {
  try {
    volume.readPages(0, 0, 0, new Uint8Array(0), 0);
    return false;
  } catch (error) {
    // A close that fails lets go of the volume all the same.
    const codes = ['volume-failed', 'volume-closed'];
    if (error instanceof BorealisError && codes.includes(error.code)) return true;
    throw error;
  }
}
