/**
 * The service's side of an instance process.
 *
 *     launch(config) ─▶ InstanceProcess ── ready ──▶ request(…) … ── stop ──▶ exited
 *                             └─────────── anything wrong ─────────────────▶ exited
 *
 * One spare native process waits, its namespaces made and its code loaded, so that a launch does not
 * wait for either; the next spare is made once the launched one is ready. Whoever holds the channel
 * keeps the process alive: when the service dies, all end.
 */
import {spawn, type ChildProcess} from 'node:child_process';
import {namespaceCommand} from '../attachment/fuse/namespace.ts';
import {after, withDeadline} from '../base/clock.ts';
import {entryPoint} from '../base/entry-point.ts';
import {BorealisError} from '../base/errors.ts';
import type {Logger} from '../base/log.ts';
import type {EngineSetting} from '../engine/engine.ts';
import type {
  FromInstance,
  InstanceConfig,
  InstanceMethod,
  InstanceMethods,
  StepReport,
  ToInstance,
} from './messages.ts';
import type {ZoneEvent} from '../page-store/zone.ts';
import {processTreeMemoryBytes} from './process-memory.ts';
import {relayLog} from './relay-log.ts';

export type ReadyInstance = {
  readonly port: number;
  readonly serverVersion: string;
  readonly steps: readonly StepReport[];
  /** Of a golden volume: all settings that the engine knows; else empty. */
  readonly settings: readonly EngineSetting[];
};

export type InstanceProcess = {
  readonly pid: number;
  /** Rejects with the reason, and the end of the engine's log, when the instance does not get there. */
  readonly ready: Promise<ReadyInstance>;
  /** Resolves once the process is gone and its volume can be opened again. Never rejects. */
  readonly exited: Promise<{readonly description: string}>;
  /** Rejects when the instance ends before it replies, or does not reply in time. */
  request<M extends InstanceMethod>(
    method: M,
    params: InstanceMethods[M]['params'],
  ): Promise<InstanceMethods[M]['result']>;
  kill(): void;
  /** Memory of its processes in bytes, or null when it is gone. */
  memoryBytes(): number | null;
};

export type InstanceLauncherOptions = {
  readonly logger: Logger;
  /** Native instances run with root's privileges rather than in a user namespace. */
  readonly asRoot: boolean;
  /** Keep a spare native process. It takes about 50 MB. */
  readonly spare: boolean;
};

/** What an instance tells unasked. */
export type InstanceListener = {
  readonly onStep?: (step: StepReport) => void;
  readonly onZoneEvent?: (event: ZoneEvent) => void;
};

export type InstanceLauncher = {
  launch(config: InstanceConfig, listener: InstanceListener): InstanceProcess;
  /** Replaces the spare process: one that was made before a disk was mounted does not see it. */
  renewSpare(): void;
  /** Ends the spare process. Launched ones go on. */
  close(): void;
};

/** Long enough for a disk that is busy with something else; each is far longer than it takes. */
const REQUEST_TIMEOUTS_MS: Readonly<Record<InstanceMethod, number>> = {
  fork: 60_000,
  setRetention: 60_000,
  checkpoint: 60_000,
  statistics: 10_000,
  changeZones: 10_000,
  setMaster: 30_000,
  setTls: 10_000,
  isTokenUser: 10_000,
  admitReaders: 30_000,
  follow: 10_000,
  replication: 5_000,
  configure: 30_000,
  stop: 120_000,
};

/** Between an instance's last word and its end. */
const ENDING_TIMEOUT_MS = 5_000;

type Privileges = 'root' | 'user' | 'none';

export function createInstanceLauncher(options: InstanceLauncherOptions): InstanceLauncher {
  const privileges = options.asRoot ? 'root' : 'user';
  let closed = false;
  let spare: ChildProcess | null = null;
  const makeSpare = (): void => {
    if (closed || !options.spare || spare !== null) return;
    const child = spawnInstance(privileges);
    spare = child;
    // It keeps nobody waiting at the end, and is of no use once it is gone.
    child.unref();
    child.channel?.unref();
    const forget = (): void => {
      if (spare === child) spare = null;
    };
    child.once('error', forget).once('exit', forget);
  };
  const takeSpare = (): ChildProcess | null => {
    const child = spare;
    spare = null;
    if (child?.connected !== true) return null;
    child.ref();
    child.channel?.ref();
    return child;
  };
  makeSpare();
  return {
    launch: (config, listener) => {
      const isNative = config.runtime === 'native';
      const child =
        (isNative ? takeSpare() : null) ?? spawnInstance(isNative ? privileges : 'none');
      const launched = new LaunchedProcess(child, options.logger.child({instance: config.name}));
      launched.start(config, listener);
      void launched.ready.then(makeSpare, makeSpare);
      return launched;
    },
    renewSpare: () => {
      spare?.kill('SIGKILL');
      spare = null;
      makeSpare();
    },
    close: () => {
      closed = true;
      spare?.kill('SIGKILL');
      spare = null;
    },
  };
}

function spawnInstance(privileges: Privileges): ChildProcess {
  const argv = [process.execPath, entryPoint('instance/main'), privileges];
  const [file = '', ...args] =
    privileges === 'none'
      ? argv
      : // The engine's System V segments are in an IPC namespace, to go with it.
        namespaceCommand(['unshare', '--ipc', '--', ...argv], {asRoot: privileges === 'root'});
  return spawn(file, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // A session of its own: ^C at the service's terminal is for the service, which stops us in order.
    detached: true,
  });
}

class LaunchedProcess implements InstanceProcess {
  readonly pid: number;
  readonly ready: Promise<ReadyInstance>;
  readonly exited: Promise<{readonly description: string}>;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, {resolve(result: unknown): void; reject(error: Error): void}>();
  #lastCallId = 0;
  /** The end of what it said beside its messages. */
  readonly #stderrTail: () => string;
  /** What the instance said of its end, with the end of the engine's log. */
  #failure: Extract<FromInstance, {type: 'failed'}> | null = null;
  /** Why every request is refused, once it is gone. */
  #ended: Error | null = null;
  #cancelKill: () => void = () => undefined;
  #listener: InstanceListener = {};
  #resolveReady: (ready: ReadyInstance) => void = () => undefined;
  #rejectReady: (error: Error) => void = () => undefined;

  constructor(child: ChildProcess, logger: Logger) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    // Whoever looks at it later sees the rejection; nobody need.
    this.ready.catch(() => undefined);
    this.#stderrTail = child.stderr === null ? () => '' : relayLog(child.stderr, logger);
    child.on('message', (message: FromInstance) => this.#receive(message));
    this.exited = new Promise(resolve => {
      child.once('error', error => this.#end(`it cannot be run: ${error.message}`, resolve));
      // Not `exit`: the channel closes once the last of the process's own descriptors has.
      child.once('close', (code, signal) => this.#end(endText(code, signal), resolve));
    });
  }

  start(config: InstanceConfig, listener: InstanceListener): void {
    this.#listener = listener;
    this.#send({type: 'start', config});
  }

  async request<M extends InstanceMethod>(
    method: M,
    params: InstanceMethods[M]['params'],
  ): Promise<InstanceMethods[M]['result']> {
    if (this.#ended !== null) throw this.#ended;
    const id = ++this.#lastCallId;
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(id, {resolve, reject});
    });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the method's own parameters, by this signature
    this.#send({type: 'request', id, method, params} as ToInstance);
    const limitMs = REQUEST_TIMEOUTS_MS[method];
    try {
      const result = await withDeadline(reply, limitMs, () => {
        const text = `the instance did not answer ${method} within ${limitMs / 1000} s`;
        return new BorealisError('unavailable', 'instance-late', text);
      });
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the instance answers with the method's result
      return result as InstanceMethods[M]['result'];
    } finally {
      this.#calls.delete(id);
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  memoryBytes(): number | null {
    return this.#child.exitCode === null ? processTreeMemoryBytes(this.pid) : null;
  }

  #send(message: ToInstance): void {
    this.#child.send(message, error => {
      // The channel is closed: the end of the process settles what waits.
      if (error !== null) this.kill();
    });
  }

  #receive(message: FromInstance): void {
    switch (message.type) {
      case 'step':
        return this.#listener.onStep?.(message.step);
      case 'zone-event':
        return this.#listener.onZoneEvent?.(message.event);
      case 'ready': {
        const {port, serverVersion, steps, settings} = message;
        return this.#resolveReady({port, serverVersion, steps, settings});
      }
      case 'failed':
        this.#failure = message;
        // It ends by itself; if it cannot, it is helped.
        this.#cancelKill = after(ENDING_TIMEOUT_MS, () => this.kill());
        return;
      case 'reply':
        return this.#calls.get(message.id)?.resolve(message.result);
      case 'reply-error': {
        const {kind, code, message: text} = message.error;
        this.#calls.get(message.id)?.reject(new BorealisError(kind, code, text));
      }
    }
  }

  #end(how: string, resolve: (end: {description: string}) => void): void {
    const description = this.#failure?.reason ?? `its process ended with ${how}`;
    const log = this.#failure?.logTail ?? this.#stderrTail();
    const text = log === '' ? description : `${description}\nThe end of its log:\n${log}`;
    const error = new BorealisError('unavailable', 'instance-ended', text);
    this.#ended = error;
    this.#cancelKill();
    this.#rejectReady(error);
    for (const call of this.#calls.values()) call.reject(error);
    resolve({description});
  }
}

function endText(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `status ${code ?? 'unknown'}` : `signal ${signal}`;
}
