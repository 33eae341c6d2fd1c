/**
 * Worker entry: a volume, its file system and PGlite on one thread, because all of their calls are
 * synchronous. Ends after `detach`; ends with `failed` when the volume or the module fails, and says
 * nothing to any client after that.
 */
import {parentPort, workerData} from 'node:worker_threads';
import {BarrierLatency} from '../../attachment/barrier-latency.ts';
import {SpaceGuard} from '../../attachment/space-guard.ts';
import type {AttachmentStatistics} from '../../attachment/attachment.ts';
import {assert, unreachable} from '../../base/assert.ts';
import {sharedMonotonicUs, systemClock} from '../../base/clock.ts';
import {errorChain} from '../../base/errors.ts';
import {changeZones} from '../../page-store/open-zones.ts';
import type {VolumeStatistics} from '../../volume/statistics.ts';
import {Backend} from './backend.ts';
import {backendModule} from './backend-module.ts';
import {SharedWord} from './channel.ts';
import type {ControlMessage, ControlResults, FromWorker, WorkerConfig} from './channel.ts';
import {EngineLoop, type LoopParts} from './engine-loop.ts';
import {BOOTSTRAP_IDENTITY, SessionIdentity} from './identity.ts';
import {openEngine} from './open-engine.ts';
import type {OpenedEngine} from './open-engine.ts';
import {openStorage} from './open-storage.ts';
import type {EngineStorage} from './open-storage.ts';
import {BackendType, MessageReader, queryMessage, readReport} from './wire.ts';

/** How often a write that waits for space looks at the disk. */
const SPACE_LOOK_MS = 500;

assert(parentPort !== null, 'this file is a worker');
const port = parentPort;
const config = workerData as WorkerConfig;
const shared = new Int32Array(config.shared);
const post = (message: FromWorker): void => port.postMessage(message);

try {
  await work();
} catch (error) {
  post({type: 'failed', reason: errorChain(error)});
} finally {
  port.close();
  config.input.close();
  config.control.close();
}

type EngineParts = {opened: OpenedEngine; backend: Backend; identity: SessionIdentity};

async function work(): Promise<void> {
  const steps: {name: string; durationMs: number}[] = [];
  const timed = async <T>(name: string, step: () => T | Promise<T>): Promise<T> => {
    const beganMs = systemClock.monotonicMs();
    const result = await step();
    steps.push({name, durationMs: systemClock.monotonicMs() - beganMs});
    return result;
  };
  const storage = await timed('open-volume', () =>
    openStorage(config.attachment, config.initialise, {
      onZoneEvent: event => post({type: 'zone-event', event}),
    }),
  );
  let loop: EngineLoop | undefined;
  const space = new SpaceGuard({
    freeBytes: () => storage.volume.freeBytes(),
    reserveBytes: config.attachment.reserveBytes,
  });
  const counts: Counts = {requests: 0, waitingWrites: 0};
  const latency = new BarrierLatency();
  let walBytes = 0;
  const open = async (): Promise<EngineParts> => {
    const opened = await openEngine({
      ...config,
      ...storage,
      barrier: () => {
        const askedUs = sharedMonotonicUs();
        storage.volume.barrier();
        latency.note(sharedMonotonicUs() - askedUs);
      },
      poll: () => loop?.poll(),
      betweenCalls: () => {
        counts.requests++;
        loop?.poll();
      },
      beforeWrite: byteCount => waitForSpace(byteCount, space, counts, () => loop?.poll()),
      onWalWrite: byteCount => {
        walBytes += byteCount;
        Atomics.store(shared, SharedWord.walKiB, Math.floor(walBytes / 1024));
      },
      onUnreadable: error =>
        post({type: 'log', text: `a file could not be read: ${errorChain(error)}`}),
      onLog: text => post({type: 'log', text}),
    });
    const module = backendModule(opened.pglite);
    const backend = new Backend(module);
    // The refusal that proves it is no news for the log.
    backend.exchange(queryMessage('SET log_min_messages = panic'));
    const identity = new SessionIdentity(module, sql =>
      errorCode(backend.exchange(queryMessage(sql))),
    );
    backend.exchange(queryMessage('RESET log_min_messages'));
    return {opened, backend, identity};
  };
  const {opened, backend, identity} = await timed(
    config.initialise ? 'initdb' : 'open-engine',
    () =>
      open().catch((error: unknown) => {
        // Nothing was promised to anyone yet: let go of the volume, so that it can be opened again.
        storage.volume.close();
        throw error;
      }),
  );
  const {pglite, filesystem} = opened;
  const serving = new EngineLoop({
    backend,
    identity,
    input: config.input,
    control: config.control,
    shared,
    post,
    serveControl: command =>
      serveControl(storage, command, {...counts, barrierLatency: latency.read()}),
    ...pauseWork(storage),
    checkHealth: () => {
      if (filesystem.failure !== undefined) throw filesystem.failure;
    },
  });
  loop = serving;
  post({type: 'opened', steps});
  const closeId = serving.serve();
  // The shutdown checkpoint is the superuser's.
  backend.attempt(() => identity.become(BOOTSTRAP_IDENTITY));
  await pglite.close();
  if (filesystem.failure !== undefined) throw filesystem.failure;
  storage.volume.checkpoint();
  post({type: 'reply', id: closeId, result: null});
  serving.serveControlUntilDetached();
}

type Counts = {requests: number; waitingWrites: number};

/** Returns when there is space for `byteCount` bytes; control calls are served meanwhile. */
function waitForSpace(
  byteCount: number,
  space: SpaceGuard,
  counts: Counts,
  poll: () => void,
): void {
  while (space.mustWait(byteCount)) {
    counts.waitingWrites = 1;
    Atomics.wait(shared, SharedWord.wake, Atomics.load(shared, SharedWord.wake), SPACE_LOOK_MS);
    poll();
    space.look();
  }
  counts.waitingWrites = 0;
}

/** What the volume does while the engine sleeps. */
function pauseWork({volume}: EngineStorage): Pick<LoopParts, 'onIdle' | 'catchUp'> {
  return {onIdle: () => volume.onIdle(), catchUp: () => volume.zone.mirror?.step() ?? false};
}

function serveControl(
  {volume}: EngineStorage,
  command: ControlMessage,
  own: Omit<AttachmentStatistics, keyof VolumeStatistics | 'isWritable'>,
): ControlResults[ControlMessage['type']] {
  switch (command.type) {
    case 'fork':
      return volume.fork(command.child, command.options);
    case 'setRetention':
      volume.setRetention(command.seconds);
      return null;
    case 'checkpoint':
      return volume.checkpoint();
    case 'statistics':
      return {...volume.statistics(), ...own, isWritable: volume.isWritable()};
    case 'changeZones':
      return changeZones(volume.zone, command.config);
    case 'detach':
      volume.close();
      return null;
    default:
      return unreachable(command, 'a control message has a known type');
  }
}

/** The SQLSTATE of the first error in what the server answered. */
function errorCode(answer: Buffer): string | null {
  const reader = new MessageReader({bytesMax: answer.length + 1, startsUntyped: false});
  const error = reader.push(answer).find(({type}) => type === BackendType.errorResponse);
  return error === undefined ? null : (readReport(error.bytes)['C'] ?? '');
}
