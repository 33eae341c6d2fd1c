/** One zone of a mirror, as the mirror sees it. How it changes: mirror-members.ts. */
import type {ZoneChannel} from './zone-channel.ts';
import type {ZoneState} from './zone.ts';

/** A zone may hold up appends for this long. */
export const STALL_CREDIT_MS = 250;

const START_MS_MAX = 60_000;

export type Progress = {bytesDone: number; bytesTotal: number};

export class Member {
  /** Of the board. */
  readonly slot: number;
  readonly name: string;
  /** It counts; else it is only filled, to count later. */
  isVoter: boolean;
  channel: ZoneChannel | null = null;
  standing: 'current' | 'catching-up' | 'broken' = 'broken';
  reason = 'it was not opened yet';
  sinceMs = 0;
  /** When it may be tried again. */
  retryAtMs = 0;
  isHung = false;
  /**
   * It has a store record. One without was emptied, or is new: it knows nothing of what it may have
   * held. Null until it has said so.
   */
  hasStore: boolean | null = null;
  /** It does not count any more, and was told so. */
  isTold = false;
  progress: Progress = {bytesDone: 0, bytesTotal: 0};
  /** The last round of looking whether zones are whole in which it was found so, or made so. */
  wholeInRound = 0;
  /** The stream's count of operations when this zone was made current. */
  joinedAt = 0;
  /** The operation of its line that covers all before that. */
  joinTicket = 0;
  openedMs = 0;
  lastDone = 0;
  lastProgressMs = 0;
  creditMs: number = STALL_CREDIT_MS;
  creditAtMs = 0;

  constructor(slot: number, name: string, isVoter: boolean) {
    this.slot = slot;
    this.name = name;
    this.isVoter = isVoter;
  }

  /** Current, and answers. */
  get isGood(): boolean {
    return this.standing === 'current' && !this.isHung;
  }

  /** All that it was given to change is done. */
  get isIdle(): boolean {
    return this.channel !== null && this.channel.done('append') >= this.channel.submitted('append');
  }

  /** Its threads have yet to begin, which on a busy machine takes longer than a disk may hang. */
  isStarting(nowMs: number): boolean {
    if (this.standing === 'broken' || this.channel?.hasBegun() !== false) return false;
    return nowMs - this.openedMs < START_MS_MAX;
  }

  get state(): ZoneState {
    const {name: zone, standing, reason, sinceMs, progress} = this;
    // One that is tried again and has not answered yet is what it was.
    const isTried = standing === 'catching-up' && this.hasStore === null && this.isVoter;
    if (standing === 'broken' || isTried) return {zone, state: 'degraded', reason, sinceMs};
    if (this.isHung) {
      return {zone, state: 'degraded', reason: 'it does not answer', sinceMs: this.lastProgressMs};
    }
    if (standing === 'catching-up') return {zone, state: 'catching-up', ...progress};
    return {zone, state: 'healthy'};
  }
}
