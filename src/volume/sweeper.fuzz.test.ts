import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {seeded} from '../page-store/testing/zone-faults.ts';
import type {Zone} from '../page-store/zone.ts';
import {Census, type Counts, type Share} from './census.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import {readRoots} from './root-snapshot.ts';
import {sweepSteps, type SweepPolicy} from './sweeper.ts';
import {InterruptedZone, InterruptionError} from './testing/interrupted-zone.ts';
import {naiveWalk, type Reached} from './testing/naive-walk.ts';
import type {Volume} from './volume.ts';

type Action =
  | {kind: 'write'; volume: number; file: number; page: number; count: number}
  | {kind: 'drop'; volume: number; file: number; from: number; count: number}
  | {kind: 'fork' | 'delete' | 'checkpoint' | 'reopen'; volume: number};
type Command =
  | Action
  | {kind: 'crash'; seed: number}
  | {kind: 'sweep'; meanwhile: {call: number; action: Action}[]; cutAtCall: number | null};

const volumeIndex = fc.nat(7);
const file = fc.constantFrom(0, 1, 600);
const page = fc.constantFrom(0, 1, 2, 511, 512, 513, 262_144);
const at = (kind: 'fork' | 'delete' | 'checkpoint' | 'reopen'): fc.Arbitrary<Action> =>
  fc.record({kind: fc.constant(kind), volume: volumeIndex});
const write = fc.record({
  kind: fc.constant('write' as const),
  volume: volumeIndex,
  file,
  page,
  count: fc.constantFrom(1, 1, 1, 40),
});
const drop = fc.record({
  kind: fc.constant('drop' as const),
  volume: volumeIndex,
  file,
  from: page,
  count: fc.constantFrom(1, 600),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  {weight: 10, arbitrary: write},
  {weight: 2, arbitrary: drop},
  {weight: 4, arbitrary: at('fork')},
  {weight: 2, arbitrary: at('delete')},
  {weight: 4, arbitrary: at('checkpoint')},
  {weight: 1, arbitrary: at('reopen')},
);
const call = fc.oneof(fc.nat(8), fc.nat(60));
const command: fc.Arbitrary<Command> = fc.oneof(
  {weight: 16, arbitrary: action},
  {weight: 1, arbitrary: fc.record({kind: fc.constant('crash' as const), seed: fc.nat()})},
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('sweep' as const),
      meanwhile: fc.array(fc.record({call, action}), {maxLength: 6}),
      cutAtCall: fc.option(call, {nil: null}),
    }),
  },
);

/** Small, so that many segments are sealed. A checkpoint's batch of nodes must fit. */
const SEGMENT_BYTES = 1_200_000;
const EAGER: SweepPolicy = {
  amplificationTarget: 0,
  deadShareMin: 0,
  deadBytesMin: PAGE_SIZE_BYTES,
  turnBytesMax: 4 * 2 ** 20,
};

/** What a page is, by its stamp: forks inherit it, a new write makes a new one. */
type Pages = Map<string, number>;
type Member = {
  number: VolumeNumber;
  volume: Volume;
  pages: Pages;
  /** What it was after each operation since the last barrier; the first is that at the barrier. */
  states: Pages[];
};

/** Volumes that come, go, and crash on a zone that can be interrupted at each call of the sweep. */
class World {
  readonly zone = new InterruptedZone();
  census: Census = new Census(this.zone);
  readonly members: Member[] = [];
  #next = 1;
  #stamp = 0;

  constructor() {
    const number = this.#take();
    this.members.push({
      number,
      volume: this.#open(number, true),
      pages: new Map(),
      states: [new Map()],
    });
  }

  run(step: Command): void {
    if (step.kind === 'crash') this.crash(step.seed);
    else if (step.kind === 'sweep') this.#sweep(step);
    else this.#act(step);
  }

  /** Every open volume is lost; each comes back with all that was durable. */
  crash(seed: number): void {
    this.zone.crash(seeded(seed));
    this.census = new Census(this.zone);
    for (const member of this.members) {
      member.volume = this.#open(member.number, false);
      const state = member.states.findLast(one => sees(member.volume, one));
      expect(state, 'a crash leaves a state that was there').toBeDefined();
      member.pages = new Map(state);
      member.states = [new Map(state)];
    }
  }

  sweepAll(): void {
    let more = true;
    while (more) {
      const steps = sweepSteps(this.zone, this.census, EAGER);
      let step = steps.next();
      while (step.done !== true) step = steps.next();
      more = step.value.more;
    }
  }

  remove(member: Member): void {
    member.volume.close();
    this.zone.deleteVolumeRecord(member.number);
    this.members.splice(this.members.indexOf(member), 1);
  }

  #sweep({meanwhile, cutAtCall}: Extract<Command, {kind: 'sweep'}>): void {
    let calls = 0;
    this.zone.onCall = () => {
      const now = calls++;
      if (now === cutAtCall) throw new InterruptionError();
      for (const {call: when, action: what} of meanwhile) if (when === now) this.#act(what);
    };
    try {
      const steps = sweepSteps(this.zone, this.census, EAGER);
      while (steps.next().done !== true);
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
    const member = this.members[step.volume % Math.max(1, this.members.length)];
    if (member !== undefined) this.#actOn(member, step);
    this.zone.onCall = onCall;
  }

  #actOn(member: Member, step: Action): void {
    const {volume, pages} = member;
    switch (step.kind) {
      case 'write':
        for (let one = step.page; one < step.page + step.count; one++) {
          volume
            .changePage(step.file, one, false)
            .fill(++this.#stamp)
            .writeUInt32LE(this.#stamp);
          pages.set(`${step.file}:${one}`, this.#stamp);
        }
        volume.endOperation();
        // A batch must fit the small segments of this test.
        if (step.count > 1) volume.flush();
        member.states.push(new Map(pages));
        return;
      case 'drop':
        volume.drop(step.file, step.from, step.from + step.count);
        volume.endOperation();
        for (const key of pages.keys()) {
          const [f, p] = key.split(':').map(Number) as [number, number];
          if (f === step.file && p >= step.from && p < step.from + step.count) pages.delete(key);
        }
        member.states.push(new Map(pages));
        return;
      case 'fork': {
        const number = this.#take();
        volume.fork(number);
        member.states = [new Map(pages)];
        const child = this.#open(number, false);
        this.members.push({
          number,
          volume: child,
          pages: new Map(pages),
          states: [new Map(pages)],
        });
        return;
      }
      case 'delete':
        return this.remove(member);
      case 'checkpoint':
        volume.checkpoint();
        member.states = [new Map(pages)];
        return;
      case 'reopen':
        volume.close();
        member.states = [new Map(pages)];
        member.volume = this.#open(member.number, false);
        return;
    }
  }

  #take(): VolumeNumber {
    return this.#next++ as VolumeNumber;
  }

  #open(volume: VolumeNumber, create: boolean): Volume {
    const {zone} = this;
    return openVolumeIn({zone, volume, create, nodeCacheBytes: 0, segmentBytes: SEGMENT_BYTES});
  }
}

function sees(volume: Volume, pages: Pages): boolean {
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  for (const name of [0, 1, 600]) {
    for (const first of [0, 1, 2, 511, 512, 513, 262_144]) {
      for (let one = first; one < first + 41; one++) {
        volume.readPages(name, one, 1, bytes, 0);
        if (bytes.readUInt32LE(0) !== (pages.get(`${name}:${one}`) ?? 0)) return false;
      }
    }
  }
  return true;
}

test('trees of volumes that are written, forked and deleted in any order, with crashes, and with sweeps that are cut off and run beside all that: survivors are whole, the rest is given back', () => {
  fc.assert(
    fc.property(fc.array(command, {minLength: 10, maxLength: 60}), commands => {
      const world = new World();
      for (const step of commands) world.run(step);
      for (const member of world.members) expect(sees(member.volume, member.pages)).toBe(true);
      for (const member of world.members) member.volume.checkpoint();
      expectExact(world);
      world.sweepAll();
      expectNothingDead(world.zone, world.census);
      for (const member of [...world.members]) {
        member.volume.close();
        member.volume = openAgain(world.zone, member.number);
        expect(sees(member.volume, member.pages)).toBe(true);
        world.remove(member);
        world.sweepAll();
        for (const other of world.members) expect(sees(other.volume, other.pages)).toBe(true);
      }
      expect(world.zone.listVolumes()).toEqual([]);
    }),
    {numRuns: 250},
  );
});

function openAgain(zone: Zone, volume: VolumeNumber): Volume {
  return openVolumeIn({
    zone,
    volume,
    create: false,
    nodeCacheBytes: 0,
    segmentBytes: SEGMENT_BYTES,
  });
}

/** The census says what a walk of each root by itself says. */
function expectExact({zone, census, members}: World): void {
  const records = readRoots(zone);
  expect(records.map(record => record.volume)).toEqual(
    members.map(member => member.number).sort((a, b) => a - b),
  );
  const reached = records.map(record => naiveWalk(zone, record));
  const counts = census.count(records);
  for (const [index, one] of reached.entries()) {
    const others = reached.filter(other => other !== one);
    const pages = split(one.pages, new Set(others.flatMap(other => [...other.pages])));
    const nodes = split(one.nodes, new Set(others.flatMap(other => [...other.nodes])));
    expect(counts.shares[index]).toEqual({
      logicalPages: one.pages.size,
      sharedPages: pages.shared,
      ownedPages: pages.owned,
      logicalNodes: one.nodes.size,
      sharedNodes: nodes.shared,
      ownedNodes: nodes.owned,
      historyPages: 0,
      historyNodes: 0,
      ownedHistoryPages: 0,
      ownedHistoryNodes: 0,
    } satisfies Share);
  }
  const all = new Set(reached.flatMap(({pages, nodes}) => [...pages, ...nodes]));
  expect(counts.live.total).toBe(all.size);
  expectHeld(
    counts,
    reached,
    records.map(record => record.volume),
  );
}

function split(mine: ReadonlySet<string>, others: ReadonlySet<string>) {
  const shared = [...mine].filter(one => others.has(one)).length;
  return {shared, owned: mine.size - shared};
}

function expectHeld(
  {heldOfRemoved}: Counts,
  reached: readonly Reached[],
  volumes: readonly VolumeNumber[],
): void {
  const expected = new Map<number, Map<number, number>>();
  for (const [index, {pages, nodes}] of reached.entries()) {
    for (const unit of [...pages, ...nodes]) {
      const origin = Number(unit.split(':')[0]);
      if (volumes.includes(origin as VolumeNumber)) continue;
      const held = expected.get(origin) ?? new Map<number, number>();
      const holder = volumes[index] as number;
      held.set(holder, (held.get(holder) ?? 0) + 1);
      expected.set(origin, held);
    }
  }
  expect(heldOfRemoved).toEqual(expected);
}

/** A segment that a sweep may touch holds live units, and an index of 8 bytes for each at most. */
function expectNothingDead(zone: Zone, census: Census): void {
  const records = readRoots(zone);
  const {live} = census.count(records);
  for (const volume of zone.listVolumes()) {
    const record = records.find(one => one.volume === volume);
    for (const {segment, bytesOnDisk} of zone.listSegments(volume)) {
      if (record !== undefined && segment >= record.checkpoint.segment) continue;
      const units = live.get(volume, segment);
      expect(units).toBeGreaterThan(0);
      expect(bytesOnDisk - units * PAGE_SIZE_BYTES).toBeLessThanOrEqual(PAGE_SIZE_BYTES);
    }
  }
}
