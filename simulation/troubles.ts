/**
 * What ails the zones of a store, within what a mirror promises to bear:
 *
 *     away      slow, hung, failing: any zones, for a while. They come back as they were.
 *     lost      one zone is emptied, or is as it once was, and until all are whole again no other one is lost. Of
 *               three any may be emptied, one that others lag behind too; else all must be whole before.
 *               While one is as it once was, no other one is away.
 *     rotten    one zone a run; only that one may be lost afterwards, which mends it
 */
import {MemoryZone} from '../src/page-store/testing/memory-zone.ts';
import type {SimulatedDisks} from '../src/page-store/testing/simulated-zones.ts';
import type {ZoneFaults, Random} from '../src/page-store/testing/zone-faults.ts';
import {pick} from './content.ts';
import type {ZoneTrouble} from './store-under-test.ts';

const AWAY_MAX_MS = 60_000;
const SLOW_MAX_MS = 400;
const SOUND_DELAY_MAX_MS = 6;

export class Troubles {
  readonly #disks: SimulatedDisks;
  readonly #faults: ZoneFaults;
  readonly #random: Random;
  /** When each zone is well again. */
  readonly #endsMs: number[];
  /** A fault struck, or a zone was away, since all were seen to be whole. */
  #isAny = false;
  #isOld = false;
  /** A zone was lost since all were seen to be whole. */
  #isLost = false;
  #rotten: string | null = null;
  #earlier: {index: number; zone: MemoryZone} | null = null;

  constructor(disks: SimulatedDisks, faults: ZoneFaults, random: Random) {
    this.#disks = disks;
    this.#faults = faults;
    this.#random = random;
    this.#endsMs = disks.names.map(() => 0);
    this.#soundDelays();
  }

  /** The zone of which something rotted silently, if any. */
  get rotten(): string | null {
    return this.#rotten;
  }

  noteRot(zone: string): void {
    this.#rotten = zone;
  }

  noteFault(fault: string, zone: string | null): void {
    this.#isAny = true;
    if (fault === 'lose-write' || fault === 'misdirect-write') this.#rotten = zone;
  }

  isAny(): boolean {
    return this.#isAny;
  }

  mustSettleFirst(what: ZoneTrouble): boolean {
    if (what === 'older' || this.#isOld) return true;
    if (what !== 'empty') return false;
    // What was acknowledged is in two zones: of three, one more has it.
    return this.#isLost || this.#disks.names.length < 3 || this.#random(2) === 0;
  }

  /** Returns what was done, or null. */
  strike(what: ZoneTrouble): string | null {
    const random = this.#random;
    const index = this.#pickZone(what);
    const name = this.#disks.names[index];
    const faults = this.#disks.faults[index];
    if (name === undefined || faults === undefined) return null;
    if (what === 'remember') {
      this.#earlier = {index, zone: this.#zone(index).durableCopy(this.#faults)};
      return null;
    }
    this.#isAny = true;
    const durationMs = 1 + random(AWAY_MAX_MS);
    this.#endsMs[index] = Math.max(this.#endsMs[index] ?? 0, this.#disks.nowMs + durationMs);
    if (what === 'slow') faults.delayMs = random(SLOW_MAX_MS);
    else if (what === 'hung') faults.hungUntilMs = this.#disks.nowMs + durationMs;
    else if (what === 'failing')
      faults.failure = pick(random, ['zone-io', 'zone-full', 'zone-lost']);
    else if (!this.#lose(what, index)) return null;
    return `zone ${name}: ${what}`;
  }

  /** What has lasted long enough ends. */
  endOld(): void {
    for (const [index, faults] of this.#disks.faults.entries()) {
      if (this.#disks.nowMs < (this.#endsMs[index] ?? 0)) continue;
      faults.failure = null;
      faults.delayMs = Math.min(faults.delayMs, SOUND_DELAY_MAX_MS);
    }
  }

  endAll(): void {
    for (const faults of this.#disks.faults) Object.assign(faults, {hungUntilMs: 0, failure: null});
    this.#endsMs.fill(0);
    this.#soundDelays();
  }

  /** All zones were seen to be whole. */
  settled(): void {
    this.#isAny = false;
    this.#isOld = false;
    this.#isLost = false;
  }

  #lose(what: 'empty' | 'older', index: number): boolean {
    const old = this.#earlier;
    if (what === 'older' && old === null) return false;
    const zone =
      what === 'empty' || old === null
        ? new MemoryZone(this.#faults, this.#disks.names[index])
        : old.zone;
    this.#earlier = null;
    this.#disks.replace(index, zone);
    this.#isOld = what === 'older';
    this.#isLost = true;
    if (this.#rotten === zone.name) this.#rotten = null;
    return true;
  }

  #pickZone(what: ZoneTrouble): number {
    const rotten = this.#rotten === null ? null : this.#disks.names.indexOf(this.#rotten);
    if (what === 'older') {
      const index = this.#earlier?.index ?? -1;
      // Something may have rotted in another zone since this one was remembered.
      return rotten === null || rotten === index ? index : -1;
    }
    const isLoss = what === 'empty' || what === 'remember';
    if (isLoss && rotten !== null) return rotten;
    return this.#random(this.#disks.names.length);
  }

  #zone(index: number): MemoryZone {
    return this.#disks.zones[index] as MemoryZone;
  }

  #soundDelays(): void {
    for (const faults of this.#disks.faults) faults.delayMs = this.#random(SOUND_DELAY_MAX_MS);
  }
}
