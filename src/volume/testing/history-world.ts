/**
 * Volumes with a past, and their model beside them: written, forked at past times, set back and forth,
 * retained longer or shorter, crashed, and swept with calls of others in between.
 */
import {expect} from 'vitest';
import type {Clock} from '../../base/clock.ts';
import type {VolumeNumber} from '../../page-store/ids.ts';
import {seeded} from '../../page-store/testing/zone-faults.ts';
import {Census} from '../census.ts';
import {backtrackVolume, restorableRange, setRetention, trimHistory} from '../idle-volume.ts';
import {openVolumeIn} from '../open-volume.ts';
import {PAGE_SIZE_BYTES} from '../pointer.ts';
import {sweepSteps, type SweepPolicy} from '../sweeper.ts';
import type {Volume} from '../volume.ts';
import {InterruptedZone, InterruptionError} from './interrupted-zone.ts';
import {Timeline, type Pages} from './timeline.ts';

export const FILES: readonly number[] = [0, 600];
export const PAGES: readonly number[] = [0, 1, 512];
export const DAY = 86_400;

export type PlainKind = 'barrier' | 'idle' | 'checkpoint' | 'fork' | 'delete' | 'reopen';
export type Action =
  | {kind: 'write'; volume: number; file: number; page: number}
  | {kind: 'drop'; volume: number; file: number; from: number; count: number}
  | {kind: 'wait'; ms: number}
  | {kind: 'fork-at' | 'backtrack' | 'look'; volume: number; ago: number}
  | {kind: 'retain'; volume: number; seconds: number}
  | {kind: PlainKind; volume: number};
export type Command =
  | Action
  | {kind: 'crash'; seed: number}
  | {kind: 'sweep'; meanwhile: {call: number; action: Action}[]; cutAtCall: number | null};

const SEGMENT_BYTES = 1_200_000;
const EAGER: SweepPolicy = {
  amplificationTarget: 0,
  deadShareMin: 0,
  deadBytesMin: PAGE_SIZE_BYTES,
  turnBytesMax: 2 ** 30,
};

export type Member = {number: VolumeNumber; volume: Volume; timeline: Timeline; retention: number};

export class World {
  readonly zone: InterruptedZone = new InterruptedZone();
  readonly members: Member[] = [];
  nowMs = 1_764_333_000_000;
  readonly #clock: Clock = {nowMs: () => this.nowMs, monotonicMs: () => this.nowMs};
  census: Census = new Census(this.zone);
  #next = 1;
  #stamp = 0;

  constructor() {
    const number = this.#take();
    const opened = this.#open(number, true);
    opened.setRetention(DAY);
    const timeline = new Timeline(new Map(), this.nowMs);
    this.members.push({number, volume: opened, timeline, retention: DAY});
  }

  run(step: Command): void {
    if (step.kind === 'crash') this.#crash(step.seed);
    else if (step.kind === 'sweep') this.#sweep(step);
    else this.#act(step);
  }

  sweepAll(): void {
    const steps = sweepSteps(this.zone, this.census, EAGER);
    while (steps.next().done !== true);
  }

  /** A fork at `atMs` is what the model was then, or is refused where it may be. */
  look(member: Member, atMs: number): void {
    const found = this.#forkAt(member, atMs);
    if (found === null) return;
    found.child.close();
    this.zone.deleteVolumeRecord(found.number);
  }

  /** The times that may be asked for are all that were promised, and no others. */
  expectRange({volume: open, timeline, retention}: Member): void {
    const range = open.restorableRange();
    if (retention === 0) {
      expect(range).toBeNull();
      return;
    }
    const now = Math.floor(this.nowMs / 1000) * 1000;
    const promised = Math.max(timeline.sinceMs, now - retention * 1000) + 60_000;
    if (range === null) {
      expect(promised).toBeGreaterThan(now);
      return;
    }
    expect(range.latestMs).toBe(now);
    expect(range.earliestMs).toBeLessThanOrEqual(Math.max(promised, now));
    expect(range.earliestMs).toBeGreaterThanOrEqual(now - retention * 1000);
  }

  remove(member: Member): void {
    member.volume.close();
    this.zone.deleteVolumeRecord(member.number);
    this.members.splice(this.members.indexOf(member), 1);
  }

  #crash(seed: number): void {
    this.zone.crash(seeded(seed));
    this.census = new Census(this.zone);
    for (const member of this.members) {
      member.volume = this.#open(member.number, false);
      const {timeline} = member;
      const state = timeline.afterCrash().find(one => sees(member.volume, one));
      expect(state, 'a crash leaves a state that was there').toBeDefined();
      timeline.cutTo(state as Pages);
      timeline.acknowledge(this.nowMs);
    }
  }

  #sweep({meanwhile, cutAtCall}: Extract<Command, {kind: 'sweep'}>): void {
    let calls = 0;
    this.zone.onCall = () => {
      const now = calls++;
      if (now === cutAtCall) throw new InterruptionError();
      for (const {call: when, action: what} of meanwhile) if (when === now) this.#act(what);
    };
    try {
      this.sweepAll();
    } catch (error) {
      if (!(error instanceof InterruptionError)) throw error;
      this.census = new Census(this.zone);
    } finally {
      this.zone.onCall = null;
    }
  }

  #act(step: Action): void {
    const {onCall} = this.zone;
    this.zone.onCall = null;
    if (step.kind === 'wait') this.nowMs += step.ms;
    else {
      const member = this.members[step.volume % Math.max(1, this.members.length)];
      if (member !== undefined) this.#actOn(member, step);
    }
    this.zone.onCall = onCall;
  }

  #actOn(member: Member, step: Exclude<Action, {kind: 'wait'}>): void {
    const {volume: open, timeline} = member;
    const pages = new Map(timeline.present);
    switch (step.kind) {
      case 'write':
        open
          .changePage(step.file, step.page, false)
          .fill(0)
          .writeUInt32LE(++this.#stamp);
        open.endOperation();
        return timeline.add(pages.set(`${step.file}:${step.page}`, this.#stamp), this.nowMs);
      case 'drop':
        open.drop(step.file, step.from, step.from + step.count);
        open.endOperation();
        for (const page of PAGES) {
          if (page >= step.from && page < step.from + step.count) {
            pages.delete(`${step.file}:${page}`);
          }
        }
        return timeline.add(pages, this.nowMs);
      case 'idle':
        return open.onIdle();
      case 'barrier':
        open.barrier();
        return timeline.acknowledge(this.nowMs);
      case 'checkpoint':
        open.checkpoint();
        return timeline.acknowledge(this.nowMs);
      case 'reopen':
        open.close();
        timeline.acknowledge(this.nowMs);
        trimHistory(this.#idle(member.number));
        member.volume = this.#open(member.number, false);
        return;
      case 'delete':
        return this.remove(member);
      case 'retain':
        return this.#retain(member, step.seconds);
      case 'look':
        return this.look(member, this.nowMs - step.ago);
      case 'fork':
        return this.#fork(member);
      case 'fork-at':
        return this.#keepFork(member, this.nowMs - step.ago);
      case 'backtrack':
        return this.#backtrack(member, this.nowMs - step.ago);
    }
  }

  #retain(member: Member, seconds: number): void {
    const {timeline, retention} = member;
    if (this.nowMs % 2 === 0) member.volume.setRetention(seconds);
    else {
      member.volume.close();
      setRetention(this.#idle(member.number), seconds);
      member.volume = this.#open(member.number, false);
    }
    timeline.acknowledge(this.nowMs);
    const shortest = Math.min(retention, seconds);
    timeline.sinceMs = Math.max(timeline.sinceMs, this.nowMs - shortest * 1000);
    member.retention = seconds;
  }

  #fork(member: Member): void {
    const number = this.#take();
    member.volume.fork(number);
    member.timeline.acknowledge(this.nowMs);
    const timeline = member.timeline.forkedAt(member.timeline.present, Infinity);
    timeline.sinceMs = Math.max(timeline.sinceMs, this.nowMs - member.retention * 1000);
    const child = this.#open(number, false);
    this.members.push({number, volume: child, timeline, retention: member.retention});
  }

  #keepFork(member: Member, atMs: number): void {
    const found = this.#forkAt(member, atMs);
    if (found === null) return;
    const timeline = member.timeline.forkedAt(found.pages, found.atMs);
    timeline.sinceMs = Math.max(timeline.sinceMs, this.nowMs - member.retention * 1000);
    const {number, child} = found;
    this.members.push({number, volume: child, timeline, retention: member.retention});
  }

  #forkAt(
    member: Member,
    atMs: number,
  ): {number: VolumeNumber; child: Volume; pages: Pages; atMs: number} | null {
    const range = member.volume.restorableRange();
    const number = this.#take();
    const boundary = this.#boundaryOf(atMs);
    if (range === null || boundary < range.earliestMs) {
      expect(() => member.volume.fork(number, {atMs})).toThrow(/cannot be had as of/);
      member.timeline.acknowledge(this.nowMs);
      return null;
    }
    const report = member.volume.fork(number, {atMs});
    member.timeline.acknowledge(this.nowMs);
    expect(report).toMatchObject({atMs: boundary, bytesCopied: 0});
    const child = this.#open(number, false);
    const pages = member.timeline.statesAt(boundary).find(one => sees(child, one));
    expect(pages, `${new Date(boundary).toISOString()} reads as the model does`).toBeDefined();
    return {number, child, pages: pages as Pages, atMs: boundary};
  }

  #backtrack(member: Member, atMs: number): void {
    const {timeline} = member;
    const range = member.volume.restorableRange();
    const boundary = this.#boundaryOf(atMs);
    member.volume.close();
    timeline.acknowledge(this.nowMs);
    const idle = this.#idle(member.number);
    expect(restorableRange(this.zone, member.number, this.#clock)).toEqual(range);
    if (range === null || boundary < range.earliestMs) {
      expect(() => backtrackVolume(idle, atMs)).toThrow(/cannot be had as of/);
      member.volume = this.#open(member.number, false);
      return;
    }
    const before = timeline.statesAt(boundary);
    const report = backtrackVolume(idle, atMs);
    expect(report.atMs).toBe(boundary);
    expect(report.fromMs).toBeGreaterThan(timeline.changedMs);
    // Until then nobody writes to it.
    this.nowMs = Math.max(this.nowMs, report.fromMs);
    member.volume = this.#open(member.number, false);
    const pages = before.find(one => sees(member.volume, one));
    expect(pages, 'the head reads as the model did then').toBeDefined();
    timeline.add(new Map(pages), report.fromMs);
    timeline.acknowledge(this.nowMs);
  }

  #boundaryOf(atMs: number): number {
    const hour = Math.floor((Math.floor(this.nowMs / 1000) - 3600) / 60) * 60_000;
    const second = Math.floor(atMs / 1000) * 1000;
    return second > hour ? second : Math.floor(second / 60_000) * 60_000;
  }

  #take(): VolumeNumber {
    return this.#next++ as VolumeNumber;
  }

  #idle(number: VolumeNumber) {
    const {zone} = this;
    const options = {nodeCacheBytes: 0, segmentBytes: SEGMENT_BYTES, clock: this.#clock};
    return {zone, volume: number, ...options};
  }

  #open(number: VolumeNumber, create: boolean): Volume {
    return openVolumeIn({...this.#idle(number), create});
  }
}

function sees(open: Volume, pages: Pages): boolean {
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  return FILES.every(file =>
    PAGES.every(page => {
      open.readPages(file, page, 1, bytes, 0);
      return bytes.readUInt32LE(0) === (pages.get(`${file}:${page}`) ?? 0);
    }),
  );
}
