/** What RDS has no action for: lineage, steps with durations, exact shares of the store. */
import {withDeadline} from '../../base/clock.ts';
import {errorChain} from '../../base/errors.ts';
import {ENDPOINT_ADDRESS} from '../../endpoint/endpoint.ts';
import {instancesOf} from '../instances-of.ts';
import type {ClusterReport, ClusterReports} from '../control-plane.ts';
import {ENGINE} from '../engine-versions.ts';
import type {ClusterRecord} from '../records.ts';
import type {StoreUsage} from '../storage-types.ts';
import type {World} from '../world.ts';

/** A checkpoint of a volume is bounded by what changed since the last one; a stuck one must not hold up a report. */
const CHECKPOINT_MS_MAX = 20_000;

export async function clusterReports(
  world: World,
  {fresh}: {fresh: boolean},
): Promise<ClusterReports> {
  if (fresh) await checkpointWriters(world);
  const usage = await world.storage.usage();
  return {
    clusters: world.catalog.clusters.list().map(cluster => report(world, cluster, usage)),
    store: {bytesOnDisk: usage.bytesOnDisk, bytesFree: await world.freeBytes()},
  };
}

/** A cluster whose writer cannot answer now is shown as of its last checkpoint. */
async function checkpointWriters(world: World): Promise<void> {
  const writers = world.catalog.clusters.list().flatMap(({identifier}) => {
    const names = instancesOf(world, identifier).map(instance => instance.identifier);
    const writer = world.supervisor.writer(names);
    return typeof writer === 'string' ? [] : [{identifier, writer}];
  });
  await Promise.all(
    writers.map(async ({identifier, writer}) => {
      try {
        await withDeadline(
          writer.request('checkpoint', {}),
          CHECKPOINT_MS_MAX,
          () => new Error(`no answer within ${CHECKPOINT_MS_MAX} ms`),
        );
      } catch (error) {
        world.logger.warn({cluster: identifier}, `not checkpointed: ${errorChain(error)}`);
      }
    }),
  );
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
    port: cluster.port,
    instances: instancesOf(world, cluster.identifier).map(instance => ({
      identifier: instance.identifier,
      status: world.space.shown(instance.status),
      statusReason: instance.statusReason,
      endpoint: ENDPOINT_ADDRESS,
      port: instance.port,
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
