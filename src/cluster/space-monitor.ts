/**
 * Watches the free space of the store. While no more than the reserve is left, writes of all engines
 * wait (attachment/space-guard.ts), clusters and instances show `storage-full`, and what would take more
 * space is refused; deletes go on, and give space back.
 */
import {every} from '../base/clock.ts';
import {errorChain} from '../base/errors.ts';
import type {Logger} from '../base/log.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';

const LOOK_PERIOD_MS = 2_000;
const MIB = 2 ** 20;

export type SpaceMonitorOptions = {
  readonly freeBytes: () => Promise<number>;
  readonly reserveBytes: number;
  /** Told of each change, with a sentence for people. */
  readonly onChange: (isLow: boolean, message: string) => void;
  readonly logger: Logger;
};

export class SpaceMonitor {
  readonly #options: SpaceMonitorOptions;
  #isLow = false;
  #message = '';
  #isLooking = false;
  #stop: () => void = () => undefined;

  constructor(options: SpaceMonitorOptions) {
    this.#options = options;
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  /** What is wrong and what helps; empty while there is space. */
  get message(): string {
    return this.#message;
  }

  /** The status that a reader sees: of what serves, `storage-full` while its writes wait. */
  shown<S extends ClusterRecord['status'] | InstanceRecord['status']>(
    status: S,
  ): S | 'storage-full' {
    const serves = status === 'available' || status === 'starting' || status === 'modifying';
    return this.#isLow && serves ? 'storage-full' : status;
  }

  start(): void {
    this.#stop = every(LOOK_PERIOD_MS, () => void this.look());
  }

  stop(): void {
    this.#stop();
  }

  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const {reserveBytes, onChange} = this.#options;
      const freeBytes = await this.#options.freeBytes();
      const isLow = freeBytes <= reserveBytes;
      if (isLow === this.#isLow) return;
      this.#isLow = isLow;
      this.#message = isLow ? fullMessage(freeBytes, reserveBytes) : '';
      onChange(isLow, isLow ? this.#message : 'There is space again: writes go on.');
    } catch (error) {
      this.#options.logger.warn(`free space is unknown: ${errorChain(error)}`);
    } finally {
      this.#isLooking = false;
    }
  }
}

function fullMessage(freeBytes: number, reserveBytes: number): string {
  return `Storage is full: ${Math.floor(freeBytes / MIB)} MiB are free, and ${Math.ceil(reserveBytes / MIB)} MiB are kept in reserve. Writes wait. Delete DB clusters that are not needed, or make room on the disk.`;
}
