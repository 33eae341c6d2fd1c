/** What a scrub has read, put right, and found damaged. */
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {Damage} from '../page-store/zone.ts';
import type {CopyTally} from './scrub-units.ts';

export type ScrubPlace = {
  readonly volume: VolumeNumber;
  readonly segment: SegmentNumber;
  readonly offset: number;
};

export type ZoneScrub = {
  readonly zone: string;
  /** Pages and page-table nodes, and headers of logs. */
  readonly units: number;
  readonly bytes: number;
  readonly repaired: number;
  /** Not read, because the zone was away or did not answer in time. */
  readonly unread: number;
};

export type ScrubReport = {
  /** Volumes whose roots were followed. */
  readonly volumes: number;
  readonly zones: readonly ZoneScrub[];
  /** `zones`: where a bad or missing copy was put right. */
  readonly repaired: readonly Damage[];
  /** `zones`: whose copies were tried; or, where a repair did not succeed, those that are still bad. */
  readonly damaged: readonly Damage[];
  /** Findings beyond those listed. */
  readonly repairedMore: number;
  readonly damagedMore: number;
};

/** One rotten disk must not fill the memory; the rest is counted. */
const FINDINGS_MAX = 1_000;

export class ScrubTally {
  readonly names: readonly string[];
  /** In the order of `names`, as a segment's copies are. */
  readonly copies: readonly CopyTally[];
  readonly #repairedUnits: number[];
  readonly #repaired: Damage[] = [];
  readonly #damaged: Damage[] = [];
  readonly #onDamage: (damage: Damage) => void;
  /** Copies of segments in which something was repaired. */
  readonly #touched = new Set<string>();
  #repairedMore = 0;
  #damagedMore = 0;
  volumes = 0;

  constructor(names: readonly string[], onDamage: (damage: Damage) => void) {
    this.names = names;
    this.copies = names.map(() => ({units: 0, bytes: 0, unread: 0}));
    this.#repairedUnits = names.map(() => 0);
    this.#onDamage = onDamage;
  }

  repaired(finding: Omit<Damage, 'zones'>, copy: number, units: number): void {
    this.#repairedUnits[copy] = (this.#repairedUnits[copy] ?? 0) + units;
    this.#touched.add(copyKey(copy, finding));
    if (this.#repaired.length === FINDINGS_MAX) this.#repairedMore++;
    else this.#repaired.push({...finding, zones: this.#zones([copy])});
  }

  /** Something in this copy of a segment was repaired. */
  wasRepaired(copy: number, place: Omit<ScrubPlace, 'offset'>): boolean {
    return this.#touched.has(copyKey(copy, place));
  }

  damaged(finding: Omit<Damage, 'zones'>, copies: readonly number[]): void {
    if (this.#damaged.length === FINDINGS_MAX) {
      this.#damagedMore++;
      return;
    }
    const damage = {...finding, zones: this.#zones(copies)};
    this.#damaged.push(damage);
    this.#onDamage(damage);
  }

  report(): ScrubReport {
    return {
      volumes: this.volumes,
      zones: this.copies.map((tally, copy) => ({
        zone: this.names[copy] as string,
        ...tally,
        repaired: this.#repairedUnits[copy] as number,
      })),
      repaired: this.#repaired,
      damaged: this.#damaged,
      repairedMore: this.#repairedMore,
      damagedMore: this.#damagedMore,
    };
  }

  #zones(copies: readonly number[]): string[] {
    return copies.map(copy => this.names[copy] as string);
  }
}

function copyKey(copy: number, {volume, segment}: Omit<ScrubPlace, 'offset'>): string {
  return `${copy}:${volume}:${segment}`;
}
