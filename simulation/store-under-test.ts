/**
 * The store that a simulation runs on: a zone as volumes see it, and the machine below it. Another
 * arrangement of zones is another factory; what the simulation demands stays the same.
 *
 *     volumes, sweep ──▶ zone ──▶ faults ──▶ disks in memory
 */
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {MemoryZone} from '../src/page-store/testing/memory-zone.ts';
import {ZoneFaults, type Random} from '../src/page-store/testing/zone-faults.ts';
import type {Zone} from '../src/page-store/zone.ts';
import {rotRecord, rotSegment} from './rot.ts';

/** How silent damage came about; it decides what may be lost without a word. */
export type DamageKind = 'rot' | 'lost-write' | 'misdirected-write' | 'record-rot';

/** What may happen to a zone as a whole. `remember` keeps what it is, so that it can be `older` one day. */
export type ZoneTrouble = 'slow' | 'hung' | 'failing' | 'empty' | 'remember' | 'older';

export type StoreUnderTest = {
  /** How many copies there are. With more than one, damage to one of them shows nowhere. */
  readonly zoneCount: number;
  /** As the service sees it, and as its sweep does. */
  readonly zone: Zone;
  readonly sweeperZone: Zone;
  /** As a new process sees it that is to write to `volume`. */
  writerZone(volume: VolumeNumber): Zone;
  readonly faults: ZoneFaults;
  /** The machine loses power and starts again. Returns what else came of it, if anything. */
  powerCut(random: Random): string | null;
  /**
   * The process that writes to `volume` dies, or with no volume all processes. With `goesOn` it is only
   * taken for dead.
   */
  kill(volume?: VolumeNumber, goesOn?: boolean): void;
  /** Writers that ended while another process was waited for, or in `settle`, since this was asked last. */
  takeEndedWriters(): VolumeNumber[];
  /** What the sync thread of an attachment does with the descriptors of a barrier. */
  syncDescriptor(descriptor: number): void;
  /** A bit of a segment or of a record rots, somewhere. Returns where, or null when there is nothing. */
  rot(kind: 'rot' | 'record-rot', random: Random): string | null;
  /** What the sync thread does where there are no descriptors. */
  waitUntilDurable(volume: VolumeNumber, lsn: number): void;
  /** Looks at the disks from outside, without a call of a zone. In part: what becomes of it is open. */
  hasRecord(volume: VolumeNumber): 'yes' | 'no' | 'in part';
  segmentCount(): number;
  usedBytes(): number;
  /** Returns what was done, or null when it could not be. */
  trouble(what: ZoneTrouble): string | null;
  /** Time passes, and processes look after their zones. */
  lapse(durationMs: number): void;
  /** Whatever ails zones ends, and they catch up; with `scrubs` what rotted is mended too. */
  settle(scrubs?: boolean): void;
  noteFault(fault: string, zone: string | null): void;
  /** Something ails a zone, or did since `settle`: then less than all of them may be there. */
  isExcused(): boolean;
  /** Each zone by itself, copied as a power cut would leave it for sure. */
  zonesAlone(): Zone[];
};

export type StoreFactory = (random: Random) => StoreUnderTest;

export const oneZone: StoreFactory = random => {
  const faults = new ZoneFaults(random);
  const zone = new MemoryZone(faults);
  const segments = (): {bytesOnDisk: number}[] =>
    zone.contents().flatMap(({segments: found}) => found);
  return {
    zoneCount: 1,
    zone,
    sweeperZone: zone,
    writerZone: () => zone,
    faults,
    powerCut(by) {
      faults.restart();
      zone.crash(by);
      return null;
    },
    kill(volume) {
      faults.restart();
      zone.kill(volume);
    },
    takeEndedWriters: () => [],
    syncDescriptor: descriptor => zone.syncDescriptor(descriptor),
    rot: (kind, by) => (kind === 'rot' ? rotSegment(zone, by) : rotRecord(zone, by)),
    waitUntilDurable: () => undefined,
    hasRecord: volume => (zone.recordState(volume) === 'present' ? 'yes' : 'no'),
    segmentCount: () => segments().length,
    usedBytes: () => segments().reduce((sum, {bytesOnDisk}) => sum + bytesOnDisk, 0),
    trouble: () => null,
    lapse: () => undefined,
    settle: () => undefined,
    noteFault: () => undefined,
    isExcused: () => false,
    zonesAlone: () => [],
  };
};
