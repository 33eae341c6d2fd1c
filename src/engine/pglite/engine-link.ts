/**
 * The main thread's end of the channel to the engine's worker: starts it, sends it messages, matches
 * replies, and says when it has failed. Once failed or ended, every call rejects.
 */
import {MessageChannel, Worker} from 'node:worker_threads';
import type {AttachmentConfig} from '../../attachment/attachment.ts';
import {withDeadline} from '../../base/clock.ts';
import {entryPoint} from '../../base/entry-point.ts';
import {BorealisError, errorMessage} from '../../base/errors.ts';
import type {ZoneEvent} from '../../page-store/zone.ts';
import type {ReportStep} from '../engine.ts';
import {SHARED_WORD_COUNT, SharedWord} from './channel.ts';
import type {
  ControlMessage,
  ControlResults,
  FromWorker,
  InputMessage,
  WorkerConfig,
} from './channel.ts';
import {compileEngine} from './web-assembly.ts';
import type {WasmModule} from './web-assembly.ts';

export type EngineLinkOptions = {
  readonly attachment: AttachmentConfig;
  readonly database: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly initialise: boolean;
  readonly onLog: (line: string) => void;
  readonly onZoneEvent: (event: ZoneEvent) => void;
};

/** What concerns the client that has the engine. */
export type EngineEvents = {
  output(epoch: number, bytes: Buffer): void;
  refused(epoch: number, report: Buffer): void;
  consumed(epoch: number, byteCount: number): void;
};

type Waiting = {readonly resolve: (result: never) => void; readonly reject: (error: Error) => void};

/** initdb took 3 to 10 s on a busy machine; crash recovery a second for each 60 MB of WAL. */
const OPEN_TIMEOUT_MS = 120_000;

export class EngineLink {
  /** Resolves with the reason when the worker fails or ends unasked. */
  readonly failed: Promise<Error>;
  readonly #worker: Worker;
  readonly #input: MessageChannel;
  readonly #control: MessageChannel;
  readonly #shared: Int32Array;
  readonly #waiting = new Map<number, Waiting>();
  readonly #fail: (error: Error) => void;
  #nextId = 1;
  #events: EngineEvents | undefined;
  #ended: Error | undefined;
  #detaching = false;
  /** The last FATAL or PANIC of the engine's log: why it does not start. */
  #complaint: string | undefined;
  #onOpened: ((steps: readonly {name: string; durationMs: number}[]) => void) | undefined;

  private constructor(options: EngineLinkOptions, wasm: WasmModule) {
    let fail: (error: Error) => void = () => undefined;
    this.failed = new Promise(resolve => {
      fail = resolve;
    });
    this.#fail = fail;
    this.#input = new MessageChannel();
    this.#control = new MessageChannel();
    const shared = new SharedArrayBuffer(SHARED_WORD_COUNT * Int32Array.BYTES_PER_ELEMENT);
    this.#shared = new Int32Array(shared);
    const config: WorkerConfig = {
      attachment: options.attachment,
      wasm,
      database: options.database,
      parameters: Object.entries(options.parameters).map(([name, value]) => `${name}=${value}`),
      initialise: options.initialise,
      input: this.#input.port2,
      control: this.#control.port2,
      shared,
    };
    this.#worker = new Worker(entryPoint('engine/pglite/engine-worker'), {
      workerData: config,
      transferList: [this.#input.port2, this.#control.port2],
    });
    this.#worker.on('message', (message: FromWorker) => this.#receive(message, options));
    this.#worker.on('error', error => this.#end(error));
    this.#worker.on('exit', code => this.#end(new Error(`the engine's thread ended (${code})`)));
  }

  /** Resolves when the engine has recovered and takes statements. */
  static async open(options: EngineLinkOptions, report: ReportStep): Promise<EngineLink> {
    const link = new EngineLink(options, await compileEngine());
    const opened = new Promise<readonly {name: string; durationMs: number}[]>(resolve => {
      link.#onOpened = resolve;
    });
    try {
      const steps = await withDeadline(
        Promise.race([opened, link.failed.then(error => Promise.reject(error))]),
        OPEN_TIMEOUT_MS,
        () => new Error(`it was not ready after ${OPEN_TIMEOUT_MS / 1000} s`),
      );
      for (const step of steps) report(step);
    } catch (error) {
      await link.terminate();
      throw new BorealisError(
        'unavailable',
        'engine-start',
        `PGlite did not start: ${link.#complaint ?? errorMessage(error)}`,
        error,
      );
    }
    return link;
  }

  /** KiB of WAL written since the engine was opened. */
  get walKiB(): number {
    return Atomics.load(this.#shared, SharedWord.walKiB);
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  listen(events: EngineEvents): void {
    this.#events = events;
  }

  send(message: Extract<InputMessage, {type: 'acquire' | 'input'}>): void {
    if (this.#ended !== undefined) return;
    this.#input.port1.postMessage(message);
    this.#wake();
  }

  /** The server's answer to messages of our own. */
  internal(as: 'admin' | 'client', messages: Uint8Array): Promise<Buffer> {
    return this.#request<Uint8Array>(this.#input, {type: 'internal', as, messages}).then(asBuffer);
  }

  /** Ends what the present client left: its COPY, its transaction. */
  abort(): Promise<null> {
    return this.#request(this.#input, {type: 'abort'});
  }

  /** Shuts the engine down cleanly and checkpoints the volume, which stays open until `detach`. */
  close(): Promise<null> {
    return this.#request(this.#input, {type: 'close'});
  }

  control<T extends keyof ControlResults>(
    type: T,
    parameters: Omit<Extract<ControlMessage, {type: T}>, 'type' | 'id'>,
  ): Promise<ControlResults[T]> {
    if (type === 'detach') this.#detaching = true;
    return this.#request(this.#control, {...parameters, type});
  }

  /** Asks that the statement that `epoch` runs, if it still does, be cancelled. */
  cancel(epoch: number): void {
    Atomics.store(this.#shared, SharedWord.cancel, epoch);
    this.#wake();
  }

  /** Output that the worker counted was passed on. */
  acknowledgeOutput(byteCount: number): void {
    Atomics.sub(this.#shared, SharedWord.outputBytes, byteCount);
    this.#wake();
  }

  /** Ends the worker at once. The volume is as after a crash. Not a failure. */
  async terminate(): Promise<void> {
    this.#end(new BorealisError('closed', 'engine-closed', 'the engine was stopped'), false);
    await this.#worker.terminate();
  }

  #request<T>(channel: MessageChannel, message: object): Promise<T> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    const reply = new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, {resolve, reject});
    });
    channel.port1.postMessage({...message, id});
    // After the message, so that whoever sees the count finds the message.
    if (channel === this.#control) Atomics.add(this.#shared, SharedWord.control, 1);
    this.#wake();
    return reply;
  }

  #wake(): void {
    Atomics.add(this.#shared, SharedWord.wake, 1);
    Atomics.notify(this.#shared, SharedWord.wake);
  }

  #receive(message: FromWorker, {onLog, onZoneEvent}: EngineLinkOptions): void {
    switch (message.type) {
      case 'opened':
        this.#onOpened?.(message.steps);
        break;
      case 'output':
        this.#events?.output(message.epoch, asBuffer(message.bytes));
        break;
      case 'refused':
        this.#events?.refused(message.epoch, asBuffer(message.report));
        break;
      case 'consumed':
        this.#events?.consumed(message.epoch, message.byteCount);
        break;
      case 'reply':
        this.#take(message.id)?.resolve(message.result as never);
        break;
      case 'reply-error': {
        const {kind, code, message: text} = message.error;
        this.#take(message.id)?.reject(new BorealisError(kind, code, text));
        break;
      }
      case 'zone-event':
        onZoneEvent(message.event);
        break;
      case 'log':
        this.#complaint = /(?:FATAL|PANIC): +(.*)/.exec(message.text)?.[1] ?? this.#complaint;
        onLog(message.text);
        break;
      case 'failed':
        this.#end(new Error(message.reason));
        break;
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #end(error: Error, isFailure = !this.#detaching): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const {reject} of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#input.port1.close();
    this.#control.port1.close();
    if (isFailure) this.#fail(error);
  }
}

/** The same bytes, not a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
