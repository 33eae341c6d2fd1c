/** Questions that a quorum of a mirror's zones has to answer. */
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import {outcomeError} from './zone-operation.ts';
import type {Outcome, ZoneOperation} from './zone-operation.ts';

/** What zones answered that could. */
export type Answers = ReadonlyMap<Member, Outcome & {ok: true}>;

export type QuorumHooks = {
  /** Called while something is waited for: zones may return. Throws when it is no use. */
  readonly onWait: (what: string, sinceMs: number) => void;
  /** A volume is being opened: no zone that counts may be left out of an answer. */
  readonly isOpening: () => boolean;
};

export class MirrorQuorums {
  readonly #members: Members;
  readonly #hooks: QuorumHooks;

  constructor(members: Members, hooks: QuorumHooks) {
    this.#members = members;
    this.#hooks = hooks;
  }

  /**
   * Answers of all zones that count and give one soon, and of a read quorum at least; of an opening, which
   * goes on with those alone, of a write quorum.
   */
  read(operation: ZoneOperation, what: string): Answers {
    const members = this.#members;
    const {readMs, hangMs} = members.settings;
    const beganMs = members.nowMs();
    const asked = (): Member[] => members.current().filter(member => member.isVoter);
    const isEnough = (got: Iterable<Member>): boolean =>
      this.#hooks.isOpening() ? members.isWriteQuorum(got) : members.isReadQuorum(got);
    const answers = members.askAll({
      members: asked,
      operation: () => operation,
      limitMs: hangMs,
      enough: got => {
        for (const [member, outcome] of got)
          if (!outcome.ok) members.break(member, outcome.message);
        const isAll = asked().every(member => got.has(member) || member.isHung);
        const isLate = members.nowMs() - beganMs > readMs;
        return isAll || (isLate && isEnough(got.keys()));
      },
    });
    const good = new Map<Member, Outcome & {ok: true}>();
    for (const [member, outcome] of answers) if (outcome.ok) good.set(member, outcome);
    if (!members.isReadQuorum(good.keys())) throw members.quorumLost(what);
    // An opening must not go on without what a zone knew that it counts among its own.
    if (this.#hooks.isOpening()) this.demandAll([...good.keys()], what);
    return good;
  }

  /** Leaves out the zones that did not answer; throws when a write quorum of them is not left. */
  demandAll(answered: readonly Member[], what: string): void {
    for (const member of this.#members.current()) {
      if (!member.isVoter || answered.includes(member)) continue;
      this.#members.break(member, 'it does not answer');
    }
    if (this.#members.isWriteQuorum(this.#members.current())) return;
    throw this.#members.quorumLost(what);
  }

  readonly isWriteQuorum = (done: readonly Member[]): boolean => this.#members.isWriteQuorum(done);

  /** A write quorum, or without one every zone that is good. */
  readonly isAllThereIs = (done: readonly Member[]): boolean => {
    if (this.isWriteQuorum(done)) return true;
    const good = this.#members.good();
    const isAll = done.length > 0 && good.every(member => done.includes(member));
    return isAll && !this.#members.isWriteQuorum(good);
  };

  /** Asks all zones and returns once those that have done it are enough. Who fails has missed something. */
  write(
    operation: () => ZoneOperation,
    bytes: Uint8Array | null,
    what: string,
    isEnough: (done: readonly Member[]) => boolean = this.isWriteQuorum,
    onDone: (member: Member) => void = () => undefined,
  ): ReadonlyMap<Member, Outcome> {
    const members = this.#members;
    members.changes++;
    const sinceMs = members.nowMs();
    const ended = (member: Member, outcome: Outcome): void => {
      if (outcome.ok) onDone(member);
      else members.break(member, outcome.message);
    };
    const answers = members.askAll({
      members: () => members.current(),
      operation,
      limitMs: Infinity,
      bytes: bytes === null ? [] : [bytes],
      enough: got => {
        const done: Member[] = [];
        let conflict: (Outcome & {ok: false}) | null = null;
        for (const [member, outcome] of got) {
          if (outcome.ok) done.push(member);
          else if (outcome.kind === 'conflict') conflict = outcome;
          else ended(member, outcome);
        }
        if (isEnough(done)) return true;
        if (conflict !== null) {
          const open = members.current().filter(member => !got.has(member));
          if (!isEnough([...done, ...open])) throw outcomeError(conflict);
        }
        if (members.nowMs() > sinceMs) this.#hooks.onWait(what, sinceMs);
        return false;
      },
      onLate: ended,
    });
    for (const [member, outcome] of answers) ended(member, outcome);
    return answers;
  }
}
