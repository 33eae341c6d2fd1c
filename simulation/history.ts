/**
 * The versions that a volume may be found at after a crash.
 *
 *     checkpoint ── … ── protected ── … ── floor ── … ── last
 *                                          └ what a crash may leave ┘
 *
 * floor      what the last barrier that succeeded covered.
 * protected  what the barrier before it covered. Batches of the last barrier say that this much was
 *            durable, so when any one place of the log rots, the loss of it is noticed.
 * checkpoint what the volume's record names: the log before it no longer matters.
 *
 * Versions before the checkpoint are forgotten.
 */
import type {DamageKind} from './store-under-test.ts';

export class History<S> {
  #versions: S[];
  #floor = 0;
  #floorLsn: number;
  #protected = 0;

  constructor(versions: readonly S[], lsn: number) {
    this.#versions = [...versions];
    this.#floorLsn = lsn;
  }

  get last(): S {
    return this.#versions.at(-1) as S;
  }

  /** Counts versions from the checkpoint on: what `acknowledge` takes. */
  get lastIndex(): number {
    return this.#versions.length - 1;
  }

  push(version: S): void {
    this.#versions.push(version);
  }

  /** The last version was refused before it changed anything. */
  takeBack(): void {
    this.#versions.pop();
  }

  /**
   * A barrier succeeded that covers the version at `index` and the log up to `lsn`. `says` is true when
   * its last batch was written after the barrier before it had succeeded, and so says that it had.
   */
  acknowledge(index: number, lsn: number, says: boolean): void {
    if (index < this.#floor) return;
    if (says && lsn > this.#floorLsn) this.#protected = this.#floor;
    this.#floorLsn = Math.max(this.#floorLsn, lsn);
    this.#floor = index;
  }

  /** The volume's record names `version` from now on. */
  settle(version: S, lsn: number): void {
    this.#versions = [version];
    this.#floor = 0;
    this.#protected = 0;
    this.#floorLsn = lsn;
  }

  /** The volume was opened at one of the candidates: what came after it never was, and it is durable. */
  recovered(version: S, lsn: number): void {
    this.#versions.length = this.#versions.lastIndexOf(version) + 1;
    this.#floor = this.#versions.length - 1;
    this.#protected = Math.min(this.#protected, this.#floor);
    this.#floorLsn = lsn;
  }

  /** What a crash may leave, oldest first. */
  candidates(damage: DamageKind | null): S[] {
    return this.#versions.slice(this.#oldest(damage));
  }

  #oldest(damage: DamageKind | null): number {
    switch (damage) {
      case null:
      case 'record-rot':
        return this.#floor;
      case 'rot':
      case 'lost-write':
        return this.#protected;
      case 'misdirected-write':
        // It may have hit many batches: those that would tell of it as well.
        return 0;
    }
  }
}
