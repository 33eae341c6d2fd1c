/** Volumes that come, go and share pages in one or three zones in memory, each of which can be spoilt. */
import type {SegmentNumber, VolumeNumber} from '../../page-store/ids.ts';
import {MIRROR_DEFAULTS} from '../../page-store/mirror-members.ts';
import type {MirrorRole} from '../../page-store/mirror-upkeep.ts';
import {openMirroredZone} from '../../page-store/mirrored-zone.ts';
import {openStore} from '../../page-store/store.ts';
import {MemoryZone} from '../../page-store/testing/memory-zone.ts';
import {SimulatedZones} from '../../page-store/testing/simulated-zones.ts';
import {ZoneFaults} from '../../page-store/testing/zone-faults.ts';
import type {Zone, ZoneEvent} from '../../page-store/zone.ts';
import {openVolumeIn} from '../open-volume.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES} from '../pointer.ts';
import {readRoots} from '../root-snapshot.ts';
import {scrubSteps, type ScrubOptions} from '../scrub.ts';
import type {ScrubReport} from '../scrub-report.ts';
import type {Volume} from '../volume.ts';
import {naiveWalk} from './naive-walk.ts';

const SEGMENT_BYTES = 1_200_000;

/** `volume:segment:sector` */
export type UnitKey = string;

export class ScrubWorld {
  readonly zones: readonly MemoryZone[];
  readonly volumes: Map<VolumeNumber, Volume> = new Map();
  #next = 1;
  #stamp = 0;

  constructor(zoneCount: number) {
    const names = ['a', 'b', 'c'].slice(0, zoneCount);
    this.zones = names.map(name => new MemoryZone(new ZoneFaults(), name));
    openStore(this.mirror('writer').zone);
    this.create();
  }

  /** One more process that has the zones open. */
  mirror(role: MirrorRole): {zone: Zone; advance: (ms: number) => void; events: ZoneEvent[]} {
    const events: ZoneEvent[] = [];
    const [only] = this.zones;
    if (only !== undefined && this.zones.length === 1) {
      return {zone: only, advance: () => undefined, events};
    }
    const medium = new SimulatedZones(this.zones);
    const zone = openMirroredZone({
      ...{medium, role, onEvent: event => events.push(event)},
      settings: MIRROR_DEFAULTS,
      wallMs: () => medium.nowMs(),
    });
    return {zone, advance: ms => medium.advance(ms), events};
  }

  create(): VolumeNumber {
    return this.open(this.#next++ as VolumeNumber, true);
  }

  open(number: VolumeNumber, create: boolean): VolumeNumber {
    const {zone} = this.mirror('writer');
    const options = {zone, volume: number, create, nodeCacheBytes: 0, segmentBytes: SEGMENT_BYTES};
    this.volumes.set(number, openVolumeIn(options));
    return number;
  }

  write(number: VolumeNumber, file: number, first: number, count: number): void {
    const volume = this.volumes.get(number);
    for (let page = first; page < first + count; page++) {
      volume
        ?.changePage(file, page, false)
        .fill(++this.#stamp)
        .writeUInt32LE(this.#stamp);
      volume?.endOperation();
      volume?.flush();
    }
  }

  fork(source: VolumeNumber): VolumeNumber {
    const child = this.#next++ as VolumeNumber;
    this.volumes.get(source)?.fork(child);
    return this.open(child, false);
  }

  remove(number: VolumeNumber): void {
    this.volumes.get(number)?.close();
    this.volumes.delete(number);
    this.mirror('sweeper').zone.deleteVolumeRecord(number);
  }

  checkpointAll(): void {
    for (const volume of this.volumes.values()) volume.checkpoint();
  }

  closeAll(): void {
    for (const volume of this.volumes.values()) volume.close();
    this.volumes.clear();
  }

  /** What the records reach now, told from zones in which nothing is spoilt. */
  reached(): Set<UnitKey> {
    const zone = this.zones[0] as MemoryZone;
    const keys = new Set<UnitKey>();
    for (const record of readRoots(zone)) {
      const {pages, nodes} = naiveWalk(zone, record);
      for (const key of [...pages, ...nodes]) keys.add(key);
    }
    return keys;
  }

  /** Flips a bit of a unit's copy in one zone. */
  spoil(zone: number, key: UnitKey, byte: number): void {
    const [volume, segment, sector] = key.split(':').map(Number) as [number, number, number];
    const file = this.zones[zone]?.openSegment(volume as VolumeNumber, segment as SegmentNumber);
    // Through the file, for in a compact segment it lies elsewhere.
    const page = Buffer.alloc(PAGE_SIZE_BYTES);
    const position = sector * SECTOR_SIZE_BYTES;
    file?.read(position, page, 0, page.length);
    page.writeUInt8(page.readUInt8(byte) ^ 1, byte);
    file?.write([page], position);
    file?.sync();
    file?.close();
  }

  /** Runs a whole scrub; `meanwhile` is called after each step. */
  scrub(
    options: ScrubOptions = {},
    meanwhile: (step: number) => void = () => undefined,
  ): {report: ScrubReport; events: readonly ZoneEvent[]} {
    const {zone, advance, events} = this.mirror('sweeper');
    const steps = scrubSteps(zone, options);
    for (let count = 0; ; count++) {
      const step = steps.next();
      if (step.done === true) return {report: step.value, events};
      advance(step.value.pauseMs);
      zone.mirror?.tick();
      meanwhile(count);
    }
  }
}

export function keyOf(place: {volume: number; segment: number; offset: number}): UnitKey {
  return `${place.volume}:${place.segment}:${place.offset / SECTOR_SIZE_BYTES}`;
}
