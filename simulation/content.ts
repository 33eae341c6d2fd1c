/**
 * What a volume holds, twice: the real thing, and a naive model of it. Two kinds drive the two layers:
 * pages of numbered files, and a file system.
 */
import type {Clock} from '../src/base/clock.ts';
import type {Random} from '../src/page-store/testing/zone-faults.ts';
import type {Volume} from '../src/volume/volume.ts';

/** What the simulation demands does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export function demand(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Violation(what());
}

/** The model after one operation: never changed again, so that a fork and a crash can go back to it. */
export type State = {
  /** All that can be seen, as text. */
  readonly text: () => string;
};

export type Operation<S> = {
  readonly label: string;
  /** Pages that it changes, at most. */
  readonly pagesMax: number;
  /** The state once it is done. */
  readonly next: S;
  /** Does it for real, and throws a Violation when its outcome is not the model's. */
  readonly run: () => void;
};

/** One kind of content, as S describes it. */
export type ContentKind<S extends State> = {
  readonly name: string;
  readonly empty: S;
  /** Puts the empty content into a new volume, durably. */
  format(volume: Volume, clock: Clock): void;
  /** Attaches to a volume that was just opened. */
  open(volume: Volume, clock: Clock): Content<S>;
};

export type Content<S extends State> = {
  /** An operation that may follow `state`. */
  plan(state: S, random: Random): Operation<S>;
  /** Reads everything. */
  read(): string;
  /** Reads something by other ways than `read` does, and demands that it is what `state` says. */
  probe(state: S, random: Random): void;
};

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T;
}

/** The first difference of two texts of lines, for a message. */
export function difference(found: string, expected: string): string {
  const real = found.split('\n');
  const model = expected.split('\n');
  const at = real.findIndex((line, index) => line !== model[index]);
  const line = at === -1 ? real.length : at;
  return `found ${short(real[line])} where the model has ${short(model[line])}`;
}

function short(line: string | undefined): string {
  if (line === undefined) return 'nothing';
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
