/**
 * Golden volumes: one for each engine version and binary, filled by initdb once; a new cluster's
 * volume is its clone, so creating a cluster costs what cloning one costs.
 *
 *     record {ready: false} ──▶ instance process, role golden ──▶ exits cleanly ──▶ record {ready: true}
 *
 * A build that was cut off is thrown away with its volume and begun again under a new number.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {withDeadline} from '../base/clock.ts';
import {crashPoint} from '../base/crash-point.ts';
import type {EngineSetting} from '../engine/engine.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {goldenKey, type EngineOffer} from './engine-versions.ts';
import {processIdentity} from '../base/process-identity.ts';
import {NODE_CACHE_BYTES} from './instance-config.ts';
import {hangs, START_MS_MAX} from './runner.ts';
import {addEvent, type World} from './world.ts';

/** The volume to fork new clusters from, made now if this is the first use of the engine. */
export async function goldenVolume(world: World, offer: EngineOffer): Promise<VolumeNumber> {
  const key = goldenKey(offer);
  return await world.volumeLocks.hold(`golden/${key}`, async () => {
    const found = world.catalog.goldenVolumes.get(key);
    if (found?.ready === true) return found.volume;
    if (found !== undefined) await discardGoldenVolume(world, key);
    return await build(world, offer);
  });
}

/** Undoes a build that did not finish. Its process is gone. */
export async function discardGoldenVolume(world: World, key: string): Promise<void> {
  const found = world.catalog.goldenVolumes.get(key);
  if (found === undefined) return;
  await world.storage.remove(found.volume);
  rmSync(runDirectory(world, found.volume), {recursive: true, force: true});
  world.catalog.transaction(() => world.catalog.goldenVolumes.remove(key));
}

async function build(world: World, offer: EngineOffer): Promise<VolumeNumber> {
  const {catalog} = world;
  const key = goldenKey(offer);
  const volume = await world.storage.allocateVolume();
  const {engineVersion, runtime, binary} = offer;
  crashPoint('golden.before-record');
  catalog.transaction(() => {
    catalog.goldenVolumes.put(key, {
      engineVersion,
      runtime,
      binary,
      volume,
      ready: false,
      process: null,
    });
    addEvent(
      world,
      'service',
      key,
      `Preparing ${offer.description} for first use; this happens once and takes some seconds`,
    );
  });
  crashPoint('golden.after-record');
  let settings: readonly EngineSetting[];
  try {
    settings = await fill(world, offer, volume, key);
  } catch (error) {
    await discardGoldenVolume(world, key);
    throw error;
  }
  crashPoint('golden.before-ready');
  catalog.transaction(() => {
    catalog.engineSettings.put(key, {settings});
    catalog.goldenVolumes.update(key, record => ({...record, ready: true, process: null}));
    addEvent(world, 'service', key, `${offer.description} is prepared`);
  });
  crashPoint('golden.after-ready');
  return volume;
}

async function fill(
  world: World,
  offer: EngineOffer,
  volume: VolumeNumber,
  key: string,
): Promise<readonly EngineSetting[]> {
  const directory = runDirectory(world, volume);
  mkdirSync(directory, {recursive: true, mode: 0o700});
  const handle = world.launch(
    {
      name: `golden-${volume}`,
      ...world.storeZones.config,
      volume,
      nodeCacheBytes: NODE_CACHE_BYTES,
      reserveBytes: 0,
      engine: offer.engine,
      runtime: offer.runtime,
      bin: offer.bin,
      runDirectory: directory,
      role: 'golden',
      port: 0,
      firstStart: false,
      master: null,
      databaseName: null,
      readerVerifier: null,
      source: null,
      tls: null,
      parameters: {},
    },
    {onStep: step => world.logger.info({step}, 'golden volume')},
  );
  world.catalog.transaction(() => {
    world.catalog.goldenVolumes.update(key, record => ({
      ...record,
      process: processIdentity(handle.pid) ?? null,
    }));
  });
  world.supervisor.adopt(handle);
  let settings: readonly EngineSetting[];
  try {
    const {startMsMax = START_MS_MAX} = world;
    ({settings} = await withDeadline(handle.ready, startMsMax, () => hangs(startMsMax)));
  } catch (error) {
    handle.kill();
    throw error;
  } finally {
    await handle.exited;
  }
  rmSync(directory, {recursive: true, force: true});
  return settings;
}

function runDirectory(world: World, volume: VolumeNumber): string {
  return join(world.instancesDirectory, `golden-${volume}`);
}
