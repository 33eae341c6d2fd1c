/**
 * Zones of a mirror that are directories, each with two threads of its own:
 *
 *     mirror's thread ──append line──▶ thread: writes, syncs, records ──▶ disk
 *                     ──read line────▶ thread: reads, copies          ──▶ disk
 *
 * The mirror's thread touches no disk, so that one that hangs cannot stop it.
 */
import {Worker} from 'node:worker_threads';
import {assert} from '../base/assert.ts';
import {systemClock} from '../base/clock.ts';
import {entryPoint} from '../base/entry-point.ts';
import {ThreadLine} from './thread-line.ts';
import {ZoneBoard} from './zone-board.ts';
import type {ZoneChannel, ZoneFailure, ZoneMedium, ZonePlace} from './zone-channel.ts';
import {
  bytesToRead,
  isStreamed,
  lineOf,
  type LineName,
  type Outcome,
  type ZoneOperation,
} from './zone-operation.ts';

export type ZoneWorkerData = {
  readonly line: LineName;
  readonly shared: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly slot: number;
  readonly zone: ZonePlace;
};

/** `workerEntry` is for tests that bring a disk of their own. */
export function zonesOfThreads(
  zones: readonly ZonePlace[],
  board: ZoneBoard = new ZoneBoard(),
  workerEntry: string = entryPoint('page-store/zone-worker'),
): ZoneMedium {
  const places = new Map<string, string>();
  const setZones = (given: readonly ZonePlace[]): void => {
    places.clear();
    for (const {name, directory} of given) places.set(name, directory);
  };
  setZones(zones);
  return {
    board,
    get names() {
      return [...places.keys()];
    },
    setZones,
    open: (name, slot) => new ThreadChannel({name, slot, places, board, workerEntry}),
    nowMs: () => systemClock.monotonicMs(),
    wait: (seen, limitMs) => board.waitForBell(seen, limitMs),
    close: () => undefined,
  };
}

type Line = {
  readonly thread: ThreadLine;
  submitted: number;
  readonly outcomes: Map<number, Outcome>;
  readonly wanted: Set<number>;
  /** The last operation that had each room: 0 while there was none. */
  readonly rooms: number[];
};

type ChannelParts = {
  readonly name: string;
  readonly slot: number;
  /** Of all zones, as they are now. */
  readonly places: ReadonlyMap<string, string>;
  readonly board: ZoneBoard;
  readonly workerEntry: string;
};

class ThreadChannel implements ZoneChannel {
  readonly #places: ReadonlyMap<string, string>;
  readonly #lines: Readonly<Record<LineName, Line>>;
  #failure: ZoneFailure | null = null;

  constructor({name, slot, places, board, workerEntry}: ChannelParts) {
    this.#places = places;
    const directory = places.get(name);
    assert(directory !== undefined, 'a zone that is opened is one of the zones');
    const begin = (line: LineName): Line => {
      const thread = new ThreadLine(line);
      const {shared} = thread;
      const zone = {name, directory};
      const data: ZoneWorkerData = {line, shared, board: board.shared, slot, zone};
      // The entry is compiled: a loader that the parent runs with would only make each start slower.
      const worker = new Worker(workerEntry, {workerData: data, execArgv: []});
      worker.unref();
      // What ends the thread is told through its line; this event may come much later.
      worker.on('error', () => thread.end());
      const rooms = Array.from({length: thread.roomCount}, () => 0);
      return {thread, submitted: 0, outcomes: new Map(), wanted: new Set(), rooms};
    };
    this.#lines = {append: begin('append'), read: begin('read')};
  }

  submit(operation: ZoneOperation, bytes: readonly Uint8Array[]): number | null {
    const line = this.#lines[lineOf(operation)];
    const needsRoom = bytesToRead(operation) > 0;
    const room = needsRoom ? this.#freeRoom(line) : null;
    if (needsRoom && room === null) return null;
    if (!line.thread.push(this.#withPlace(operation), bytes, room)) return null;
    line.submitted++;
    if (room !== null) line.rooms[room] = line.submitted;
    if (!isStreamed(operation)) line.wanted.add(line.submitted);
    return line.submitted;
  }

  take(name: LineName, ticket: number): Outcome | null {
    const line = this.#lines[name];
    this.#drain(line);
    const outcome = line.outcomes.get(ticket) ?? null;
    if (outcome !== null) {
      line.outcomes.delete(ticket);
      line.wanted.delete(ticket);
    }
    return outcome;
  }

  forget(name: LineName, ticket: number): void {
    this.#lines[name].wanted.delete(ticket);
    this.#lines[name].outcomes.delete(ticket);
  }

  done(name: LineName): number {
    // The shared count wraps at 2^32; what is under way is always less.
    const {submitted, thread} = this.#lines[name];
    return submitted - ((submitted - thread.done) >>> 0);
  }

  submitted(name: LineName): number {
    return this.#lines[name].submitted;
  }

  hasBegun(): boolean {
    return Object.values(this.#lines).every(line => line.thread.hasBegun);
  }

  failure(): ZoneFailure | null {
    for (const line of Object.values(this.#lines)) this.#drain(line);
    if (this.#failure === null && Object.values(this.#lines).some(line => line.thread.hasEnded)) {
      this.#failure = {kind: 'unavailable', code: 'zone-io', message: 'its thread has ended'};
    }
    return this.#failure;
  }

  stop(): void {
    for (const line of Object.values(this.#lines)) line.thread.stop();
  }

  hasEnded(): boolean {
    return Object.values(this.#lines).every(line => line.thread.hasEnded);
  }

  /** The thread does not know where other zones lie: they come and go. */
  #withPlace(operation: ZoneOperation): ZoneOperation {
    if (operation.kind !== 'copy') return operation;
    const sourceDirectory = this.#places.get(operation.source);
    return sourceDirectory === undefined ? operation : {...operation, sourceDirectory};
  }

  /** One whose operation is done, and is wanted no more. */
  #freeRoom(line: Line): number | null {
    this.#drain(line);
    const done = this.done('read');
    const index = line.rooms.findIndex(ticket => ticket <= done && !line.wanted.has(ticket));
    return index < 0 ? null : index;
  }

  #drain(line: Line): void {
    const roomOf = (ticket: number): number | null => {
      const index = line.rooms.indexOf(ticket);
      return index < 0 ? null : index;
    };
    for (;;) {
      const answer = line.thread.shiftAnswer(roomOf);
      if (answer === null) return;
      const {ticket, outcome} = answer;
      if (ticket === 0 && !outcome.ok) this.#failure ??= outcome;
      else if (line.wanted.has(ticket)) line.outcomes.set(ticket, outcome);
    }
  }
}
