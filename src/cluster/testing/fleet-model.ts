/**
 * What a few calls of the API do to clusters and instances, as a person would note it on paper: the
 * model for random sequences of calls. It knows nothing of volumes, processes and intermediate states,
 * so each call must have come to rest before the next one.
 */
export type FleetCall =
  | {readonly kind: 'createCluster' | 'deleteCluster' | 'stop' | 'start'; readonly cluster: string}
  | {readonly kind: 'protect'; readonly cluster: string; readonly on: boolean}
  | {readonly kind: 'clone' | 'renameCluster'; readonly cluster: string; readonly to: string}
  | {readonly kind: 'createInstance'; readonly cluster: string; readonly instance: string}
  | {readonly kind: 'deleteInstance' | 'reboot'; readonly instance: string}
  | {readonly kind: 'renameInstance'; readonly instance: string; readonly to: string}
  | {readonly kind: 'failover'; readonly cluster: string}
  | {readonly kind: 'tag'; readonly cluster: string; readonly value: string}
  | {readonly kind: 'createEndpoint'; readonly cluster: string; readonly endpoint: string}
  | {readonly kind: 'deleteEndpoint'; readonly endpoint: string}
  | {readonly kind: 'put'; readonly cluster: string; readonly word: string};

type ModelCluster = {
  words: string[];
  stopped: boolean;
  isProtected: boolean;
  tag: string | null;
};

/** What a service shows of itself, and the model of itself: to be compared. */
export type Fleet = {
  readonly clusters: Record<
    string,
    {
      readonly words: string;
      readonly stopped: boolean;
      readonly isProtected: boolean;
      readonly tag: string | null;
    }
  >;
  /** Instance to cluster. */
  readonly instances: Record<string, string>;
  /** Custom endpoint to cluster. */
  readonly endpoints: Record<string, string>;
};

export class FleetModel {
  readonly #clusters = new Map<string, ModelCluster>();
  readonly #instances = new Map<string, string>();
  readonly #endpoints = new Map<string, string>();

  /** Does `call`, or returns the code of its fault and does nothing. */
  apply(call: FleetCall): string | null {
    switch (call.kind) {
      case 'createCluster':
        if (this.#clusters.has(call.cluster)) return 'DBClusterAlreadyExistsFault';
        this.#clusters.set(call.cluster, newCluster(['golden']));
        return null;
      case 'clone':
        return this.#clone(call.cluster, call.to);
      case 'createInstance':
        return this.#createInstance(call.cluster, call.instance);
      case 'deleteInstance':
      case 'reboot':
      case 'renameInstance':
        return this.#changeInstance(call);
      case 'createEndpoint':
      case 'deleteEndpoint':
        return this.#changeEndpoint(call);
      default:
        return this.#changeCluster(call);
    }
  }

  show(): Fleet {
    return {
      clusters: Object.fromEntries(
        [...this.#clusters].map(([name, cluster]) => [
          name,
          {...cluster, words: cluster.words.join(' ')},
        ]),
      ),
      instances: Object.fromEntries(this.#instances),
      endpoints: Object.fromEntries(this.#endpoints),
    };
  }

  #clone(source: string, name: string): string | null {
    const found = this.#clusters.get(source);
    if (found === undefined) return 'DBClusterNotFoundFault';
    if (this.#clusters.has(name)) return 'DBClusterAlreadyExistsFault';
    this.#clusters.set(name, newCluster(found.words));
    return null;
  }

  #createInstance(cluster: string, instance: string): string | null {
    if (this.#instances.has(instance)) return 'DBInstanceAlreadyExistsFault';
    const found = this.#clusters.get(cluster);
    if (found === undefined) return 'DBClusterNotFoundFault';
    if (found.stopped) return 'InvalidDBClusterStateFault';
    this.#instances.set(instance, cluster);
    return null;
  }

  #changeInstance(call: FleetCall & {kind: 'deleteInstance' | 'reboot' | 'renameInstance'}) {
    const cluster = this.#instances.get(call.instance);
    if (cluster === undefined) return 'DBInstanceNotFoundFault';
    if (this.#clusters.get(cluster)?.stopped === true) return 'InvalidDBClusterStateFault';
    if (call.kind === 'deleteInstance') this.#instances.delete(call.instance);
    if (call.kind === 'renameInstance' && call.to !== call.instance) {
      if (this.#instances.has(call.to)) return 'DBInstanceAlreadyExistsFault';
      this.#instances.delete(call.instance);
      this.#instances.set(call.to, cluster);
    }
    return null;
  }

  #changeEndpoint(call: FleetCall & {kind: 'createEndpoint' | 'deleteEndpoint'}): string | null {
    const owner = this.#endpoints.get(call.endpoint);
    if (call.kind === 'createEndpoint') {
      const cluster = this.#clusters.get(call.cluster);
      if (cluster === undefined) return 'DBClusterNotFoundFault';
      if (cluster.stopped) return 'InvalidDBClusterStateFault';
      if (owner !== undefined) return 'DBClusterEndpointAlreadyExistsFault';
      this.#endpoints.set(call.endpoint, call.cluster);
      return null;
    }
    if (owner === undefined) return 'DBClusterEndpointNotFoundFault';
    if (this.#clusters.get(owner)?.stopped === true) return 'InvalidDBClusterStateFault';
    this.#endpoints.delete(call.endpoint);
    return null;
  }

  #changeCluster(
    call: Exclude<FleetCall, {readonly instance: string} | {readonly endpoint: string}>,
  ) {
    const cluster = this.#clusters.get(call.cluster);
    if (cluster === undefined) return 'DBClusterNotFoundFault';
    const members = [...this.#instances.values()].filter(owner => owner === call.cluster).length;
    if (call.kind === 'tag') {
      cluster.tag = call.value;
      return null;
    }
    if (call.kind === 'start') {
      if (!cluster.stopped) return 'InvalidDBClusterStateFault';
      cluster.stopped = false;
      return null;
    }
    if (call.kind === 'deleteCluster') {
      if (cluster.isProtected) return 'InvalidParameterCombination';
      if (members > 0) return 'InvalidDBClusterStateFault';
      this.#clusters.delete(call.cluster);
      this.#moveEndpoints(call.cluster, null);
      return null;
    }
    if (cluster.stopped) return 'InvalidDBClusterStateFault';
    switch (call.kind) {
      case 'stop':
        cluster.stopped = true;
        return null;
      case 'protect':
        cluster.isProtected = call.on;
        return null;
      case 'failover':
        return members < 2 ? 'InvalidDBClusterStateFault' : null;
      case 'put':
        if (members === 0) return 'no-instance';
        cluster.words.push(call.word);
        return null;
      case 'renameCluster':
        return this.#renameCluster(call.cluster, call.to, cluster);
      default:
        throw new Error(`the model does not know ${call.kind}`);
    }
  }

  #renameCluster(from: string, to: string, cluster: ModelCluster): string | null {
    if (from === to) return null;
    if (this.#clusters.has(to)) return 'DBClusterAlreadyExistsFault';
    this.#clusters.delete(from);
    this.#clusters.set(to, cluster);
    for (const [instance, owner] of this.#instances) {
      if (owner === from) this.#instances.set(instance, to);
    }
    this.#moveEndpoints(from, to);
    return null;
  }

  #moveEndpoints(from: string, to: string | null): void {
    for (const [endpoint, owner] of this.#endpoints) {
      if (owner !== from) continue;
      if (to === null) this.#endpoints.delete(endpoint);
      else this.#endpoints.set(endpoint, to);
    }
  }
}

function newCluster(words: readonly string[]): ModelCluster {
  return {words: [...words], stopped: false, isProtected: false, tag: null};
}
