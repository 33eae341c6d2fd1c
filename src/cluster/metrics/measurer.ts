/**
 * Measures the service and its instances for who scrapes them.
 *
 * Cost:   what is in memory is read, each instance and each zone is asked one short question, and all of
 *         them at once. Nothing walks the store: what clusters take of it is counted in the background,
 *         while somebody scrapes, and told with its age.
 * Limits: an answer is waited for up to ANSWER_MS_MAX; what is later is left out, and counted as missing.
 */
import type {InstanceProcess} from '../../instance/instance-process.ts';
import {majority} from '../../page-store/membership.ts';
import type {ZoneState} from '../../page-store/zone.ts';
import {storageReport} from '../actions/storage-report.ts';
import type {StorageReport} from '../control-plane.ts';
import type {World} from '../world.ts';
import type {
  InstanceMeasurement,
  Measurements,
  Monitor,
  Readiness,
  ZoneMeasurement,
} from './measurements.ts';
import {Probe, Probes} from '../../base/probe.ts';

/** A scraper waits ten seconds by default; an instance answers in milliseconds or does not. */
const ANSWER_MS_MAX = 2_000;
/** Space changes slowly, and counting it costs reads where much was written since. */
const STORAGE_AGE_MS_MAX = 30_000;

export class Measurer implements Monitor {
  readonly #world: World;
  readonly #isRecovered: () => boolean;
  readonly #instances = new Probes((process: InstanceProcess) => process.request('statistics', {}));
  readonly #zoneStates: Probe<readonly ZoneState[]>;
  readonly #storage: Probe<void>;
  #storageKnown: {report: StorageReport; atMs: number} | null = null;

  constructor(world: World, isRecovered: () => boolean) {
    this.#world = world;
    this.#isRecovered = isRecovered;
    this.#zoneStates = new Probe(() => world.storage.zoneStates());
    this.#storage = new Probe(async () => {
      const report = await storageReport(world, {fresh: false});
      this.#storageKnown = {report, atMs: world.clock.monotonicMs()};
    });
  }

  async measure(): Promise<Measurements> {
    const {catalog, space, counts, reconciler} = this.#world;
    const [instances, zones, storage] = await Promise.all([
      this.#measureInstances(),
      this.#measureZones(),
      this.#measureStorage(),
    ]);
    return {
      isReady: readinessOf(this.#isRecovered(), zones).isReady,
      isStorageFull: space.isLow,
      missing: {
        instances: instances.filter(one => one.isUp && !hasAnswered(one)).length,
        zones: zones.filter(({state, freeBytes}) => state === null || freeBytes === null).length,
        storage: storage === null ? 1 : 0,
      },
      clusters: catalog.clusters.list().map(({identifier, status}) => ({
        identifier,
        status: space.shown(status),
      })),
      instances,
      endpoints: this.#world.endpoints.statistics(),
      zones,
      storage,
      counts,
      reconcileFailures: reconciler.failures,
      events: catalog.eventCounts,
    };
  }

  async readiness(): Promise<Readiness> {
    return readinessOf(this.#isRecovered(), await this.#measureZones());
  }

  async #measureInstances(): Promise<InstanceMeasurement[]> {
    const {catalog, supervisor, replicas} = this.#world;
    const instances = catalog.instances.list().map(record => ({
      record,
      process: supervisor.processOf(record),
    }));
    const asked = instances.flatMap(({process}) => process ?? []);
    const answers = await this.#instances.answers(asked, ANSWER_MS_MAX);
    return instances.map(({record, process}) => ({
      cluster: record.clusterIdentifier,
      instance: record.identifier,
      role: record.role,
      isUp: process !== null,
      replicaLagMs: process === null ? null : replicas.lagMs(record.identifier),
      statistics: process === null ? null : (answers[asked.indexOf(process)] ?? null),
    }));
  }

  async #measureZones(): Promise<ZoneMeasurement[]> {
    // It changes with the membership.
    const zones = [...this.#world.zones];
    const [states, free] = await Promise.all([
      this.#zoneStates.answer(ANSWER_MS_MAX),
      this.#world.zoneSpaces.of(zones),
    ]);
    const shown = this.#world.zoneHealth.shown(states ?? []);
    return zones.map(({name}, index) => ({
      zone: name,
      state: shown.find(({zone}) => zone === name) ?? null,
      freeBytes: free[index]?.bytesFree ?? null,
    }));
  }

  async #measureStorage(): Promise<Measurements['storage']> {
    const {clock} = this.#world;
    const ageMs = (): number => clock.monotonicMs() - (this.#storageKnown?.atMs ?? -Infinity);
    if (this.#isRecovered() && ageMs() > STORAGE_AGE_MS_MAX) {
      const counted = this.#storage.answer(ANSWER_MS_MAX);
      if (this.#storageKnown === null) await counted;
    }
    const known = this.#storageKnown;
    return known === null ? null : {report: known.report, ageMs: ageMs()};
  }
}

/** With all that it has to tell. */
export function hasAnswered({statistics}: InstanceMeasurement): boolean {
  return statistics !== null && statistics.volume !== null && statistics.engine !== null;
}

/** Ready: all is recovered that a restart has to, and what is written can be acknowledged. */
export function readinessOf(isRecovered: boolean, zones: readonly ZoneMeasurement[]): Readiness {
  const needed = majority(zones.length);
  const healthy = zones.filter(isHealthy).length;
  const reason = !isRecovered
    ? 'The service is recovering.'
    : zones.every(({state}) => state === null)
      ? 'The store does not answer.'
      : healthy < needed
        ? `Of ${zones.length} zones ${needed} must be healthy for a write, and ${healthy} are.`
        : null;
  return {isReady: reason === null, reason};
}

/** A store of one zone knows of no other state than healthy; that its directory can be read, shows otherwise. */
export function isHealthy({state, freeBytes}: ZoneMeasurement): boolean {
  return state?.state === 'healthy' && freeBytes !== null;
}
