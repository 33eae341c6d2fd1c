/**
 * Zones of a mirror that are directories, each with two threads of its own:
 *
 *     mirror's thread ──append line──▶ thread: writes, syncs, records ──▶ disk
 *                     ──read line────▶ thread: reads, copies          ──▶ disk
 *
 * The mirror's thread touches no disk, so that one that hangs cannot stop it.
 */
import {Worker} from 'node:worker_threads';
import {systemClock} from '../base/clock.ts';
import {entryPoint} from '../base/entry-point.ts';
import {ThreadLine} from './thread-line.ts';
import {ZoneBoard} from './zone-board.ts';
import type {ZoneChannel, ZoneFailure, ZoneMedium} from './zone-channel.ts';
import {
  isStreamed,
  lineOf,
  type LineName,
  type Outcome,
  type ZoneOperation,
} from './zone-operation.ts';

export type DirectoryZoneConfig = {readonly name: string; readonly directory: string};

export type ZoneWorkerData = {
  readonly line: LineName;
  readonly shared: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly index: number;
  readonly zones: readonly DirectoryZoneConfig[];
};

/** `workerEntry` is for tests that bring a disk of their own. */
export function zonesOfThreads(
  zones: readonly DirectoryZoneConfig[],
  board: ZoneBoard = new ZoneBoard(),
  workerEntry: string = entryPoint('page-store/zone-worker'),
): ZoneMedium {
  return {
    board,
    names: zones.map(zone => zone.name),
    open: index => new ThreadChannel(zones, index, board, workerEntry),
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
};

class ThreadChannel implements ZoneChannel {
  readonly #lines: Readonly<Record<LineName, Line>>;
  #failure: ZoneFailure | null = null;

  constructor(
    zones: readonly DirectoryZoneConfig[],
    index: number,
    board: ZoneBoard,
    workerEntry: string,
  ) {
    const begin = (line: LineName): Line => {
      const thread = new ThreadLine(line);
      const {shared} = thread;
      const data: ZoneWorkerData = {line, shared, board: board.shared, index, zones};
      const worker = new Worker(workerEntry, {workerData: data});
      worker.unref();
      // What ends the thread is told through its line; this event may come much later.
      worker.on('error', () => thread.end());
      return {thread, submitted: 0, outcomes: new Map(), wanted: new Set()};
    };
    this.#lines = {append: begin('append'), read: begin('read')};
  }

  submit(operation: ZoneOperation, bytes: readonly Uint8Array[]): number | null {
    const line = this.#lines[lineOf(operation)];
    if (!line.thread.push(operation, bytes)) return null;
    line.submitted++;
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

  #drain(line: Line): void {
    for (;;) {
      const answer = line.thread.shiftAnswer();
      if (answer === null) return;
      const {ticket, outcome} = answer;
      if (ticket === 0 && !outcome.ok) this.#failure ??= outcome;
      else if (line.wanted.has(ticket)) line.outcomes.set(ticket, outcome);
    }
  }
}
