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
import {looksLikeHeader} from '../src/volume/batch.ts';
import {SECTOR_SIZE_BYTES} from '../src/volume/pointer.ts';

/** How silent damage came about; it decides what may be lost without a word. */
export type DamageKind = 'rot' | 'lost-write' | 'misdirected-write' | 'record-rot';

export type StoreUnderTest = {
  readonly zone: Zone;
  readonly faults: ZoneFaults;
  /** The machine loses power and starts again. */
  powerCut(random: Random): void;
  /** The process that writes to `volume` dies, or with no volume all processes. */
  kill(volume?: VolumeNumber): void;
  /** What the sync thread of an attachment does with the descriptors of a barrier. */
  syncDescriptor(descriptor: number): void;
  /** A bit of a segment or of a record rots, somewhere. Returns where, or null when there is nothing. */
  rot(kind: 'rot' | 'record-rot', random: Random): string | null;
  /** Looks at the disk from outside, without a call of the zone. */
  hasRecord(volume: VolumeNumber): boolean;
  segmentCount(): number;
  usedBytes(): number;
};

export type StoreFactory = (random: Random) => StoreUnderTest;

export const oneZone: StoreFactory = random => {
  const faults = new ZoneFaults(random);
  const zone = new MemoryZone(faults);
  const segments = (): {bytesOnDisk: number}[] =>
    zone.contents().flatMap(({segments: found}) => found);
  return {
    zone,
    faults,
    powerCut(by) {
      faults.restart();
      zone.crash(by);
    },
    kill(volume) {
      faults.restart();
      zone.kill(volume);
    },
    syncDescriptor: descriptor => zone.syncDescriptor(descriptor),
    rot: (kind, by) => (kind === 'rot' ? rotSegment(zone, by) : rotRecord(zone, by)),
    hasRecord: volume => zone.contents().some(found => found.volume === volume && found.hasRecord),
    segmentCount: () => segments().length,
    usedBytes: () => segments().reduce((sum, {bytesOnDisk}) => sum + bytesOnDisk, 0),
  };
};

/** The part of a batch's header that most have: its fields and the first entries. */
const HEADER_BYTES = 160;
const RECENT_BATCHES = 3;

function rotSegment(zone: MemoryZone, random: Random): string | null {
  const filled = zone
    .contents()
    .flatMap(({volume, segments}) =>
      // The end of the log has its share too: it is what recovery reads.
      (random(2) === 0 ? segments : segments.slice(-1)).map(listing => ({volume, ...listing})),
    )
    .filter(({bytesOnDisk}) => bytesOnDisk > 0);
  const target = filled[random(Math.max(1, filled.length))];
  if (target === undefined) return null;
  const {volume, segment, bytesOnDisk} = target;
  // Headers of batches are a small part of the bytes, and most that can go wrong: they get their share.
  const header = random(2) === 0 ? recentHeader(zone.bytesOf(volume, segment), random) : null;
  const position = header === null ? random(bytesOnDisk) : header + random(HEADER_BYTES);
  zone.corrupt(volume, segment, position);
  return `volume ${volume}, segment ${segment}, byte ${position}`;
}

/** Where one of the last batches begins; null when there is none. */
function recentHeader(bytes: Buffer, random: Random): number | null {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += SECTOR_SIZE_BYTES) {
    if (looksLikeHeader(bytes, at)) found.push(at);
  }
  return found.at(-1 - random(Math.min(RECENT_BATCHES, Math.max(1, found.length)))) ?? null;
}

function rotRecord(zone: MemoryZone, random: Random): string | null {
  const volumes = zone.contents().filter(({hasRecord}) => hasRecord);
  const target = volumes[random(Math.max(1, volumes.length))];
  if (target === undefined) return null;
  zone.corruptRecord(target.volume, random(1024));
  return `record of volume ${target.volume}`;
}
