/** The clock of the machine that a simulation runs on. */
import type {Clock} from '../src/base/clock.ts';
import type {Random} from '../src/page-store/testing/zone-faults.ts';

export class SimulatedClock implements Clock {
  #nowMs = 1_700_000_000_000;
  #monotonicMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Now and then the machine's clock is set back. */
  advance(random: Random): void {
    this.#monotonicMs += random(2000);
    this.#nowMs += random(50) === 0 ? -random(100_000) : random(2000);
  }
}
