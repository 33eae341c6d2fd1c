/**
 * A store with several volumes, the processes that write to them, and what must hold.
 *
 *     attempt ──▶ done | the process or the machine ended | refused by a fault ──▶ opened again later
 *
 * Demands:  a volume is opened at one of its history's candidates; reads give what the model says. What may
 *           come of an attempt: attempts.ts.
 */
import {BorealisError} from '../src/base/errors.ts';
import type {Lsn, VolumeNumber} from '../src/page-store/ids.ts';
import {allocateVolume, openStore} from '../src/page-store/store.ts';
import type {Zone} from '../src/page-store/zone.ts';
import type {Random} from '../src/page-store/testing/zone-faults.ts';
import {openVolumeIn} from '../src/volume/open-volume.ts';
import {Census} from '../src/volume/census.ts';
import type {Volume} from '../src/volume/volume.ts';
import {Attempts, hasFailed} from './attempts.ts';
import {demand, difference, type ContentKind, type State} from './content.ts';
import {History} from './history.ts';
import type {Member, Opened} from './member.ts';
import {SimulatedClock} from './simulated-clock.ts';
import type {DamageKind, StoreFactory, StoreUnderTest, ZoneTrouble} from './store-under-test.ts';

/** What is left of a batch's room when segments are small. */
const SMALL_SEGMENT_PAGES_MAX = 120;
const SMALL_SEGMENT_BYTES = 1_150_000;
export const LARGE_SEGMENT_BYTES: number = 6 * 2 ** 20;

export class World {
  readonly store: StoreUnderTest;
  readonly random: Random;
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly members: Member[] = [];
  readonly log: (line: string) => void;
  readonly segmentBytes: number;
  census: Census;
  /** Silent damage, once a run. */
  inflicted: DamageKind | null = null;
  /** How often each fault struck, for the one who counts. */
  readonly faults: Map<string, number> = new Map();
  readonly #attempts: Attempts;
  readonly #numbers = new Set<number>();

  constructor(factory: StoreFactory, random: Random, log: (line: string) => void) {
    this.random = random;
    this.log = log;
    this.store = factory(random);
    this.#attempts = new Attempts(this.store, random, this);
    this.segmentBytes = random(2) === 0 ? SMALL_SEGMENT_BYTES : LARGE_SEGMENT_BYTES;
    this.store.faults.onFault = (fault, zone) => {
      this.store.noteFault(fault, zone);
      this.#attempts.noteFault();
      this.count(fault);
      this.log(`    fault: ${fault}${zone === null ? '' : ` in zone ${zone}`}`);
      if (fault === 'lose-write') this.inflicted = 'lost-write';
      if (fault === 'misdirect-write') this.inflicted = 'misdirected-write';
    };
    openStore(this.store.zone);
    this.census = new Census(this.store.sweeperZone);
  }

  /** Damage that may show: with several zones another one has what is lost. */
  get damage(): DamageKind | null {
    return this.store.zoneCount > 1 ? null : this.inflicted;
  }

  /** Time passes between two steps. */
  lapse(): void {
    this.clock.advance(this.random);
    if (this.store.zoneCount > 1) this.attempt(null, () => this.store.lapse(this.random(3000)));
  }

  /** True when an operation on so many pages fits what is left of the open batch and a segment. */
  fits(pages: number): boolean {
    return this.segmentBytes === LARGE_SEGMENT_BYTES || pages <= SMALL_SEGMENT_PAGES_MAX;
  }

  /**
   * Runs a piece of one process: of `member`'s writer, or of the service. Returns false when it did
   * not get to its end: then the process is gone, or it goes on as if nothing had been asked.
   */
  attempt(member: Member | null, run: () => void): boolean {
    return this.#attempts.run(member, run);
  }

  /** Runs `run` with other processes taking turns in the middle of it. */
  interleaved(turn: () => void, run: () => void): void {
    const {faults} = this.store;
    let isTaken = false;
    faults.interleave = () => {
      if (isTaken || this.random(12) > 0) return;
      isTaken = true;
      try {
        turn();
      } finally {
        isTaken = false;
      }
    };
    try {
      run();
    } finally {
      faults.interleave = () => undefined;
    }
  }

  count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  /** All zones come back, and nothing fails any more: then all processes find them whole. */
  settle(scrubs = false): void {
    // The end may have struck where nobody has noticed yet.
    this.attempt(null, () => this.store.faults.throwIfEnded());
    this.store.settle(scrubs);
    this.#buryEnded();
  }

  /** Returns what was done, or null when it could not be. */
  trouble(what: ZoneTrouble): string | null {
    const place = this.store.trouble(what);
    this.#buryEnded();
    return place;
  }

  powerCut(): void {
    this.count('power-cut');
    this.log('    power cut');
    const place = this.store.powerCut(this.random);
    if (place !== null) {
      this.count('failing');
      this.log(`    ${place}`);
    }
    this.#forgetProcesses();
  }

  killAll(): void {
    this.log('    all processes killed');
    this.store.kill();
    this.#forgetProcesses();
  }

  /** The writer of `member` is gone, whatever it was doing. */
  killWriter(member: Member, goesOn = false): void {
    this.store.kill(member.number, goesOn);
    member.opened = null;
    member.barriers = [];
    member.unflushedPages = 0;
  }

  newNumber(): VolumeNumber {
    const number = allocateVolume(this.store.zone);
    demand(!this.#numbers.has(number), () => `volume number ${number} was handed out twice`);
    this.#numbers.add(number);
    return number;
  }

  /** A member whose volume exists, durably, at one of `versions`. */
  addMember(
    number: VolumeNumber,
    kind: ContentKind<State>,
    versions: readonly State[],
    isSnapshot = false,
  ): Member {
    const member: Member = {
      number,
      kind,
      isSnapshot,
      history: new History(versions, -1),
      opened: null,
      barriers: [],
      stale: null,
      isTakenOver: false,
      hadStale: false,
      unflushedPages: 0,
      corrupt: null,
    };
    this.members.push(member);
    return member;
  }

  removeMember(member: Member): void {
    this.members.splice(this.members.indexOf(member), 1);
  }

  /** Opens the volume of `member` and demands that recovery found a state that may be. */
  open(member: Member): boolean {
    this.log(`  open ${member.number}`);
    return this.attempt(member, () => {
      const volume = this.openVolume(member.number, false);
      member.isTakenOver = true;
      const opened = {volume, content: member.kind.open(volume, this.clock)};
      const found = opened.content.read();
      const candidates = member.history.candidates(this.damage);
      const state = candidates.findLast(candidate => candidate.text() === found);
      demand(
        state !== undefined,
        () =>
          `volume ${member.number} (${member.kind.name}) was opened at none of ${candidates.length} states that it may have: against the newest, ${difference(found, candidates.at(-1)?.text() ?? '')}; against the oldest, ${difference(found, candidates[0]?.text() ?? '')}`,
      );
      member.opened = opened;
      member.unflushedPages = 0;
      member.history.recovered(state, volume.lsn);
    });
  }

  openVolume(number: VolumeNumber, create: boolean): Volume {
    const zone = this.store.writerZone(number);
    const {clock, segmentBytes} = this;
    const ownsZone = this.store.zoneCount > 1;
    try {
      return openVolumeIn({
        ...{zone, volume: number, create, nodeCacheBytes: 0, clock, segmentBytes, ownsZone},
      });
    } catch (error) {
      // The process that could not open it ends.
      if (ownsZone && error instanceof BorealisError) this.store.kill(number);
      throw error;
    }
  }

  /** Demands that an open volume is what its model says. */
  check(member: Member, opened: Opened): void {
    this.attempt(member, () => this.#demandLast(member, opened));
  }

  /** Demands that a zone is enough by itself for all that is closed. */
  checkAlone(zone: Zone): void {
    for (const {number, kind, history, corrupt} of this.members) {
      if (corrupt !== null) continue;
      const {clock, segmentBytes} = this;
      const volume = openVolumeIn({
        ...{zone, volume: number, create: false, nodeCacheBytes: 0, clock, segmentBytes},
      });
      const found = kind.open(volume, clock).read();
      const expected = history.last.text();
      demand(
        found === expected,
        () => `volume ${number} in zone ${zone.name} alone: ${difference(found, expected)}`,
      );
      volume.close();
    }
  }

  barrier(member: Member, {volume}: Opened): void {
    const index = member.history.lastIndex;
    this.attempt(member, () => {
      const before = volume.lsn;
      const lsn = volume.barrier();
      member.history.acknowledge(index, lsn, lsn > before);
      member.unflushedPages = 0;
    });
  }

  checkpoint(member: Member, {volume}: Opened): void {
    this.attempt(member, () => {
      const lsn = volume.checkpoint();
      member.history.settle(member.history.last, lsn);
      member.barriers = [];
      member.unflushedPages = 0;
    });
  }

  /** Runs one operation of the content; the next state may be found from its first step on. */
  operate(member: Member, {volume, content}: Opened): void {
    let operation = content.plan(member.history.last, this.random);
    while (!this.fits(operation.pagesMax)) {
      operation = content.plan(member.history.last, this.random);
    }
    this.log(`    ${operation.label}`);
    member.history.push(operation.next);
    this.attempt(member, () => {
      try {
        if (!this.fits(member.unflushedPages + operation.pagesMax)) {
          volume.flush();
          member.unflushedPages = 0;
        }
        member.unflushedPages += operation.pagesMax;
        operation.run();
      } catch (error) {
        if (!(error instanceof BorealisError)) throw error;
        // Refused, and the volume goes on: then nothing was changed.
        if (!hasFailed(volume)) member.history.takeBack();
        throw error;
      }
    });
  }

  beginBarrier(member: Member, {volume}: Opened): void {
    const index = member.history.lastIndex;
    this.attempt(member, () => {
      const {fds, lsn, isDurable} = volume.barrierTarget();
      member.unflushedPages = 0;
      member.barriers.push({descriptors: fds, lsn, awaitedLsn: isDurable ? 0 : lsn, index});
    });
  }

  /**
   * The sync thread: one sync for each descriptor, for all barriers that wait. To be done before the
   * volume syncs by itself, for it closes what is durable.
   */
  finishBarriers(member: Member, {volume}: Opened): void {
    const waiting = member.barriers;
    member.barriers = [];
    const sync = (): void => {
      const descriptors = new Set(waiting.flatMap(barrier => barrier.descriptors));
      for (const descriptor of descriptors) this.store.syncDescriptor(descriptor);
      const upTo = Math.max(0, ...waiting.map(({awaitedLsn}) => awaitedLsn));
      this.store.waitUntilDurable(member.number, upTo);
      for (const {index, lsn} of waiting) member.history.acknowledge(index, lsn, false);
      for (const {lsn} of waiting) volume.noteDurable(lsn as Lsn);
    };
    // A sync that fails ends the instance, whatever the volume would still do.
    this.#attempts.run(member, sync, 'end');
  }

  #demandLast(member: Member, {content}: Opened): void {
    const found = content.read();
    const expected = member.history.last.text();
    demand(
      found === expected,
      () => `volume ${member.number} (${member.kind.name}): ${difference(found, expected)}`,
    );
  }

  /** Writers that ended while all zones came back. */
  #buryEnded(): void {
    const ended = this.store.takeEndedWriters();
    for (const member of this.members.filter(({number}) => ended.includes(number))) {
      this.log(`    writer of ${member.number} ended`);
      this.killWriter(member);
    }
  }

  #forgetProcesses(): void {
    for (const member of this.members) {
      member.opened = null;
      member.stale = null;
      member.barriers = [];
      member.unflushedPages = 0;
    }
    this.census = new Census(this.store.sweeperZone);
  }
}
