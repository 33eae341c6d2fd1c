/**
 * How the zones fare as all see them that use them: the keeper of the store, and every instance, which
 * may meet what the keeper does not. A disk may hang for a writer alone, or not be mounted where it runs.
 *
 *     keeper ──────▶ healthy? ── no ──▶ what it says: it alone knows how far a zone is filled
 *                       └─ yes ──▶ the worst that any instance says
 *
 * Events: of each time that a zone is not healthy one that it is degraded, one that it catches up, and
 * one that it is healthy again, however often it fails meanwhile and whoever says so.
 */
import type {ZoneState} from '../page-store/zone.ts';

/** Who tells of a zone: an instance by its name, or null for the keeper. */
type Reporter = string | null;

const RANKS: Readonly<Record<ZoneState['state'], number>> = {
  healthy: 0,
  'catching-up': 1,
  degraded: 2,
};

export class ZoneHealth {
  /** By zone, then by who told last. Who has told nothing finds it healthy. */
  readonly #told = new Map<string, Map<Reporter, ZoneState>>();
  /** By zone: the states of which there were events since it was healthy. */
  readonly #announced = new Map<string, Set<ZoneState['state']>>();

  /** Returns the state that there is to be an event of; null when there was one, or it changes nothing. */
  note(reporter: Reporter, state: ZoneState): ZoneState | null {
    this.#toldOf(state.zone).set(reporter, state);
    return this.#announce(state.zone);
  }

  /** The process of an instance is gone, and with it what it said; returns as `note`, for each zone. */
  forget(instance: string): ZoneState[] {
    return [...this.#told].flatMap(([zone, told]) => {
      return told.delete(instance) ? (this.#announce(zone) ?? []) : [];
    });
  }

  /** `kept` is what the keeper says now. */
  shown(kept: readonly ZoneState[]): readonly ZoneState[] {
    return kept.map(state => this.#worst(state));
  }

  #announce(zone: string): ZoneState | null {
    const state = this.#worst(this.#toldOf(zone).get(null) ?? {zone, state: 'healthy'});
    const announced = this.#announced.get(zone) ?? new Set();
    if (state.state === 'healthy') return this.#announced.delete(zone) ? state : null;
    if (announced.has(state.state)) return null;
    this.#announced.set(zone, announced.add(state.state));
    return state;
  }

  #worst(kept: ZoneState): ZoneState {
    if (kept.state !== 'healthy') return kept;
    let worst: ZoneState = kept;
    for (const [reporter, state] of this.#toldOf(kept.zone)) {
      if (reporter === null || RANKS[state.state] <= RANKS[worst.state]) continue;
      worst = state.state === 'degraded' ? named(state, reporter) : state;
    }
    return worst;
  }

  #toldOf(zone: string): Map<Reporter, ZoneState> {
    const told = this.#told.get(zone) ?? new Map<Reporter, ZoneState>();
    this.#told.set(zone, told);
    return told;
  }
}

function named(state: ZoneState & {state: 'degraded'}, instance: string): ZoneState {
  return {...state, reason: `${state.reason} (so DB instance ${instance})`};
}
