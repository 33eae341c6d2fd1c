/**
 * A store on several zones, as one machine runs it: each process has a mirror of its own over the same
 * disks, on one clock.
 *
 *     writer of volume 3 ──▶ mirror ─┐
 *     writer of volume 7 ──▶ mirror ─┼─▶ faults of a zone: slow, hung, failing, lost ──▶ disk in memory
 *     keeper, sweeper    ──▶ mirrors ┘
 *
 * While one process waits, the others look after their zones. A process that dies leaves undone what
 * its zones had not done yet.
 */
import {BorealisError, errorChain} from '../src/base/errors.ts';
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../src/page-store/mirror-members.ts';
import type {MirrorRole} from '../src/page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../src/page-store/mirrored-zone.ts';
import {MemoryZone} from '../src/page-store/testing/memory-zone.ts';
import {SimulatedDisks, SimulatedZones} from '../src/page-store/testing/simulated-zones.ts';
import {ProcessEnded, ZoneFaults, type Random} from '../src/page-store/testing/zone-faults.ts';
import type {Zone} from '../src/page-store/zone.ts';
import {levelIdleVolumes} from '../src/volume/testing/level-idle-volumes.ts';
import {scrubSteps} from '../src/volume/scrub.ts';
import {demand, Violation} from './content.ts';
import {LARGE_SEGMENT_BYTES} from './world.ts';
import {rotRecord, rotSegment} from './rot.ts';
import type {StoreFactory, StoreUnderTest, ZoneTrouble} from './store-under-test.ts';
import {Troubles} from './troubles.ts';

/** A call that waits for longer than any trouble lasts, waits for ever. */
const WAIT_MAX_MS = 15 * 60_000;
const FULL_MAX_MS = 90_000;
/** In this time every zone that is well has been tried again, caught up and looked at. */
const SETTLE_MS = 120_000;
const SETTLE_STEP_MS = 500;
/** How often the others go on while a process waits: one in so many looks. */
const OTHERS_EVERY = 3;

/** How often a process looks after its zones. */
const TICK_MS = 1000;

type Process = {readonly medium: SimulatedZones; readonly zone: Zone; tickedAtMs: number};

export function severalZones(count: number, quorum: number): StoreFactory {
  return random => new ZonesUnderTest(count, quorum, random);
}

class ZonesUnderTest implements StoreUnderTest {
  readonly faults: ZoneFaults;
  readonly zoneCount: number;
  readonly #quorum: number;
  readonly #random: Random;
  readonly #disks: SimulatedDisks;
  readonly #troubles: Troubles;
  readonly #writers = new Map<VolumeNumber, Process>();
  /** Writers that were taken for dead. */
  #stale: Process[] = [];
  #keeper: Process;
  #sweeper: Process;
  /** One of them ended in the middle of a call of another process. */
  #isServiceDead = false;
  /** Writers that did as well. */
  #endedWriters: VolumeNumber[] = [];
  /** The keeper has read the store record. */
  #isStoreKnown = false;
  #waitingSinceMs = 0;

  constructor(count: number, quorum: number, random: Random) {
    this.zoneCount = count;
    this.#quorum = quorum;
    this.#random = random;
    this.faults = new ZoneFaults(random);
    const zones = ['a', 'b', 'c'].slice(0, count).map(name => new MemoryZone(this.faults, name));
    this.#disks = new SimulatedDisks(zones);
    this.#disks.onWait = () => this.#othersGoOn();
    this.#troubles = new Troubles(this.#disks, this.faults, random);
    this.#keeper = this.#start('keeper');
    this.#sweeper = this.#start('sweeper');
  }

  get zone(): Zone {
    return this.#keeper.zone;
  }

  get sweeperZone(): Zone {
    return this.#sweeper.zone;
  }

  writerZone(volume: VolumeNumber): Zone {
    this.#writers.get(volume)?.medium.die();
    const writer = this.#start('writer');
    this.#writers.set(volume, writer);
    return writer.zone;
  }

  powerCut(random: Random): string | null {
    this.faults.restart();
    for (const process of this.#all()) process.medium.die();
    for (const zone of this.#zones()) zone.crash(random);
    // The cut may take more than the power of a zone: a disk, or the way to it.
    const isFailing = random(2) === 0 && !this.#troubles.mustSettleFirst('failing');
    const place = isFailing ? this.#troubles.strike('failing') : null;
    this.#startService();
    return place;
  }

  kill(volume?: VolumeNumber, goesOn = false): void {
    this.faults.restart();
    for (const zone of this.#zones()) zone.kill(volume);
    if (volume === undefined) {
      for (const process of this.#all()) process.medium.die();
      this.#startService();
      return;
    }
    const writer = this.#writers.get(volume);
    this.#writers.delete(volume);
    if (writer !== undefined && goesOn) this.#stale.push(writer);
    else writer?.medium.die();
    if (this.#isServiceDead) {
      this.#keeper.medium.die();
      this.#sweeper.medium.die();
      this.#startService(false);
    }
  }

  takeEndedWriters(): VolumeNumber[] {
    return this.#endedWriters.splice(0);
  }

  syncDescriptor(): void {
    demand(false, () => 'a mirror has no descriptors');
  }

  waitUntilDurable(volume: VolumeNumber, lsn: number): void {
    const writer = this.#writers.get(volume);
    if (writer === undefined) return;
    const {board} = writer.medium;
    while (board.quorumLsn() < lsn) {
      const seen = board.bell();
      this.#lookAfter(writer);
      writer.medium.wait(seen, TICK_MS);
    }
  }

  rot(kind: 'rot' | 'record-rot', random: Random): string | null {
    const zone = this.#zones()[random(this.zoneCount)] as MemoryZone;
    const place = kind === 'rot' ? rotSegment(zone, random) : rotRecord(zone, random);
    if (place !== null) this.#troubles.noteRot(zone.name);
    return place === null ? null : `zone ${zone.name}, ${place}`;
  }

  hasRecord(volume: VolumeNumber): 'yes' | 'no' | 'in part' {
    const found = this.#zones().map(zone => zone.recordState(volume));
    if (found.includes('removed')) return found.includes('present') ? 'in part' : 'no';
    const count = found.filter(state => state === 'present').length;
    return count >= this.#quorum ? 'yes' : count === 0 ? 'no' : 'in part';
  }

  segmentCount(): number {
    return this.#zones().reduce((sum, zone) => sum + segmentsOf(zone).length, 0);
  }

  usedBytes(): number {
    const used = this.#zones().map(zone =>
      segmentsOf(zone).reduce((sum, {bytesOnDisk}) => sum + bytesOnDisk, 0),
    );
    return Math.max(...used);
  }

  trouble(what: ZoneTrouble): string | null {
    if (this.#troubles.mustSettleFirst(what)) this.settle();
    return this.#troubles.strike(what);
  }

  lapse(durationMs: number): void {
    this.#waitingSinceMs = this.#disks.nowMs;
    this.#disks.nowMs += durationMs;
    this.#troubles.endOld();
    for (const {medium} of this.#all()) medium.pump();
    this.#keeper.zone.mirror?.tick();
    while (this.#keeper.zone.mirror?.step() === true && this.#random(20) > 0) this.#pass(2);
    if (this.#random(8) === 0) this.#levelIdle();
    if (this.#random(2) === 0) this.#sweeper.zone.mirror?.tick();
    for (const {zone} of this.#writers.values()) zone.mirror?.tick();
  }

  /** Nothing ails a zone any more, and each is given the time to catch up: then all must be healthy. */
  settle(scrubs = false): void {
    this.#troubles.endAll();
    this.faults.disarmAll();
    try {
      this.#withoutTurns(() => this.#settle(scrubs));
    } catch (error) {
      if (!(error instanceof BorealisError)) throw error;
      throw new Violation(`while nothing ails any zone: ${errorChain(error)}`);
    }
    this.#troubles.settled();
    // Nobody waited for that time.
    this.#waitingSinceMs = this.#disks.nowMs;
  }

  #settle(scrubs: boolean): void {
    this.#waitingSinceMs = this.#disks.nowMs;
    const untilMs = this.#disks.nowMs + SETTLE_MS;
    while (this.#disks.nowMs < untilMs) {
      this.#pass(SETTLE_STEP_MS);
      this.#readStore();
      for (const process of this.#living()) {
        this.#tick(process);
        const {mirror} = process.zone;
        for (let left = 50; left > 0 && mirror?.step() === true; left--) this.#pass(2);
      }
    }
    this.#levelIdle();
    if (scrubs) this.#scrub();
    // One that did nothing meanwhile has not yet seen what its zones have done.
    for (const process of this.#living()) this.#tick(process);
    for (const {zone} of this.#living()) {
      const states = zone.mirror?.states() ?? [];
      const ill = states.find(({state}) => state !== 'healthy');
      const role = zone === this.zone ? 'keeper' : zone === this.sweeperZone ? 'sweeper' : 'writer';
      demand(
        ill === undefined,
        () => `after ${SETTLE_MS / 1000} s the ${role} has ${JSON.stringify(ill)}`,
      );
    }
    const records = this.#zones().map(zone => zone.readStoreRecord()?.toString());
    demand(
      new Set(records).size === 1,
      () =>
        `after ${SETTLE_MS / 1000} s zones have other store records: ${JSON.stringify(records)}`,
    );
  }

  /** A writer whose zones have all missed something says so, and ends. */
  #tick(process: Process): void {
    try {
      process.zone.mirror?.tick();
    } catch (error) {
      const volume = this.#volumeOf(process);
      const isEnd = error instanceof BorealisError && error.code === 'zone-quorum';
      if (!isEnd || volume === undefined) throw error;
      this.#endedWriters.push(volume);
      this.#writers.delete(volume);
      process.medium.die();
      for (const zone of this.#zones()) zone.kill(volume);
    }
  }

  #volumeOf(process: Process): VolumeNumber | undefined {
    return [...this.#writers].find(([, writer]) => writer === process)?.[0];
  }

  noteFault(fault: string, zone: string | null): void {
    this.#troubles.noteFault(fault, zone);
  }

  isExcused(): boolean {
    return this.#troubles.isAny();
  }

  /** The disks as a power cut would leave them for sure, each by itself. */
  zonesAlone(): Zone[] {
    return this.#zones().map(zone => zone.durableCopy());
  }

  /** What no record vouches for, and what rotted, is found by its checksum alone. */
  #scrub(): void {
    const steps = scrubSteps(this.sweeperZone);
    while (steps.next().done !== true) this.#pass(2);
    this.#pass(SETTLE_STEP_MS);
  }

  #levelIdle(): void {
    levelIdleVolumes({zone: this.zone, nodeCacheBytes: 0, segmentBytes: LARGE_SEGMENT_BYTES});
    this.#pass(SETTLE_STEP_MS);
  }

  #pass(durationMs: number): void {
    this.#disks.nowMs += durationMs;
    for (const {medium} of this.#all()) medium.pump();
  }

  #othersGoOn(): void {
    this.faults.throwIfEnded();
    const nowMs = this.#disks.nowMs;
    // Where every zone is full, a writer waits until there is room.
    if (nowMs - this.#waitingSinceMs > FULL_MAX_MS) this.faults.capacityBytes = Infinity;
    demand(nowMs - this.#waitingSinceMs < WAIT_MAX_MS, () => {
      const states = this.#living().map(({zone}) => zone.mirror?.states());
      return `a call waits for ever: ${JSON.stringify(states)}`;
    });
    this.#troubles.endOld();
    if (this.#random(OTHERS_EVERY) > 0) return;
    this.#withoutTurns(() => this.#eachGoesOn());
  }

  /** In the middle of a call of a process it must not be its own turn. */
  #withoutTurns(run: () => void): void {
    const {interleave} = this.faults;
    this.faults.interleave = () => undefined;
    try {
      run();
    } finally {
      this.faults.interleave = interleave;
    }
  }

  #eachGoesOn(): void {
    for (const process of this.#all()) {
      if (process.medium.isBusy) continue;
      try {
        process.medium.pump();
        if (this.#stale.includes(process)) continue;
        if (!this.#isServiceDead) this.#lookAfter(process);
      } catch (error) {
        if (error instanceof ProcessEnded) this.#noteEnd(process);
        throw error;
      }
    }
  }

  #noteEnd(process: Process): void {
    if (process === this.#keeper || process === this.#sweeper) this.#isServiceDead = true;
    const volume = this.#volumeOf(process);
    if (volume !== undefined) this.#endedWriters.push(volume);
  }

  #lookAfter(process: Process): void {
    const {mirror} = process.zone;
    if (this.#disks.nowMs - process.tickedAtMs < TICK_MS) {
      mirror?.step();
      return;
    }
    process.tickedAtMs = this.#disks.nowMs;
    mirror?.tick();
  }

  #start(role: MirrorRole): Process {
    const medium = new SimulatedZones(this.#disks);
    const settings = MIRROR_DEFAULTS;
    const wallMs = (): number => this.#disks.nowMs;
    const zone = openMirroredZone({medium, settings, role, onEvent: () => undefined, wallMs});
    return {medium, zone, tickedAtMs: this.#disks.nowMs};
  }

  #startService(andWriters = true): void {
    this.#isServiceDead = false;
    if (andWriters) {
      this.#writers.clear();
      this.#stale = [];
    }
    this.#keeper = this.#start('keeper');
    this.#sweeper = this.#start('sweeper');
    this.#isStoreKnown = false;
    this.#readStore();
  }

  /** As the service does when it starts; without a quorum it is tried again. */
  #readStore(): void {
    if (this.#isStoreKnown) return;
    try {
      this.#withoutTurns(() => this.#keeper.zone.readStoreRecord());
      this.#isStoreKnown = true;
    } catch (error) {
      if (!(error instanceof BorealisError || error instanceof ProcessEnded)) throw error;
    }
  }

  #living(): Process[] {
    return [this.#keeper, this.#sweeper, ...this.#writers.values()];
  }

  #all(): Process[] {
    return [...this.#living(), ...this.#stale];
  }

  #zones(): MemoryZone[] {
    return this.#disks.zones as MemoryZone[];
  }
}

function segmentsOf(zone: MemoryZone): {bytesOnDisk: number}[] {
  return zone.contents().flatMap(({segments}) => segments);
}
