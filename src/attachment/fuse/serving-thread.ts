/**
 * The request loop: read, serve, reply, on one thread, synchronously.
 *
 * It never waits for the main thread, for the libuv pool or for anything that touches the mount. It
 * does wait for the sync thread, which depends on nothing but the disk: when the queue of barriers is
 * full, and before a control call.
 */
import {receiveMessageOnPort, type MessagePort} from 'node:worker_threads';
import type {AttachmentStatistics, ForkResult} from '../attachment.ts';
import {BarrierLatency} from '../barrier-latency.ts';
import {sharedMonotonicUs, systemClock} from '../../base/clock.ts';
import {AssertionError} from '../../base/assert.ts';
import {BorealisError, errorChain} from '../../base/errors.ts';
import {SpaceGuard} from '../space-guard.ts';
import type {Logger} from '../../base/log.ts';
import type {Lsn, VolumeNumber} from '../../page-store/ids.ts';
import type {StoreConfig} from '../../page-store/open-zones.ts';
import type {MembershipState} from '../../page-store/zone.ts';
import type {FileSystem, Timestamp} from '../../volume-fs/types.ts';
import {
  ControlBlock,
  PHASES,
  type ControlRequest,
  type ServingMessage,
  type ServingWorkerData,
} from './control.ts';
import {receive, send} from './device.ts';
import {OPCODE} from './abi.ts';
import {dispatch} from './dispatch.ts';
import type {Request} from './request.ts';
import type {BarrierTarget, VolumeStatistics} from '../../volume/statistics.ts';
import {Session} from './session.ts';
import {SyncQueue} from './sync-queue.ts';
import type {ForkOptions} from '../../volume/volume-head.ts';

/** A volume and the file system on it, as the serving thread uses them. */
export type ServedVolume = {
  readonly fs: FileSystem;
  barrierTarget(): BarrierTarget;
  noteDurable(lsn: Lsn): void;
  /** False while a write quorum of zones is missing: what needs it would wait. */
  isWritable(): boolean;
  /** What a write quorum of zones holds durably; null where barriers are synced by descriptor. */
  mirrorLsn(): Lsn | null;
  /** Tells it which zones there are from now on. */
  changeZones(config: StoreConfig): MembershipState;
  /** Goes on with what a zone has to catch up with; true while there is more. */
  catchUp(): boolean;
  fork(child: VolumeNumber, options: ForkOptions): ForkResult;
  setRetention(seconds: number): void;
  checkpoint(): Lsn;
  onIdle(): void;
  close(): void;
  statistics(): VolumeStatistics;
  freeBytes(): number;
};

/**
 * Barriers after which the queue is let run empty, so that the volume learns what is durable even
 * if there is never a moment without a barrier. Costs one group commit each time.
 */
const UNNOTED_BARRIERS_MAX = 512;

/** The body of the serving worker: opens, waits to be mounted, serves until unmounted, closes. */
export function runServingThread(
  data: ServingWorkerData,
  port: MessagePort,
  log: Logger,
  open: () => ServedVolume,
): void {
  const post = (message: ServingMessage): void => port.postMessage(message);
  try {
    const control = new ControlBlock(data.control);
    const volume = open();
    post({type: 'opened'});
    control.waitWhile('opening');
    if (control.phase !== PHASES.abandoned) {
      new ServingThread({data, control, port, log, volume}).serve();
    }
    volume.close();
    post({type: 'closed'});
  } catch (error) {
    // A failed assertion ends the session too; it is told from here because an error that leaves a
    // worker arrives without its class.
    const known = error instanceof BorealisError ? error : null;
    post({
      type: 'failed',
      kind: known?.kind ?? 'internal',
      code: known?.code ?? (error instanceof AssertionError ? 'assertion' : 'fuse-session'),
      reason: errorChain(error),
    });
  }
}

type Parts = {
  data: ServingWorkerData;
  control: ControlBlock;
  port: MessagePort;
  log: Logger;
  volume: ServedVolume;
};

class ServingThread {
  readonly #deviceFd: number;
  readonly #control: ControlBlock;
  readonly #port: MessagePort;
  readonly #volume: ServedVolume;
  readonly #queue: SyncQueue;
  readonly #latency: BarrierLatency;
  readonly #session: Session;
  readonly #space: SpaceGuard;
  /** WRITE requests that wait for free space, oldest first. The kernel bounds how many it sends. */
  #waiting: Buffer[] = [];
  #unnotedBarriers = 0;

  constructor({data, control, port, log, volume}: Parts) {
    this.#deviceFd = data.deviceFd;
    this.#control = control;
    this.#port = port;
    this.#volume = volume;
    this.#queue = new SyncQueue(data.queue);
    this.#latency = new BarrierLatency(data.latency);
    this.#space = new SpaceGuard({
      freeBytes: () => volume.freeBytes(),
      reserveBytes: data.volume.reserveBytes,
    });
    this.#session = new Session({
      fs: volume.fs,
      owners: data.owners,
      log,
      now: timestamp,
      barrier: (request, writtenBytes) => this.#barrier(request, writtenBytes),
      onInit: () => this.#post({type: 'initialised'}),
    });
  }

  /** Returns after an unmount that was asked for; throws when the session ends otherwise. */
  serve(): void {
    const {request} = this.#session;
    for (;;) {
      const length = receive(this.#deviceFd, request.buffer, request.offset, request.lengthMax);
      if (length === null) break;
      request.begin(length);
      if (this.#mustWait(request)) this.#waiting.push(request.copy());
      else this.#answerRequest();
      if (this.#unnotedBarriers > 0 && this.#queue.isEmpty()) this.#noteDurable();
      if (this.#session.changed) {
        this.#session.changed = false;
        this.#control.setChanged();
      }
      if (this.#control.takeAttention()) this.#attend();
    }
    if (this.#queue.failed) throw sessionEnded('its sync thread failed');
    if (this.#control.phase !== PHASES.detaching)
      throw sessionEnded('it was unmounted from outside');
    this.#settle();
  }

  #answerRequest(): void {
    const {reply} = this.#session;
    const replyLength = dispatch(this.#session);
    if (replyLength > 0 && !send(this.#deviceFd, reply.buffer, reply.offset, replyLength)) {
      this.#session.takeBackGrants();
    }
  }

  /**
   * Only what grows the log at an engine's will. The kernel keeps the order that matters: it sends no
   * second write of a page, no truncation and no FSYNC of a file before the write is answered.
   */
  #mustWait(request: Request): boolean {
    const {opcode} = request;
    if (opcode !== OPCODE.WRITE && opcode !== OPCODE.FALLOCATE) return false;
    return this.#space.mustWait(request.length);
  }

  /** Answers the writes that waited, as far as there is space again. */
  #resume(): void {
    if (this.#waiting.length === 0 || !this.#space.look()) return;
    const {request} = this.#session;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) {
      request.restore(message);
      if (this.#mustWait(request)) this.#waiting.push(message);
      else this.#answerRequest();
    }
  }

  /** True when there is nothing to wait for. */
  #barrier(request: Request, writtenBytes: number | null): boolean {
    const askedUs = sharedMonotonicUs();
    if (this.#unnotedBarriers >= UNNOTED_BARRIERS_MAX) this.#settle();
    const {fds, holdFd, lsn, isDurable} = this.#volume.barrierTarget();
    if (isDurable) return true;
    const {uniqueLow, uniqueHigh} = request;
    this.#queue.push({uniqueLow, uniqueHigh, writtenBytes, lsn, fds, holdFd, askedUs});
    this.#unnotedBarriers++;
    return false;
  }

  /**
   * No descriptor of the volume is in the sync thread's hands any more. With several zones it never
   * has one, and the queue may not run empty for long: there may be no quorum.
   */
  #settle(): void {
    const lsn = this.#volume.mirrorLsn();
    if (lsn === null) {
      this.#queue.waitUntilEmpty();
      this.#noteDurable();
    } else {
      this.#unnotedBarriers = 0;
      this.#volume.noteDurable(lsn);
    }
  }

  #noteDurable(): void {
    if (this.#unnotedBarriers === 0) return;
    this.#unnotedBarriers = 0;
    this.#volume.noteDurable(this.#queue.durableLsn());
  }

  #attend(): void {
    this.#settle();
    if (this.#control.takeIdle()) this.#volume.onIdle();
    this.#control.setCatchingUp(this.#volume.catchUp());
    this.#resume();
    // Keeps the ticks coming.
    if (this.#waiting.length > 0) this.#control.setChanged();
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#answer(received.message as ControlRequest);
    }
  }

  #answer(request: ControlRequest): void {
    const {id} = request;
    try {
      this.#post({type: 'reply', id, result: this.#perform(request)});
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      const {kind, code} =
        error instanceof BorealisError ? error : {kind: 'internal' as const, code: 'internal'};
      this.#post({type: 'reply-error', id, error: {kind, code, message: errorChain(error)}});
    }
  }

  #perform(request: ControlRequest): unknown {
    const {method} = request;
    const isForWriting = method === 'fork' || method === 'checkpoint';
    if (isForWriting && !this.#volume.isWritable()) {
      throw new BorealisError(
        'unavailable',
        'zone-quorum',
        'Too few zones can be written to at the moment. Writes wait until there are enough.',
      );
    }
    switch (request.method) {
      case 'fork':
        return this.#volume.fork(request.params.child, request.params.options);
      case 'setRetention':
        return this.#volume.setRetention(request.params.seconds);
      case 'checkpoint':
        return this.#volume.checkpoint();
      case 'changeZones':
        return this.#volume.changeZones(request.params);
      case 'statistics':
        return {
          ...this.#volume.statistics(),
          requests: this.#session.requestCount,
          waitingWrites: this.#waiting.length,
          isWritable: this.#volume.isWritable(),
          barrierLatency: this.#latency.read(),
        } satisfies AttachmentStatistics;
    }
  }

  #post(message: ServingMessage): void {
    this.#port.postMessage(message);
  }
}

function sessionEnded(how: string): BorealisError {
  return new BorealisError('closed', 'fuse-session-ended', `The FUSE session ended: ${how}.`);
}

function timestamp(): Timestamp {
  const nowMs = systemClock.nowMs();
  const seconds = Math.floor(nowMs / 1000);
  return {seconds, nanoseconds: Math.round((nowMs - seconds * 1000) * 1e6)};
}
