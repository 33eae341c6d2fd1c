/**
 * How a mirror speaks to one of its zones: operations go in, and what became of them is seen later.
 * Nothing here waits for the zone, so a zone that hangs blocks nobody. Behind it are threads
 * (thread-channel.ts), or a simulation of them with a clock and faults of its own.
 */
import type {ErrorKind} from '../base/errors.ts';
import type {LineName, Outcome, ZoneOperation} from './zone-operation.ts';
import type {ZoneBoard} from './zone-board.ts';

export type ZoneFailure = {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly message: string;
};

export type ZoneChannel = {
  /** Puts an operation in its line and returns its number there, from 1; null while there is no room. */
  submit(operation: ZoneOperation, bytes: readonly Uint8Array[]): number | null;
  /**
   * What became of an operation that has an answer, once; null while it has not come. What was read of a segment
   * is good until the next `submit`.
   */
  take(line: LineName, ticket: number): Outcome | null;
  /** Nobody wants that answer any more. */
  forget(line: LineName, ticket: number): void;
  /** Operations up to this number are done. */
  done(line: LineName): number;
  /** The number of the last operation. */
  submitted(line: LineName): number;
  /** Its threads run: until then nothing can be said of the zone. */
  hasBegun(): boolean;
  /** Why a line does nothing any more. */
  failure(): ZoneFailure | null;
  /** Asks both lines to end, without what still waits. */
  stop(): void;
  /** Nothing of this channel touches the zone any more. */
  hasEnded(): boolean;
};

/** A zone that is a directory. */
export type ZonePlace = {readonly name: string; readonly directory: string};

/** Where channels live. */
export type ZoneMedium = {
  readonly board: ZoneBoard;
  /** Of the zones, as the medium was made or as it was told last. */
  readonly names: readonly string[];
  /** The zones are these from now on: who is new can be opened, and copied from. */
  setZones(zones: readonly ZonePlace[]): void;
  /** `slot` of the board is where the zone publishes. */
  open(name: string, slot: number): ZoneChannel;
  /** On a clock that never steps. */
  nowMs(): number;
  /** Returns when something was done since the bell was at `seen`, or after `limitMs`. */
  wait(seen: number, limitMs: number): void;
  close(): void;
};
