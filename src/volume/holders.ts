/**
 * Who reaches a unit of the log: heads and histories of volumes, as indexes of the records that are walked.
 * Equal sets are one object, so that they are compared and joined at no cost.
 */
export type Holders = {
  /** Volumes whose head reaches it; ascending. */
  readonly heads: readonly number[];
  /** Volumes whose history reaches it; ascending. */
  readonly histories: readonly number[];
  /** Those of both. */
  readonly volumes: readonly number[];
};

export class HolderSets {
  readonly #known = new Map<string, Holders>();
  readonly #unions = new Map<Holders, Map<Holders, Holders>>();

  of(heads: readonly number[], histories: readonly number[]): Holders {
    const key = `${heads.join()}|${histories.join()}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = {heads, histories, volumes: joined(heads, histories)};
    this.#known.set(key, made);
    return made;
  }

  union(a: Holders, b: Holders): Holders {
    if (a === b) return a;
    let ofA = this.#unions.get(a);
    if (ofA === undefined) {
      ofA = new Map<Holders, Holders>();
      this.#unions.set(a, ofA);
    }
    const known = ofA.get(b);
    if (known !== undefined) return known;
    const made = this.of(joined(a.heads, b.heads), joined(a.histories, b.histories));
    ofA.set(b, made);
    return made;
  }
}

function joined(a: readonly number[], b: readonly number[]): readonly number[] {
  if (b.length === 0) return a;
  return [...new Set([...a, ...b])].sort((one, other) => one - other);
}
