/**
 * The engine's thread while it serves: takes messages from the main thread in order, runs them in the
 * backend, and sends back what it says.
 *
 *     sleep on the shared word ─▶ control messages ─▶ input message ─▶ backend ─▶ output ─┐
 *            ▲                                                                          │
 *            └──────────────────────────────────────────────────────────────────────────┘
 *
 * Control messages are also served from inside a running statement: at each file operation, each look at the clock,
 * each wait for more COPY data and each wait for a slow client. All of these lie between two atomic
 * operations of the file system, so a fork there is a crash-consistent cut.
 */
import {receiveMessageOnPort} from 'node:worker_threads';
import type {MessagePort} from 'node:worker_threads';
import {assert} from '../../base/assert.ts';
import {systemClock} from '../../base/clock.ts';
import {BorealisError, errorMessage} from '../../base/errors.ts';
import type {Backend} from './backend.ts';
import {SharedWord} from './channel.ts';
import type {
  ControlMessage,
  ControlResults,
  FromWorker,
  Identity,
  InputMessage,
} from './channel.ts';
import {BOOTSTRAP_IDENTITY} from './identity.ts';
import type {SessionIdentity} from './identity.ts';
import {
  BackendType,
  FrontendType,
  MessageReader,
  SYNC_MESSAGE,
  message,
  queryMessage,
  reportMessage,
} from './wire.ts';

/** Output is gathered up to this before it is sent to the main thread. */
const OUTPUT_CHUNK_BYTES = 64 * 1024;
/** Above this the engine waits for the client to read: it bounds what a slow reader costs in memory. */
const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
/** How long the engine sleeps before it lets the volume do what it does when idle. */
const IDLE_PERIOD_MS = 1000;
/** How often a catch-up goes on while the engine sleeps: time for the zones to answer. */
const CATCH_UP_PERIOD_MS = 5;
/** Larger than any message of the server's to a statement of ours. */
const REPLY_BYTES_MAX = 2 ** 30;

/** Takes back whatever a session may have left in the backend; protocol-level statements stay. */
const RESET_SQL =
  'CLOSE ALL; RESET ALL; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES';
/** No statement of ours finds what a client created, and none (some carry verifiers) is logged. */
const ADMIN_SQL =
  'SET search_path = pg_catalog; SET log_statement = none; SET log_min_duration_statement = -1; ' +
  'SET log_min_error_statement = panic';

export type LoopParts = {
  readonly backend: Backend;
  readonly identity: SessionIdentity;
  readonly input: MessagePort;
  readonly control: MessagePort;
  readonly shared: Int32Array;
  readonly post: (message: FromWorker) => void;
  readonly serveControl: (message: ControlMessage) => ControlResults[ControlMessage['type']];
  readonly onIdle: () => void;
  /** Goes on with what a zone has to catch up with; true while there is more. */
  readonly catchUp: () => boolean;
  /** Throws when the volume failed where the engine could not see it. */
  readonly checkHealth: () => void;
};

export class EngineLoop {
  readonly #parts: LoopParts;
  #controlServed = 0;
  #epoch = 0;
  /** The setup of the present epoch failed: its input is dropped. */
  #refused = false;
  /** The `abort` that came while a statement waited for input, until it is carried out. */
  #abortId: number | null = null;
  /** True while a client's statement runs: only then may it be cancelled. */
  #running = false;
  #output: Buffer[] = [];
  #outputBytes = 0;
  #detached = false;

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  /** Serves until `close`; returns its id. The engine itself is shut down by the caller. */
  serve(): number {
    for (;;) {
      const input = this.#nextInput();
      switch (input.type) {
        case 'acquire':
          this.#acquire(input);
          break;
        case 'input':
          if (!this.#refused) this.#run(input.bytes);
          this.#consumed(input.bytes.length);
          break;
        case 'abort':
          this.#abort(input.id);
          break;
        case 'internal':
          this.#internal(input);
          break;
        case 'close':
          return input.id;
      }
    }
  }

  /** After the engine is shut down: the volume still takes commands until `detach`. */
  serveControlUntilDetached(): void {
    for (;;) {
      const seen = Atomics.load(this.#parts.shared, SharedWord.wake);
      this.poll();
      if (this.#detached) return;
      this.#sleep(seen);
    }
  }

  /** Called from inside a running statement, between two file operations. Cheap when there is nothing to do. */
  poll(): void {
    const {shared, backend} = this.#parts;
    if (Atomics.load(shared, SharedWord.control) !== this.#controlServed) this.#serveControl();
    if (this.#running && Atomics.load(shared, SharedWord.cancel) === this.#epoch) {
      Atomics.store(shared, SharedWord.cancel, 0);
      backend.interrupt();
    }
  }

  #acquire(input: Extract<InputMessage, {type: 'acquire'}>): void {
    const {backend} = this.#parts;
    Atomics.store(this.#parts.shared, SharedWord.cancel, 0);
    this.#epoch = input.epoch;
    this.#refused = false;
    if (input.reset) this.#reset();
    if (!this.#become(input.identity)) {
      this.#refuse(
        reportMessage({
          severity: 'FATAL',
          code: '28000',
          message: `role "${input.identity.name}" does not exist any more`,
        }),
      );
      return;
    }
    for (const setup of input.setup) {
      const report = firstError(backend.exchange(setup));
      // A statement that can no longer be prepared shows when it is bound, as in any server.
      if (report !== undefined && setup[0] === FrontendType.query) {
        this.#refuse(report);
        return;
      }
    }
  }

  #refuse(report: Uint8Array): void {
    this.#refused = true;
    this.#parts.post({type: 'refused', epoch: this.#epoch, report});
  }

  #run(bytes: Uint8Array): void {
    const {backend, checkHealth} = this.#parts;
    this.#running = true;
    backend.run(
      bytes,
      () => this.#pull(),
      output => this.#push(output),
    );
    this.#running = false;
    checkHealth();
    if (this.#abortId !== null) this.#abort(this.#abortId);
    this.#flush();
  }

  /** More input for a statement that reads its client's (COPY FROM STDIN). */
  #pull(): Uint8Array {
    if (this.#abortId !== null) return SYNC_MESSAGE;
    this.#flush();
    const input = this.#nextInput();
    if (input.type === 'input') {
      this.#consumed(input.bytes.length);
      return input.bytes;
    }
    assert(input.type === 'abort', `a running statement gets input or an end, not ${input.type}`);
    this.#abortId = input.id;
    return message(FrontendType.copyFail, 'the client has gone');
  }

  #abort(id: number): void {
    const {backend} = this.#parts;
    backend.exchange(SYNC_MESSAGE);
    backend.exchange(queryMessage('ROLLBACK'));
    this.#abortId = null;
    this.#refused = true;
    this.#output = [];
    this.#outputBytes = 0;
    this.#reply(id, null);
  }

  #internal(input: Extract<InputMessage, {type: 'internal'}>): void {
    const {backend, checkHealth} = this.#parts;
    if (input.as === 'admin') {
      this.#reset();
      backend.exchange(queryMessage(ADMIN_SQL));
    }
    const answer = backend.exchange(input.messages);
    checkHealth();
    this.#reply(input.id, answer);
  }

  #reset(): void {
    if (!this.#become(BOOTSTRAP_IDENTITY)) throw new Error('the bootstrap superuser is gone');
    const report = firstError(this.#parts.backend.exchange(queryMessage(RESET_SQL)));
    if (report !== undefined) {
      throw new Error(`the session cannot be reset: ${Buffer.from(report).toString('latin1')}`);
    }
  }

  #become(identity: Identity): boolean {
    const {identity: session, backend} = this.#parts;
    if (session.current.oid === identity.oid && session.current.name === identity.name) return true;
    return backend.attempt(() => session.become(identity));
  }

  #push(bytes: Uint8Array): void {
    if (this.#abortId !== null) return;
    this.#output.push(Buffer.from(bytes));
    this.#outputBytes += bytes.length;
    if (this.#outputBytes >= OUTPUT_CHUNK_BYTES) {
      this.#flush();
      this.#awaitReader();
    }
  }

  #flush(): void {
    if (this.#outputBytes === 0) return;
    const bytes = Buffer.concat(this.#output, this.#outputBytes);
    Atomics.add(this.#parts.shared, SharedWord.outputBytes, bytes.length);
    this.#parts.post({type: 'output', epoch: this.#epoch, bytes});
    this.#output = [];
    this.#outputBytes = 0;
  }

  #awaitReader(): void {
    const {shared} = this.#parts;
    while (Atomics.load(shared, SharedWord.outputBytes) > OUTPUT_BYTES_MAX) {
      const seen = Atomics.load(shared, SharedWord.wake);
      this.poll();
      if (Atomics.load(shared, SharedWord.outputBytes) > OUTPUT_BYTES_MAX) this.#sleep(seen);
    }
  }

  #consumed(byteCount: number): void {
    this.#parts.post({type: 'consumed', epoch: this.#epoch, byteCount});
  }

  #nextInput(): InputMessage {
    const {shared, input} = this.#parts;
    for (;;) {
      // Before the look at the ports, so that a message that comes after it wakes us.
      const seen = Atomics.load(shared, SharedWord.wake);
      this.poll();
      const received = receiveMessageOnPort(input);
      if (received !== undefined) return received.message as InputMessage;
      this.#sleep(seen);
    }
  }

  /** Until it is woken; at times the volume does what it does when idle, and zones catch up meanwhile. */
  #sleep(seen: number): void {
    const {shared, onIdle, catchUp} = this.#parts;
    const untilMs = systemClock.monotonicMs() + IDLE_PERIOD_MS;
    for (;;) {
      const limitMs = catchUp() ? CATCH_UP_PERIOD_MS : untilMs - systemClock.monotonicMs();
      const outcome = Atomics.wait(shared, SharedWord.wake, seen, Math.max(0, limitMs));
      if (outcome !== 'timed-out') return;
      if (systemClock.monotonicMs() >= untilMs) break;
    }
    onIdle();
  }

  #serveControl(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#parts.control);
      if (received === undefined) return;
      this.#controlServed++;
      const command = received.message as ControlMessage;
      try {
        this.#reply(command.id, this.#parts.serveControl(command));
      } catch (error) {
        this.#parts.post({type: 'reply-error', id: command.id, error: errorParts(error)});
      }
      if (command.type === 'detach') this.#detached = true;
    }
  }

  #reply(id: number, result: unknown): void {
    this.#parts.post({type: 'reply', id, result});
  }
}

/** The first ErrorResponse among the server's messages. */
function firstError(answer: Buffer): Buffer | undefined {
  const reader = new MessageReader({bytesMax: REPLY_BYTES_MAX, startsUntyped: false});
  return reader.push(answer).find(({type}) => type === BackendType.errorResponse)?.bytes;
}

function errorParts(error: unknown): Extract<FromWorker, {type: 'reply-error'}>['error'] {
  const {kind, code} =
    error instanceof BorealisError ? error : ({kind: 'internal', code: 'volume'} as const);
  return {kind, code, message: errorMessage(error)};
}
