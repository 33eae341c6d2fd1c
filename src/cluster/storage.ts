/** The store as the control plane sees it: `ClusterStorage` over a worker thread. */
import {Worker} from 'node:worker_threads';
import type {ForkResult, ZoneConfig} from '../attachment/attachment.ts';
import {entryPoint} from '../base/entry-point.ts';
import {BorealisError, type ErrorKind} from '../base/errors.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {ClusterStorage, StoreUsage} from './storage-types.ts';

export type StorageWorkerData = {readonly zone: ZoneConfig; readonly nodeCacheBytes: number};

type Method =
  | {method: 'allocateVolume' | 'volumes' | 'sweep' | 'usage' | 'close'}
  | {method: 'exists' | 'remove'; volume: VolumeNumber}
  | {method: 'forkIdle'; volume: VolumeNumber; child: VolumeNumber};
export type StorageCall = {id: number} & Method;
export type StorageReply =
  | {id: number; result: unknown}
  | {id: number; error: {kind: ErrorKind; code: string; message: string}};

type Waiting = {resolve: (result: unknown) => void; reject: (error: Error) => void};

/** Makes the store if the zone holds none. */
export function openClusterStorage(data: StorageWorkerData): ClusterStorage {
  return new WorkerStorage(data);
}

class WorkerStorage implements ClusterStorage {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: Error | null = null;

  constructor(data: StorageWorkerData) {
    this.#worker = new Worker(entryPoint('cluster/storage-worker'), {workerData: data});
    this.#worker.on('message', (reply: StorageReply) => this.#settle(reply));
    this.#worker.on('error', error => this.#end(error));
    this.#worker.on('exit', () => this.#end(new Error('the storage thread ended')));
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

  forkIdle(source: VolumeNumber, child: VolumeNumber): Promise<ForkResult> {
    return this.#call({method: 'forkIdle', volume: source, child});
  }

  remove(volume: VolumeNumber): Promise<void> {
    return this.#call({method: 'remove', volume});
  }

  sweep(): Promise<{segmentsDeleted: number; bytesFreed: number}> {
    return this.#call({method: 'sweep'});
  }

  usage(): Promise<StoreUsage> {
    return this.#call({method: 'usage'});
  }

  async close(): Promise<void> {
    if (this.#ended === null) await this.#call({method: 'close'});
    await this.#worker.terminate();
  }

  #call<T>(method: Method): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#closed(this.#ended));
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, {resolve: result => resolve(result as T), reject});
      this.#worker.postMessage({id, ...method} satisfies StorageCall);
    });
  }

  #settle(reply: StorageReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('result' in reply) {
      waiting?.resolve(reply.result);
    } else {
      const {kind, code, message} = reply.error;
      waiting?.reject(new BorealisError(kind, code, message));
    }
  }

  #end(cause: Error): void {
    this.#ended ??= cause;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#closed(cause));
    this.#waiting.clear();
  }

  #closed(cause: Error): BorealisError {
    return new BorealisError('closed', 'storage-closed', 'the storage thread has ended', cause);
  }
}
