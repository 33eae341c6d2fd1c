/**
 * The store as the control plane sees it: `ClusterStorage` over worker threads.
 *
 *     storage    volume numbers, idle forks, removal: short calls that a clone waits for
 *     reclaim    usage and sweep: as long as the store is large
 *     scrub      as long as a scrub runs: it reads all there is
 */
import type {ForkResult, ZoneConfig} from '../attachment/attachment.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {ZoneEvent, ZoneState} from '../page-store/zone.ts';
import type {ScrubReport} from '../volume/scrub-report.ts';
import type {SweepReport} from '../volume/sweeper.ts';
import type {ReclaimCall} from './reclaim-worker.ts';
import type {ScrubCall, ScrubWorkerEvent} from './scrub-worker.ts';
import type {ClusterStorage, ScrubOrder, ScrubRun, StoreUsage, SweepNeed} from './storage-types.ts';
import {WorkerCalls} from './worker-calls.ts';

export type StorageWorkerData = {
  readonly zones: readonly ZoneConfig[];
  readonly nodeCacheBytes: number;
};

export type StorageCall =
  | {method: 'allocateVolume' | 'volumes' | 'zoneStates' | 'ready'}
  | {method: 'exists' | 'remove'; volume: VolumeNumber}
  | {method: 'forkIdle'; volume: VolumeNumber; child: VolumeNumber};

/** Makes the store if the zone holds none. */
export function openClusterStorage(
  data: StorageWorkerData,
  onZoneEvent: (event: ZoneEvent) => void,
): ClusterStorage {
  return new WorkerStorage(data, onZoneEvent);
}

class WorkerStorage implements ClusterStorage {
  readonly #data: StorageWorkerData;
  readonly #storage: WorkerCalls<StorageCall>;
  readonly #reclaim: WorkerCalls<ReclaimCall>;

  constructor(data: StorageWorkerData, onZoneEvent: (event: ZoneEvent) => void) {
    this.#storage = new WorkerCalls('cluster/storage-worker', data, event =>
      onZoneEvent(event as ZoneEvent),
    );
    this.#data = data;
    // Of its zones' states the storage thread tells.
    this.#reclaim = new WorkerCalls('cluster/reclaim-worker', data, event => {
      if ((event as ZoneEvent).type !== 'state') onZoneEvent(event as ZoneEvent);
    });
  }

  allocateVolume(): Promise<VolumeNumber> {
    return this.#storage.call({method: 'allocateVolume'});
  }

  exists(volume: VolumeNumber): Promise<boolean> {
    return this.#storage.call({method: 'exists', volume});
  }

  volumes(): Promise<readonly VolumeNumber[]> {
    return this.#storage.call({method: 'volumes'});
  }

  forkIdle(source: VolumeNumber, child: VolumeNumber): Promise<ForkResult> {
    return this.#storage.call({method: 'forkIdle', volume: source, child});
  }

  remove(volume: VolumeNumber): Promise<void> {
    return this.#storage.call({method: 'remove', volume});
  }

  zoneStates(): Promise<readonly ZoneState[]> {
    return this.#storage.call({method: 'zoneStates'});
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
    const read = async (): Promise<ScrubReport> => {
      try {
        return await worker.call({method: 'scrub', volumes, bytesPerSecond});
      } finally {
        await worker.end();
      }
    };
    return {done: read(), stop: () => worker.end()};
  }

  async endReclaim(): Promise<void> {
    await this.#reclaim.end();
  }

  async close(): Promise<void> {
    // A sweep may be cut off anywhere, an idle fork should be let finish.
    await this.#reclaim.end();
    await this.#storage.call({method: 'ready'}).catch(() => undefined);
    await this.#storage.end();
  }
}
