/** Connections to each instance, those that are being made included. */
export class Balance {
  readonly #counts = new Map<number, number>();
  /** When each instance was last chosen, as a number of the choice. */
  readonly #turns = new Map<number, number>();
  #choices = 0;

  /** The port with the fewest connections; of several the one that was chosen longest ago. */
  choose(ports: Iterable<number>): number | undefined {
    let best: number | undefined;
    for (const port of ports) {
      if (best === undefined || this.#isBefore(port, best)) best = port;
    }
    return best;
  }

  /** Counts a connection until the function that it returns is called. */
  take(port: number): () => void {
    this.#turns.set(port, ++this.#choices);
    this.#counts.set(port, this.#countOf(port) + 1);
    return () => {
      const count = this.#countOf(port) - 1;
      if (count > 0) this.#counts.set(port, count);
      else this.#counts.delete(port);
    };
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#countOf(a) - this.#countOf(b);
    return difference === 0 ? this.#turnOf(a) < this.#turnOf(b) : difference < 0;
  }

  #countOf(port: number): number {
    return this.#counts.get(port) ?? 0;
  }

  #turnOf(port: number): number {
    return this.#turns.get(port) ?? 0;
  }
}
