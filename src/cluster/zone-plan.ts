/**
 * Which zones a store has, and how far a change of them has come. Each step is durable in `zones.json` before
 * anything acts on it, and no step follows before every process that has the store open has taken the last:
 *
 *     add      joining ────▶ joint ──────────▶ closing ▸ done       joining ▸ undoing ▸ done  (given up)
 *     remove                 joint ▸ leaving ▸ closing ▸ done
 *
 *     joining  the new zone is filled, and counts for nothing
 *     joint    what is acknowledged is on a write quorum of the old zones and of the new ones
 *     leaving  the new zones count; the removed one is told that it is no part of the store
 *     closing  the new zones alone
 *     undoing  the old zones alone; what was copied is deleted
 *
 * Why that is safe: docs/decisions/0018-change-of-zones.md.
 */
import type {ZoneConfig} from '../attachment/attachment.ts';
import type {StoreConfig} from '../page-store/open-zones.ts';

export const ZONE_PHASES = ['joining', 'joint', 'leaving', 'closing', 'undoing'] as const;
export type ZonePhase = (typeof ZONE_PHASES)[number];

export type ZoneChange = {
  readonly kind: 'add' | 'remove';
  readonly zone: ZoneConfig;
  readonly phase: ZonePhase;
};

export type ZonePlan = {
  /** Counts the steps; 0 for the zones that the store began with. */
  readonly number: number;
  /** In force: the old ones up to `joint`, then the new ones. */
  readonly zones: readonly ZoneConfig[];
  readonly change: ZoneChange | null;
};

/** What every process is told of the zones. */
export function storeConfigOf({number, zones, change}: ZonePlan): StoreConfig & {
  readonly membership: NonNullable<StoreConfig['membership']>;
} {
  const set = (of: readonly ZoneConfig[]): string[] => of.map(({name}) => name);
  switch (change?.phase) {
    case 'joining':
    case 'leaving':
      return {zones: [...zones, change.zone], membership: {number, voters: [set(zones)]}};
    case 'joint': {
      const next = zonesAfter(zones, change);
      const all = next.length > zones.length ? next : zones;
      return {zones: all, membership: {number, voters: [set(zones), set(next)]}};
    }
    default:
      return {zones, membership: {number, voters: [set(zones)]}};
  }
}

/** The plan with which a change begins. */
export function beginChange(
  {number, zones}: ZonePlan,
  kind: ZoneChange['kind'],
  zone: ZoneConfig,
): ZonePlan {
  const phase = kind === 'add' ? 'joining' : 'joint';
  return {number: number + 1, zones, change: {kind, zone, phase}};
}

/** The plan after that one, once what it asks for is done. */
export function nextPlan({number, zones, change}: ZonePlan): ZonePlan {
  if (change === null) return {number, zones, change};
  const step = (phase: ZonePhase, of = zones): ZonePlan => {
    return {number: number + 1, zones: of, change: {...change, phase}};
  };
  switch (change.phase) {
    case 'joining':
      return step('joint');
    case 'joint':
      return step(change.kind === 'add' ? 'closing' : 'leaving', zonesAfter(zones, change));
    case 'leaving':
      return step('closing');
    case 'closing':
    case 'undoing':
      // The zones are the same, so nobody need be told.
      return {number, zones, change: null};
  }
}

/** Of one that is still being filled: the plan to give it up. */
export function undoPlan({number, zones, change}: ZonePlan): ZonePlan {
  const undone = change === null ? null : {...change, phase: 'undoing' as const};
  return {number: number + 1, zones, change: undone};
}

/** As they will be. */
export function zonesAfter(
  zones: readonly ZoneConfig[],
  {kind, zone}: Pick<ZoneChange, 'kind' | 'zone'>,
): readonly ZoneConfig[] {
  if (kind === 'remove') return zones.filter(({name}) => name !== zone.name);
  return [...zones, zone].sort((a, b) => (a.name < b.name ? -1 : 1));
}
