/**
 * Keeps the engine of each DB instance running.
 *
 *     run ──▶ starting ──▶ ready ──▶ (process gone) ──▶ waits ──▶ starting …
 *                │ not ready: waits twice as long each time; `failed` from the third time on,
 *                └ but it goes on trying, for a full disk or a lost zone may come back
 *
 * A runner holds the lock of its volume from before the process is spawned until after it is gone, so
 * a volume never has two who write. What a client may rely on after `available` is in the catalog
 * before the endpoints lead there.
 */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {assert} from '../base/assert.ts';
import {sleep, withDeadline} from '../base/clock.ts';
import {crashPoint} from '../base/crash-point.ts';
import {BorealisError, errorChain} from '../base/errors.ts';
import type {InstanceConfig} from '../instance/messages.ts';
import {offerFor} from './engine-versions.ts';
import type {InstanceProcess, ReadyInstance} from '../instance/instance-process.ts';
import {processIdentity} from '../base/process-identity.ts';
import {wantedParameters} from './parameter-groups.ts';
import {backoffMs} from './reconciler.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import {addEvent, type World} from './world.ts';

/** Page-table nodes of 32 GB of hot data; an idle clone uses a few hundred kilobytes of it. */
export const NODE_CACHE_BYTES: number = 32 * 1024 * 1024;
/** Failures in a row after which the status says `failed`. */
const START_FAILURES_MAX = 3;
/** An instance that served for so long begins with a clean slate after a crash. */
const STABLE_MS_MIN = 10_000;
/** A clean shutdown with a checkpoint of a large buffer pool; what takes longer is ended by force. */
const STOP_MS_MAX = 20_000;

type SupervisorWorld = Pick<
  World,
  | 'catalog'
  | 'launch'
  | 'offers'
  | 'hostMemoryBytes'
  | 'zones'
  | 'reserveBytes'
  | 'instancesDirectory'
  | 'clock'
  | 'logger'
  | 'endpoints'
  | 'volumeLocks'
>;

type Runner = {
  state: 'starting' | 'ready' | 'resting';
  handle: InstanceProcess | null;
  readonly stopping: AbortController;
  /** Resolves when the runner has come to its end. */
  done: Promise<void>;
};

export class Supervisor {
  readonly #world: SupervisorWorld;
  readonly #runners = new Map<string, Runner>();
  readonly #onSettled: (clusterIdentifier: string) => void;
  /** Processes that no runner keeps: golden volumes being filled. */
  readonly #guests = new Set<InstanceProcess>();
  #changes: (() => void)[] = [];
  #closed = false;

  /** `onSettled` is told the cluster of each instance that came up, or does not. */
  constructor(world: SupervisorWorld, onSettled: (clusterIdentifier: string) => void) {
    this.#world = world;
    this.#onSettled = onSettled;
  }

  /** Begins to run an instance unless it does. */
  run(identifier: string): void {
    if (this.#closed || this.#runners.has(identifier)) return;
    const runner: Runner = {
      state: 'starting',
      handle: null,
      stopping: new AbortController(),
      done: Promise.resolve(),
    };
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
    // Who connects now waits for the next engine instead of being refused by this one.
    const cluster = this.#world.catalog.instances.get(identifier)?.clusterIdentifier;
    if (cluster !== undefined) this.#world.endpoints.route(cluster, {state: 'starting'});
    await this.#stopProcess(runner);
    await runner.done;
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
  }

  /** The process to ask when it is ready; `starting` (or stopping): wait for `changed`; `none`: nobody has the volume open for long. */
  writer(identifiers: readonly string[]): InstanceProcess | 'starting' | 'none' {
    const runner = identifiers.flatMap(identifier => this.#runners.get(identifier) ?? [])[0];
    if (runner === undefined || runner.state === 'resting') return 'none';
    const serves = runner.state === 'ready' && !runner.stopping.signal.aborted;
    return serves && runner.handle !== null ? runner.handle : 'starting';
  }

  /** The process of an instance that serves, else undefined. */
  serving(identifier: string): InstanceProcess | undefined {
    const writer = this.writer([identifier]);
    return typeof writer === 'string' ? undefined : writer;
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
      const outcome = await this.#runOnce(identifier, runner);
      if (runner.stopping.signal.aborted) break;
      const wasStable = this.#world.clock.monotonicMs() - beganMs >= STABLE_MS_MIN;
      failures = outcome === 'was-ready' && wasStable ? 0 : failures + 1;
      if (outcome !== 'was-ready') this.#recordFailure(identifier, outcome, failures);
      this.#setState(runner, 'resting');
      // The first crash of an instance that served: clients wait, so start again at once.
      const delayMs = outcome === 'was-ready' && failures <= 1 ? 0 : backoffMs(failures);
      await sleep(delayMs, runner.stopping.signal);
      this.#setState(runner, 'starting');
    }
  }

  /** One life of the process: `was-ready`, or why it did not get there. */
  async #runOnce(identifier: string, runner: Runner): Promise<'was-ready' | Error> {
    const {catalog, volumeLocks, logger} = this.#world;
    const instance = catalog.instances.get(identifier);
    const cluster = catalog.clusters.get(instance?.clusterIdentifier ?? '');
    assert(instance !== undefined && cluster !== undefined, 'a runner has its records');
    assert(cluster.volume !== null && cluster.volumeReady, 'a runner has a volume');
    const release = await volumeLocks.acquire(String(cluster.volume));
    try {
      if (runner.stopping.signal.aborted) return new Error('stopped before it started');
      const handle = this.#launch(instance, cluster, runner);
      try {
        const ready = await handle.ready;
        this.#becomeReady(instance, cluster, ready);
        this.#setState(runner, 'ready');
      } catch (error) {
        handle.kill();
        await handle.exited;
        return error instanceof Error ? error : new Error(String(error));
      }
      const exit = await handle.exited;
      if (!runner.stopping.signal.aborted) {
        logger.warn({instance: identifier}, `the instance ended: ${exit.description}`);
        this.#recordCrash(identifier, exit.description);
      }
      return 'was-ready';
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      runner.handle = null;
      this.#world.endpoints.route(cluster.identifier, {state: 'starting'});
      catalog.transaction(() => {
        catalog.instances.update(identifier, record => ({...record, process: null}));
      });
      release();
    }
  }

  #launch(instance: InstanceRecord, cluster: ClusterRecord, runner: Runner): InstanceProcess {
    const {catalog, launch} = this.#world;
    crashPoint('instance.start.before-spawn');
    const config = this.#config(instance, cluster);
    const handle = launch(config, () => undefined);
    runner.handle = handle;
    catalog.transaction(() => {
      catalog.instances.update(instance.identifier, record => ({
        ...record,
        process: processIdentity(handle.pid) ?? null,
        parameters: config.parameters,
      }));
    });
    crashPoint('instance.start.after-spawn');
    if (runner.stopping.signal.aborted) handle.kill();
    return handle;
  }

  #config(instance: InstanceRecord, cluster: ClusterRecord): InstanceConfig {
    const {offers, zones, instancesDirectory} = this.#world;
    const offer = offerFor(offers, cluster);
    if (offer === undefined || cluster.volume === null) {
      throw new BorealisError(
        'unavailable',
        'engine-missing',
        `DB cluster ${cluster.identifier} needs PostgreSQL ${cluster.engineVersion} (${cluster.runtime}), which cannot run here now.`,
      );
    }
    const runDirectory = join(instancesDirectory, instance.resourceId);
    mkdirSync(runDirectory, {recursive: true, mode: 0o700});
    return {
      name: instance.identifier,
      zones,
      volume: cluster.volume,
      nodeCacheBytes: NODE_CACHE_BYTES,
      reserveBytes: this.#world.reserveBytes,
      runtime: offer.runtime,
      postgresBin: offer.postgresBin,
      runDirectory,
      role: 'writer',
      port: instance.port,
      firstStart: cluster.firstStart,
      master: cluster.masterApplied < cluster.masterRevision ? cluster.master : null,
      // PGlite serves one database and must be told which; a native one that was dropped stays so.
      databaseName:
        offer.runtime === 'native' && cluster.databaseMade ? null : cluster.databaseName,
      parameters: wantedParameters(this.#world, cluster, instance),
    };
  }

  #becomeReady(instance: InstanceRecord, started: ClusterRecord, ready: ReadyInstance): void {
    const {catalog} = this.#world;
    crashPoint('instance.start.before-available');
    catalog.transaction(() => {
      catalog.clusters.update(started.identifier, cluster => ({
        ...cluster,
        firstStart: false,
        databaseMade: true,
        masterApplied: Math.max(cluster.masterApplied, started.masterRevision),
        serverVersion: ready.serverVersion,
      }));
      catalog.instances.update(instance.identifier, record => ({
        ...record,
        status: isOnItsWayUp(record.status) ? 'available' : record.status,
        statusReason: null,
        startSteps: ready.steps,
      }));
      const [message, category] =
        instance.status === 'creating'
          ? (['DB instance created', 'creation'] as const)
          : (['DB instance restarted', 'availability'] as const);
      addEvent(this.#world, 'db-instance', instance.identifier, message, category);
    });
    crashPoint('instance.start.after-available');
    this.#world.endpoints.route(started.identifier, {state: 'ready', port: ready.port});
    this.#onSettled(started.identifier);
  }

  #recordCrash(identifier: string, description: string): void {
    const {catalog} = this.#world;
    catalog.transaction(() => {
      catalog.instances.update(identifier, record => ({
        ...record,
        status: record.status === 'available' ? 'starting' : record.status,
      }));
      addEvent(
        this.#world,
        'db-instance',
        identifier,
        `Recovery of the DB instance has started: ${description}`,
        'recovery',
      );
    });
  }

  #recordFailure(identifier: string, error: Error, failures: number): void {
    const {catalog, logger} = this.#world;
    const reason = errorChain(error);
    logger.warn({instance: identifier, failures}, `the instance did not start: ${reason}`);
    if (failures < START_FAILURES_MAX) return;
    catalog.transaction(() => {
      const record = catalog.instances.get(identifier);
      if (record === undefined || !isOnItsWayUp(record.status)) return;
      catalog.instances.put(identifier, {...record, status: 'failed', statusReason: reason});
      if (record.status !== 'failed') {
        addEvent(
          this.#world,
          'db-instance',
          identifier,
          `DB instance failed to start: ${reason}`,
          'failure',
        );
      }
    });
    const clusterIdentifier = catalog.instances.get(identifier)?.clusterIdentifier ?? '';
    this.#onSettled(clusterIdentifier);
    this.#world.endpoints.route(clusterIdentifier, {
      state: 'none',
      reason: `DB instance "${identifier}" does not start; its status tells why`,
    });
  }

  async #stopProcess(runner: Runner): Promise<void> {
    const {handle} = runner;
    if (handle === null) return;
    if (runner.state !== 'ready') {
      handle.kill();
      return;
    }
    try {
      const stopped = handle.request('stop', {mode: 'fast'}).then(() => handle.exited);
      await withDeadline(
        Promise.race([stopped, handle.exited]),
        STOP_MS_MAX,
        () => new Error(`it did not stop within ${STOP_MS_MAX} ms`),
      );
    } catch (error) {
      this.#world.logger.warn({pid: handle.pid}, `ended by force: ${errorChain(error)}`);
      handle.kill();
    }
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

/** What was asked for meanwhile (a deletion, a stop, a restart) stands. */
function isOnItsWayUp(status: InstanceRecord['status']): boolean {
  return ['creating', 'starting', 'available', 'failed'].includes(status);
}
