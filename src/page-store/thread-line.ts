/**
 * One line of a zone: operations go to its thread, answers come back.
 *
 *     i32 operations done, state │ ring of operations │ ring of answers
 *
 * Only operations with an answer have one; the others are seen to be done by the count. A thread that
 * fails says why in an answer to operation 0.
 */
import type {ZoneFailure} from './zone-channel.ts';
import {MessageRing} from './message-ring.ts';
import type {LineName, Outcome, ZoneOperation} from './zone-operation.ts';

/** Room of each line: the append line takes what is written, the read line gives what is read. */
const ROOM: Readonly<Record<LineName, {operations: number; answers: number}>> = {
  append: {operations: 8 * 2 ** 20, answers: 2 ** 18},
  read: {operations: 2 ** 18, answers: 4 * 2 ** 20},
};
const DONE = 0;
const STATE = 1;
const WORDS_BYTES = 8;
const STARTING = 0;
const RUNNING = 1;
const STOPPING = 2;
const ENDED = 3;
/** In a call to another zone's disk. */
const AWAY = 4;
const LOOK_AGAIN_MS = 1000;

/** No bytes are something else than an empty record. */
type Told =
  | {readonly ok: true; readonly value: unknown; readonly hasBytes: boolean}
  | (Outcome & {readonly ok: false});
type Answer = {readonly ticket: number; readonly outcome: Told};

export class ThreadLine {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #operations: MessageRing;
  readonly #answers: MessageRing;

  constructor(name: LineName, shared?: SharedArrayBuffer) {
    const {operations, answers} = ROOM[name];
    const first = MessageRing.sizeBytes(operations);
    const size = WORDS_BYTES + first + MessageRing.sizeBytes(answers);
    this.shared = shared ?? new SharedArrayBuffer(size);
    this.#words = new Int32Array(this.shared, 0, 2);
    this.#operations = new MessageRing(this.shared, WORDS_BYTES, operations);
    this.#answers = new MessageRing(this.shared, WORDS_BYTES + first, answers);
  }

  /** Operations that the thread has done. */
  get done(): number {
    return Atomics.load(this.#words, DONE) >>> 0;
  }

  get hasEnded(): boolean {
    return Atomics.load(this.#words, STATE) === ENDED;
  }

  // ── who asks ──

  push(operation: ZoneOperation, bytes: readonly Uint8Array[]): boolean {
    return this.#operations.push(operation, bytes);
  }

  /** The next answer; ticket 0 is the failure of the thread. */
  shiftAnswer(): {ticket: number; outcome: Outcome} | null {
    const message = this.#answers.shift();
    if (message === null) return null;
    const {ticket, outcome} = message.value as Answer;
    if (!outcome.ok) return {ticket, outcome};
    const bytes = outcome.hasBytes ? message.bytes : null;
    return {ticket, outcome: {ok: true, value: outcome.value, bytes}};
  }

  /** The thread has begun: until then nothing can be said of its zone. */
  get hasBegun(): boolean {
    return Atomics.load(this.#words, STATE) !== STARTING;
  }

  stop(): void {
    Atomics.compareExchange(this.#words, STATE, STARTING, STOPPING);
    Atomics.compareExchange(this.#words, STATE, RUNNING, STOPPING);
    // The other zone may never answer. When it does, this thread touches its own no more.
    Atomics.compareExchange(this.#words, STATE, AWAY, ENDED);
    this.#operations.push({kind: 'tidy'}, []);
  }

  // ── the thread ──

  begin(): void {
    Atomics.compareExchange(this.#words, STATE, STARTING, RUNNING);
  }

  get isRunning(): boolean {
    return Atomics.load(this.#words, STATE) === RUNNING;
  }

  /** The thread goes to another zone's disk. False: it was asked to stop, and must not. */
  goAway(): boolean {
    return Atomics.compareExchange(this.#words, STATE, RUNNING, AWAY) === RUNNING;
  }

  /** False: it was given up meanwhile, and must do nothing any more. */
  comeBack(): boolean {
    return Atomics.compareExchange(this.#words, STATE, AWAY, RUNNING) === AWAY;
  }

  /** False when it was asked to stop. */
  waitForOperation(): boolean {
    while (this.isRunning && this.#operations.isEmpty()) {
      this.#operations.waitForMessage(LOOK_AGAIN_MS);
    }
    return this.isRunning;
  }

  shift(): {operation: ZoneOperation; bytes: Buffer} | null {
    const message = this.#operations.shift();
    if (message === null) return null;
    return {operation: message.value as ZoneOperation, bytes: message.bytes};
  }

  setDone(count: number): void {
    Atomics.store(this.#words, DONE, count | 0);
  }

  /** Waits while there is no room, in `pause`. */
  answer(ticket: number, outcome: Outcome, pause: () => void): void {
    const bytes = outcome.ok ? outcome.bytes : null;
    const told: Told = outcome.ok
      ? {ok: true, value: outcome.value, hasBytes: bytes !== null}
      : outcome;
    const value: Answer = {ticket, outcome: told};
    const length = JSON.stringify(value).length + (bytes?.length ?? 0);
    if (!this.#answers.canHold(length)) {
      const why = {kind: 'unavailable', code: 'answer-too-long', message: 'the answer is too long'};
      this.answer(ticket, {ok: false, ...(why as ZoneFailure)}, pause);
      return;
    }
    while (this.isRunning && !this.#answers.push(value, bytes === null ? [] : [bytes])) pause();
  }

  end(): void {
    Atomics.store(this.#words, STATE, ENDED);
  }
}
