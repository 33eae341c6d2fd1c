/** What is known to be damaged: pages that no zone holds as they should be. Scrubs and reads find them. */
import type {Damage} from '../page-store/zone.ts';

/** Whoever has more than that needs no list. */
const DAMAGE_MAX = 1_000;

export class DamageList {
  readonly #known = new Map<string, Damage>();

  /** False when it was known already. */
  add(damage: Damage): boolean {
    const key = keyOf(damage);
    if (this.#known.has(key) || this.#known.size >= DAMAGE_MAX) return false;
    this.#known.set(key, damage);
    return true;
  }

  /** What a scrub of the whole store found is all there is. */
  replace(damages: readonly Damage[]): void {
    this.#known.clear();
    for (const damage of damages) this.add(damage);
  }

  list(): readonly Damage[] {
    return [...this.#known.values()];
  }
}

function keyOf({volume, segment, offset}: Damage): string {
  return `${volume}:${segment}:${offset}`;
}
