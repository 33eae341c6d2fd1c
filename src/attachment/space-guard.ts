/**
 * Keeps engines from meeting a full disk: writes wait while the store has no more free space than its
 * reserve. What must go on to get out of there (deletes, checkpoints, barriers, forks) uses the reserve.
 *
 * PostgreSQL PANICs when a write to its WAL fails, and takes one that does not return for a slow disk.
 *
 * Each look at the disk grants a budget, a small share of what is left, so that many instances that
 * write to one disk at a time stay out of the reserve together without knowing of each other.
 */
export type SpaceGuardOptions = {
  readonly freeBytes: () => number;
  /** 0: never wait. */
  readonly reserveBytes: number;
};

/** Of what is left above the reserve; above the number of instances that a service runs. */
const BUDGET_SHARE = 64;
const BUDGET_BYTES_MAX = 16 * 2 ** 20;

export class SpaceGuard {
  readonly #freeBytes: () => number;
  readonly #reserveBytes: number;
  #budgetBytes = 0;
  #isLow = false;

  constructor({freeBytes, reserveBytes}: SpaceGuardOptions) {
    this.#freeBytes = freeBytes;
    this.#reserveBytes = reserveBytes;
  }

  /** Whether a write of `bytes` has to wait. Once it has to, so has every later one, until `look` finds space. */
  mustWait(bytes: number): boolean {
    if (this.#reserveBytes === 0) return false;
    if (!this.#isLow && bytes > this.#budgetBytes) this.look();
    if (this.#isLow) return true;
    this.#budgetBytes -= bytes;
    return false;
  }

  /** Looks at the disk again. True when writes may go on. */
  look(): boolean {
    const leftBytes = this.#freeBytes() - this.#reserveBytes;
    this.#isLow = this.#reserveBytes > 0 && leftBytes <= 0;
    this.#budgetBytes = Math.min(leftBytes / BUDGET_SHARE, BUDGET_BYTES_MAX);
    return !this.#isLow;
  }
}
