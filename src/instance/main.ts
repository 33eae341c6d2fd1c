/**
 * The entry point of an instance process: `main.js root|user|none`, with an IPC channel to the service.
 *
 *     root | user    in namespaces of its own (attachment/fuse/namespace.ts): a native engine
 *     none           PGlite in this process
 *
 * It loads what it needs, then waits for `start`; so a spare one begins at once. It ends
 *
 *     when the channel closes          at once: the service is gone
 *     when engine or attachment ends   after `failed` with the reason and the log's end, status 1
 *     on `stop`, or a golden volume    after the answer, status 0
 *
 * As process 1 of its PID namespace it takes the engine with it, and as the last of its mount
 * namespace every mount.
 */
import {assert, unreachable} from '../base/assert.ts';
import {after} from '../base/clock.ts';
import {BorealisError, errorChain} from '../base/errors.ts';
import type {GoldenVolume} from '../engine/engine.ts';
import type {
  FromInstance,
  InstanceConfig,
  RequestMessage,
  StepReport,
  ToInstance,
} from './messages.ts';
import type {ZoneEvent} from '../page-store/zone.ts';
import type {LogTail, RunningInstance} from './running-instance.ts';

/** A last word to the service may take this long; then the process ends without it. */
const LAST_WORD_TIMEOUT_MS = 1_000;

const privileges = process.argv[2];
const isNative = privileges === 'root' || privileges === 'user';
assert(isNative || privileges === 'none', 'the first argument is root, user or none');
assert(process.send !== undefined, 'an instance process has an IPC channel');

const native = isNative ? import('./native-instance.ts') : null;
// Not needed yet, but a process that waits may as well load it.
const client = isNative ? import('pg') : null;

let engineLog: LogTail | null = null;
let running: RunningInstance | null = null;
let isEnding = false;

process.on('disconnect', () => process.exit(1));
// A service that died while this file was loaded is not told of by the event.
if (!process.connected) process.exit(1);
process.on('uncaughtException', error => endWithFailure(error));
process.on('unhandledRejection', error => endWithFailure(error));
process.on('message', (message: ToInstance) => {
  if (message.type === 'start') void start(message.config);
  else void serve(message);
});

async function start(config: InstanceConfig): Promise<void> {
  process.title = `borealis ${config.name}`;
  const steps: StepReport[] = [];
  const reporter = {
    push: (step: StepReport): void => {
      steps.push(step);
      send({type: 'step', step});
    },
  };
  let started: RunningInstance | GoldenVolume;
  try {
    started = await startEngine(config, reporter);
  } catch (error) {
    endWithFailure(error);
    return;
  }
  if ('settings' in started) {
    finish({type: 'ready', port: 0, steps, serverVersion: '', settings: started.settings}, 0);
    return;
  }
  running = started;
  void running.failed.then(endWithFailure);
  const {port, serverVersion} = running;
  send({type: 'ready', port, steps, serverVersion, settings: []});
}

async function startEngine(
  config: InstanceConfig,
  steps: {push(step: StepReport): void},
): Promise<RunningInstance | GoldenVolume> {
  assert(isNative === (config.runtime === 'native'), 'the process was made for this runtime');
  const onLog = (log: LogTail): void => {
    engineLog = log;
  };
  const onZoneEvent = (event: ZoneEvent): void => send({type: 'zone-event', event});
  if (native === null) {
    const {startPgliteInstance} = await import('./pglite-instance.ts');
    return startPgliteInstance(config, steps, onLog, onZoneEvent);
  }
  await client;
  const {startNative} = await native;
  return startNative({config, asRoot: privileges === 'root', steps, onZoneEvent}, onLog);
}

async function serve(request: RequestMessage): Promise<void> {
  const {id} = request;
  try {
    if (running === null || isEnding) {
      throw new BorealisError('closed', 'instance-ending', 'the instance does not serve');
    }
    if (request.method === 'stop') isEnding = true;
    const result = await call(running, request);
    if (request.method === 'stop') finish({type: 'reply', id, result}, 0);
    else send({type: 'reply', id, result});
  } catch (error) {
    const {kind, code} =
      error instanceof BorealisError ? error : {kind: 'internal' as const, code: 'instance'};
    send({type: 'reply-error', id, error: {kind, code, message: errorChain(error)}});
    // A stop that did not succeed leaves something half ended; what is durable is safe.
    if (request.method === 'stop') endWithFailure(error);
  }
}

function call({methods}: RunningInstance, request: RequestMessage): Promise<unknown> {
  switch (request.method) {
    case 'fork':
      return methods.fork(request.params);
    case 'setRetention':
      return methods.setRetention(request.params);
    case 'checkpoint':
      return methods.checkpoint(request.params);
    case 'statistics':
      return methods.statistics(request.params);
    case 'changeZones':
      return methods.changeZones(request.params);
    case 'setMaster':
      return methods.setMaster(request.params);
    case 'setTls':
      return methods.setTls(request.params);
    case 'isTokenUser':
      return methods.isTokenUser(request.params);
    case 'admitReaders':
      return methods.admitReaders(request.params);
    case 'follow':
      return methods.follow(request.params);
    case 'replication':
      return methods.replication(request.params);
    case 'configure':
      return methods.configure(request.params);
    case 'stop':
      return methods.stop(request.params);
    default:
      return unreachable(request, 'the service asks what an instance can answer');
  }
}

function endWithFailure(error: unknown): void {
  isEnding = true;
  finish({type: 'failed', reason: errorChain(error), logTail: engineLog?.tail() ?? ''}, 1);
}

/** Says a last word and ends the process, the engine and all mounts with it. */
function finish(message: FromInstance, status: number): void {
  after(LAST_WORD_TIMEOUT_MS, () => process.exit(status));
  send(message, () => process.exit(status));
}

function send(message: FromInstance, done: () => void = () => undefined): void {
  // An error means that the channel is closed, which ends the process by itself.
  process.send?.(message, undefined, undefined, done);
}
