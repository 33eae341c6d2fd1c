/** Who takes how much of the store, and who holds space of clusters that are gone. */
import {PAGE_SIZE_BYTES} from '../../volume/pointer.ts';
import {checkpointWriters} from '../checkpoint-writers.ts';
import type {HeldSpace, StorageReport} from '../control-plane.ts';
import {readerVolumes} from '../instances-of.ts';
import type {StoreUsage, VolumeUsage} from '../storage-types.ts';
import type {World} from '../world.ts';

export async function storageReport(
  world: World,
  {fresh}: {fresh: boolean},
): Promise<StorageReport> {
  if (fresh) await checkpointWriters(world);
  const usage = await world.storage.usage({except: readerVolumes(world)});
  const names = namesOfVolumes(world);
  const nameOf = (volume: number): string | null => names.get(volume) ?? null;
  const usageOf = (volume: number | null): VolumeUsage[] =>
    usage.volumes.filter(each => each.volume === volume);
  const {bytesOnDisk, bytesReachable} = usage;
  return {
    store: {
      bytesOnDisk,
      bytesReachable,
      bytesFree: await world.zoneSpaces.quorumBytesFree(world.zones),
      amplification: bytesReachable === 0 ? null : bytesOnDisk / bytesReachable,
      zones: await world.zoneSpaces.of(world.zones),
      scrub: world.scrubber.status(),
    },
    clusters: world.catalog.clusters.list().flatMap(({identifier, volume}) =>
      usageOf(volume).map(each => ({
        identifier,
        ...shares(each),
        heldOfDeleted: heldBy(usage, each.volume, nameOf),
      })),
    ),
    golden: world.catalog.goldenVolumes
      .list()
      .flatMap(({engineVersion, volume}) =>
        usageOf(volume).map(each => ({engineVersion, ...shares(each)})),
      ),
    deleted: usage.removed.map(({volume, holders, ...bytes}) => ({
      volume,
      identifier: nameOf(volume),
      ...bytes,
      heldBy: holders.map(holder => ({...holder, identifier: nameOf(holder.volume)})),
    })),
  };
}

/** Clusters that are there, what they were cloned from, and golden volumes. */
function namesOfVolumes(world: World): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const {engineVersion, volume} of world.catalog.goldenVolumes.list()) {
    names.set(volume, `golden volume of ${engineVersion}`);
  }
  const clusters = world.catalog.clusters.list();
  for (const {origin, ancestors = []} of clusters) {
    if (origin.kind === 'clone') names.set(origin.sourceVolume, origin.sourceIdentifier);
    for (const ancestor of ancestors) names.set(ancestor.volume, ancestor.identifier);
  }
  for (const {identifier, volume} of clusters) if (volume !== null) names.set(volume, identifier);
  return names;
}

function shares(usage: VolumeUsage): Omit<StorageReport['golden'][number], 'engineVersion'> {
  return {
    volume: usage.volume,
    logicalBytes: (usage.logicalPages + usage.logicalNodes) * PAGE_SIZE_BYTES,
    exclusiveBytes:
      (usage.ownedPages + usage.ownedNodes + usage.ownedHistoryPages + usage.ownedHistoryNodes) *
      PAGE_SIZE_BYTES,
    sharedBytes: (usage.sharedPages + usage.sharedNodes) * PAGE_SIZE_BYTES,
    pageTableBytes: usage.logicalNodes * PAGE_SIZE_BYTES,
    historyBytes: (usage.historyPages + usage.historyNodes) * PAGE_SIZE_BYTES,
  };
}

function heldBy(
  usage: StoreUsage,
  holder: number,
  nameOf: (volume: number) => string | null,
): HeldSpace[] {
  return usage.removed.flatMap(({volume, holders}) =>
    holders
      .filter(each => each.volume === holder)
      .map(({bytes}) => ({volume, identifier: nameOf(volume), bytes})),
  );
}
