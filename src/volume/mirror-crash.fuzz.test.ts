import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {VolumeNumber} from '../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {openStore} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones, type Faults} from '../page-store/testing/simulated-zones.ts';
import {seeded, ZoneFaults} from '../page-store/testing/zone-faults.ts';
import type {Zone} from '../page-store/zone.ts';
import {openVolumeIn} from './open-volume.ts';
import {PAGE_SIZE_BYTES} from './pointer.ts';
import type {Volume} from './volume.ts';

const VOLUME = 1 as VolumeNumber;
const PAGES = [0, 1, 2, 511, 512, 700];
const LOOKED_AT = [...PAGES, 900, 901, 1000, 1150, 1299];
/** What an operation takes in a zone that is well: so some always wait when the power goes. */
const DELAY_MS = 3;
const SEGMENT_BYTES = 3 * 2 ** 20;

/** page → the number that fills it. */
type State = ReadonlyMap<number, number>;

type Command =
  | {kind: 'write'; pages: number[]; bulk: boolean}
  | {kind: 'barrier' | 'checkpoint' | 'close' | 'kill' | 'look'}
  | {kind: 'time'; seconds: number}
  | {kind: 'crash'; seed: number}
  | {kind: 'trouble'; zone: number; how: Trouble; seed: number}
  | {kind: 'heal' | 'relief'};
type Trouble = 'hang' | 'slow' | 'fail' | 'full' | 'wipe' | 'rot';

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      pages: fc.array(fc.constantFrom(...PAGES), {minLength: 1, maxLength: 4}),
      bulk: fc.nat(12).map(n => n === 0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('barrier', 'barrier', 'checkpoint', 'close', 'kill', 'look'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({kind: fc.constant('time' as const), seconds: fc.constantFrom(1, 15)}),
  },
  {weight: 2, arbitrary: fc.record({kind: fc.constant('crash' as const), seed: fc.nat()})},
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('trouble' as const),
      zone: fc.nat(2),
      how: fc.constantFrom<Trouble>('hang', 'slow', 'fail', 'full', 'wipe', 'rot'),
      seed: fc.nat(),
    }),
  },
  {weight: 2, arbitrary: fc.record({kind: fc.constantFrom('heal', 'relief')})},
);

test('with one zone of three in trouble at a time, crashes lose nothing that a barrier covered, and what an opening found stays', () => {
  fc.assert(
    fc.property(fc.array(command, {minLength: 20, maxLength: 60}), commands => {
      new Simulation().run(commands);
    }),
    {numRuns: 100},
  );
});

class Simulation {
  readonly #zones: MemoryZone[] = ['a', 'b', 'c'].map(
    name => new MemoryZone(new ZoneFaults(), name),
  );
  #medium = new SimulatedZones(this.#zones);
  #zone: Zone = this.#mirror();
  #volume: Volume = this.#open(true);
  /** The state after each operation since the last barrier; the first is that at the barrier. */
  #states: State[] = [new Map()];
  /** The zone that has lost something, or may, until all three are healthy again. */
  #troubled: number | null = null;
  #isRotten = false;
  #stamp = 0;

  run(commands: readonly Command[]): void {
    this.#heal();
    for (const step of commands) this.#step(step);
    this.#relieve();
    this.#look();
    this.#volume.close();
  }

  #step(step: Command): void {
    switch (step.kind) {
      case 'write':
        return this.#write(step.pages, step.bulk);
      case 'barrier':
        this.#volume.barrier();
        return this.#durable();
      case 'checkpoint':
        this.#volume.checkpoint();
        return this.#durable();
      case 'look':
        return this.#look();
      case 'time':
        return this.#letPass(step.seconds);
      case 'heal':
        return this.#heal();
      case 'relief':
        return this.#relieve();
      case 'trouble':
        return this.#trouble(step.zone, step.how, step.seed);
      case 'close':
        this.#volume.close();
        this.#durable();
        return this.#reopen(() => this.#zones.forEach(zone => zone.kill()));
      case 'kill':
        return this.#reopen(() => this.#zones.forEach(zone => zone.kill()));
      case 'crash':
        return this.#reopen(() =>
          this.#zones.forEach((zone, index) => zone.crash(seeded(step.seed + index))),
        );
    }
  }

  #write(pages: readonly number[], bulk: boolean): void {
    const next = new Map(this.#now());
    const stamp = (++this.#stamp % 250) + 1;
    const written = bulk ? Array.from({length: 300}, (_, index) => 1000 + index) : pages;
    for (const page of written) {
      this.#volume.changePage(5, page, false).fill(stamp);
      next.set(page, stamp);
    }
    this.#volume.endOperation();
    this.#states.push(next);
  }

  #trouble(index: number, how: Trouble, seed: number): void {
    if (this.#troubled !== null) return;
    this.#troubled = index;
    const faults = this.#medium.faults[index] as Faults;
    const nowMs = this.#medium.nowMs();
    if (how === 'hang') faults.hungUntilMs = nowMs + 20_000;
    else if (how === 'slow') faults.delayMs = 400;
    else if (how === 'fail') faults.failure = 'zone-io';
    else if (how === 'full') faults.failure = 'zone-full';
    else if (how === 'wipe') this.#wipe(index);
    else {
      this.#isRotten = true;
      this.#rot(index, seeded(seed));
    }
  }

  /** The disk is new, and what ran on it notices. */
  #wipe(index: number): void {
    this.#zones[index] = new MemoryZone(new ZoneFaults(), this.#zones[index]?.name);
    this.#medium.replaceZone(index, this.#zones[index]);
  }

  #rot(index: number, random: (below: number) => number): void {
    const zone = this.#zones[index] as MemoryZone;
    for (const {segment, sizeBytes} of zone.listSegments(VOLUME)) {
      if (sizeBytes === 0) continue;
      for (let count = 0; count < 20; count++) zone.corrupt(VOLUME, segment, random(sizeBytes));
    }
  }

  /** Whatever troubled a zone is over, and it is given the time to catch up. */
  #relieve(): void {
    this.#heal();
    for (let round = 0; round < 40; round++) {
      if (round < 30) this.#write([900 + (round % 2)], false);
      if (round % 7 === 0) this.#volume.flush();
      this.#letPass(0.4);
    }
    this.#letPass(10);
    // Only what is read is repaired; of what is not, a scrub is to take care.
    this.#look();
    this.#letPass(2);
    expect(this.#zone.mirror?.states()).toEqual(
      this.#zones.map(({name}) => ({zone: name, state: 'healthy'})),
    );
    this.#keep();
    this.#troubled = null;
    this.#isRotten = false;
    this.#checkEachAlone();
  }

  #heal(): void {
    for (const faults of this.#medium.faults) {
      faults.hungUntilMs = 0;
      faults.delayMs = DELAY_MS;
      faults.failure = null;
    }
  }

  /** Every zone that is healthy is enough by itself. */
  #checkEachAlone(): void {
    this.#volume.barrier();
    this.#durable();
    this.#medium.finish();
    for (const zone of this.#zones) {
      const alone = openVolumeIn({
        ...{zone: copyOf(zone), volume: VOLUME, create: false, nodeCacheBytes: 0},
        segmentBytes: SEGMENT_BYTES,
      });
      expect([...read(alone)], `zone ${zone.name}`).toEqual([...known(this.#now())]);
      alone.close();
    }
  }

  /** What a keeper and a scrub would do: the store record, and pages that rotted and nobody reads. */
  #keep(): void {
    const index = this.#troubled;
    if (index === null) return;
    const zone = this.#zones[index] as MemoryZone;
    const other = this.#zones[(index + 1) % 3] as MemoryZone;
    if (zone.readStoreRecord() === null) {
      zone.writeStoreRecord(other.readStoreRecord() ?? Buffer.alloc(0), null);
    }
    if (!this.#isRotten) return;
    for (const {segment} of other.listSegments(VOLUME)) {
      const file = zone.ensureSegment(VOLUME, segment);
      file.write([other.bytesOf(VOLUME, segment)], 0);
      file.sync();
      file.close();
    }
  }

  #letPass(seconds: number): void {
    for (let tick = 0; tick < seconds * 5; tick++) {
      this.#medium.advance(200);
      this.#zone.mirror?.tick();
    }
    this.#volume.onIdle();
  }

  #reopen(die: () => void): void {
    die();
    const {faults} = this.#medium;
    const nowMs = this.#medium.nowMs();
    this.#medium = new SimulatedZones(this.#zones, nowMs);
    for (const [index, fault] of faults.entries()) {
      Object.assign(this.#medium.faults[index] as Faults, fault);
    }
    this.#zone = this.#mirror();
    this.#volume = this.#open(false);
    const found = read(this.#volume);
    const last = this.#states.filter(state => same(found, state)).at(-1);
    expect(last, 'the volume is what it was after some operation').toBeDefined();
    // What was found is durable: it is all there is from now on.
    this.#states = [last as State];
  }

  #open(create: boolean): Volume {
    openStore(this.#zone);
    return openVolumeIn({
      ...{zone: this.#zone, volume: VOLUME, create, nodeCacheBytes: 0},
      segmentBytes: SEGMENT_BYTES,
    });
  }

  #mirror(): Zone {
    return openMirroredZone({
      ...{medium: this.#medium, role: 'writer', onEvent: () => undefined},
      settings: {...MIRROR_DEFAULTS},
    });
  }

  #look(): void {
    expect(same(read(this.#volume), this.#now())).toBe(true);
  }

  #now(): State {
    return this.#states.at(-1) as State;
  }

  #durable(): void {
    this.#states = [this.#now()];
  }
}

function read(volume: Volume): State {
  const found = new Map<number, number>();
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  for (const page of LOOKED_AT) {
    volume.readPages(5, page, 1, bytes, 0);
    const stamp = bytes.readUInt8(0);
    expect(bytes.readUInt8(PAGE_SIZE_BYTES - 1)).toBe(stamp);
    if (stamp !== 0) found.set(page, stamp);
  }
  return found;
}

function copyOf(zone: MemoryZone): MemoryZone {
  const copy = new MemoryZone(new ZoneFaults(), zone.name);
  copy.writeVolumeRecord(VOLUME, zone.readVolumeRecord(VOLUME) ?? Buffer.alloc(0), null);
  for (const {segment} of zone.listSegments(VOLUME)) {
    const file = copy.createSegment(VOLUME, segment);
    file.write([zone.bytesOf(VOLUME, segment)], 0);
    file.sync();
    file.close();
  }
  return copy;
}

/** The part of a state that is looked at. */
function known(state: State): State {
  return new Map(
    LOOKED_AT.flatMap((page): [number, number][] => {
      const stamp = state.get(page);
      return stamp === undefined ? [] : [[page, stamp]];
    }),
  );
}

function same(found: State, state: State): boolean {
  return LOOKED_AT.every(page => found.get(page) === state.get(page));
}
