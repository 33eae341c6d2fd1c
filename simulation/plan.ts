/** Which faults the history of a seed may have. */
import type {Random} from '../src/page-store/testing/zone-faults.ts';
import {pick} from './content.ts';
import type {DamageKind} from './store-under-test.ts';

/** Few at a time, so that each is met alone and in company. */
export type Plan = {
  readonly ends: boolean;
  readonly failures: boolean;
  readonly fullDisk: boolean;
  readonly staleWriters: boolean;
  readonly damage: DamageKind | null;
  /** Of several zones: some are away for a while. */
  readonly troubles: boolean;
  /** Of several zones: one is lost, and comes back empty or as it once was. */
  readonly losses: 'empty' | 'older' | null;
};

export function randomPlan(random: Random, zoneCount: number): Plan {
  return {
    ends: random(5) > 0,
    failures: random(2) === 0,
    fullDisk: random(4) === 0,
    staleWriters: random(4) === 0,
    damage:
      random(2) === 0
        ? null
        : pick(random, ['rot', 'rot', 'lost-write', 'misdirected-write', 'record-rot']),
    troubles: zoneCount > 1 && random(3) > 0,
    losses: zoneCount > 1 && random(2) === 0 ? pick(random, ['empty', 'older']) : null,
  };
}
