/** What an instance process is told to be. */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {BorealisError} from '../base/errors.ts';
import type {InstanceConfig} from '../instance/messages.ts';
import {kindOf} from './engine-kinds.ts';
import {certificateOf} from './gates.ts';
import {offerFor} from './engine-versions.ts';
import {startParameters} from './parameter-groups.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import type {Place} from './runner.ts';
import type {World} from './world.ts';

/** Page-table nodes of 32 GB of hot data; an idle clone uses a few hundred kilobytes of it. */
export const NODE_CACHE_BYTES: number = 32 * 1024 * 1024;

type ConfigWorld = Pick<
  World,
  | 'catalog'
  | 'certificates'
  | 'offers'
  | 'hostMemoryBytes'
  | 'storeZones'
  | 'instancesDirectory'
  | 'reserveBytes'
>;

/** `readerVerifier`: of a cluster with readers, else null. Throws unavailable/engine-missing. */
export function instanceConfig(
  world: ConfigWorld,
  instance: InstanceRecord,
  cluster: ClusterRecord,
  place: Place,
  readerVerifier: string | null,
): InstanceConfig {
  const {offers, storeZones, instancesDirectory} = world;
  const offer = offerFor(offers, cluster);
  if (offer === undefined) {
    throw new BorealisError(
      'unavailable',
      'engine-missing',
      `DB cluster ${cluster.identifier} needs ${kindOf(cluster.engine).product} ${cluster.engineVersion} (${cluster.runtime}), which cannot run here now.`,
    );
  }
  const runDirectory = join(instancesDirectory, instance.resourceId);
  mkdirSync(runDirectory, {recursive: true, mode: 0o700});
  return {
    name: instance.identifier,
    ...storeZones.config,
    volume: place.volume,
    nodeCacheBytes: NODE_CACHE_BYTES,
    reserveBytes: world.reserveBytes,
    engine: offer.engine,
    runtime: offer.runtime,
    bin: offer.bin,
    runDirectory,
    role: instance.role,
    port: instance.port,
    firstStart: cluster.firstStart,
    master: cluster.masterApplied < cluster.masterRevision ? cluster.master : null,
    // PGlite serves one database and must be told which; a native one that was dropped stays so.
    databaseName: offer.runtime === 'native' && cluster.databaseMade ? null : cluster.databaseName,
    readerVerifier,
    source: place.source,
    tls: kindOf(cluster.engine).hasTls ? certificateOf(world, cluster).engine : null,
    parameters: startParameters(world, cluster, instance),
  };
}
