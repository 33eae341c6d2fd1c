/**
 * The store as the control plane sees it: `ClusterStorage` over worker threads.
 *
 *     storage    volume numbers, idle forks, removal: short calls that a clone waits for
 *     reclaim    usage and sweep: as long as the store is large
 *     scrub      as long as a scrub runs: it reads all there is
 */
import type {ForkResult} from '../attachment/attachment.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {StoreConfig} from '../page-store/open-zones.ts';
import type {ZoneEvent, ZoneState} from '../page-store/zone.ts';
import type {RestorableRange} from '../volume/history.ts';
import type {ScrubReport} from '../volume/scrub-report.ts';
import type {SweepReport} from '../volume/sweeper.ts';
import type {BacktrackReport, ForkOptions} from '../volume/volume-head.ts';
import type {ReclaimCall} from './reclaim-worker.ts';
import type {ScrubCall, ScrubWorkerEvent} from './scrub-worker.ts';
import type {
  ClusterStorage,
  ScrubOrder,
  ScrubRun,
  StoreUsage,
  SweepNeed,
  ZoneMembershipCalls,
} from './storage-types.ts';
import {WorkerCalls} from './worker-calls.ts';

export type StorageWorkerData = StoreConfig & {readonly nodeCacheBytes: number};

export type StorageCall =
  | {method: 'allocateVolume' | 'volumes' | 'zoneStates' | 'ready'}
  | {method: 'membershipState' | 'recordMembership' | 'uncleanVolumes'}
  | {method: 'auditZones'; zone: string | undefined}
  | {method: 'changeZones'; config: StoreConfig}
  | {method: 'markRemoved'; zone: string}
  | {
      method: 'exists' | 'remove' | 'settle' | 'restorableRange' | 'trimHistory';
      volume: VolumeNumber;
    }
  | {method: 'forkIdle'; volume: VolumeNumber; child: VolumeNumber; options: ForkOptions}
  | {method: 'backtrack'; volume: VolumeNumber; atMs: number}
  | {method: 'setRetention'; volume: VolumeNumber; seconds: number};

/** Makes the store if the zone holds none. */
export function openClusterStorage(
  data: StorageWorkerData,
  onZoneEvent: (event: ZoneEvent) => void,
): ClusterStorage {
  return new WorkerStorage(data, onZoneEvent);
}

class WorkerStorage implements ClusterStorage {
  readonly membership: ZoneMembershipCalls;
  readonly #onZoneEvent: (event: ZoneEvent) => void;
  #data: StorageWorkerData;
  /** It stays one with one zone left, until the next start. */
  #isMirror: boolean;
  #storage: WorkerCalls<StorageCall>;
  #reclaim: WorkerCalls<ReclaimCall>;
  /** Threads of scrubs that run. */
  readonly #scrubs = new Set<WorkerCalls<ScrubCall>>();
  /** Calls wait while the threads are replaced. */
  #replaced: Promise<void> = Promise.resolve();

  constructor(data: StorageWorkerData, onZoneEvent: (event: ZoneEvent) => void) {
    this.#data = data;
    this.#isMirror = data.zones.length > 1;
    this.#onZoneEvent = onZoneEvent;
    this.#storage = this.#startStorage();
    this.#reclaim = this.#startReclaim();
    this.membership = {
      change: config => this.#changeZones(config),
      state: () => this.#call({method: 'membershipState'}),
      audit: zone => this.#call({method: 'auditZones', zone}),
      record: () => this.#call({method: 'recordMembership'}),
      markRemoved: zone => this.#call({method: 'markRemoved', zone}),
      unclean: () => this.#call({method: 'uncleanVolumes'}),
      settle: volume => this.#call({method: 'settle', volume}),
    };
  }

  allocateVolume(): Promise<VolumeNumber> {
    return this.#call({method: 'allocateVolume'});
  }

  exists(volume: VolumeNumber): Promise<boolean> {
    return this.#call({method: 'exists', volume});
  }

  volumes(): Promise<readonly VolumeNumber[]> {
    return this.#call({method: 'volumes'});
  }

  forkIdle(
    source: VolumeNumber,
    child: VolumeNumber,
    options: ForkOptions = {},
  ): Promise<ForkResult> {
    return this.#call({method: 'forkIdle', volume: source, child, options});
  }

  restorableRange(volume: VolumeNumber): Promise<RestorableRange | null> {
    return this.#call({method: 'restorableRange', volume});
  }

  backtrack(volume: VolumeNumber, atMs: number): Promise<BacktrackReport> {
    return this.#call({method: 'backtrack', volume, atMs});
  }

  setRetention(volume: VolumeNumber, seconds: number): Promise<void> {
    return this.#call({method: 'setRetention', volume, seconds});
  }

  trimHistory(volume: VolumeNumber): Promise<void> {
    return this.#call({method: 'trimHistory', volume});
  }

  remove(volume: VolumeNumber): Promise<void> {
    return this.#call({method: 'remove', volume});
  }

  zoneStates(): Promise<readonly ZoneState[]> {
    return this.#call({method: 'zoneStates'});
  }

  sweep(): Promise<SweepReport> {
    return this.#reclaim.call({method: 'sweep'});
  }

  sweepNeed(): Promise<SweepNeed> {
    return this.#reclaim.call({method: 'sweepNeed'});
  }

  usage({except}: {readonly except: readonly VolumeNumber[]}): Promise<StoreUsage> {
    return this.#reclaim.call({method: 'usage', except});
  }

  scrub({volumes, bytesPerSecond, onProgress, onZoneEvent}: ScrubOrder): ScrubRun {
    const worker = new WorkerCalls<ScrubCall>('cluster/scrub-worker', this.#data, event => {
      const {progress, zoneEvent} = event as ScrubWorkerEvent;
      if (progress !== undefined) onProgress(progress);
      if (zoneEvent !== undefined) onZoneEvent(zoneEvent);
    });
    this.#scrubs.add(worker);
    const read = async (): Promise<ScrubReport> => {
      try {
        return await worker.call({method: 'scrub', volumes, bytesPerSecond});
      } finally {
        this.#scrubs.delete(worker);
        await worker.end();
      }
    };
    return {done: read(), stop: () => worker.end()};
  }

  async endReclaim(): Promise<void> {
    await this.#reclaim.end();
  }

  #startStorage(): WorkerCalls<StorageCall> {
    return new WorkerCalls('cluster/storage-worker', this.#data, event =>
      this.#onZoneEvent(event as ZoneEvent),
    );
  }

  /** Of its zones' states the storage thread tells. */
  #startReclaim(): WorkerCalls<ReclaimCall> {
    return new WorkerCalls('cluster/reclaim-worker', this.#data, event => {
      if ((event as ZoneEvent).type !== 'state') this.#onZoneEvent(event as ZoneEvent);
    });
  }

  async #call<T>(call: StorageCall): Promise<T> {
    await this.#replaced;
    return await this.#storage.call(call);
  }

  /** From one directory to several the threads are started anew; else they change while they work. */
  async #changeZones(config: StoreConfig): Promise<void> {
    const {nodeCacheBytes, membership} = this.#data;
    if (membership?.number !== config.membership?.number) {
      // A scrub goes by the zones that it began with. It is begun anew when it is due.
      for (const scrub of this.#scrubs) void scrub.end();
    }
    this.#data = {...config, nodeCacheBytes};
    if (!this.#isMirror && config.zones.length > 1) {
      this.#isMirror = true;
      this.#replaced = this.#replaced.then(() => this.#startAnew());
      await this.#replaced;
      return;
    }
    await this.#call({method: 'changeZones', config});
    await this.#reclaim.call({method: 'changeZones', config});
  }

  async #startAnew(): Promise<void> {
    await this.#reclaim.end();
    await this.#storage.call({method: 'ready'});
    await this.#storage.end();
    this.#storage = this.#startStorage();
    this.#reclaim = this.#startReclaim();
  }

  async close(): Promise<void> {
    // A sweep may be cut off anywhere, an idle fork should be let finish.
    await this.#reclaim.end();
    await this.#storage.call({method: 'ready'}).catch(() => undefined);
    await this.#storage.end();
  }
}
