/**
 * The naive model of a volume with a past: what it was after each operation, and when. Times are those of
 * the test's clock, in milliseconds.
 */

/** `file:page` → stamp. */
export type Pages = ReadonlyMap<string, number>;

type Entry = {readonly pages: Pages; readonly atMs: number; ackedMs: number};

export class Timeline {
  #entries: Entry[];
  /** From here on every moment must be there, while it is within the retention. */
  sinceMs: number;

  constructor(pages: Pages, atMs: number) {
    this.#entries = [{pages, atMs, ackedMs: atMs}];
    this.sinceMs = atMs;
  }

  get present(): Pages {
    return this.#last.pages;
  }

  /** The time of the last operation. */
  get changedMs(): number {
    return this.#last.atMs;
  }

  /** An operation, which nothing has made durable yet. */
  add(pages: Pages, atMs: number): void {
    this.#entries.push({pages, atMs, ackedMs: Infinity});
  }

  /** All so far is durable. */
  acknowledge(nowMs: number): void {
    for (const entry of this.#entries) entry.ackedMs = Math.min(entry.ackedMs, nowMs);
  }

  /** States that the volume may be in after a crash, newest first. */
  afterCrash(): Pages[] {
    const acked = this.#entries.findLastIndex(({ackedMs}) => ackedMs < Infinity);
    return this.#entries
      .slice(acked)
      .map(({pages}) => pages)
      .reverse();
  }

  /** It is in the state `pages` after a crash, and what came after it never was. */
  cutTo(pages: Pages): void {
    this.#entries.length = this.#entries.findLastIndex(entry => entry.pages === pages) + 1;
  }

  /**
   * What it may have been at the boundary `atMs`: all that was acknowledged before, and nothing that began
   * after it.
   */
  statesAt(atMs: number): Pages[] {
    const acked = this.#entries.findLastIndex(({ackedMs}) => ackedMs < atMs);
    const begun = this.#entries.findLastIndex(entry => entry.atMs < atMs);
    return this.#entries
      .slice(Math.max(0, acked), Math.max(0, acked, begun) + 1)
      .map(one => one.pages);
  }

  /** The timeline of a fork of this at `atMs`, at which the state was `pages`. */
  forkedAt(pages: Pages, atMs: number): Timeline {
    const child = new Timeline(pages, atMs);
    const shared = this.#entries.filter(entry => entry.atMs < atMs);
    const last = shared.findLastIndex(entry => entry.pages === pages);
    child.#entries = shared.slice(0, last + 1).map(entry => ({...entry}));
    if (child.#entries.length === 0) child.#entries = [{pages, atMs: 0, ackedMs: 0}];
    child.sinceMs = this.sinceMs;
    return child;
  }

  get #last(): Entry {
    return this.#entries.at(-1) as Entry;
  }
}
