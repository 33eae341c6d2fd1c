/** Where the endpoints of a cluster lead and how they deal with clients, told to those that listen. */
import {customEndpointsOf, customKey, readerKey} from './endpoint-set.ts';
import {gatesOf, type GateWorld, type ServingProcess} from './gates.ts';
import {instancesOf} from './instances-of.ts';
import {routesOf} from './routes.ts';
import type {World} from './world.ts';

/** Points the endpoints of a cluster to where they should lead now. */
export function pointEndpoints(
  world: Pick<World, 'endpoints'> & GateWorld,
  identifier: string,
  serving: ServingProcess,
): void {
  const cluster = world.catalog.clusters.get(identifier);
  if (cluster === undefined || cluster.status === 'deleting') return;
  const instances = instancesOf(world, identifier);
  const ports = new Map(
    instances
      .filter(instance => serving(instance) !== undefined)
      .map(instance => [instance.identifier, instance.port]),
  );
  const custom = customEndpointsOf(world, identifier);
  const routes = routesOf(cluster, instances, custom, name => ports.get(name));
  const gates = gatesOf(world, cluster, serving);
  world.endpoints.route(identifier, routes.cluster, gates.cluster);
  world.endpoints.route(readerKey(identifier), routes.reader, gates.shared);
  for (const endpoint of custom) {
    const target = routes.custom.get(endpoint.identifier);
    if (target !== undefined) world.endpoints.route(customKey(endpoint), target, gates.shared);
  }
}
