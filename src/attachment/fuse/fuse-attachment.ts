/**
 * A volume mounted through FUSE, seen from the main thread of the instance process.
 *
 *     main thread ─┬─ serving worker   volume, file system, request loop
 *                  └─ sync worker      fdatasync and the replies that wait for it
 *
 * Life:   open the device ▸ workers open the volume ▸ mount ▸ INIT ▸ attached
 *         ▸ detach: unmount (dirty pages arrive), the loop ends, checkpoint and close, workers end.
 * Death:  a worker that fails, or an unmount from outside, cuts the connection, ends both workers and
 *         resolves `failed`. The process must then end: its engine's files are gone.
 * Exit:   a process that exits while attached cuts the connection first, because a thread that is
 *         blocked in a read of the device would keep it from ending.
 */
import {closeSync, stat} from 'node:fs';
import {join} from 'node:path';
import {Worker} from 'node:worker_threads';
import type {
  AttachmentConfig,
  AttachmentStatistics,
  ForkResult,
  MountedAttachment,
} from '../attachment.ts';
import {every, withDeadline} from '../../base/clock.ts';
import {entryPoint} from '../../base/entry-point.ts';
import {BorealisError, errorMessage} from '../../base/errors.ts';
import type {Lsn, VolumeNumber} from '../../page-store/ids.ts';
import type {StoreConfig} from '../../page-store/open-zones.ts';
import {ZoneBoard} from '../../page-store/zone-board.ts';
import type {MembershipState, ZoneEvent} from '../../page-store/zone.ts';
import {BarrierLatency} from '../barrier-latency.ts';
import {
  ControlBlock,
  type ControlMethod,
  type ControlMethods,
  type ServingMessage,
  type ServingWorkerData,
  type SyncMessage,
  type SyncWorkerData,
} from './control.ts';
import {deferred, type Deferred} from './deferred.ts';
import {WAKE_NAME} from './handlers.ts';
import {abortMount, mount, openFuseDevice, unmount} from './mount.ts';
import {IDENTITY_OWNER_MAP, type OwnerMap} from './owner-map.ts';
import {SyncQueue} from './sync-queue.ts';
import type {ForkOptions} from '../../volume/volume-head.ts';

/** How often an attachment that has changed is told to flush what waits in memory. */
const IDLE_PERIOD_MS = 1000;
/** While a zone catches up nobody but this may wake the serving thread: time for the zones to answer. */
const CATCH_UP_PERIOD_MS = 5;
/** A volume that went quiet is told so this many times: the first flushes, the next sees the quiet. */
const IDLE_CALLS = 3;
/** From the mount to the kernel's first request. */
const INIT_LIMIT_MS = 30_000;
/** A serving thread that does not answer for so long waits for zones. */
const ANSWER_MS_MAX = 5_000;

export type FuseAttachmentConfig = AttachmentConfig & {
  /** An existing directory; the volume is mounted over it. */
  readonly directory: string;
  /** `/dev/fuse`, or another node of the same device. */
  readonly fuseDevice: string;
  /** The engine's user, whom the volume stores as 0; null where a user namespace makes it 0 already. */
  readonly ownerMap: OwnerMap | null;
  /** Hears how zones fare, where there are several, and what was repaired. */
  readonly onZoneEvent?: (event: ZoneEvent) => void;
};

/** The threads of an attachment, their code loaded, that wait to be told what to serve. */
export type FuseWorkers = {readonly serving: Worker; readonly sync: Worker};

/**
 * Starts the threads ahead of the attachment: to load their code takes longer than to open a volume.
 * `servingEntry` is for tests that bring a file system of their own.
 */
export function startFuseWorkers(
  servingEntry: string = entryPoint('attachment/fuse/serving-worker'),
): FuseWorkers {
  return {
    serving: new Worker(servingEntry),
    sync: new Worker(entryPoint('attachment/fuse/sync-worker')),
  };
}

/** Opens the volume and mounts it. The process is in a mount namespace of its own already. */
export async function attachFuse(
  config: FuseAttachmentConfig,
  workers: FuseWorkers = startFuseWorkers(),
): Promise<MountedAttachment> {
  let deviceFd: number;
  try {
    deviceFd = openFuseDevice(config.fuseDevice);
  } catch (error) {
    await Promise.all([workers.serving.terminate(), workers.sync.terminate()]);
    throw error;
  }
  const attachment = new FuseAttachment(config, workers, deviceFd);
  await attachment.start();
  return attachment;
}

class FuseAttachment implements MountedAttachment {
  readonly directory: string;
  readonly #failed = deferred<Error>();
  readonly #opened = deferred<void>();
  readonly #initialised = deferred<void>();
  readonly #closed = deferred<void>();
  readonly #calls = new Map<number, Deferred<unknown>>();
  readonly #control = new ControlBlock();
  readonly #queue = new SyncQueue();
  readonly #board = new ZoneBoard();
  readonly #latency = new BarrierLatency();
  /** Zones are looked after even while nothing is written: one may be away, or catch up. */
  #hasMirror: boolean;
  readonly #onZoneEvent: (event: ZoneEvent) => void;
  readonly #deviceFd: number;
  readonly #serving: Worker;
  readonly #sync: Worker;
  /** Both workers have ended. */
  readonly #exited: Promise<unknown>;
  readonly #onExit = (): void => abortMount(this.directory);
  #lastCallId = 0;
  #idleCallsLeft = 0;
  #stopIdle: () => void = () => undefined;
  #isMounted = false;
  /** The serving thread has yet to answer the last look-up, and whether another one is to follow. */
  #isWaking = false;
  #wakesAgain = false;
  #isEnding = false;
  #failure: Error | null = null;
  #detached: Promise<void> | null = null;

  constructor(config: FuseAttachmentConfig, workers: FuseWorkers, deviceFd: number) {
    this.directory = config.directory;
    this.#deviceFd = deviceFd;
    this.#hasMirror = config.zones.length > 1;
    this.#onZoneEvent = config.onZoneEvent ?? (() => undefined);
    const {zones, membership, zoneHangMs, volume, format, nodeCacheBytes, reserveBytes} = config;
    const servingData: ServingWorkerData = {
      deviceFd: this.#deviceFd,
      control: this.#control.shared,
      queue: this.#queue.shared,
      board: this.#board.shared,
      latency: this.#latency.shared,
      owners: config.ownerMap ?? IDENTITY_OWNER_MAP,
      volume: {
        ...{zones, membership, zoneHangMs},
        ...{volume, format, nodeCacheBytes, reserveBytes},
      },
    };
    const syncData: SyncWorkerData = {
      deviceFd: this.#deviceFd,
      queue: this.#queue.shared,
      board: this.#board.shared,
      latency: this.#latency.shared,
    };
    this.#serving = workers.serving;
    this.#sync = workers.sync;
    this.#serving.on('message', (message: ServingMessage) => this.#onServing(message));
    this.#sync.on('message', (message: SyncMessage) => {
      // At the end a barrier that waits for a quorum is given up.
      if (this.#isEnding) return;
      this.#die(new BorealisError('unavailable', 'sync-failed', message.reason));
    });
    this.#exited = Promise.all([this.#watch(this.#serving), this.#watch(this.#sync)]);
    this.#serving.postMessage(servingData);
    this.#sync.postMessage(syncData);
  }

  get failed(): Promise<Error> {
    return this.#failed.promise;
  }

  async start(): Promise<void> {
    try {
      await this.#opened.promise;
      await mount(this.#deviceFd, this.directory);
      this.#isMounted = true;
      process.on('exit', this.#onExit);
      this.#control.setPhase('mounted');
      await withDeadline(this.#initialised.promise, INIT_LIMIT_MS, () => {
        return new BorealisError(
          'unavailable',
          'fuse-init',
          'The kernel does not begin to speak FUSE.',
        );
      });
    } catch (error) {
      this.#die(error instanceof Error ? error : new Error(errorMessage(error)));
      await this.#letGo();
      throw error;
    }
    const stopIdle = every(IDLE_PERIOD_MS, () => this.#idle());
    const stopCatchUp = every(CATCH_UP_PERIOD_MS, () => {
      if (!this.#control.isCatchingUp || this.#isWaking) return;
      this.#control.wantAttention();
      this.#wake();
    });
    this.#stopIdle = () => {
      stopIdle();
      stopCatchUp();
    };
  }

  fork(child: VolumeNumber, options: ForkOptions = {}): Promise<ForkResult> {
    return this.#call('fork', {child, options});
  }

  setRetention(seconds: number): Promise<void> {
    return this.#call('setRetention', {seconds});
  }

  checkpoint(): Promise<Lsn> {
    return this.#call('checkpoint', null);
  }

  statistics(): Promise<AttachmentStatistics> {
    return this.#call('statistics', null);
  }

  changeZones(config: StoreConfig): Promise<MembershipState> {
    this.#hasMirror ||= config.zones.length > 1;
    return this.#call('changeZones', config);
  }

  detach(): Promise<void> {
    this.#detached ??= this.#failure === null ? this.#detach() : this.#letGo();
    return this.#detached;
  }

  async #detach(): Promise<void> {
    this.#stopIdle();
    const isWritable = await this.#isWritable();
    this.#control.setPhase('detaching');
    try {
      if (isWritable) await unmount(this.directory);
      else abortMount(this.directory);
      this.#isMounted = false;
      await this.#closed.promise;
    } finally {
      await this.#letGo();
    }
  }

  /** With one zone always. A thread that does not answer waits for a quorum itself. */
  async #isWritable(): Promise<boolean> {
    if (!this.#hasMirror) return true;
    const late = (): Error => new Error('it does not answer');
    try {
      return (await withDeadline(this.#call('statistics', null), ANSWER_MS_MAX, late)).isWritable;
    } catch {
      return false;
    }
  }

  /** Waits for the workers' end, which has been brought about, and frees what is left. */
  async #letGo(): Promise<void> {
    this.#isEnding = true;
    this.#queue.stop();
    this.#board.stop();
    await this.#exited;
    process.off('exit', this.#onExit);
    closeSync(this.#deviceFd);
  }

  /** Ends everything at once. Only the first reason counts. */
  #die(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#isEnding = true;
    this.#stopIdle();
    if (this.#isMounted) abortMount(this.directory);
    this.#isMounted = false;
    this.#control.setPhase('abandoned');
    this.#queue.stop();
    // Not to be waited for: there may be no quorum.
    this.#board.stop();
    for (const waiter of [this.#opened, this.#initialised, this.#closed]) waiter.reject(error);
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    this.#failed.resolve(error);
  }

  #watch(worker: Worker): Promise<void> {
    worker.on('error', error => {
      this.#die(error instanceof Error ? error : new Error(errorMessage(error)));
    });
    return new Promise(resolve => {
      worker.once('exit', code => {
        if (!this.#isEnding) this.#die(new Error(`A thread of the attachment ended with ${code}.`));
        resolve();
      });
    });
  }

  #onServing(message: ServingMessage): void {
    switch (message.type) {
      case 'opened':
        return this.#opened.resolve();
      case 'initialised':
        return this.#initialised.resolve();
      case 'closed':
        this.#isEnding = true;
        return this.#closed.resolve();
      case 'failed':
        return this.#die(new BorealisError(message.kind, message.code, message.reason));
      case 'zone-event':
        return this.#onZoneEvent(message.event);
      case 'reply':
        this.#calls.get(message.id)?.resolve(message.result);
        this.#calls.delete(message.id);
        return;
      case 'reply-error': {
        const {kind, code, message: text} = message.error;
        this.#calls.get(message.id)?.reject(new BorealisError(kind, code, text));
        this.#calls.delete(message.id);
      }
    }
  }

  #call<M extends ControlMethod>(
    method: M,
    params: ControlMethods[M]['params'],
  ): Promise<ControlMethods[M]['result']> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#detached !== null) {
      const text = `The volume is being detached from ${this.directory}.`;
      return Promise.reject(new BorealisError('closed', 'detached', text));
    }
    const id = ++this.#lastCallId;
    const reply = deferred<unknown>();
    this.#calls.set(id, reply);
    this.#serving.postMessage({id, method, params});
    this.#control.wantAttention();
    this.#wake();
    return reply.promise as Promise<ControlMethods[M]['result']>;
  }

  #idle(): void {
    if (this.#control.takeChanged() || this.#hasMirror) this.#idleCallsLeft = IDLE_CALLS;
    if (this.#idleCallsLeft === 0) return;
    this.#idleCallsLeft--;
    this.#control.wantIdle();
    this.#wake();
  }

  /**
   * Gets the serving thread out of its read. Asynchronous: that thread's answer is what it waits for.
   * One at a time: a serving thread that waits for zones answers none, and would hold up all threads of
   * libuv's pool, which load the code of the threads that bring a zone back.
   */
  #wake(): void {
    if (this.#isWaking) {
      this.#wakesAgain = true;
      return;
    }
    this.#isWaking = true;
    // The outcome does not matter: the look-up has arrived, or the session is over.
    stat(join(this.directory, WAKE_NAME), () => {
      this.#isWaking = false;
      // What was wanted meanwhile it may have answered too early to see.
      if (this.#wakesAgain) this.#wake();
      this.#wakesAgain = false;
    });
  }
}
