/**
 * The body of a zone's thread: does the operations of one line, in order, until it is asked to stop or
 * something that was appended fails.
 *
 * Group commit: of the operations that wait when it looks, all syncs become one fdatasync of each
 * segment, after the last of them.
 */
import type {ThreadLine} from './thread-line.ts';
import type {ZoneBoard} from './zone-board.ts';
import {failureOf, outcomeOf, type ZoneExecutor} from './zone-executor.ts';
import {isStreamed, type ZoneOperation} from './zone-operation.ts';

type Sync = Extract<ZoneOperation, {kind: 'sync'}>;
/** How many operations are taken at a time, so that a sync is not put off for long. */
const GROUP_MAX = 1024;
const NO_ROOM_PAUSE_MS = 1;

export class ZoneThread {
  readonly #line: ThreadLine;
  readonly #board: ZoneBoard;
  readonly #executor: ZoneExecutor;
  #taken = 0;
  #syncs: Sync[] = [];
  /** The bell was rung for all that is done. */
  #isTold = true;

  constructor(line: ThreadLine, board: ZoneBoard, executor: ZoneExecutor) {
    this.#line = line;
    this.#board = board;
    this.#executor = executor;
  }

  /** Returns when it was asked to stop. Throws what ends the line. */
  serve(): void {
    while (this.#line.waitForOperation()) {
      for (let count = 0; count < GROUP_MAX && this.#line.isRunning; count++) {
        const next = this.#line.shift();
        if (next === null) break;
        this.#perform(next.operation, next.bytes, next.room);
      }
      // Who has its answer was told of it: the bell would only wake it up once more.
      if (!this.#isTold) this.#sync();
    }
  }

  #perform(operation: ZoneOperation, bytes: Buffer, room: number | null): void {
    const ticket = this.#taken + 1;
    this.#isTold = false;
    if (operation.kind === 'sync') {
      this.#syncs.push(operation);
      this.#taken = ticket;
      return;
    }
    if (isStreamed(operation)) {
      this.#executor.run(operation, bytes);
      this.#taken = ticket;
      // A sync that waits holds back the count: it is not done yet.
      if (this.#syncs.length === 0) this.#line.setDone(ticket);
      return;
    }
    if (this.#syncs.length > 0) this.#sync();
    const outcome = outcomeOf(this.#executor, operation, bytes, length =>
      room === null ? Buffer.allocUnsafe(length) : this.#line.room(room).subarray(0, length),
    );
    this.#line.answer(ticket, outcome, () => this.#pause());
    this.#taken = ticket;
    this.#line.setDone(ticket);
    this.#board.ring();
    this.#isTold = true;
  }

  #sync(): void {
    if (this.#syncs.length > 0) {
      this.#executor.sync(this.#syncs);
      this.#syncs = [];
    }
    this.#line.setDone(this.#taken);
    this.#board.ring();
    this.#isTold = true;
  }

  #pause(): void {
    this.#board.waitForBell(this.#board.bell(), NO_ROOM_PAUSE_MS);
  }
}

/** Runs `serve` and tells what ended it. */
export function runZoneThread(line: ThreadLine, board: ZoneBoard, serve: () => void): void {
  try {
    serve();
  } catch (error) {
    const outcome = failureOrBug(error);
    line.answer(0, outcome, () => board.waitForBell(board.bell(), NO_ROOM_PAUSE_MS));
  } finally {
    line.end();
    board.ring();
  }
}

function failureOrBug(error: unknown): ReturnType<typeof failureOf> {
  try {
    return failureOf(error);
  } catch (bug) {
    // A failed assertion ends this thread only; the mirror goes on without the zone and says why.
    return {ok: false, kind: 'internal', code: 'assertion', message: String(bug)};
  }
}
