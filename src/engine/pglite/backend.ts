/**
 * The PostgreSQL backend inside the module, driven one message at a time on the worker's thread.
 *
 *     messages ─▶ feed ─▶ PostgresMainLoopOnce ─▶ bytes ─▶ sink
 *                  ▲             │ COPY FROM STDIN needs more
 *                  └── pull ◀────┘
 *
 * An error in SQL leaves the module as a JavaScript exception with status 100 (its longjmp); the
 * backend then cleans up by itself. Any other exception means that the module's memory cannot be
 * trusted any more (a PANIC among them: it could not write its WAL): it passes through, and the worker
 * must end without another word to any client.
 */
import {assert} from '../../base/assert.ts';
import type {BackendModule} from './backend-module.ts';

/** pglitec.c: POSTGRES_MAIN_LONGJMP. */
const LONGJMP_STATUS = 100;

/** More bytes for a statement that reads from its client. Blocks; never returns none. */
export type Pull = () => Uint8Array;
/** Takes bytes that the server sends. They are in the module's memory: copy what is kept. */
export type Sink = (bytes: Uint8Array) => void;

export class Backend {
  readonly #module: BackendModule;
  #input: Uint8Array = new Uint8Array(0);
  #pull: Pull = noInput;
  #sink: Sink = () => undefined;

  constructor(module: BackendModule) {
    this.#module = module;
    const read = module.addFunction((pointer, length) => this.#read(pointer, length), 'ipi');
    const write = module.addFunction((pointer, length) => {
      this.#sink(module.HEAPU8.subarray(pointer, pointer + length));
      return length;
    }, 'ipi');
    module._pgl_set_rw_cbs(read, write);
  }

  /** Runs whole messages. Returns when the backend has taken all of them and waits for the next. */
  run(messages: Uint8Array, pull: Pull, sink: Sink): void {
    assert(this.#input.length === 0, 'the last messages were taken whole');
    this.#input = messages;
    this.#pull = pull;
    this.#sink = sink;
    while (this.#input.length > 0 || this.#module._pq_buffer_remaining_data() > 0) this.#step();
    this.#pull = noInput;
  }

  /** Runs whole messages that need no more input and returns all that the server answers. */
  exchange(messages: Uint8Array): Buffer {
    const pieces: Buffer[] = [];
    this.run(messages, noInput, bytes => pieces.push(Buffer.from(bytes)));
    return Buffer.concat(pieces);
  }

  /** Calls into the module outside a statement. False when PostgreSQL raised an error in it. */
  attempt(call: () => void): boolean {
    let succeeded = true;
    this.#guard(() => {
      this.#sink = () => undefined;
      succeeded = this.#catchLongjmp(call);
      this.#finish();
    });
    return succeeded;
  }

  /** Asks the running statement to stop at its next check. */
  interrupt(): void {
    const words = new Int32Array(this.#module.HEAPU8.buffer);
    words[this.#module._QueryCancelPending >> 2] = 1;
    words[this.#module._InterruptPending >> 2] = 1;
    // is_set, the first member of the Latch that the backend sleeps on.
    words[(words[this.#module._MyLatch >> 2] ?? 0) >> 2] = 1;
  }

  #step(): void {
    this.#guard(() => {
      this.#catchLongjmp(() => this.#module._PostgresMainLoopOnce());
      this.#finish();
    });
  }

  #finish(): void {
    this.#module._PostgresSendReadyForQueryIfNecessary();
    this.#module._pgl_pq_flush();
  }

  /** Returns false when `call` ended in PostgreSQL's error, from which the backend has recovered. */
  #catchLongjmp(call: () => void): boolean {
    const stack = this.#module.stackSave();
    try {
      call();
      return true;
    } catch (error) {
      if (!isLongjmp(error)) throw error;
      this.#module.stackRestore(stack);
      this.#module._PostgresMainLongJmp();
      return false;
    }
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      throw new BackendAborted(error);
    }
  }

  #read(pointer: number, lengthMax: number): number {
    if (this.#input.length === 0) this.#input = this.#pull();
    const length = Math.min(lengthMax, this.#input.length);
    assert(length > 0, 'zero bytes would mean that the client has gone');
    this.#module.HEAPU8.set(this.#input.subarray(0, length), pointer);
    this.#input = this.#input.subarray(length);
    return length;
  }
}

/** The module must not be entered again. */
export class BackendAborted extends Error {
  override readonly name = 'BackendAborted';

  constructor(cause: unknown) {
    super('the engine aborted', {cause});
  }
}

function isLongjmp(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'status' in error &&
    error.status === LONGJMP_STATUS
  );
}

function noInput(): Uint8Array {
  throw new Error('a statement of Borealis itself asked for input');
}
