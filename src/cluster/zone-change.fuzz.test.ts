/**
 * Zones are added and removed by the real change of zones, over disks in memory with simulated clocks,
 * while a writer writes, dies and is opened again and one zone at a time is in trouble. Once a change is
 * done, every write quorum of the new zones alone holds whatever was acknowledged.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {pino} from 'pino';
import {expect, test} from 'vitest';
import {systemClock} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {isWriteQuorum, majority} from '../page-store/membership.ts';
import {MIRROR_DEFAULTS} from '../page-store/mirror-members.ts';
import type {MirrorRole} from '../page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../page-store/mirrored-zone.ts';
import {changeZones} from '../page-store/open-zones.ts';
import {allocateVolume, markRemoved, openStore, recordMembership} from '../page-store/store.ts';
import {MemoryZone} from '../page-store/testing/memory-zone.ts';
import {SimulatedZones, type Faults} from '../page-store/testing/simulated-zones.ts';
import {seeded, ZoneFaults} from '../page-store/testing/zone-faults.ts';
import type {Zone} from '../page-store/zone.ts';
import {levelVolume, uncleanVolumes} from '../volume/level-idle.ts';
import {openVolumeIn} from '../volume/open-volume.ts';
import {PAGE_SIZE_BYTES} from '../volume/pointer.ts';
import type {Volume} from '../volume/volume.ts';
import {Catalog} from './catalog.ts';
import {KeyedLock} from './keyed-lock.ts';
import type {LaunchedProcess} from './launched-processes.ts';
import {StoreZones} from './store-zones.ts';
import {ZoneChanges} from './zone-changes.ts';
import {beginChange} from './zone-plan.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const PAGES = [0, 1, 2, 511, 700];
const SEGMENT_BYTES = 3 * 2 ** 20;
const DELAY_MS = 3;
const ROUNDS_MAX = 400;

type State = ReadonlyMap<number, number>;
type Command =
  | {kind: 'write'; pages: number[]}
  | {kind: 'barrier' | 'checkpoint' | 'kill' | 'step' | 'heal'}
  | {kind: 'time'; seconds: number}
  | {kind: 'crash'; seed: number}
  | {kind: 'trouble'; zone: number; how: 'hang' | 'slow' | 'fail'}
  | {kind: 'change'; zone: number};

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      pages: fc.array(fc.constantFrom(...PAGES), {minLength: 1, maxLength: 3}),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('barrier', 'barrier', 'checkpoint', 'step', 'step'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({kind: fc.constant('time' as const), seconds: fc.constantFrom(1, 6)}),
  },
  {weight: 2, arbitrary: fc.record({kind: fc.constantFrom('kill', 'heal')})},
  {weight: 1, arbitrary: fc.record({kind: fc.constant('crash' as const), seed: fc.nat()})},
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('trouble' as const),
      zone: fc.nat(4),
      how: fc.constantFrom('hang' as const, 'slow' as const, 'fail' as const),
    }),
  },
  {weight: 2, arbitrary: fc.record({kind: fc.constant('change' as const), zone: fc.nat(4)})},
);

test('whatever was acknowledged is on every write quorum of the zones that a change leads to', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, {minLength: 15, maxLength: 45}), async commands => {
      const simulation = new Simulation();
      try {
        await simulation.run(commands);
      } finally {
        await simulation.end();
      }
    }),
    {numRuns: 25},
  );
});

/** A process that has the store open. */
type Opened = {medium: SimulatedZones; zone: Zone};

class Simulation {
  #nowMs = 0;
  readonly #directory = mkdtempSync(join(tmpdir(), 'borealis-zone-change-'));
  readonly #disks = NAMES.map(name => new MemoryZone(new ZoneFaults(), name));
  readonly #faults: Faults[] = NAMES.map(() => ({
    delayMs: DELAY_MS,
    writeDelayMs: 0,
    hungUntilMs: 0,
    failure: null,
  }));
  readonly #zones = new StoreZones(this.#directory, {
    number: 0,
    zones: NAMES.slice(0, 3).map(name => ({name, directory: `/${name}`})),
    change: null,
  });
  readonly #catalog = Catalog.open({
    directory: this.#directory,
    region: 'local-1',
    newIdentity: () => ({accountId: '123456789012', region: 'local-1', createdAtMs: 0}),
  });
  readonly #changes: ZoneChanges;
  readonly #volumeNumber: VolumeNumber;
  #keeper: Opened = this.#open('keeper');
  #writer: Opened | null = null;
  #volume: Volume | null = null;
  #states: State[] = [new Map()];
  #stamp = 0;

  constructor() {
    openStore(this.#keeper.zone, this.#zones.config.membership);
    this.#volumeNumber = allocateVolume(this.#keeper.zone);
    this.#start(true);
    this.#changes = new ZoneChanges(
      {
        catalog: this.#catalog,
        clock: systemClock,
        logger: pino({level: 'silent'}),
        storeZones: this.#zones,
        volumeLocks: new KeyedLock(),
        renewSpare: () => undefined,
        storage: {membership: this.#membershipCalls()},
        processes: {list: () => this.#processes()},
      },
      {restart: () => this.#reopen(() => this.#disks.forEach(disk => disk.kill()))},
    );
  }

  async run(commands: readonly Command[]): Promise<void> {
    for (const step of commands) await this.#do(step);
    await this.#finishChange();
    this.#volume?.barrier();
    this.#states = [this.#now()];
    this.#checkEveryQuorum();
  }

  async end(): Promise<void> {
    await this.#catalog.close();
    rmSync(this.#directory, {recursive: true});
  }

  async #do(step: Command): Promise<void> {
    switch (step.kind) {
      case 'write':
        return this.#write(step.pages);
      case 'barrier':
      case 'checkpoint':
        this.#healUnlessQuorum();
        if (step.kind === 'barrier') this.#volume?.barrier();
        else this.#volume?.checkpoint();
        this.#states = [this.#now()];
        return;
      case 'time':
        return this.#letPass(step.seconds);
      case 'heal':
        return this.#heal();
      case 'trouble':
        return this.#trouble(step.zone, step.how);
      case 'kill':
        return this.#reopen(() => this.#disks.forEach(disk => disk.kill()));
      case 'crash':
        return this.#reopen(() =>
          this.#disks.forEach((disk, index) => disk.crash(seeded(step.seed + index))),
        );
      case 'change':
        return await this.#begin(step.zone);
      case 'step':
        this.#healUnlessQuorum();
        await this.#changes.step();
        return this.#letPass(1);
    }
  }

  async #begin(index: number): Promise<void> {
    if (this.#zones.plan.change !== null) return;
    const name = NAMES[index] as string;
    const isThere = this.#zones.list.some(zone => zone.name === name);
    if (isThere && this.#zones.list.length === 2) return;
    const zone = {name, directory: `/${name}`};
    // One that was removed is emptied before it comes back.
    if (!isThere) this.#empty(index);
    this.#zones.write(beginChange(this.#zones.plan, isThere ? 'remove' : 'add', zone));
  }

  #empty(index: number): void {
    const disk = new MemoryZone(new ZoneFaults(), NAMES[index]);
    this.#disks[index] = disk;
    for (const {medium} of this.#opened()) medium.replaceZone(index, disk);
  }

  async #finishChange(): Promise<void> {
    this.#heal();
    for (let round = 0; this.#zones.plan.change !== null; round++) {
      expect(round, this.#changes.waitingFor.join('; ')).toBeLessThan(ROUNDS_MAX);
      await this.#changes.step();
      this.#letPass(1);
    }
    // And until all are up to date, as before the next change.
    this.#letPass(40);
  }

  /** A writer that has nothing but a write quorum, each of them, finds it all. */
  #checkEveryQuorum(): void {
    const names = this.#zones.list.map(zone => zone.name);
    for (const present of subsets(names, majority(names.length))) {
      const {medium, zone} = this.#open('writer');
      for (const [index, fault] of medium.faults.entries()) {
        const isAway = names.includes(NAMES[index] ?? '') && !present.includes(NAMES[index] ?? '');
        Object.assign(fault, {delayMs: 0, failure: isAway ? 'zone-lost' : null});
      }
      for (const disk of this.#disks) disk.kill();
      const volume = openVolumeIn({
        ...{zone, volume: this.#volumeNumber, create: false, nodeCacheBytes: 0},
        segmentBytes: SEGMENT_BYTES,
      });
      expect(read(volume), `from ${present.join(', ')} of ${names.join(', ')}`).toEqual(
        this.#now(),
      );
      volume.close();
      zone.close();
    }
  }

  #write(pages: readonly number[]): void {
    const next = new Map(this.#now());
    const stamp = (++this.#stamp % 250) + 1;
    for (const page of pages) {
      this.#volume?.changePage(5, page, false).fill(stamp);
      next.set(page, stamp);
    }
    this.#volume?.endOperation();
    this.#states.push(next);
  }

  #trouble(index: number, how: 'hang' | 'slow' | 'fail'): void {
    this.#heal();
    const faults = this.#faults[index] as Faults;
    if (how === 'hang') faults.hungUntilMs = this.#nowMs + 20_000;
    else if (how === 'slow') faults.delayMs = 400;
    else faults.failure = 'zone-io';
    this.#applyFaults();
  }

  #heal(): void {
    for (const faults of this.#faults)
      Object.assign(faults, {delayMs: DELAY_MS, hungUntilMs: 0, failure: null});
    this.#applyFaults();
  }

  /** In a simulation nobody comes to mend a zone while it is waited for. */
  #healUnlessQuorum(): void {
    const well = NAMES.filter((_, index) => this.#faults[index]?.failure === null);
    if (!isWriteQuorum(this.#zones.config.membership, well)) this.#heal();
    const before = this.#writer?.zone.mirror?.membershipState().current ?? [];
    const able = before.filter(name => well.includes(name));
    if (!isWriteQuorum(this.#zones.config.membership, able)) this.#heal();
  }

  #applyFaults(): void {
    for (const {medium} of this.#opened()) {
      for (const [index, faults] of this.#faults.entries()) {
        Object.assign(medium.faults[index] as Faults, faults);
      }
    }
  }

  #letPass(seconds: number): void {
    for (let tick = 0; tick < seconds * 5; tick++) {
      this.#nowMs += 200;
      for (const {medium, zone} of this.#opened()) {
        medium.advance(Math.max(0, this.#nowMs - medium.nowMs()));
        zone.mirror?.tick();
        zone.mirror?.step();
      }
    }
    this.#volume?.onIdle();
    this.#nowMs = Math.max(...this.#opened().map(({medium}) => medium.nowMs()));
  }

  #opened(): Opened[] {
    return this.#writer === null ? [this.#keeper] : [this.#keeper, this.#writer];
  }

  #open(role: MirrorRole): Opened {
    const medium = new SimulatedZones(this.#disks, this.#nowMs);
    for (const [index, faults] of this.#faults.entries()) {
      Object.assign(medium.faults[index] as Faults, faults);
    }
    const {zones, membership} = this.#zones.config;
    medium.setZones(zones);
    const onEvent = (): void => undefined;
    const zone = openMirroredZone({medium, settings: MIRROR_DEFAULTS, membership, role, onEvent});
    return {medium, zone};
  }

  #start(create: boolean): void {
    for (let attempt = 0; ; attempt++) {
      const writer = this.#open('writer');
      try {
        this.#volume = openVolumeIn({
          ...{zone: writer.zone, volume: this.#volumeNumber, create, nodeCacheBytes: 0},
          segmentBytes: SEGMENT_BYTES,
        });
        this.#writer = writer;
        return;
      } catch (error) {
        const isQuorum = error instanceof BorealisError && error.code === 'zone-quorum';
        if (!isQuorum || attempt === 5) throw error;
        this.#heal();
        this.#letPass(20);
      }
    }
  }

  /** The writer's process ends, and the service's with a crash of the machine; both come back. */
  #reopen(die: () => void): void {
    die();
    this.#writer = null;
    this.#volume = null;
    this.#keeper = this.#open('keeper');
    this.#start(false);
    const found = read(this.#volume as unknown as Volume);
    const last = this.#states.filter(state => same(found, state)).at(-1);
    expect(last, 'the volume is what it was after some operation').toBeDefined();
    this.#states = [last as State];
    openStore(this.#keeper.zone, this.#zones.config.membership);
  }

  #processes(): LaunchedProcess[] {
    const {zone} = this.#writer as Opened;
    const handle = {
      pid: 1,
      request: async (_: string, config: Parameters<typeof changeZones>[1]) =>
        changeZones(zone, config),
    };
    const config = {name: 'writer', role: 'writer', volume: this.#volumeNumber};
    // oxlint-disable-next-line no-unsafe-type-assertion -- of a process only this is asked
    return [{config, handle, isReady: true} as unknown as LaunchedProcess];
  }

  #membershipCalls(): ConstructorParameters<typeof ZoneChanges>[0]['storage']['membership'] {
    const zone = (): Zone => this.#keeper.zone;
    const mirror = (): NonNullable<Zone['mirror']> => zone().mirror as NonNullable<Zone['mirror']>;
    return {
      change: async config => void changeZones(zone(), config),
      state: async () => mirror().membershipState(),
      audit: async () => mirror().auditAnew(),
      record: async () => recordMembership(zone(), this.#zones.config.membership),
      markRemoved: async name => markRemoved(zone(), name),
      unclean: async () => uncleanVolumes(zone()),
      settle: async volume => levelVolume({zone: zone(), volume, nodeCacheBytes: 0}),
    };
  }

  #now(): State {
    return this.#states.at(-1) as State;
  }
}

function subsets(names: readonly string[], size: number): string[][] {
  if (size === 0) return [[]];
  return names.flatMap((name, index) =>
    subsets(names.slice(index + 1), size - 1).map(rest => [name, ...rest]),
  );
}

function read(volume: Volume): State {
  const found = new Map<number, number>();
  const bytes = Buffer.alloc(PAGE_SIZE_BYTES);
  for (const page of PAGES) {
    volume.readPages(5, page, 1, bytes, 0);
    const stamp = bytes.readUInt8(0);
    if (stamp !== 0) found.set(page, stamp);
  }
  return found;
}

function same(found: State, state: State): boolean {
  return PAGES.every(page => found.get(page) === state.get(page));
}
