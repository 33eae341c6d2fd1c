/**
 * The listening endpoints of clusters, by key, and where each leads now. Instance endpoints are not
 * among them: there the engine itself listens.
 *
 *     'orders'                 the cluster endpoint          127.0.0.1 : the cluster's port
 *     'orders/reader'          its reader endpoint           127.0.0.2 : the same
 *     'orders/custom/reports'  a custom endpoint             127.0.0.3 and up : the same
 *
 * RDS tells one port for all endpoints of a cluster, so they differ in their address.
 */
import {Endpoint, ENDPOINT_ADDRESS, type EndpointTarget} from '../endpoint/endpoint.ts';
import type {Gate} from '../endpoint/gate.ts';
import type {EndpointProtocol} from '../endpoint/refusal.ts';
import type {ClusterEndpointRecord, ClusterRecord} from './records.ts';
import type {EndpointMeasurement} from './metrics/measurements.ts';
import type {World} from './world.ts';

const READER_ADDRESS = '127.0.0.2';
/** Of custom endpoints: 127.0.0.3 is the first, and the last is far beyond what a cluster may have. */
const CUSTOM_ADDRESS_FIRST = 3;
const CUSTOM_ADDRESS_LAST = 254;

export type EndpointKey = string;

/** The reader endpoint of a cluster that cannot have readers is its cluster endpoint. */
export function readerAddress({runtime}: Pick<ClusterRecord, 'runtime'>): string {
  return runtime === 'native' ? READER_ADDRESS : ENDPOINT_ADDRESS;
}

export function readerKey(cluster: string): EndpointKey {
  return `${cluster}/reader`;
}

export function customKey(endpoint: {clusterIdentifier: string; identifier: string}): EndpointKey {
  return `${endpoint.clusterIdentifier}/custom/${endpoint.identifier}`;
}

/** An address that none of a cluster's custom endpoints has; undefined when all are taken. */
export function freeCustomAddress(
  endpoints: readonly Pick<ClusterEndpointRecord, 'address'>[],
): string | undefined {
  const taken = new Set(endpoints.map(endpoint => endpoint.address));
  for (let last = CUSTOM_ADDRESS_FIRST; last <= CUSTOM_ADDRESS_LAST; last++) {
    if (!taken.has(`127.0.0.${last}`)) return `127.0.0.${last}`;
  }
  return undefined;
}

export function customEndpointsOf(
  {catalog}: Pick<World, 'catalog'>,
  cluster: string,
): ClusterEndpointRecord[] {
  return catalog.clusterEndpoints.list().filter(each => each.clusterIdentifier === cluster);
}

/** Makes every endpoint of a cluster listen. Throws conflict/port-in-use. */
export async function listenForCluster(
  world: Pick<World, 'catalog' | 'endpoints'>,
  cluster: ClusterRecord,
): Promise<void> {
  for (const [key, address] of addressesOf(world, cluster)) {
    await world.endpoints.ensure(key, cluster.port, address);
  }
}

type Route = {
  readonly target: EndpointTarget;
  readonly protocol: EndpointProtocol;
  /** Null: bytes pass, and nothing is read of them. */
  readonly gate: Gate | null;
};

/** The same endpoints on another port, beside those that there are. Throws conflict/port-in-use. */
export async function listenOnAnotherPort(
  world: Pick<World, 'catalog'>,
  cluster: ClusterRecord,
  port: number,
): Promise<Map<EndpointKey, Endpoint>> {
  const endpoints = new Map<EndpointKey, Endpoint>();
  try {
    for (const [key, address] of addressesOf(world, cluster)) {
      endpoints.set(key, await Endpoint.listen(port, {}, address));
    }
    return endpoints;
  } catch (error) {
    await Promise.all(Array.from(endpoints.values(), endpoint => endpoint.close()));
    throw error;
  }
}

function addressesOf(
  world: Pick<World, 'catalog'>,
  cluster: ClusterRecord,
): Map<EndpointKey, string> {
  const {identifier} = cluster;
  const addresses = new Map([[identifier, ENDPOINT_ADDRESS]]);
  const address = readerAddress(cluster);
  if (address !== ENDPOINT_ADDRESS) addresses.set(readerKey(identifier), address);
  for (const endpoint of customEndpointsOf(world, identifier)) {
    addresses.set(customKey(endpoint), endpoint.address);
  }
  return addresses;
}

function belongsTo(key: EndpointKey, cluster: string): boolean {
  return key === cluster || key.startsWith(`${cluster}/`);
}

export class EndpointSet {
  readonly #endpoints = new Map<EndpointKey, Endpoint>();
  /** Kept apart from the endpoint: it may be known before the port could be bound. */
  readonly #routes = new Map<EndpointKey, Route>();

  /** Takes over an endpoint that listens already. */
  adopt(key: EndpointKey, endpoint: Endpoint): void {
    this.#endpoints.set(key, endpoint);
    this.#apply(key);
  }

  /** Listens on `port` unless it does. Throws conflict/port-in-use. */
  async ensure(key: EndpointKey, port: number, address: string = ENDPOINT_ADDRESS): Promise<void> {
    if (!this.#endpoints.has(key)) this.adopt(key, await Endpoint.listen(port, {}, address));
  }

  route(key: EndpointKey, route: Route): void {
    this.#routes.set(key, route);
    this.#apply(key);
  }

  #apply(key: EndpointKey): void {
    const route = this.#routes.get(key);
    const endpoint = this.#endpoints.get(key);
    if (route === undefined || endpoint === undefined) return;
    endpoint.setProtocol(route.protocol);
    endpoint.setGate(route.gate);
    endpoint.setTarget(route.target);
  }

  statistics(): EndpointMeasurement[] {
    return Array.from(this.#endpoints, ([key, endpoint]) => {
      const [cluster = '', kind = 'cluster', custom = kind] = key.split('/');
      return {cluster, endpoint: custom, ...endpoint.statistics()};
    });
  }

  /** Listens on another port from now on. */
  async replace(key: EndpointKey, endpoint: Endpoint): Promise<void> {
    const old = this.#endpoints.get(key);
    this.adopt(key, endpoint);
    await old?.close();
  }

  /** All endpoints of a cluster go by its new name. Connections stay. */
  renameCluster(cluster: string, name: string): void {
    for (const map of [this.#endpoints, this.#routes] as Map<EndpointKey, unknown>[]) {
      for (const [key, entry] of map) {
        if (!belongsTo(key, cluster)) continue;
        map.delete(key);
        map.set(name + key.slice(cluster.length), entry);
      }
    }
  }

  async close(key: EndpointKey): Promise<void> {
    const endpoint = this.#endpoints.get(key);
    this.#endpoints.delete(key);
    this.#routes.delete(key);
    await endpoint?.close();
  }

  /** Closes every endpoint of a cluster. */
  async closeCluster(cluster: string): Promise<void> {
    const keys = [...this.#endpoints.keys(), ...this.#routes.keys()].filter(key =>
      belongsTo(key, cluster),
    );
    await Promise.all(keys.map(key => this.close(key)));
  }

  async closeAll(): Promise<void> {
    await Promise.all(Array.from(this.#endpoints.keys(), key => this.close(key)));
  }
}
