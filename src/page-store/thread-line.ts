/**
 * One line of a zone: operations go to its thread, answers come back.
 *
 *     i32 operations done, state │ ring of operations │ ring of answers │ rooms
 *
 * What is read of segments lies in a room, which the disk fills and nobody copies on the way; the answer says
 * how much. A room is its operation's until who asked has taken the answer, and made use of it.
 *
 * Only operations with an answer have one; the others are seen to be done by the count. A thread that
 * fails says why in an answer to operation 0.
 */
import type {ZoneFailure} from './zone-channel.ts';
import {MessageRing} from './message-ring.ts';
import type {LineName, Outcome, ZoneOperation} from './zone-operation.ts';

/** Room of each line: the append line takes what is written, the read line gives what is read. */
const ROOM: Readonly<Record<LineName, {operations: number; answers: number; rooms: number}>> = {
  append: {operations: 8 * 2 ** 20, answers: 2 ** 18, rooms: 0},
  read: {operations: 2 ** 18, answers: 2 ** 20, rooms: 3},
};
/** The longest read of one operation. */
export const READ_BYTES_MAX: number = 2 ** 20;
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
  | {
      readonly ok: true;
      readonly value: unknown;
      readonly hasBytes: boolean;
      /** Bytes of the operation's room. */
      readonly inRoom: number;
    }
  | (Outcome & {readonly ok: false});
type Asked = {readonly operation: ZoneOperation; readonly room: number | null};
type Answer = {readonly ticket: number; readonly outcome: Told};

export class ThreadLine {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #operations: MessageRing;
  readonly #answers: MessageRing;
  readonly #rooms: readonly Buffer[];

  constructor(name: LineName, shared?: SharedArrayBuffer) {
    const {operations, answers, rooms} = ROOM[name];
    const first = MessageRing.sizeBytes(operations);
    const roomsAt = WORDS_BYTES + first + MessageRing.sizeBytes(answers);
    this.shared = shared ?? new SharedArrayBuffer(roomsAt + rooms * READ_BYTES_MAX);
    this.#rooms = Array.from({length: rooms}, (_, index) =>
      Buffer.from(this.shared, roomsAt + index * READ_BYTES_MAX, READ_BYTES_MAX),
    );
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

  get roomCount(): number {
    return this.#rooms.length;
  }

  /** `room`: where the thread puts what it reads. */
  push(operation: ZoneOperation, bytes: readonly Uint8Array[], room: number | null): boolean {
    const asked: Asked = {operation, room};
    return this.#operations.push(asked, bytes);
  }

  /** The next answer; ticket 0 is the failure of the thread. `roomOf` tells which room an operation has. */
  shiftAnswer(
    roomOf: (ticket: number) => number | null,
  ): {ticket: number; outcome: Outcome} | null {
    const message = this.#answers.shift();
    if (message === null) return null;
    const {ticket, outcome} = message.value as Answer;
    if (!outcome.ok) return {ticket, outcome};
    const room = roomOf(ticket);
    const {value, hasBytes, inRoom} = outcome;
    const own = hasBytes ? message.bytes : null;
    const bytes = room === null ? own : this.room(room).subarray(0, inRoom);
    return {ticket, outcome: {ok: true, value, bytes}};
  }

  room(index: number): Buffer {
    return this.#rooms[index] as Buffer;
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
    this.push({kind: 'tidy'}, [], null);
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

  shift(): (Asked & {bytes: Buffer}) | null {
    const message = this.#operations.shift();
    if (message === null) return null;
    return {...(message.value as Asked), bytes: message.bytes};
  }

  setDone(count: number): void {
    Atomics.store(this.#words, DONE, count | 0);
  }

  /** Waits while there is no room, in `pause`. */
  answer(ticket: number, outcome: Outcome, pause: () => void): void {
    const found = outcome.ok ? outcome.bytes : null;
    const isInRoom = found !== null && found.buffer === this.shared;
    const bytes = isInRoom ? null : found;
    const inRoom = isInRoom ? found.length : 0;
    const told: Told = outcome.ok
      ? {ok: true, value: outcome.value, hasBytes: bytes !== null, inRoom}
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
