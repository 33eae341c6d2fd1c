/** The listening endpoints of clusters and instances, and where each leads now. */
import {Endpoint, type EndpointTarget} from '../endpoint/endpoint.ts';

export type EndpointKey = `cluster/${string}` | `instance/${string}`;

export class EndpointSet {
  readonly #endpoints = new Map<EndpointKey, Endpoint>();
  /** Kept apart from the endpoint: it may be known before the port could be bound. */
  readonly #targets = new Map<EndpointKey, EndpointTarget>();

  /** Takes over an endpoint that listens already. */
  adopt(key: EndpointKey, endpoint: Endpoint): void {
    this.#endpoints.set(key, endpoint);
    const target = this.#targets.get(key);
    if (target !== undefined) endpoint.setTarget(target);
  }

  /** Listens on `port` unless it does. Throws conflict/port-in-use. */
  async ensure(key: EndpointKey, port: number): Promise<void> {
    if (!this.#endpoints.has(key)) this.adopt(key, await Endpoint.listen(port));
  }

  route(key: EndpointKey, target: EndpointTarget): void {
    this.#targets.set(key, target);
    this.#endpoints.get(key)?.setTarget(target);
  }

  /** The port that the endpoint leads to now, or null. */
  targetPort(key: EndpointKey): number | null {
    const target = this.#targets.get(key);
    return target?.state === 'ready' ? target.port : null;
  }

  async close(key: EndpointKey): Promise<void> {
    const endpoint = this.#endpoints.get(key);
    this.#endpoints.delete(key);
    this.#targets.delete(key);
    await endpoint?.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all(Array.from(this.#endpoints.keys(), key => this.close(key)));
  }
}
