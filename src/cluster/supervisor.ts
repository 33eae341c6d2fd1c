/**
 * Keeps the engine of each DB instance running.
 *
 *     run ──▶ starting ──▶ ready ──▶ (process gone) ──▶ waits ──▶ starting …
 *                │ not ready: waits twice as long each time; `failed` from the third time on,
 *                └ but it goes on trying, for a full disk or a lost zone may come back
 *
 * A writer's runner holds the lock of the cluster volume from before the process is spawned until after
 * it is gone, so a volume never has two who write. A reader's runner waits for the writer and has it
 * fork. Each life has the role that the record tells as it begins; a failover changes records and ends
 * lives. When a writer ends unasked, a reader that serves takes over.
 *
 * What a client may rely on after `available` is in the catalog before the endpoints lead there.
 */
import {assert} from '../base/assert.ts';
import {sleep, withDeadline} from '../base/clock.ts';
import {crashPoint} from '../base/crash-point.ts';
import {errorChain} from '../base/errors.ts';
import {processIdentity} from '../base/process-identity.ts';
import type {InstanceProcess} from '../instance/instance-process.ts';
import {failoverOrder, writerOf} from './cluster-roles.ts';
import {pointEndpoints} from './point-endpoints.ts';
import {swapWriter} from './failover.ts';
import {instanceConfig} from './instance-config.ts';
import {recordFailed, recordReady, recordRestart, recordTakenOver} from './instance-history.ts';
import {instancesOf} from './instances-of.ts';
import {dropReaderVolume, forkForReader, takeReaderVolume} from './reader-volume.ts';
import {hasLessThanWriter} from './parameter-groups.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import {ReplicationSecrets} from './replication-secrets.ts';
import {
  endProcess,
  hangs,
  isEnding,
  newRunner,
  restartDelayMs,
  serves,
  STABLE_MS_MIN,
  START_FAILURES_MAX,
  START_MS_MAX,
  type Place,
  type Runner,
  type ServingReader,
  type SupervisorEvents,
  type SupervisorWorld,
} from './runner.ts';
import {forgetZoneStates, recordZoneEvent} from './zone-events.ts';

export class Supervisor {
  readonly #world: SupervisorWorld;
  readonly #runners = new Map<string, Runner>();
  readonly #events: SupervisorEvents;
  readonly #secrets: ReplicationSecrets;
  /** Processes that no runner keeps: golden volumes being filled. */
  readonly #guests = new Set<InstanceProcess>();
  /** Volumes of readers that are being let go of; nobody waits for it but the end. */
  readonly #freeing = new Set<Promise<void>>();
  #changes: (() => void)[] = [];
  #closed = false;

  constructor(world: SupervisorWorld, events: SupervisorEvents) {
    this.#world = world;
    this.#events = events;
    this.#secrets = new ReplicationSecrets(world.scramVerifier);
  }

  /** Begins to run an instance unless it does. */
  run(identifier: string): void {
    if (this.#closed || this.#runners.has(identifier)) return;
    const runner = newRunner();
    this.#runners.set(identifier, runner);
    runner.done = this.#loop(identifier, runner)
      .catch((error: unknown) => {
        // The catalog could not be written (a full disk): the next start of the service tries again.
        this.#world.logger.error({instance: identifier}, errorChain(error));
      })
      .finally(() => {
        this.#runners.delete(identifier);
        this.#announce();
      });
  }

  /** Stops the instance and waits until its process is gone. */
  async stop(identifier: string): Promise<void> {
    const runner = this.#runners.get(identifier);
    if (runner === undefined) return;
    runner.stopping.abort();
    this.#rerouteOf(identifier);
    this.#announce();
    // Nothing of a reader is kept, and a writer that was replaced must not hold up its successor.
    const isWriter = this.#world.catalog.instances.get(identifier)?.role === 'writer';
    if (isWriter && runner.role === 'writer') await endProcess(runner, this.#world.logger);
    else runner.handle?.kill();
    await runner.done;
  }

  /** Ends the present life and begins the next one, in the role that the record tells then. */
  restart(identifier: string, reason: string, how: 'by force' | 'in order' = 'by force'): void {
    const runner = this.#runners.get(identifier);
    if (runner === undefined || (how === 'in order' && isEnding(runner))) return;
    runner.turn.abort(reason);
    void (how === 'in order' ? endProcess(runner, this.#world.logger) : runner.handle?.kill());
    this.#rerouteOf(identifier);
    this.#announce();
  }

  /** After `swapWriter`: lets the two instances take their new roles. */
  takeOver(target: string, old: string | undefined): void {
    const runner = this.#runners.get(target);
    if (runner !== undefined) runner.isTakingOver = true;
    for (const each of [old, target]) {
      if (each !== undefined) this.restart(each, 'failover');
    }
  }

  /** Sees to it that `stopAll` ends a process that somebody else waits for. */
  adopt(handle: InstanceProcess): void {
    this.#guests.add(handle);
    if (this.#closed) handle.kill();
    void handle.exited.then(() => this.#guests.delete(handle));
  }

  /** Stops all instances side by side and runs no more. */
  async stopAll(): Promise<void> {
    this.#closed = true;
    for (const guest of this.#guests) guest.kill();
    await Promise.all(Array.from(this.#runners.keys(), identifier => this.stop(identifier)));
    await Promise.all(this.#freeing);
  }

  /** The process to ask when it is ready; `starting` (or stopping): wait for `changed`; `none`: nobody has the volume open for long. */
  writer(cluster: string): InstanceProcess | 'starting' | 'none' {
    const writer = writerOf(instancesOf(this.#world, cluster));
    const runner = this.#runners.get(writer?.identifier ?? '');
    if (runner === undefined || runner.state === 'resting') return 'none';
    return runner.role === 'writer' && serves(runner) ? runner.handle : 'starting';
  }

  readers(): ServingReader[] {
    return this.#world.catalog.instances.list().flatMap(instance => {
      const {identifier, role, clusterIdentifier} = instance;
      const process = this.processOf(instance);
      if (role !== 'reader' || process === null) return [];
      const writerServes = typeof this.writer(clusterIdentifier) !== 'string';
      return [{identifier, process, writerServes}];
    });
  }

  /** The process of an instance that serves in the role that its record tells; else null. */
  processOf({identifier, role}: InstanceRecord): InstanceProcess | null {
    if (this.#runners.get(identifier)?.role !== role) return null;
    return this.serving(identifier) ?? null;
  }

  /** Whether the instance serves in the role that its record tells. */
  isServing(instance: InstanceRecord): boolean {
    return this.processOf(instance) !== null;
  }

  /** Points the endpoints of a cluster to where they should lead now. */
  reroute(identifier: string): void {
    pointEndpoints(this.#world, identifier, instance => this.processOf(instance) ?? undefined);
  }

  #rerouteOf(instance: string): void {
    this.reroute(this.#world.catalog.instances.get(instance)?.clusterIdentifier ?? '');
  }

  /** The process of an instance that serves, else undefined. */
  serving(identifier: string): InstanceProcess | undefined {
    const runner = this.#runners.get(identifier);
    return runner !== undefined && serves(runner) ? runner.handle : undefined;
  }

  /** Resolves at the next change of any runner's state. */
  changed(): Promise<void> {
    return new Promise(resolve => this.#changes.push(resolve));
  }

  memoryBytes(identifier: string): number | null {
    return this.#runners.get(identifier)?.handle?.memoryBytes() ?? null;
  }

  async #loop(identifier: string, runner: Runner): Promise<void> {
    for (let failures = 0; !runner.stopping.signal.aborted;) {
      const beganMs = this.#world.clock.monotonicMs();
      runner.turn = new AbortController();
      const outcome = await this.#runOnce(identifier, runner);
      if (runner.stopping.signal.aborted) break;
      if (runner.turn.signal.aborted || this.#failOver(identifier, runner)) {
        failures = 0;
        continue;
      }
      const wasStable = this.#world.clock.monotonicMs() - beganMs >= STABLE_MS_MIN;
      failures = outcome === 'was-ready' && wasStable ? 0 : failures + 1;
      if (outcome !== 'was-ready') this.#failed(identifier, outcome, failures);
      this.#setState(runner, 'resting');
      const delayMs = restartDelayMs(outcome === 'was-ready', failures);
      await sleep(delayMs, AbortSignal.any([runner.stopping.signal, runner.turn.signal]));
      this.#setState(runner, 'starting');
    }
  }

  /** Lets a reader that serves take over from a writer that ended unasked. */
  #failOver(identifier: string, runner: Runner): boolean {
    const {catalog, logger} = this.#world;
    if (runner.role !== 'writer' || this.#closed) return false;
    const cluster = catalog.instances.get(identifier)?.clusterIdentifier ?? '';
    const target = catalog.transaction(() => {
      const instances = instancesOf(this.#world, cluster);
      // Somebody may have swapped it already.
      if (writerOf(instances)?.identifier !== identifier) return undefined;
      const found = failoverOrder(instances).find(each => this.isServing(each));
      if (found !== undefined) swapWriter(this.#world, cluster, found.identifier);
      return found?.identifier;
    });
    if (target === undefined) return false;
    crashPoint('failover.after-swap');
    logger.warn({cluster}, `failover from ${identifier} to ${target}`);
    this.takeOver(target, undefined);
    return true;
  }

  /** One life of the process: `was-ready`, or why it did not get there. */
  async #runOnce(identifier: string, runner: Runner): Promise<'was-ready' | Error> {
    const {catalog, logger, startMsMax = START_MS_MAX} = this.#world;
    const instance = catalog.instances.get(identifier);
    const cluster = catalog.clusters.get(instance?.clusterIdentifier ?? '');
    assert(instance !== undefined && cluster !== undefined, 'a runner has its records');
    assert(cluster.volume !== null && cluster.volumeReady, 'a runner has a volume');
    runner.role = instance.role;
    let place: Place | null = null;
    try {
      place = await (instance.role === 'writer'
        ? this.#writerPlace(cluster)
        : this.#readerPlace(instance, cluster, runner));
      if (place === null || isEnding(runner)) return new Error('ended before it started');
      const handle = this.#launch(instance, cluster, place, runner);
      try {
        const ready = await withDeadline(handle.ready, startMsMax, () => hangs(startMsMax));
        if (isEnding(runner)) throw new Error('ended before it was ready');
        const steps = [...place.steps, ...ready.steps];
        recordReady(this.#world, instance, cluster, {...ready, steps});
        this.#setState(runner, 'ready');
        this.#serve(runner, instance);
      } catch (error) {
        handle.kill();
        await handle.exited;
        return error instanceof Error ? error : new Error(String(error));
      }
      const exit = await handle.exited;
      if (!runner.stopping.signal.aborted) {
        const {aborted, reason} = runner.turn.signal;
        const why = aborted ? String(reason) : exit.description;
        logger.warn({instance: identifier}, `the instance ended: ${why}`);
        recordRestart(this.#world, identifier, why);
      }
      return 'was-ready';
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      runner.handle = null;
      this.#setState(runner, 'starting');
      this.reroute(cluster.identifier);
      catalog.transaction(() => {
        catalog.instances.update(identifier, record => ({...record, process: null}));
      });
      place?.release();
    }
  }

  async #writerPlace({volume}: ClusterRecord): Promise<Place> {
    assert(volume !== null, 'a runner has a volume');
    const release = await this.#world.volumeLocks.acquire(String(volume));
    return {volume, source: null, steps: [], release};
  }

  /** Null when the life ends before the writer serves. */
  async #readerPlace(
    instance: InstanceRecord,
    cluster: ClusterRecord,
    runner: Runner,
  ): Promise<Place | null> {
    const writer = await this.#untilWriterServes(cluster.identifier, runner);
    if (writer === null) return null;
    const {secret, verifier} = this.#secrets.of(cluster.resourceId);
    const volume = await takeReaderVolume(this.#world, instance);
    const release = (): void => {
      const freed = dropReaderVolume(this.#world, instance, volume).then(() => {
        this.#freeing.delete(freed);
        this.#events.onFreed();
      });
      this.#freeing.add(freed);
    };
    try {
      const steps = await forkForReader(writer.process, volume, verifier);
      runner.follows = writer.port;
      return {volume, source: {port: writer.port, secret}, steps, release};
    } catch (error) {
      release();
      throw error;
    }
  }

  async #untilWriterServes(
    cluster: string,
    runner: Runner,
  ): Promise<{process: InstanceProcess; port: number} | null> {
    while (!isEnding(runner)) {
      const process = this.writer(cluster);
      const port = writerOf(instancesOf(this.#world, cluster))?.port;
      if (typeof process !== 'string' && port !== undefined) return {process, port};
      await this.changed();
    }
    return null;
  }

  #launch(
    instance: InstanceRecord,
    cluster: ClusterRecord,
    place: Place,
    runner: Runner,
  ): InstanceProcess {
    const {catalog, launch, shownCertificates} = this.#world;
    const hasReaders = failoverOrder(instancesOf(this.#world, cluster.identifier)).length > 0;
    const verifier = hasReaders ? this.#secrets.of(cluster.resourceId).verifier : null;
    crashPoint('instance.start.before-spawn');
    const config = instanceConfig(this.#world, instance, cluster, place, verifier);
    const handle = launch(config, {
      onZoneEvent: event => recordZoneEvent(this.#world, event, config.name),
    });
    void handle.exited.then(() => forgetZoneStates(this.#world, config.name));
    if (config.tls !== null) shownCertificates.note(handle, config.tls.certificate);
    runner.handle = handle;
    catalog.transaction(() => {
      catalog.instances.update(instance.identifier, record => ({
        ...record,
        process: processIdentity(handle.pid) ?? null,
        parameters: config.parameters,
      }));
    });
    crashPoint('instance.start.after-spawn');
    return handle;
  }

  /** It is in the catalog as available: endpoints lead there, and readers follow a new writer. */
  #serve(runner: Runner, {identifier, clusterIdentifier, role}: InstanceRecord): void {
    this.reroute(clusterIdentifier);
    if (runner.isTakingOver && role === 'writer') {
      runner.isTakingOver = false;
      recordTakenOver(this.#world, clusterIdentifier, identifier);
    }
    for (const each of instancesOf(this.#world, clusterIdentifier)) {
      if (each.role === 'reader') void this.#follow(each);
    }
    this.#events.onSettled(clusterIdentifier);
  }

  /** Lets a reader that serves take its changes from who is the writer now: its WAL is a part of the cluster volume's. */
  async #follow(reader: InstanceRecord): Promise<void> {
    const {identifier, clusterIdentifier} = reader;
    const port = writerOf(instancesOf(this.#world, clusterIdentifier))?.port;
    const cluster = this.#world.catalog.clusters.get(clusterIdentifier);
    const runner = this.#runners.get(identifier);
    if (port === undefined || cluster === undefined || runner === undefined) return;
    if (!serves(runner) || runner.role !== 'reader') return;
    if (hasLessThanWriter(this.#world, cluster, reader)) {
      this.restart(identifier, 'its writer runs with larger settings');
      return;
    }
    if (runner.follows === port) return;
    runner.follows = port;
    const {secret} = this.#secrets.of(cluster.resourceId);
    try {
      await runner.handle.request('follow', {source: {port, secret}});
    } catch (error) {
      this.restart(identifier, `it could not follow the new writer: ${errorChain(error)}`);
    }
  }

  #failed(identifier: string, error: Error, failures: number): void {
    const reason = errorChain(error);
    this.#world.logger.warn({instance: identifier, failures}, `did not start: ${reason}`);
    if (failures < START_FAILURES_MAX) return;
    recordFailed(this.#world, identifier, error);
    this.#rerouteOf(identifier);
    this.#events.onSettled(this.#world.catalog.instances.get(identifier)?.clusterIdentifier ?? '');
  }

  #setState(runner: Runner, state: Runner['state']): void {
    runner.state = state;
    this.#announce();
  }

  #announce(): void {
    const waiting = this.#changes;
    this.#changes = [];
    for (const wake of waiting) wake();
  }
}
