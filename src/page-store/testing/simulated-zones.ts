/**
 * The zones of a mirror without threads: operations are done when a simulated clock reaches their
 * time, on zones in memory. Each zone can be slow, hang, fail, be full or be gone, all deterministic.
 */
import {assert} from '../../base/assert.ts';
import {BorealisError} from '../../base/errors.ts';
import type {ZoneChannel, ZoneFailure, ZoneMedium} from '../zone-channel.ts';
import {ZoneBoard} from '../zone-board.ts';
import {failureOf, ZoneExecutor} from '../zone-executor.ts';
import {
  isStreamed,
  lineOf,
  type LineName,
  type Outcome,
  type ZoneOperation,
} from '../zone-operation.ts';
import type {Zone} from '../zone.ts';

export type Faults = {
  /** What each operation takes. */
  delayMs: number;
  /** And what waits in the line of writes besides. */
  writeDelayMs: number;
  /** Nothing is done before this time. */
  hungUntilMs: number;
  /** Every operation fails with this, as a disk that broke, is full or is gone. */
  failure: 'zone-io' | 'zone-full' | 'zone-lost' | null;
};

/** The disks of one machine, its clock, and what ails them: what all its processes share. */
export class SimulatedDisks {
  /** All that were ever there, those of zones that were removed too. */
  readonly zones: Zone[] = [];
  readonly faults: Faults[] = [];
  /** Counts the disks that took the place of another one. */
  readonly replacements: number[] = [];
  nowMs: number;
  /** Called while a process waits: others may go on. */
  onWait: (waiting: SimulatedZones) => void = () => undefined;

  constructor(zones: readonly Zone[], startMs = 0) {
    this.nowMs = startMs;
    for (const zone of zones) this.add(zone);
  }

  get names(): readonly string[] {
    return this.zones.map(({name}) => name);
  }

  add(zone: Zone): void {
    this.zones.push(zone);
    this.faults.push({delayMs: 0, writeDelayMs: 0, hungUntilMs: 0, failure: null});
    this.replacements.push(0);
  }

  /** Another disk is there: what was open on the old one fails. */
  replace(index: number, zone: Zone): void {
    this.zones[index] = zone;
    this.replacements[index] = (this.replacements[index] ?? 0) + 1;
  }
}

const NO_BYTES: Buffer = Buffer.alloc(0);

/** What is given to a zone does not change any more: one piece need not be copied. */
function join(bytes: readonly Uint8Array[]): Buffer {
  const [only] = bytes;
  if (only === undefined) return NO_BYTES;
  if (bytes.length > 1) return Buffer.concat(bytes);
  return Buffer.from(only.buffer, only.byteOffset, only.length);
}

/** Bytes that wait in one line at most. */
const LINE_BYTES = 4 * 2 ** 20;

type Queued = {ticket: number; operation: ZoneOperation; bytes: Buffer; readyMs: number};

/** The zones as one process has them open. */
export class SimulatedZones implements ZoneMedium {
  readonly board: ZoneBoard = new ZoneBoard();
  readonly disks: SimulatedDisks;
  readonly #channels: SimulatedChannel[] = [];
  #names: readonly string[];
  #depth = 0;

  constructor(zones: readonly Zone[] | SimulatedDisks, startMs = 0) {
    this.disks = zones instanceof SimulatedDisks ? zones : new SimulatedDisks(zones, startMs);
    this.#names = this.disks.zones.map(({name}) => name);
  }

  get names(): readonly string[] {
    return this.#names;
  }

  get faults(): readonly Faults[] {
    return this.disks.faults;
  }

  setZones(zones: readonly {readonly name: string}[]): void {
    this.#names = zones.map(({name}) => name);
  }

  /** A disk that a zone may be made of. */
  addDisk(zone: Zone): void {
    this.disks.add(zone);
  }

  /** A call of this process is under way: it waits, or one of its zones is at work. */
  get isBusy(): boolean {
    return this.#depth > 0;
  }

  open(name: string, slot: number): ZoneChannel {
    const {zones} = this.disks;
    const zoneNamed = (wanted: string): Zone => zones.find(zone => zone.name === wanted) as Zone;
    const index = zones.indexOf(zoneNamed(name));
    const channel = new SimulatedChannel(this, index, {
      zone: zoneNamed(name),
      peer: ({source}) => zoneNamed(source),
      away: call => call(),
      publish: lsn => this.board.publish(slot, lsn),
    });
    this.#channels.push(channel);
    return channel;
  }

  replaceZone(index: number, zone: Zone): void {
    this.disks.replace(index, zone);
  }

  nowMs(): number {
    return this.disks.nowMs;
  }

  wait(seen: number, limitMs: number): void {
    this.pump();
    if (this.board.bell() !== seen) return;
    this.busy(() => this.disks.onWait(this));
    const next = Math.min(...this.#channels.map(channel => channel.nextMs()));
    this.disks.nowMs += Math.max(0.01, Math.min(limitMs, next - this.disks.nowMs));
    this.pump();
  }

  /** Lets time pass. */
  advance(durationMs: number): void {
    this.disks.nowMs += durationMs;
    this.pump();
  }

  /** Lets time pass until everything that was asked for is done. */
  finish(): void {
    for (;;) {
      const next = Math.min(...this.#channels.map(channel => channel.nextMs()));
      if (next === Infinity) return;
      this.advance(Math.max(0, next - this.disks.nowMs));
    }
  }

  close(): void {
    this.#channels.length = 0;
  }

  /** The process dies: what its zones were still to do is never done. */
  die(): void {
    for (const channel of this.#channels) channel.drop();
    this.close();
  }

  /** Does what is due. */
  pump(): void {
    for (const channel of this.#channels) channel.pump();
  }

  busy<T>(run: () => T): T {
    this.#depth++;
    try {
      return run();
    } finally {
      this.#depth--;
    }
  }
}

class SimulatedChannel implements ZoneChannel {
  readonly #zones: SimulatedZones;
  readonly #index: number;
  readonly #faults: Faults;
  readonly #executor: ZoneExecutor;
  readonly #lines: Record<LineName, {queue: Queued[]; submitted: number; done: number}> = {
    append: {queue: [], submitted: 0, done: 0},
    read: {queue: [], submitted: 0, done: 0},
  };
  readonly #outcomes = new Map<string, Outcome>();
  readonly #replacement: number | undefined;
  #failure: ZoneFailure | null = null;
  #isStopped = false;
  #isPerforming = false;

  constructor(
    zones: SimulatedZones,
    index: number,
    parts: ConstructorParameters<typeof ZoneExecutor>[0],
  ) {
    this.#zones = zones;
    this.#index = index;
    this.#faults = zones.faults[index] as Faults;
    this.#executor = new ZoneExecutor(parts);
    this.#replacement = zones.disks.replacements[index];
  }

  submit(operation: ZoneOperation, bytes: readonly Uint8Array[]): number | null {
    const name = lineOf(operation);
    const line = this.#lines[name];
    const {delayMs, writeDelayMs} = this.#faults;
    const waiting = line.queue.reduce((sum, queued) => sum + queued.bytes.length, 0);
    const joined = join(bytes);
    if (this.#isStopped || (waiting > 0 && waiting + joined.length > LINE_BYTES)) return null;
    const beforeMs = line.queue.at(-1)?.readyMs ?? this.#zones.nowMs();
    const takesMs = delayMs + (name === 'append' ? writeDelayMs : 0);
    const readyMs = Math.max(beforeMs, this.#zones.nowMs()) + takesMs;
    const ticket = ++line.submitted;
    line.queue.push({ticket, operation, bytes: joined, readyMs});
    return ticket;
  }

  take(line: LineName, ticket: number): Outcome | null {
    this.pump();
    const key = `${line}:${ticket}`;
    const outcome = this.#outcomes.get(key) ?? null;
    this.#outcomes.delete(key);
    return outcome;
  }

  forget(): void {
    // What nobody takes goes with the channel.
  }

  done(line: LineName): number {
    this.pump();
    return this.#lines[line].done;
  }

  submitted(line: LineName): number {
    return this.#lines[line].submitted;
  }

  hasBegun(): boolean {
    return true;
  }

  failure(): ZoneFailure | null {
    this.pump();
    return this.#failure;
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.drop();
    this.#executor.close();
  }

  drop(): void {
    for (const line of Object.values(this.#lines)) line.queue.length = 0;
  }

  hasEnded(): boolean {
    return this.#zones.nowMs() >= this.#faults.hungUntilMs;
  }

  /** When something would be done next. */
  nextMs(): number {
    const ready = Object.values(this.#lines).map(({queue}) => queue[0]?.readyMs ?? Infinity);
    return Math.max(Math.min(...ready), this.#faults.hungUntilMs);
  }

  /** Does what is due. */
  pump(): void {
    const nowMs = this.#zones.nowMs();
    if (this.#zones.disks.replacements[this.#index] !== this.#replacement) {
      this.#failure ??= {kind: 'unavailable', code: 'zone-lost', message: 'the disk is gone'};
    }
    if (nowMs < this.#faults.hungUntilMs) return;
    for (const name of ['append', 'read'] as const) {
      const line = this.#lines[name];
      while (this.#failure === null && (line.queue[0]?.readyMs ?? Infinity) <= nowMs) {
        assert(!this.#isPerforming, 'a line does one thing after the other');
        this.#isPerforming = true;
        const queued = line.queue.shift() as Queued;
        try {
          this.#zones.busy(() => this.#perform(name, queued));
        } finally {
          this.#isPerforming = false;
        }
        this.#zones.board.ring();
      }
    }
  }

  #perform(name: LineName, {ticket, operation, bytes}: Queued): void {
    const outcome = this.#outcome(operation, bytes);
    if (isStreamed(operation)) {
      if (!outcome.ok) {
        this.#failure = outcome;
        return;
      }
    } else {
      this.#outcomes.set(`${name}:${ticket}`, outcome);
    }
    this.#lines[name].done = ticket;
  }

  #outcome(operation: ZoneOperation, bytes: Buffer): Outcome {
    const {failure} = this.#faults;
    if (failure === null) return this.#executed(operation, bytes);
    return failureOf(new BorealisError('unavailable', failure, `simulated: ${failure}`));
  }

  /** What ends the process, or a bug, is no outcome. */
  #executed(operation: ZoneOperation, bytes: Buffer): Outcome {
    try {
      return {ok: true, ...this.#executor.run(operation, bytes)};
    } catch (error) {
      if (error instanceof BorealisError) return failureOf(error);
      throw error;
    }
  }
}
