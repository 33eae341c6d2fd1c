/**
 * A job for a zone that catches up, or is looked at: a generator that yields what it wants to ask and is given the
 * answers. It is stepped from time to time and never waits, because the thread that steps it serves
 * reads and writes meanwhile.
 */
import {AssertionError} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import {lineOf, type Outcome, type ZoneOperation} from './zone-operation.ts';

export type Ask = {
  readonly member: Member;
  readonly operation: ZoneOperation;
  readonly bytes?: Uint8Array;
  /** It is in its line already. */
  readonly ticket?: number;
};

/** Ends when the zone has caught up. Throws why it cannot. */
export type Job = Generator<readonly Ask[], void, readonly Outcome[]>;

/** Code of the error that too few of the other zones are there. */
export const TOO_FEW_ZONES = 'zone-quorum';
const LATE = 'zone-late';

type Pending = {ask: Ask; ticket: number | null; outcome: Outcome | null};

export class JobRunner {
  readonly #members: Members;
  readonly #member: Member;
  readonly #job: Job;
  #pending: Pending[] | null = null;
  #answeredAtMs: number;

  constructor(members: Members, member: Member, job: Job) {
    this.#members = members;
    this.#member = member;
    this.#job = job;
    this.#answeredAtMs = members.nowMs();
  }

  /** Goes on as far as answers are there. False: the job has ended, in one way or the other. */
  step(): boolean {
    try {
      for (;;) {
        if (this.#member.standing === 'broken') return false;
        if (this.#pending !== null && !this.#lookAt(this.#pending)) return true;
        const answers = this.#pending?.map(({outcome}) => outcome as Outcome) ?? [];
        const next = this.#job.next(answers);
        if (next.done === true) return false;
        this.#pending = next.value.map(ask => ({ask, ticket: ask.ticket ?? null, outcome: null}));
      }
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      const {code = null} = error instanceof BorealisError ? error : {};
      // That the others cannot vouch for it, or that it is slow to be looked at, says nothing against a
      // zone that is current.
      const isHarmless = code === TOO_FEW_ZONES || code === LATE;
      if (isHarmless && this.#member.standing === 'current') return false;
      this.#members.break(this.#member, error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** True when all is answered. */
  #lookAt(pending: readonly Pending[]): boolean {
    let isAnswered = true;
    for (const one of pending) {
      if (one.outcome !== null) continue;
      const {member, operation, bytes} = one.ask;
      if (member.standing === 'broken') throw othersFailed(member);
      one.ticket ??= member.channel?.submit(operation, bytes === undefined ? [] : [bytes]) ?? null;
      if (one.ticket !== null) {
        one.outcome = member.channel?.take(lineOf(operation), one.ticket) ?? null;
      }
      const failed = one.outcome?.ok === false && one.outcome.kind === 'unavailable';
      if (failed && member !== this.#member) throw othersFailed(member);
      if (one.outcome === null) isAnswered = false;
      else this.#answeredAtMs = this.#members.nowMs();
    }
    const waitedMs = this.#members.nowMs() - this.#answeredAtMs;
    const isLate = waitedMs > this.#members.settings.hangMs && !this.#members.isStarting();
    if (!isAnswered && isLate) {
      const text = 'it does not answer while it catches up';
      throw new BorealisError('unavailable', LATE, text);
    }
    return isAnswered;
  }
}

function othersFailed(member: Member): BorealisError {
  return new BorealisError(
    'unavailable',
    TOO_FEW_ZONES,
    `zone ${member.name}, which tells what it lacks, failed meanwhile`,
  );
}
