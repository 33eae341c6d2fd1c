/**
 * The faults of a zone in memory, and when they strike. Every call of the zone and of its segments
 * passes here once, so that a simulation can end the machine or the process in any of them.
 *
 *     call ──▶ others take their turn ──▶ the end? ──▶ a failure? ──▶ effect
 *
 * A fault is armed with the number of calls to go before it strikes, and strikes once.
 */
import {BorealisError} from '../../base/errors.ts';

/** A random whole number from 0 up to but not including `below`. */
export type Random = (below: number) => number;

/** A small generator (mulberry32): the same seed gives the same numbers. */
export function seeded(seed: number): Random {
  let state = seed;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The process, or the whole machine, ended in the middle of a call. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
}

export type CallKind = 'read' | 'write' | 'sync' | 'metadata';
/** `lose` and `misdirect` are silent: the write seems to succeed. */
export type FaultName =
  | 'end'
  | 'read-error'
  | 'write-error'
  | 'sync-error'
  | 'lose-write'
  | 'misdirect-write';

const ERRORS: Partial<Record<FaultName, CallKind>> = {
  'read-error': 'read',
  'write-error': 'write',
};

export class ZoneFaults {
  /** Bytes that segments may take in all. */
  capacityBytes: number = Infinity;
  /** Other processes take their turn: called before each call. */
  interleave: () => void = () => undefined;
  /** Told of each fault when it strikes, and of the zone that it strikes, where that is known. */
  onFault: (fault: FaultName | 'full', zone: string | null) => void = () => undefined;
  readonly random: Random;
  readonly #armed = new Map<FaultName, number>();
  #ended = false;
  #calls = 0;

  constructor(random: Random = seeded(1)) {
    this.random = random;
  }

  /** Calls of the zone so far. */
  get calls(): number {
    return this.#calls;
  }

  /** Strikes in the call after `callsToGo` more that it can concern. */
  arm(fault: FaultName, callsToGo: number): void {
    this.#armed.set(fault, callsToGo);
  }

  disarm(fault: FaultName): void {
    this.#armed.delete(fault);
  }

  disarmAll(): void {
    this.#armed.clear();
    this.capacityBytes = Infinity;
  }

  /** The machine or the process starts again. */
  restart(): void {
    this.#ended = false;
    this.#armed.delete('end');
  }

  /** Runs a call. One that the end cuts off had its effect whole, in part, or not at all. */
  call<T>(kind: CallKind, effect: () => T, part: () => void = () => undefined): T {
    this.throwIfEnded();
    this.interleave();
    this.throwIfEnded();
    this.#calls++;
    if (this.strikes('end')) {
      this.#ended = true;
      const extent = this.random(3);
      if (extent === 0) part();
      else if (extent === 1 && kind !== 'read') effect();
      this.throwIfEnded();
    }
    for (const [fault, concerned] of Object.entries(ERRORS) as [FaultName, CallKind][]) {
      if (concerned !== kind || !this.strikes(fault)) continue;
      if (this.random(2) === 0) part();
      throw inputOutputError(kind);
    }
    return effect();
  }

  /** True when the fault was armed and its time has come. */
  strikes(fault: FaultName, zone: string | null = null): boolean {
    const callsToGo = this.#armed.get(fault);
    if (callsToGo === undefined) return false;
    if (callsToGo > 0) {
      this.#armed.set(fault, callsToGo - 1);
      return false;
    }
    this.#armed.delete(fault);
    this.onFault(fault, zone);
    return true;
  }

  full(): BorealisError {
    this.onFault('full', null);
    return new BorealisError('unavailable', 'zone-full', 'cannot write: the disk is full');
  }

  /** For whoever waits: code that tries a zone may take the end for a failure of that zone. */
  throwIfEnded(): void {
    if (this.#ended) throw new ProcessEnded('the process has ended');
  }
}

export function inputOutputError(kind: CallKind): BorealisError {
  return new BorealisError('unavailable', 'zone-io', `cannot ${kind}: I/O failed (simulated)`);
}
