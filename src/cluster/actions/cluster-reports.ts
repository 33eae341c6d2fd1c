/** What RDS has no action for: lineage, steps with durations, exact shares of the store. */
import {ENDPOINT_ADDRESS} from '../../endpoint/endpoint.ts';
import {checkpointWriters} from '../checkpoint-writers.ts';
import type {ClusterReport, ClusterReports} from '../control-plane.ts';
import {ENGINE} from '../engine-versions.ts';
import {readerAddress} from '../endpoint-set.ts';
import {instancesOf, readerVolumes} from '../instances-of.ts';
import type {ClusterRecord} from '../records.ts';
import type {StoreUsage} from '../storage-types.ts';
import type {World} from '../world.ts';
import {clustersOf, damageMessage} from '../zone-events.ts';

export async function clusterReports(
  world: World,
  {fresh}: {fresh: boolean},
): Promise<ClusterReports> {
  if (fresh) await checkpointWriters(world);
  const usage = await world.storage.usage({except: readerVolumes(world)});
  return {
    clusters: world.catalog.clusters.list().map(cluster => report(world, cluster, usage)),
    store: {
      bytesOnDisk: usage.bytesOnDisk,
      bytesFree: await world.zoneSpaces.quorumBytesFree(world.zones),
      zones: world.zoneHealth.shown(await world.storage.zoneStates()),
      scrub: world.scrubber.status(),
      damage: world.damage.list().map(damage => ({
        message: damageMessage(damage),
        clusters: clustersOf(world, damage),
      })),
    },
  };
}

function report(world: World, cluster: ClusterRecord, usage: StoreUsage): ClusterReport {
  const {origin} = cluster;
  const isFull = world.space.shown(cluster.status) === 'storage-full';
  const fullReason = isFull ? world.space.message : null;
  return {
    identifier: cluster.identifier,
    status: world.space.shown(cluster.status),
    statusReason: cluster.statusReason ?? fullReason,
    engine: ENGINE,
    engineVersion: cluster.engineVersion,
    runtime: cluster.runtime,
    serverVersion: cluster.serverVersion,
    masterUsername: cluster.master.name,
    databaseName: cluster.databaseName,
    endpoint: ENDPOINT_ADDRESS,
    readerEndpoint: readerAddress(cluster),
    port: cluster.port,
    instances: instancesOf(world, cluster.identifier).map(instance => ({
      identifier: instance.identifier,
      role: instance.role,
      status: world.space.shown(instance.status),
      statusReason: instance.statusReason,
      endpoint: ENDPOINT_ADDRESS,
      port: instance.port,
      promotionTier: instance.promotionTier,
      replicaLagMs: world.replicas.lagMs(instance.identifier),
      startSteps: instance.startSteps,
      memoryBytes: world.supervisor.memoryBytes(instance.identifier),
    })),
    createdAt: new Date(cluster.createdAtMs).toISOString(),
    clonedFrom: origin.kind === 'clone' ? origin.sourceIdentifier : null,
    cloneSteps: cluster.cloneSteps,
    bytesCopiedAtBirth: cluster.bytesCopiedAtBirth,
    usage: usage.volumes.find(each => each.volume === cluster.volume) ?? null,
  };
}
