/**
 * The history of a volume: the roots of its past moments, by time, within its retention.
 *
 *     index ──▶ second 1 764 333 001 ──▶ root          what the volume was when that second ended
 *           ├─▶ second 1 764 333 004 ──▶ root          (nothing was written in 2 and 3)
 *           └─▶ minute 29 405 550    ──▶ root          what it was when that minute ended
 *
 * The index is a page tree whose leaves hold roots, as those of the table of files do. So it is verified by
 * checksums, shared by forks, and costs what changes in it. It is named by the volume's record and is not
 * part of what it lists: the head may go back, and the index goes on.
 *
 * A root is entered under the second and the minute of the last batch that it holds, in the place of an
 * earlier one of the same second or minute. The state at a boundary is the last root entered before it:
 *
 *     seconds  of the newest hour, down to a whole minute
 *     minutes  for the retention; the newest root that is older stays, for it is the state where that begins
 *
 * What is in the index is kept, and nothing else: thinning and expiry are changes of it, made by whoever owns
 * the volume, and what a fork is about to name cannot expire beside it.
 *
 * Units:  keys and boundaries in whole seconds or minutes since 1970, UTC.
 * Errors: those of loading a node pass through; `invalid` for a time outside the range.
 * Source: docs/formats/history.md, docs/decisions/0025-history.md.
 */
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {FANOUT, PageTree, TREE_PAGES_MAX, type NodeSource} from './page-tree.ts';
import {POINTER_WORDS, word, type Pointer} from './pointer.ts';
import type {VolumeRecord} from './volume-record.ts';

export const MINUTE_MS = 60_000;
/** Every second of it is a moment. */
const SECONDS_KEPT = 3600;
/** 35 days, what RDS allows. */
export const RETENTION_SECONDS_MAX: number = 35 * 24 * 3600;
/** Keys from here on are minutes, those below are seconds. */
export const MINUTES_BASE: number = TREE_PAGES_MAX / 2;
/** On a volume that does not change, thinning is worth a write so often only. */
const IDLE_TRIM_SECONDS = 600;

/** A moment that was asked for, as it was found. */
export type Moment = {
  /** The boundary: all that was written before it is there, and nothing that was written after it. */
  readonly atMs: number;
  readonly root: Pointer | null;
};

/** The times that can be gone back to. Both are boundaries. */
export type RestorableRange = {readonly earliestMs: number; readonly latestMs: number};

export class History {
  readonly #tree: PageTree;
  readonly #retentionSeconds: number;
  #lookedAtSecond: number | null = null;

  /** `root` of the index, null for an empty one. With a retention of 0 nothing is kept. */
  constructor(source: NodeSource, root: Pointer | null, retentionSeconds: number) {
    checkRetention(retentionSeconds);
    this.#tree = new PageTree(source, root, 1);
    this.#retentionSeconds = retentionSeconds;
  }

  get isKept(): boolean {
    return this.#retentionSeconds > 0;
  }

  get retentionSeconds(): number {
    return this.#retentionSeconds;
  }

  /** True when something changed since the last `write`. */
  get dirty(): boolean {
    return this.#tree.dirty;
  }

  /** Enters what the volume `volume` was after a batch of `timestampMs`. */
  enter(volume: VolumeNumber, timestampMs: number, root: Pointer | null): void {
    if (!this.isKept) return;
    const pointer = root ?? emptyRoot(volume);
    const second = secondOf(timestampMs);
    for (const key of [second, MINUTES_BASE + minuteOf(second)]) {
      const found = this.#tree.find(key);
      if (found === null || !isSamePlace(found, pointer)) this.#tree.set(key, pointer);
    }
  }

  /**
   * The moment for `atMs`: the boundary at or before it.
   * @throws BorealisError invalid `time-not-restorable` when it is outside the range.
   */
  at(atMs: number, nowMs: number): Moment {
    const range = this.range(nowMs);
    const hour = hourBefore(secondOf(nowMs));
    const second = secondOf(atMs);
    const boundary = second > hour ? second : minuteOf(second) * 60;
    const isThere =
      range !== null && boundary * 1000 >= range.earliestMs && atMs <= range.latestMs + 999;
    if (!isThere) throw notRestorable(atMs, range);
    const key = this.#before(boundary, hour);
    assert(key !== null, 'a moment in the range has a root');
    return {atMs: boundary * 1000, root: this.#root(key)};
  }

  /** Null when there is no history. */
  range(nowMs: number): RestorableRange | null {
    const minute = this.#first(MINUTES_BASE);
    if (!this.isKept || minute === null) return null;
    const now = secondOf(nowMs);
    const hour = hourBefore(now);
    let earliest = (minute - MINUTES_BASE + 1) * 60;
    if (earliest > hour) {
      const second = this.#first(Math.max(0, hour));
      if (second !== null && second < MINUTES_BASE) earliest = second + 1;
    }
    const cutoff = now - this.#retentionSeconds;
    earliest = Math.max(earliest, cutoff > hour ? cutoff : Math.ceil(cutoff / 60) * 60);
    return earliest > now ? null : {earliestMs: earliest * 1000, latestMs: now * 1000};
  }

  /** Forgets what was entered at the boundary `atMs` (one that `at` gave) or later. */
  forgetFrom(atMs: number): void {
    const second = secondOf(atMs);
    const minute = MINUTES_BASE + minuteOf(second);
    const isWhole = second % 60 === 0;
    const last = isWhole ? null : lastKey(this.#tree, minuteOf(second) * 60, second);
    this.#dropAllocated(second, MINUTES_BASE);
    this.#dropAllocated(minute, TREE_PAGES_MAX);
    // The last one of the boundary's minute is an earlier one now.
    if (last !== null) this.#tree.set(minute, this.#stored(last));
  }

  /** Thins what is older than an hour, and forgets what is older than the retention. */
  trim(nowMs: number): void {
    const now = secondOf(nowMs);
    const hour = hourBefore(now);
    const cutoff = now - this.#retentionSeconds;
    const oldest = cutoff > hour ? lastKey(this.#tree, hour, cutoff) : null;
    this.#dropAllocated(0, Math.max(0, oldest ?? Math.max(hour, cutoff)));
    const first = this.#first(MINUTES_BASE);
    if (first !== null) {
      const kept = lastKey(this.#tree, first, MINUTES_BASE + minuteOf(cutoff));
      if (kept !== null) this.#dropAllocated(first, kept);
    }
    this.#lookedAtSecond = now;
  }

  /** True when so much can be thinned that it is worth a write of its own. Looks every ten minutes. */
  wantsTrim(nowMs: number): boolean {
    if (!this.isKept) return false;
    const now = secondOf(nowMs);
    const looked = this.#lookedAtSecond;
    if (looked !== null && Math.abs(now - looked) < IDLE_TRIM_SECONDS) return false;
    const second = this.#first(0);
    if (second !== null && second < hourBefore(now) - IDLE_TRIM_SECONDS) return true;
    const minute = this.#first(MINUTES_BASE);
    const cutoff = MINUTES_BASE + minuteOf(now - this.#retentionSeconds - IDLE_TRIM_SECONDS);
    const hasExpired = minute !== null && lastKey(this.#tree, minute + 1, cutoff) !== null;
    if (!hasExpired) this.#lookedAtSecond = now;
    return hasExpired;
  }

  /** Writes what changed, and returns the root of the index; see `PageTree.write`. */
  write(emit: (words: Uint32Array) => Pointer): Pointer | null {
    this.#tree.write(emit);
    const {root} = this.#tree;
    this.#tree.unload();
    return root;
  }

  /** The last root entered before `boundary`. */
  #before(boundary: number, hour: number): number | null {
    const from = Math.max(0, hour);
    const second = lastKey(this.#tree, from, boundary);
    if (second !== null) return second;
    const first = this.#first(MINUTES_BASE);
    const minute = minuteOf(Math.min(boundary, from));
    return first === null ? null : lastKey(this.#tree, first, MINUTES_BASE + minute);
  }

  #first(from: number): number | null {
    const key = this.#tree.next(from, true);
    return key === Infinity ? null : key;
  }

  /** Without the cost and the change that a drop of holes would be. */
  #dropAllocated(from: number, to: number): void {
    const first = this.#first(from);
    if (first !== null && first < to) this.#tree.drop(first, to);
  }

  #stored(key: number): Pointer {
    const pointer = this.#tree.find(key);
    assert(pointer !== null, 'a key that was found has a root');
    return pointer;
  }

  #root(key: number): Pointer | null {
    const pointer = this.#stored(key);
    return isEmptyRoot(pointer) ? null : pointer;
  }
}

/** The history that a record names, with the moment that the record itself is. */
export function openHistory(record: VolumeRecord, source: NodeSource): History {
  const {volume, retentionSeconds, checkpoint} = record;
  const history = new History(source, checkpoint.history, retentionSeconds);
  history.enter(volume, checkpoint.timestampMs, checkpoint.root);
  return history;
}

/** @throws BorealisError invalid when it is no number of whole seconds up to 35 days. */
export function checkRetention(seconds: number): void {
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= RETENTION_SECONDS_MAX) return;
  throw new BorealisError(
    'invalid',
    'retention',
    `a retention of ${seconds} seconds: it is a whole number from 0 to ${RETENTION_SECONDS_MAX}`,
  );
}

/** What the index holds for a moment at which the volume was empty: a volume has no segment 0. */
function emptyRoot(volume: VolumeNumber): Pointer {
  return {volume, segment: 0 as SegmentNumber, sector: 0, height: 1, crc: 0};
}

export function isEmptyRoot({segment}: Pointer): boolean {
  return segment === 0;
}

function isSamePlace(a: Pointer, b: Pointer): boolean {
  return a.volume === b.volume && a.segment === b.segment && a.sector === b.sector;
}

export function secondOf(timestampMs: number): number {
  return Math.floor(timestampMs / 1000);
}

function minuteOf(second: number): number {
  return Math.floor(second / 60);
}

/** The whole minute that begins the newest hour. */
function hourBefore(second: number): number {
  return minuteOf(second - SECONDS_KEPT) * 60;
}

/** The last key from `from` on and below `end` that holds something. */
function lastKey(tree: PageTree, from: number, end: number): number | null {
  let key = end - 1;
  while (key >= from) {
    const leaf = tree.leaf(key);
    const leafFirst = key - (key % FANOUT);
    if (leaf === null) key = leafFirst - 1;
    else if (word(leaf, (key % FANOUT) * POINTER_WORDS) !== 0) return key;
    else key--;
  }
  return null;
}

function notRestorable(atMs: number, range: RestorableRange | null): BorealisError {
  const time = (ms: number): string =>
    Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : String(ms);
  const allowed =
    range === null
      ? 'no history is kept of it yet'
      : `it can be from ${time(range.earliestMs)} to ${time(range.latestMs)}`;
  return new BorealisError(
    'invalid',
    'time-not-restorable',
    `the volume cannot be had as of ${time(atMs)}: ${allowed}`,
  );
}
