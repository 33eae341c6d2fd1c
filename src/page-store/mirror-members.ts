/**
 * The zones of a mirror, and how each fares.
 *
 *     current ──I/O error, too slow, gone──▶ broken ──▶ catching up ──▶ current
 *        │ ▲
 *        ▼ │ it answers again, and has missed nothing
 *       hung
 *
 * Current:  it is given all that is appended, in order, and lacks nothing of what came before.
 * Hung:     a current one that has done nothing for `hangMs`. Nobody waits for it, but it is still
 *           given everything while its line has room.
 * Broken:   it missed something. Only catching up mends that.
 * Quorum:   what must not be lost is on a write quorum of the zones that count, what must not be missed
 *           is asked of all of them that are not broken, and of a read quorum at least (membership.ts).
 * Learner:  a zone that does not count yet, or any more. It is treated as one that catches up.
 */
import {BorealisError} from '../base/errors.ts';
import {
  describeQuorum,
  isReadQuorum,
  isVoter,
  isWriteQuorum,
  type Membership,
} from './membership.ts';
import {Member, STALL_CREDIT_MS} from './mirror-member.ts';
import {SLOTS_MAX, type ZoneBoard} from './zone-board.ts';
import type {ZoneChannel, ZoneMedium} from './zone-channel.ts';
import {lineOf, type LineName, type Outcome, type ZoneOperation} from './zone-operation.ts';
import type {ZoneEvent} from './zone.ts';

export type MirrorSettings = {
  /** A zone that does nothing for so long while there is something to do is not waited for. */
  readonly hangMs: number;
  /** How long a read waits for one zone before it asks another one. */
  readonly readMs: number;
  /** How long after a failure a zone is tried again. */
  readonly retryMs: number;
  /** How often a keeper, which may have nothing to write for long, finds out whether it could. */
  readonly probeMs: number;
};

export const MIRROR_DEFAULTS: MirrorSettings = {
  hangMs: 10_000,
  readMs: 1000,
  retryMs: 1000,
  probeMs: Infinity,
};

/** How much less often a zone that does not count is tried. */
const LEARNER_RETRIES = 5;
/** A wait looks at the state of things again after this. */
const LOOK_AGAIN_MS = 100;
/** A zone may hold up appends for this part of the time. */
const STALL_CREDIT_SHARE = 0.05;

type OnOutcome = (outcome: Outcome) => void;
type Watched = {member: Member; line: LineName; ticket: number; onOutcome: OnOutcome};

export class Members {
  readonly settings: MirrorSettings;
  readonly board: ZoneBoard;
  /** Counts what was changed in the zones that are current. */
  changes = 0;
  readonly #medium: ZoneMedium;
  readonly #report: (event: ZoneEvent) => void;
  readonly #wallMs: () => number;
  readonly #lastStates = new Map<Member, string>();
  #all: readonly Member[] = [];
  #membership: Membership;
  /** Channels of zones that were removed, and which may be in a last call. */
  #retired: {readonly slot: number; readonly channel: ZoneChannel}[] = [];
  #watched: Watched[] = [];

  constructor(
    medium: ZoneMedium,
    settings: MirrorSettings,
    membership: Membership,
    wallMs: () => number,
    report: (event: ZoneEvent) => void,
  ) {
    this.#medium = medium;
    this.#report = report;
    this.#wallMs = wallMs;
    this.settings = settings;
    this.board = medium.board;
    this.#membership = membership;
    this.setMembership(medium.names, membership);
    for (const member of this.all) if (member.isVoter) this.#open(member, 'current');
  }

  get all(): readonly Member[] {
    return this.#all;
  }

  get membership(): Membership {
    return this.#membership;
  }

  /** The zones are these now. Who is new has to catch up; who is gone is let go of. */
  setMembership(names: readonly string[], membership: Membership): void {
    for (const member of this.#all) if (!names.includes(member.name)) this.#retire(member);
    const all: Member[] = [];
    for (const name of names) {
      const counts = isVoter(membership, name);
      const known = this.#all.find(member => member.name === name);
      const member = known ?? new Member(this.#freeSlot(all), name, counts);
      member.isVoter = counts;
      if (known === undefined) {
        member.reason = 'it is to be filled';
        this.board.publish(member.slot, 0);
      }
      all.push(member);
    }
    this.#all = all;
    this.#membership = membership;
    this.board.setVoters(
      membership.voters.map(set => all.filter(m => set.includes(m.name)).map(({slot}) => slot)),
    );
  }

  isWriteQuorum(members: Iterable<Member>): boolean {
    return isWriteQuorum(
      this.#membership,
      Array.from(members, ({name}) => name),
    );
  }

  isReadQuorum(members: Iterable<Member>): boolean {
    return isReadQuorum(
      this.#membership,
      Array.from(members, ({name}) => name),
    );
  }

  nowMs(): number {
    return this.#medium.nowMs();
  }

  current(): Member[] {
    return this.all.filter(member => member.standing === 'current');
  }

  good(): Member[] {
    return this.all.filter(member => member.isGood);
  }

  report(event: {type: 'repaired'} & Omit<ZoneEvent & {type: 'repaired'}, 'atMs' | 'type'>): void {
    this.#report({...event, atMs: this.#wallMs()});
  }

  // ── state ──

  /** Looks at what the zones have done. */
  refresh(): void {
    const nowMs = this.nowMs();
    let changed = false;
    for (const member of this.all) {
      if (member.channel === null || member.standing === 'broken') continue;
      const wasHung = member.isHung;
      const failure = member.channel.failure();
      if (failure !== null) {
        if (failure.code === 'writer-fenced') this.board.setFenced();
        this.break(member, failure.message);
        continue;
      }
      const done = member.channel.done('append');
      const idle = done === member.channel.submitted('append');
      if (done !== member.lastDone || idle || member.isStarting(nowMs)) {
        member.lastDone = done;
        member.lastProgressMs = nowMs;
        member.isHung = false;
      } else if (nowMs - member.lastProgressMs > this.settings.hangMs) {
        member.isHung = true;
      }
      changed ||= wasHung !== member.isHung;
    }
    if (this.#watched.length > 0) this.#lookAtWatched();
    if (changed) this.#reportStates();
  }

  /** The zone has missed something, or will. */
  break(member: Member, reason: string): void {
    if (member.standing === 'broken') return;
    member.channel?.stop();
    member.standing = 'broken';
    member.isHung = false;
    member.reason = reason;
    member.sinceMs = this.nowMs();
    const {retryMs} = this.settings;
    // One that does not count yet may be filled for hours before it is of use to this process.
    member.retryAtMs = member.sinceMs + (member.isVoter ? retryMs : LEARNER_RETRIES * retryMs);
    this.#watched = this.#watched.filter(watched => watched.member !== member);
    this.#reportStates();
  }

  /** Opens a broken zone again, to catch up; false while it is too early. */
  reopen(member: Member, isDue: boolean): boolean {
    if (this.nowMs() < member.retryAtMs && !(isDue && member.isVoter)) return false;
    if (member.channel !== null && !member.channel.hasEnded()) return false;
    this.board.publish(member.slot, 0);
    this.#open(member, 'catching-up');
    this.#reportStates();
    return true;
  }

  /** It has caught up, once its operation `ticket` is done: with the first `at` of the stream. */
  join(member: Member, at: number, ticket: number): void {
    member.standing = 'current';
    member.joinedAt = at;
    member.joinTicket = ticket;
    this.#reportStates();
  }

  /** It has said whether it has a store record. */
  noteStore(member: Member, hasStore: boolean): void {
    member.hasStore = hasStore;
    this.#reportStates();
  }

  /** True while an append may wait for this zone alone; a wait of `waitedMs` is taken from its credit. */
  spendCredit(member: Member, waitedMs: number): boolean {
    const nowMs = this.nowMs();
    const earned = (nowMs - member.creditAtMs) * STALL_CREDIT_SHARE;
    member.creditMs = Math.min(STALL_CREDIT_MS, member.creditMs + earned) - waitedMs;
    member.creditAtMs = nowMs;
    return member.creditMs > 0;
  }

  stop(): void {
    for (const {channel} of this.all) channel?.stop();
    this.#medium.close();
  }

  /** One of these has yet to begin. */
  isStarting(members: readonly Member[] = this.all): boolean {
    const nowMs = this.nowMs();
    return members.some(member => member.isStarting(nowMs));
  }

  // ── asking ──

  /** Asks one zone and waits up to `limitMs`; null when it does not answer in time. */
  askOne(
    member: Member,
    operation: ZoneOperation,
    limitMs: number,
    bytes: readonly Uint8Array[] = [],
  ): Outcome | null {
    const answers = this.askAll({
      members: () => [member],
      operation: () => operation,
      limitMs,
      bytes,
    });
    return answers.get(member) ?? null;
  }

  /**
   * Asks several zones at once and waits up to `limitMs` for all of them, or until `enough` says so.
   * What has not answered by then is not in the result; the operation stays in its line, and
   * `onLate` hears what becomes of it. Zones that `members` names later are asked as well, and one that
   * failed and was opened again is asked once more: what it answered before says nothing of it now.
   */
  askAll(question: {
    members: () => readonly Member[];
    operation: (member: Member) => ZoneOperation;
    limitMs: number;
    bytes?: readonly Uint8Array[];
    enough?: (answers: ReadonlyMap<Member, Outcome>) => boolean;
    onLate?: (member: Member, outcome: Outcome) => void;
  }): Map<Member, Outcome> {
    const {members, operation, limitMs, bytes, enough, onLate} = question;
    const untilMs = this.nowMs() + limitMs;
    const asked = new Map<Member, {line: LineName; ticket: number; channel: ZoneChannel}>();
    const answers = new Map<Member, Outcome>();
    for (;;) {
      const seen = this.board.bell();
      this.refresh();
      for (const [member, own] of asked) {
        if (member.channel === own.channel || answers.get(member)?.ok !== false) continue;
        answers.delete(member);
        asked.delete(member);
      }
      let isOpen = false;
      for (const member of members()) {
        const {channel} = member;
        if (channel === null || member.standing === 'broken' || answers.has(member)) continue;
        let own = asked.get(member);
        if (own === undefined || own.channel !== channel) {
          const request = operation(member);
          const ticket = channel.submit(request, bytes ?? []);
          own = ticket === null ? undefined : {line: lineOf(request), ticket, channel};
          if (own !== undefined) asked.set(member, own);
        }
        const outcome = own === undefined ? null : channel.take(own.line, own.ticket);
        if (outcome === null) isOpen = true;
        else answers.set(member, outcome);
      }
      if (enough?.(answers) === true) break;
      if (enough === undefined && !isOpen) break;
      const leftMs = untilMs - this.nowMs();
      const isPatient = limitMs >= this.settings.hangMs && this.isStarting(members());
      if (leftMs <= 0 && !isPatient) break;
      this.waitForBell(seen, isPatient ? LOOK_AGAIN_MS : leftMs);
    }
    for (const [member, {line, ticket, channel}] of asked) {
      if (answers.has(member) || member.channel !== channel) continue;
      if (onLate === undefined) channel.forget(line, ticket);
      else this.watch(member, line, ticket, outcome => onLate(member, outcome));
    }
    return answers;
  }

  /** Calls `onOutcome` once the operation has been answered, at some later `refresh`. */
  watch(
    member: Member,
    line: LineName,
    ticket: number,
    onOutcome: (outcome: Outcome) => void,
  ): void {
    this.#watched.push({member, line, ticket, onOutcome});
  }

  waitForBell(seen: number, limitMs: number): void {
    this.#medium.wait(seen, Math.min(limitMs, LOOK_AGAIN_MS));
  }

  quorumLost(what: string): BorealisError {
    const how = this.all.map(({name, standing, reason, isHung}) => {
      const state = standing === 'broken' ? reason : isHung ? 'it does not answer' : standing;
      return `${name}: ${state}`;
    });
    const needed = describeQuorum(this.#membership);
    const text = `cannot ${what}: ${needed} are needed (${how.join('; ')})`;
    return new BorealisError('unavailable', 'zone-quorum', text);
  }

  #open(member: Member, standing: 'current' | 'catching-up'): void {
    const nowMs = this.nowMs();
    member.channel = this.#medium.open(member.name, member.slot);
    member.standing = standing;
    member.hasStore = null;
    member.isHung = false;
    member.lastDone = 0;
    member.openedMs = nowMs;
    member.lastProgressMs = nowMs;
    member.creditMs = STALL_CREDIT_MS;
    member.creditAtMs = nowMs;
    member.progress = {bytesDone: 0, bytesTotal: 0};
  }

  #retire(member: Member): void {
    const {slot, channel} = member;
    channel?.stop();
    member.standing = 'broken';
    member.isHung = false;
    member.reason = 'it was removed';
    if (channel !== null) this.#retired.push({slot, channel});
    this.#watched = this.#watched.filter(watched => watched.member !== member);
    this.#lastStates.delete(member);
  }

  /** What a thread that hangs may still publish must not be taken for another zone's. */
  #freeSlot(added: readonly Member[]): number {
    this.#retired = this.#retired.filter(({channel}) => !channel.hasEnded());
    const taken = new Set([...this.#all, ...added, ...this.#retired].map(({slot}) => slot));
    for (let slot = 0; slot < SLOTS_MAX; slot++) if (!taken.has(slot)) return slot;
    const text = 'too many zones that were removed hang in their last call';
    throw new BorealisError('unavailable', 'zone-slots', text);
  }

  #lookAtWatched(): void {
    const watched = this.#watched;
    this.#watched = [];
    for (const one of watched) {
      if (one.member.standing === 'broken') continue;
      const outcome = one.member.channel?.take(one.line, one.ticket) ?? null;
      if (outcome === null) this.#watched.push(one);
      else one.onOutcome(outcome);
    }
  }

  #reportStates(): void {
    for (const member of this.all) {
      const {state} = member;
      // To be still without one that does not count yet is no failure.
      if (!member.isVoter && state.state === 'degraded') continue;
      const key = state.state === 'degraded' ? `degraded: ${state.reason}` : state.state;
      const last = this.#lastStates.get(member);
      if (last === key) continue;
      this.#lastStates.set(member, key);
      const isFirst = last === undefined && state.state === 'healthy';
      if (!isFirst) this.#report({type: 'state', atMs: this.#wallMs(), state});
    }
  }
}
