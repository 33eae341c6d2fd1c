/**
 * Pages of numbered files, and the model: a map from page to the stamps of its two halves. A half is
 * filled with its stamp and with its own place, so a page of another place or time is never taken for it.
 */
import {PAGE_SIZE_BYTES} from '../src/volume/pointer.ts';
import {FILE_PAGES_MAX, type Volume} from '../src/volume/volume.ts';
import type {Random} from '../src/page-store/testing/zone-faults.ts';
import {
  demand,
  difference,
  pick,
  type Content,
  type ContentKind,
  type Operation,
} from './content.ts';

type Halves = readonly [number, number];
const HALF_BYTES = PAGE_SIZE_BYTES / 2;
const FILES = [0, 1, 2, 700];
/** Around the edges of nodes: 512 pages a leaf, 262,144 a branch. */
const PAGES = [0, 1, 2, 3, 510, 511, 512, 513, 262_143, 262_144];
const BULK_FILE = 5;
const BULK_PAGES = 330;
/** Pages each in a leaf of its own, so that many nodes become dirty. */
const SPARSE_FILE = 6;
const SPARSE_LEAVES = 70;

class PageState {
  readonly pages: ReadonlyMap<string, Halves>;
  readonly stamp: number;

  constructor(pages: ReadonlyMap<string, Halves>, stamp: number) {
    this.pages = pages;
    this.stamp = stamp;
  }

  text(): string {
    return [...this.pages]
      .map(([key, halves]) => `${key}=${halves.join('/')}`)
      .sort()
      .join('\n');
  }
}

export const pageContent: ContentKind<PageState> = {
  name: 'pages',
  empty: new PageState(new Map(), 0),
  format: () => undefined,
  open: volume => new PageContent(volume),
};

class PageContent implements Content<PageState> {
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  plan(state: PageState, random: Random): Operation<PageState> {
    const choice = random(100);
    if (choice < 60) return this.#write(state, random, randomPages(random, 1 + random(5)));
    if (choice < 70) return this.#drop(state, random);
    if (choice < 74) return this.#dropFile(state, random);
    if (choice < 78) return this.#write(state, random, bulk(random));
    if (choice < 82) return this.#write(state, random, sparse(random));
    return this.#write(state, random, randomPages(random, 1));
  }

  read(): string {
    const lines: string[] = [];
    const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
    const note = (file: number, page: number): void => {
      const halves = decode(file, page, bytes);
      const allocated = this.#volume.isAllocated(file, page);
      if (allocated) lines.push(`${file}:${page}=${halves.join('/')}`);
      else demand(halves.join('/') === '0/0', () => `hole ${file}:${page} is not zero`);
    };
    for (const file of FILES) {
      for (const page of PAGES) {
        this.#volume.readPages(file, page, 1, bytes, 0);
        note(file, page);
      }
    }
    for (const file of [BULK_FILE, SPARSE_FILE]) {
      let page = -1;
      for (;;) {
        page = this.#nextAllocated(file, page + 1);
        if (page === FILE_PAGES_MAX) break;
        this.#volume.readPages(file, page, 1, bytes, 0);
        note(file, page);
      }
    }
    return lines.sort().join('\n');
  }

  probe(state: PageState, random: Random): void {
    const file = pick(random, [...FILES, BULK_FILE]);
    const first = pick(random, PAGES);
    const count = 1 + random(40);
    const bytes = Buffer.alloc((count + 1) * PAGE_SIZE_BYTES);
    this.#volume.readPages(file, first, count, bytes, PAGE_SIZE_BYTES);
    for (let index = 0; index < count; index++) {
      const at = (index + 1) * PAGE_SIZE_BYTES;
      const found = decode(file, first + index, bytes.subarray(at, at + PAGE_SIZE_BYTES));
      const expected = state.pages.get(`${file}:${first + index}`) ?? [0, 0];
      demand(found.join('/') === expected.join('/'), () =>
        difference(`${file}:${first + index}=${found.join('/')}`, expected.join('/')),
      );
    }
  }

  /** Found without `nextPage`, which appends the open batch. */
  #nextAllocated(file: number, from: number): number {
    const pages = file === BULK_FILE ? BULK_PAGES : SPARSE_LEAVES;
    const step = file === BULK_FILE ? 1 : 512;
    for (let page = Math.ceil(from / step) * step; page < pages * step; page += step) {
      if (this.#volume.isAllocated(file, page)) return page;
    }
    return FILE_PAGES_MAX;
  }

  #write(
    state: PageState,
    random: Random,
    targets: readonly {file: number; page: number}[],
  ): Operation<PageState> {
    const pages = new Map(state.pages);
    let stamp = state.stamp;
    const writes = targets.map(({file, page}) => {
      const half = random(4) === 0 ? random(2) : null;
      stamp++;
      const key = `${file}:${page}`;
      const old = pages.get(key) ?? [0, 0];
      const halves: Halves =
        half === null ? [stamp, stamp] : half === 0 ? [stamp, old[1]] : [old[0], stamp];
      pages.set(key, halves);
      return {file, page, half, stamp};
    });
    const change = (): void => {
      for (const {file, page, half, stamp: mark} of writes) {
        const bytes = this.#volume.changePage(file, page, half !== null);
        for (const each of half === null ? [0, 1] : [half])
          encodeHalf(file, page, each, mark, bytes);
      }
    };
    const [first] = targets;
    const label =
      targets.length > 9
        ? `${targets.length} pages from ${first?.file}:${first?.page}`
        : writes.map(({file, page, half}) => `${file}:${page}${half ?? ''}`).join(' ');
    return {
      label: `write ${label}`,
      pagesMax: targets.length,
      next: new PageState(pages, stamp),
      run: () => this.#operation(change),
    };
  }

  #drop(state: PageState, random: Random): Operation<PageState> {
    const file = pick(random, [...FILES, BULK_FILE, SPARSE_FILE]);
    const from = pick(random, PAGES);
    const to = from + pick(random, [1, 2, 600, 300_000]);
    const {next, count} = without(state, file, from, to);
    const run = (): void => {
      const dropped = this.#volume.drop(file, from, to);
      demand(dropped === count, () => `drop found ${dropped} pages where the model has ${count}`);
    };
    return {
      label: `drop ${file}:${from}-${to}`,
      pagesMax: 0,
      next,
      run: () => this.#operation(run),
    };
  }

  #dropFile(state: PageState, random: Random): Operation<PageState> {
    const file = pick(random, [...FILES, BULK_FILE, SPARSE_FILE]);
    const {next} = without(state, file, 0, FILE_PAGES_MAX);
    const run = (): void => this.#volume.dropFile(file);
    return {label: `drop file ${file}`, pagesMax: 0, next, run: () => this.#operation(run)};
  }

  #operation(change: () => void): void {
    try {
      change();
      this.#volume.endOperation();
    } catch (error) {
      this.#volume.abandonOperation(error);
      throw error;
    }
  }
}

function randomPages(random: Random, count: number): {file: number; page: number}[] {
  return Array.from({length: count}, () => ({
    file: pick(random, FILES),
    page: pick(random, PAGES),
  }));
}

function bulk(random: Random): {file: number; page: number}[] {
  const count = pick(random, [20, 60, 270]);
  const first = random(BULK_PAGES - count);
  return Array.from({length: count}, (_, index) => ({file: BULK_FILE, page: first + index}));
}

function sparse(random: Random): {file: number; page: number}[] {
  const count = 10 + random(30);
  const first = random(SPARSE_LEAVES - count);
  return Array.from({length: count}, (_, index) => ({
    file: SPARSE_FILE,
    page: (first + index) * 512,
  }));
}

function without(
  state: PageState,
  file: number,
  from: number,
  to: number,
): {next: PageState; count: number} {
  const kept = [...state.pages].filter(([key]) => {
    const [keyFile, page] = key.split(':').map(Number) as [number, number];
    return keyFile !== file || page < from || page >= to;
  });
  const next = new PageState(new Map(kept), state.stamp);
  return {next, count: state.pages.size - kept.length};
}

function encodeHalf(file: number, page: number, half: number, stamp: number, bytes: Buffer): void {
  const start = half * HALF_BYTES;
  bytes.fill(stamp & 0xff, start, start + HALF_BYTES);
  bytes.writeUInt32LE(stamp, start);
  bytes.writeUInt32LE(file, start + 4);
  bytes.writeUInt32LE(page, start + 8);
}

const EXPECTED: Buffer = Buffer.alloc(PAGE_SIZE_BYTES);

/** The stamps of the halves; demands that every byte is as it was written. */
function decode(file: number, page: number, bytes: Buffer): Halves {
  const stamps = [0, 1].map(half => {
    const start = half * HALF_BYTES;
    const stamp = bytes.readUInt32LE(start);
    if (stamp === 0) EXPECTED.fill(0, start, start + HALF_BYTES);
    else encodeHalf(file, page, half, stamp, EXPECTED);
    return stamp;
  });
  demand(
    EXPECTED.equals(bytes),
    () => `page ${file}:${page} holds bytes that were never written there`,
  );
  return stamps as unknown as Halves;
}
