/** Questions that a quorum of a mirror's zones has to answer. */
import {outcomeError, type Member, type Members} from './mirror-members.ts';
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

  /** Answers of all zones that give one soon, and of a read quorum at least. */
  read(operation: ZoneOperation, what: string): Answers {
    const members = this.#members;
    const {readMs, hangMs} = members.settings;
    const beganMs = members.nowMs();
    const answers = members.askAll({
      members: () => members.current(),
      operation: () => operation,
      limitMs: hangMs,
      enough: got => {
        for (const [member, outcome] of got)
          if (!outcome.ok) members.break(member, outcome.message);
        const isAll = members.current().every(member => got.has(member) || member.isHung);
        const isLate = members.nowMs() - beganMs > readMs;
        return isAll || (isLate && got.size >= members.readQuorum);
      },
    });
    const good = new Map<Member, Outcome & {ok: true}>();
    for (const [member, outcome] of answers) if (outcome.ok) good.set(member, outcome);
    if (good.size < members.readQuorum) throw members.quorumLost(what);
    // An opening must not go on without what a zone knew that it counts among its own.
    if (this.#hooks.isOpening()) this.demandAll([...good.keys()], what);
    return good;
  }

  /** Leaves out the zones that did not answer; throws when a write quorum of them is not left. */
  demandAll(answered: readonly Member[], what: string): void {
    for (const member of this.#members.current()) {
      if (!answered.includes(member)) this.#members.break(member, 'it does not answer');
    }
    if (this.#members.current().length >= this.#members.settings.quorum) return;
    throw this.#members.quorumLost(what);
  }

  /** Asks all zones and returns once `needed` have done it. Who fails has missed something. */
  write(
    operation: () => ZoneOperation,
    bytes: Uint8Array | null,
    what: string,
    needed: () => number = () => this.#members.settings.quorum,
  ): ReadonlyMap<Member, Outcome> {
    const members = this.#members;
    members.changes++;
    const sinceMs = members.nowMs();
    const failed = (member: Member, {ok, ...why}: Outcome): void => {
      if (!ok && 'message' in why) members.break(member, why.message);
    };
    const answers = members.askAll({
      members: () => members.current(),
      operation,
      limitMs: Infinity,
      bytes: bytes === null ? [] : [bytes],
      enough: got => {
        let done = 0;
        let conflict: (Outcome & {ok: false}) | null = null;
        for (const [member, outcome] of got) {
          if (outcome.ok) done++;
          else if (outcome.kind === 'conflict') conflict = outcome;
          else failed(member, outcome);
        }
        if (done >= needed()) return true;
        if (conflict !== null) {
          const open = members.current().filter(member => !got.has(member)).length;
          if (done + open < needed()) throw outcomeError(conflict);
        }
        if (members.nowMs() > sinceMs) this.#hooks.onWait(what, sinceMs);
        return false;
      },
      onLate: failed,
    });
    for (const [member, outcome] of answers) failed(member, outcome);
    return answers;
  }
}
