/**
 * The listening endpoints of clusters, by cluster identifier, and where each leads now. Instance
 * endpoints are not among them: there the engine itself listens.
 */
import {Endpoint, type EndpointTarget} from '../endpoint/endpoint.ts';

export class EndpointSet {
  readonly #endpoints = new Map<string, Endpoint>();
  /** Kept apart from the endpoint: it may be known before the port could be bound. */
  readonly #targets = new Map<string, EndpointTarget>();

  /** Takes over an endpoint that listens already. */
  adopt(cluster: string, endpoint: Endpoint): void {
    this.#endpoints.set(cluster, endpoint);
    const target = this.#targets.get(cluster);
    if (target !== undefined) endpoint.setTarget(target);
  }

  /** Listens on `port` unless it does. Throws conflict/port-in-use. */
  async ensure(cluster: string, port: number): Promise<void> {
    if (!this.#endpoints.has(cluster)) this.adopt(cluster, await Endpoint.listen(port));
  }

  route(cluster: string, target: EndpointTarget): void {
    this.#targets.set(cluster, target);
    this.#endpoints.get(cluster)?.setTarget(target);
  }

  /** Listens on another port from now on. */
  async replace(cluster: string, endpoint: Endpoint): Promise<void> {
    const old = this.#endpoints.get(cluster);
    this.adopt(cluster, endpoint);
    await old?.close();
  }

  /** Connections stay. */
  rename(cluster: string, name: string): void {
    for (const map of [this.#endpoints, this.#targets] as Map<string, unknown>[]) {
      const entry = map.get(cluster);
      map.delete(cluster);
      if (entry !== undefined) map.set(name, entry);
    }
  }

  async close(cluster: string): Promise<void> {
    const endpoint = this.#endpoints.get(cluster);
    this.#endpoints.delete(cluster);
    this.#targets.delete(cluster);
    await endpoint?.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all(Array.from(this.#endpoints.keys(), cluster => this.close(cluster)));
  }
}
