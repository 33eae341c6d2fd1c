/**
 * What a mirror does for its zones beside its work: tries those that failed, lets them catch up, and
 * looks whether they are whole. What a zone has to catch up with depends on who asks:
 *
 *     writer    the log of the volume that it has open, while it goes on writing
 *     keeper    all volumes, as far as no writer has them open; one process of a store does this
 *     sweeper   nothing: it deletes and compacts, and what a zone missed of that the keeper mends
 */
import {assert} from '../base/assert.ts';
import type {VolumeNumber} from './ids.ts';
import {good} from './copy-plan.ts';
import {JobRunner, type Job} from './mirror-job.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {MirrorStream} from './mirror-stream.ts';
import {isNewerRecord} from './record.ts';
import {StoreCatchUp, type StoreRecord} from './store-catch-up.ts';
import {checkSameStore} from './store-identity.ts';
import {catchUpVolume} from './volume-catch-up.ts';

export type MirrorRole = 'writer' | 'keeper' | 'sweeper';

/** The volume that is claimed. */
export type Writer = {
  readonly volume: VolumeNumber;
  isRecovered: boolean;
  /** Its record as it was asked to be written last. */
  record: Buffer | null;
};

export type UpkeepParts = {
  readonly members: Members;
  readonly stream: MirrorStream;
  readonly role: MirrorRole;
  readonly writer: () => Writer | null;
  readonly store: () => StoreRecord;
};

/** Why a zone is left out that has an older store record than others. */
export const MISSED_CHANGE = 'it missed a change of the store';

/** How often a keeper looks whether its zones are whole. */
const AUDIT_PERIOD_MS = 15_000;

export class MirrorUpkeep {
  readonly #parts: UpkeepParts;
  readonly #jobs = new Map<Member, JobRunner>();
  #lastTickMs = 0;
  #auditAtMs = 0;
  #auditRound = 1;
  #probeAtMs: number;

  constructor(parts: UpkeepParts) {
    const {members} = parts;
    this.#parts = parts;
    this.#probeAtMs = members.nowMs() + members.settings.probeMs;
  }

  tick(): void {
    const {members, stream} = this.#parts;
    members.refresh();
    this.#lastTickMs = members.nowMs();
    if (!this.#mayCatchUp()) return;
    const isDue = isRetryDue(members);
    for (const member of members.all) {
      this.#tidy(member);
      if (member.standing !== 'broken' || !members.reopen(member, isDue)) continue;
      stream.stopFeeding(member);
      this.#begin(member, this.#catchUp(member));
    }
    this.#audit();
    this.#probe();
    this.step();
    members.refresh();
  }

  /** Goes on with what is under way; false when nothing is. */
  step(): boolean {
    for (const [member, job] of this.#jobs) if (!job.step()) this.#jobs.delete(member);
    return this.#jobs.size > 0;
  }

  /** Of a keeper: looks at every zone anew, from now on; or whether this one is still the same. */
  auditAnew(zone?: string): void {
    const member = this.#parts.members.all.find(({name}) => name === zone);
    if (member?.standing === 'current') member.hasStore = null;
    if (zone === undefined) this.#auditRound++;
    this.#auditAtMs = 0;
  }

  /** Whether every volume is whole in this zone, as found since `auditAnew`. */
  isWhole(member: Member): boolean {
    return member.wholeInRound === this.#auditRound;
  }

  /** Zones were removed: what went on for them ends. */
  dropStrangers(): void {
    for (const member of this.#jobs.keys()) {
      if (!this.#parts.members.all.includes(member)) this.#jobs.delete(member);
    }
  }

  /** While something is waited for. */
  stepOrTick(): void {
    const {members} = this.#parts;
    const isDue = members.nowMs() - this.#lastTickMs >= members.settings.retryMs;
    if (isDue) this.tick();
    else if (this.#mayCatchUp()) this.step();
  }

  /** The volume is let go of: nobody is left to bring its log to a zone. */
  volumeClosed(): void {
    if (this.#parts.role !== 'writer') return;
    for (const [member] of this.#jobs) this.#parts.members.break(member, 'the volume was closed');
    this.#jobs.clear();
  }

  #mayCatchUp(): boolean {
    const writer = this.#parts.writer();
    return this.#parts.role === 'writer' ? writer?.isRecovered === true : writer === null;
  }

  /**
   * Looks from time to time whether the zones that are current lack something: one may have been away
   * for a writer in another process, which then made a volume without it.
   */
  #audit(): void {
    const {members, role} = this.#parts;
    if (role !== 'keeper' || this.#jobs.size > 0) return;
    const usable = members.good();
    const isDue =
      members.nowMs() >= this.#auditAtMs || usable.some(({hasStore}) => hasStore === null);
    if (!isDue || usable.length < 2 || !members.isReadQuorum(usable)) return;
    this.#auditAtMs = members.nowMs() + AUDIT_PERIOD_MS;
    for (const member of usable) this.#begin(member, this.#catchUp(member));
  }

  /** Also tells whether the zone is still where it was, for one that nothing else is asked of. */
  #tidy(member: Member): void {
    const {members} = this.#parts;
    const channel = member.standing === 'broken' ? null : member.channel;
    // One that is slow must not be given more and more of it.
    if (channel === null || channel.done('read') < channel.submitted('read')) return;
    const ticket = channel.submit({kind: 'tidy'}, []);
    if (ticket === null) return;
    members.watch(member, 'read', ticket, outcome => {
      if (!outcome.ok) members.break(member, outcome.message);
    });
  }

  /** Of a keeper. One that hangs in it is seen to be hung as any that does nothing. */
  #probe(): void {
    const {members, role} = this.#parts;
    const nowMs = members.nowMs();
    if (role !== 'keeper' || nowMs < this.#probeAtMs) return;
    this.#probeAtMs = nowMs + members.settings.probeMs;
    for (const member of members.current()) {
      const {channel} = member;
      if (channel === null || channel.done('append') < channel.submitted('append')) continue;
      const ticket = channel.submit({kind: 'probe'}, []);
      if (ticket === null) continue;
      members.watch(member, 'append', ticket, outcome => {
        if (!outcome.ok) members.break(member, outcome.message);
        else if (outcome.value === false && member.hasStore === true) {
          members.break(member, 'it was emptied');
        }
      });
    }
  }

  #begin(member: Member, job: Job): void {
    const noted = noting(job, this.#auditRound, member);
    this.#jobs.set(member, new JobRunner(this.#parts.members, member, noted));
  }

  #catchUp(member: Member): Job {
    const {members, stream, role, store} = this.#parts;
    if (role === 'keeper') return new StoreCatchUp(members, member, store()).run();
    const writer = this.#parts.writer();
    if (writer === null) return rejoin(this.#parts, member);
    const record = (): Buffer => {
      assert(writer.record !== null, 'a writer has written its record');
      return writer.record;
    };
    return catchUpVolume({
      ...{members, stream, member, volume: writer.volume},
      ...{storeRecord: () => store().record, record},
    });
  }
}

/** Some zone that counts is to be tried again: then all that do are, for one may have to tell what another lacks. */
function isRetryDue(members: Members): boolean {
  const nowMs = members.nowMs();
  return members.all.some(
    ({isVoter, standing, retryAtMs}) => isVoter && standing === 'broken' && nowMs >= retryAtMs,
  );
}

/** Notes when the job has found the zone whole, or made it so, in the round in which it began. */
function* noting(job: Job, round: number, member: Member): Job {
  yield* job;
  member.wholeInRound = round;
}

/** One that was emptied, or is as it once was, is the keeper's to fill: the store record comes last. */
function* rejoin({members, store}: UpkeepParts, member: Member): Job {
  const others = members.good().filter(one => one.isVoter);
  const [own, ...rest] = yield [member, ...others].map(of => {
    return {member: of, operation: {kind: 'read-store-record'}} as const;
  });
  const {bytes} = good(own);
  if (bytes === null) throw new Error('it is new or was emptied');
  checkSameStore(bytes, store().record);
  const newer = others.filter((_, index) => {
    const there = good(rest[index]).bytes;
    return there !== null && isNewerRecord(Buffer.from(there), Buffer.from(bytes));
  });
  if (newer.length > 0 && members.isReadQuorum(newer)) throw new Error(MISSED_CHANGE);
  members.noteStore(member, true);
  members.join(member, 0, 0);
}
