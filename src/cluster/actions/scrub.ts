/** What is asked of the scrubber from outside. */
import {clusterNotFound} from '../faults.ts';
import type {BegunScrub, ScrubRequest, ScrubStatus} from '../scrubber.ts';
import type {World} from '../world.ts';

export function beginScrub(world: World, request: ScrubRequest): BegunScrub {
  const cluster = request.cluster?.toLowerCase() ?? null;
  if (cluster !== null && world.catalog.clusters.get(cluster) === undefined) {
    throw clusterNotFound(cluster);
  }
  return world.scrubber.begin({...request, cluster});
}

export function scrubStatus(world: World): ScrubStatus {
  return world.scrubber.status();
}

export async function stopScrub(world: World, {id}: {readonly id: string}): Promise<object> {
  await world.scrubber.stop(id);
  return {};
}
