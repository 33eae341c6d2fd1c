/** Where the endpoints of a cluster lead and how they deal with clients, told to those that listen. */
import type {EndpointTarget} from '../endpoint/endpoint.ts';
import type {Gate} from '../endpoint/gate.ts';
import {customEndpointsOf, customKey, readerKey, type EndpointKey} from './endpoint-set.ts';
import {kindOf} from './engine-kinds.ts';
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
  const {protocol} = kindOf(cluster.engine);
  const route = (key: EndpointKey, target: EndpointTarget, gate: Gate | null): void =>
    world.endpoints.route(key, {target, protocol, gate});
  route(identifier, routes.cluster, gates.cluster);
  route(readerKey(identifier), routes.reader, gates.shared);
  for (const endpoint of custom) {
    const target = routes.custom.get(endpoint.identifier);
    if (target !== undefined) route(customKey(endpoint), target, gates.shared);
  }
}
