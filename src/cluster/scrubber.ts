/**
 * Scrubs of the running service: on request, and by schedule.
 *
 *     begin ▸ writers checkpoint, so that what they wrote is reached ▸ a thread reads it all ▸ event
 *
 * One runs at a time. Whoever asks for another joins it where it covers what is asked for. The catalog
 * remembers when the last one of the whole store ended, and that one was begun: one that was cut off by
 * the end of the service is begun again by the next, while one that was stopped on request is not.
 */
import {after, every} from '../base/clock.ts';
import {BorealisError, errorChain} from '../base/errors.ts';
import {randomHex} from '../base/random.ts';
import {checkpointWriters} from './checkpoint-writers.ts';
import {clusterNotFound, invalidClusterState} from './faults.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {ScrubRecord, ScrubResult} from './records.ts';
import {outcomeOf, scrubMessage} from './scrub-result.ts';
import type {ScrubProgress, ScrubRun} from './storage-types.ts';
import {addEvent, type World} from './world.ts';
import {recordZoneEvent} from './zone-events.ts';

export type ScrubRequest = {
  /** Null for the whole store. */
  readonly cluster: string | null;
  /** Null for no limit. */
  readonly bytesPerSecond: number | null;
};

export type BegunScrub = {
  readonly id: string;
  /** It ran already. */
  readonly joined: boolean;
};

export type RunningScrub = ScrubProgress & {
  readonly id: string;
  readonly cluster: string | null;
  readonly trigger: ScrubResult['trigger'];
  readonly startedAtMs: number;
};

export type ScrubStatus = {
  readonly running: RunningScrub | null;
  /** The last one that ended in this life of the service, of whatever it was. */
  readonly ended: ScrubResult | null;
  /** The last one of the whole store. */
  readonly last: ScrubResult | null;
  /** Hours between two by schedule, or null. */
  readonly everyHours: number | null;
  /** When the next one is due, in milliseconds since 1970, or null. */
  readonly nextAtMs: number | null;
};

export type ScrubberWorld = Pick<
  World,
  | 'catalog'
  | 'storage'
  | 'supervisor'
  | 'damage'
  | 'clock'
  | 'logger'
  | 'counts'
  | 'zoneHealth'
  | 'scrubEveryMs'
>;

/** Not felt beside a writer: a disk of a laptop reads some 500 MiB/s and more. */
export const SCHEDULED_BYTES_PER_SECOND: number = 64 * 2 ** 20;
const LOOK_MS = 60_000;
/** After one that failed, such as for want of a quorum. */
const RETRY_MS = 3_600_000;
const HOUR_MS = 3_600_000;
const STORE = 'store';
/** Findings of a scrub that the catalog remembers. */
const KEPT_MAX = 100;

type Current = RunningScrub & {isStoppedBy: 'request' | 'service' | null; run: ScrubRun | null};

export class Scrubber {
  readonly #world: ScrubberWorld;
  #current: Current | null = null;
  #ended: ScrubResult | null = null;
  #done: Promise<void> = Promise.resolve();
  #failedAtMs = -Infinity;
  #isClosed = false;
  #stopLooking: () => void = () => undefined;

  constructor(world: ScrubberWorld) {
    this.#world = world;
  }

  /** Begins to look at the time. */
  start(): void {
    const {scrubEveryMs, damage} = this.#world;
    damage.replace(this.#record().last?.report?.damaged ?? []);
    if (scrubEveryMs === null) return;
    const look = (): void => this.#lookAtTime();
    const cancelFirst = after(Math.min(LOOK_MS, scrubEveryMs) / 4, look);
    const stop = every(Math.min(LOOK_MS, scrubEveryMs), look);
    this.#stopLooking = () => {
      cancelFirst();
      stop();
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopLooking();
    await this.#stop('service');
  }

  status(): ScrubStatus {
    const {scrubEveryMs} = this.#world;
    let running: RunningScrub | null = null;
    if (this.#current !== null) {
      const {isStoppedBy: _by, run: _run, ...shown} = this.#current;
      running = shown;
    }
    return {
      running,
      ended: this.#ended,
      last: this.#record().last,
      everyHours: scrubEveryMs === null ? null : scrubEveryMs / HOUR_MS,
      nextAtMs: this.#dueMs(),
    };
  }

  /** Begins a scrub, or joins the one that runs. @throws BorealisError conflict when that one covers something else. */
  begin(request: ScrubRequest): BegunScrub {
    const current = this.#current;
    if (current === null) return {id: this.#begin(request, 'request'), joined: false};
    if (current.cluster === null || current.cluster === request.cluster) {
      return {id: current.id, joined: true};
    }
    throw invalidClusterState(
      `A scrub of DB cluster ${current.cluster} is running. Wait for its end, or stop it.`,
    );
  }

  /** Does nothing when another one runs, or none. */
  async stop(id: string): Promise<void> {
    if (this.#current?.id === id) await this.#stop('request');
  }

  async #stop(by: 'request' | 'service'): Promise<void> {
    if (this.#current !== null) {
      this.#current.isStoppedBy ??= by;
      await this.#current.run?.stop();
    }
    await this.#done;
  }

  #begin({cluster, bytesPerSecond}: ScrubRequest, trigger: ScrubResult['trigger']): string {
    const {clock, catalog} = this.#world;
    const id = randomHex(8);
    const startedAtMs = clock.nowMs();
    const current: Current = {
      ...{id, cluster, trigger, startedAtMs, bytesDone: 0, bytesTotal: 0},
      ...{isStoppedBy: null, run: null},
    };
    if (cluster === null) {
      const record = {...this.#record(), begunAtMs: startedAtMs};
      catalog.transaction(() => catalog.scrubs.put(STORE, record));
    }
    this.#current = current;
    this.#done = this.#run(current, bytesPerSecond);
    return id;
  }

  /** Never rejects. */
  async #run(current: Current, bytesPerSecond: number | null): Promise<void> {
    const {clock, logger} = this.#world;
    const beganMs = clock.monotonicMs();
    const base = {
      ...{id: current.id, cluster: current.cluster, trigger: current.trigger},
      startedAtMs: current.startedAtMs,
    };
    let result: ScrubResult;
    try {
      const report = await this.#read(current, bytesPerSecond);
      const durationMs = clock.monotonicMs() - beganMs;
      const ended = {durationMs, outcome: outcomeOf(report), reason: null, report};
      result = {...base, endedAtMs: clock.nowMs(), ...ended};
    } catch (error) {
      const durationMs = clock.monotonicMs() - beganMs;
      const outcome = current.isStoppedBy === null ? 'failed' : 'stopped';
      const ended = {durationMs, outcome, reason: errorChain(error), report: null} as const;
      result = {...base, endedAtMs: clock.nowMs(), ...ended};
    }
    try {
      this.#finish(current, result);
    } catch (error) {
      logger.error(`cannot record the end of a scrub: ${errorChain(error)}`);
    }
    this.#ended = result;
    this.#current = null;
  }

  async #read(current: Current, bytesPerSecond: number | null): ScrubRun['done'] {
    const {storage} = this.#world;
    const {cluster} = current;
    await checkpointWriters(
      this.#world,
      ({identifier, volume}) => volume !== null && (cluster === null || identifier === cluster),
    );
    if (current.isStoppedBy !== null) throw new BorealisError('closed', 'scrub-stopped', 'stopped');
    const run = storage.scrub({
      volumes: cluster === null ? null : [this.#volumeOf(cluster)],
      bytesPerSecond,
      onProgress: progress => Object.assign(current, progress),
      onZoneEvent: event => {
        // Of its zones' states others tell, who live longer.
        if (event.type !== 'state') recordZoneEvent(this.#world, event, null);
      },
    });
    current.run = run;
    return await run.done;
  }

  #volumeOf(cluster: string): VolumeNumber {
    const volume = this.#world.catalog.clusters.get(cluster)?.volume ?? null;
    // Deleted meanwhile.
    if (volume === null) throw clusterNotFound(cluster);
    return volume;
  }

  #finish({cluster, isStoppedBy}: Current, result: ScrubResult): void {
    const {catalog, logger, damage} = this.#world;
    if (isStoppedBy === 'service') return;
    if (result.outcome === 'failed') this.#failedAtMs = result.endedAtMs;
    if (cluster === null && result.report !== null) damage.replace(result.report.damaged);
    const message = scrubMessage(result);
    const isGood = result.outcome === 'clean' || result.outcome === 'stopped';
    if (isGood) logger.info(message);
    else logger.warn(message);
    catalog.transaction(() => {
      if (cluster === null) {
        const {last, stoppedAtMs} = this.#record();
        const {outcome, startedAtMs, endedAtMs} = result;
        catalog.scrubs.put(STORE, {
          begunAtMs: outcome === 'failed' ? startedAtMs : null,
          stoppedAtMs: outcome === 'stopped' ? endedAtMs : stoppedAtMs,
          last: result.report === null ? last : briefly(result),
        });
      }
      if (cluster === null) addEvent(this.#world, 'service', 'scrub', message, 'maintenance');
      else addEvent(this.#world, 'db-cluster', cluster, message, 'maintenance');
    });
  }

  #lookAtTime(): void {
    const {clock, logger} = this.#world;
    const nowMs = clock.nowMs();
    const dueMs = this.#dueMs();
    if (this.#isClosed || this.#current !== null || dueMs === null || nowMs < dueMs) return;
    try {
      const bytesPerSecond = SCHEDULED_BYTES_PER_SECOND;
      this.#begin({cluster: null, bytesPerSecond}, 'schedule');
    } catch (error) {
      // The catalog cannot be written, as on a full disk.
      this.#failedAtMs = nowMs;
      logger.error(`cannot begin a scrub: ${errorChain(error)}`);
    }
  }

  #dueMs(): number | null {
    const {catalog, scrubEveryMs} = this.#world;
    if (scrubEveryMs === null) return null;
    const {begunAtMs, stoppedAtMs, last} = this.#record();
    const sinceMs = Math.max(last?.endedAtMs ?? catalog.identity.createdAtMs, stoppedAtMs ?? 0);
    const dueMs = begunAtMs ?? sinceMs + scrubEveryMs;
    return Math.max(dueMs, this.#failedAtMs + RETRY_MS);
  }

  #record(): ScrubRecord {
    return (
      this.#world.catalog.scrubs.get(STORE) ?? {begunAtMs: null, stoppedAtMs: null, last: null}
    );
  }
}

/** As it is kept: of many findings the first ones. */
function briefly(result: ScrubResult): ScrubResult {
  const {report} = result;
  if (report === null) return result;
  const [repaired, damaged] = [report.repaired, report.damaged].map(all => all.slice(0, KEPT_MAX));
  return {
    ...result,
    report: {
      ...report,
      repaired: repaired ?? [],
      damaged: damaged ?? [],
      repairedMore: report.repairedMore + Math.max(0, report.repaired.length - KEPT_MAX),
      damagedMore: report.damagedMore + Math.max(0, report.damaged.length - KEPT_MAX),
    },
  };
}
