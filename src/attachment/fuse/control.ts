/**
 * How the main thread and the two workers speak to each other.
 *
 *     main ── postMessage(ControlRequest), attention ─▶ serving thread ── postMessage ─▶ main
 *          └─ wakes it by a look-up in the mount, out of the read that it is blocked in
 *
 * The serving thread never waits for main: it looks at the attention word after each request and
 * takes what lies in its port. Main never waits synchronously for a worker.
 */
import type {AttachmentConfig, AttachmentStatistics, ForkResult} from '../attachment.ts';
import type {ErrorKind} from '../../base/errors.ts';
import type {Lsn, VolumeNumber} from '../../page-store/ids.ts';
import type {StoreConfig} from '../../page-store/open-zones.ts';
import type {MembershipState, ZoneEvent} from '../../page-store/zone.ts';
import type {ForkOptions} from '../../volume/volume-head.ts';
import type {OwnerMap} from './owner-map.ts';

/** Method to parameters and result. */
export type ControlMethods = {
  fork: {params: {child: VolumeNumber; options: ForkOptions}; result: ForkResult};
  setRetention: {params: {seconds: number}; result: void};
  checkpoint: {params: null; result: Lsn};
  statistics: {params: null; result: AttachmentStatistics};
  changeZones: {params: StoreConfig; result: MembershipState};
};
export type ControlMethod = keyof ControlMethods;

export type ControlRequest = {
  [M in ControlMethod]: {
    readonly id: number;
    readonly method: M;
    readonly params: ControlMethods[M]['params'];
  };
}[ControlMethod];

export type ServingMessage =
  /** The volume is open; it waits to be mounted. */
  | {readonly type: 'opened'}
  /** The kernel's INIT has been answered. */
  | {readonly type: 'initialised'}
  | {readonly type: 'reply'; readonly id: number; readonly result: unknown}
  | {
      readonly type: 'reply-error';
      readonly id: number;
      readonly error: {readonly kind: ErrorKind; readonly code: string; readonly message: string};
    }
  | {readonly type: 'zone-event'; readonly event: ZoneEvent}
  /** Unmounted, and the volume is cleanly closed. The thread ends. */
  | {readonly type: 'closed'}
  /** The thread ends. */
  | {
      readonly type: 'failed';
      readonly code: string;
      readonly kind: ErrorKind;
      readonly reason: string;
    };

export type SyncMessage = {readonly type: 'failed'; readonly reason: string};

export type ServingWorkerData = {
  readonly deviceFd: number;
  readonly control: SharedArrayBuffer;
  readonly queue: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly latency: SharedArrayBuffer;
  readonly owners: OwnerMap;
  readonly volume: AttachmentConfig;
};

export type SyncWorkerData = {
  readonly deviceFd: number;
  readonly queue: SharedArrayBuffer;
  /** What each zone holds durably; see `ZoneBoard`. */
  readonly board: SharedArrayBuffer;
  /** See `BarrierLatency`. */
  readonly latency: SharedArrayBuffer;
};

const PHASE = 0;
const ATTENTION = 1;
const CHANGED = 2;
const IDLE_WANTED = 3;
const CATCHING_UP = 4;
const WORD_COUNT = 5;
const LOOK_AGAIN_MS = 1000;

/** Where the attachment is in its life: main sets it, the serving thread obeys. */
export const PHASES = {opening: 0, mounted: 1, detaching: 2, abandoned: 3} as const;
export type Phase = keyof typeof PHASES;

/** The words that main and the serving thread share. */
export class ControlBlock {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(WORD_COUNT * 4);
    this.#words = new Int32Array(this.shared);
  }

  get phase(): number {
    return Atomics.load(this.#words, PHASE);
  }

  setPhase(phase: Phase): void {
    Atomics.store(this.#words, PHASE, PHASES[phase]);
    Atomics.notify(this.#words, PHASE);
  }

  /** Waits until the phase is no longer `phase`. */
  waitWhile(phase: Phase): void {
    while (this.phase === PHASES[phase]) {
      Atomics.wait(this.#words, PHASE, PHASES[phase], LOOK_AGAIN_MS);
    }
  }

  /** A message lies in the port, or an idle flush is wanted. */
  wantAttention(): void {
    Atomics.store(this.#words, ATTENTION, 1);
  }

  wantIdle(): void {
    Atomics.store(this.#words, IDLE_WANTED, 1);
    this.wantAttention();
  }

  /** True once for each time (or several) that attention was wanted. */
  takeAttention(): boolean {
    if (Atomics.load(this.#words, ATTENTION) === 0) return false;
    Atomics.store(this.#words, ATTENTION, 0);
    return true;
  }

  takeIdle(): boolean {
    return Atomics.exchange(this.#words, IDLE_WANTED, 0) === 1;
  }

  /** A zone has something to catch up with: the serving thread wants to be called again soon. */
  setCatchingUp(isCatchingUp: boolean): void {
    Atomics.store(this.#words, CATCHING_UP, isCatchingUp ? 1 : 0);
  }

  get isCatchingUp(): boolean {
    return Atomics.load(this.#words, CATCHING_UP) === 1;
  }

  /** The volume has changed, or has been changed lately, so that it wants to be told of idleness. */
  setChanged(): void {
    if (this.#words[CHANGED] === 0) Atomics.store(this.#words, CHANGED, 1);
  }

  takeChanged(): boolean {
    return Atomics.exchange(this.#words, CHANGED, 0) === 1;
  }
}
