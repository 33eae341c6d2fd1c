/** What must hold of the volumes that are left in the end, and of the space that they take. */
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {removeVolume} from '../src/page-store/store.ts';
import {Census} from '../src/volume/census.ts';
import {forkIdleVolume} from '../src/volume/idle-volume.ts';
import {PAGE_SIZE_BYTES} from '../src/volume/pointer.ts';
import {readRoots} from '../src/volume/root-snapshot.ts';
import {sweep, type SweepPolicy} from '../src/volume/sweeper.ts';
import {demand} from './content.ts';
import type {Member} from './member.ts';
import {close} from './steps.ts';
import type {World} from './world.ts';

const TURNS_MAX = 50;
/** Header and index of a compacted segment, of no more pages than a segment has here. */
const COMPACT_HEAD_BYTES_MAX = 8192;
/** Whatever can be given back, at once. */
const THOROUGH: SweepPolicy = {
  amplificationTarget: 1,
  deadShareMin: 0,
  deadBytesMin: COMPACT_HEAD_BYTES_MAX + 1,
  turnBytesMax: 2 ** 30,
};

/** Opens it, writes to it, and compares. Of a snapshot that is done to a volume that is made from it. */
export function look(world: World, member: Member): void {
  if (member.isSnapshot) return lookAtSnapshot(world, member);
  const {damage} = world;
  const isOpen = world.open(member);
  demand(isOpen || damage !== null, () => `volume ${member.number} cannot be opened`);
  if (member.opened !== null) world.operate(member, member.opened);
  if (member.opened !== null) world.check(member, member.opened);
  if (member.opened !== null) close(world, member, member.opened);
}

function lookAtSnapshot(world: World, member: Member): void {
  const {store, segmentBytes, clock, damage} = world;
  let child: VolumeNumber | null = null;
  const isDone = world.attempt(member, () => {
    const number = world.newNumber();
    child = number;
    const source = {volume: member.number, nodeCacheBytes: 0, segmentBytes, clock};
    forkIdleVolume({zone: store.zone, ...source}, number);
  });
  demand(isDone || damage !== null, () => `snapshot ${member.number} cannot be forked`);
  if (!isDone || child === null) return;
  const made = world.addMember(child, member.kind, member.history.candidates(damage));
  look(world, made);
  removeVolume(store.zone, made.number);
  world.removeMember(made);
}

/**
 * Sweeps until there is no more to be had, and demands that what is left of every segment that a sweep may
 * take from is reached by some volume.
 */
export function demandNothingUnreachable(world: World): void {
  const {store} = world;
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    if (!sweep(store.sweeperZone, world.census, THOROUGH).more) break;
  }
  world.settle();
  const records = readRoots(store.zone);
  const census = new Census(store.zone);
  const {live} = census.count(records);
  census.close();
  for (const volume of store.zone.listVolumes()) {
    const checkpoint = records.find(record => record.volume === volume)?.checkpoint;
    for (const {segment, bytesOnDisk} of store.zone.listSegments(volume)) {
      if (checkpoint !== undefined && segment >= checkpoint.segment) continue;
      const liveBytes = live.get(volume, segment) * PAGE_SIZE_BYTES;
      demand(
        liveBytes > 0 && bytesOnDisk <= liveBytes + COMPACT_HEAD_BYTES_MAX,
        () =>
          `segment ${segment} of volume ${volume} takes ${bytesOnDisk} bytes after a sweep, and ${liveBytes} of it are reached`,
      );
    }
  }
}
