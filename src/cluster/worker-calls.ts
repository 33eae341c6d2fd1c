/**
 * Calls to a worker thread, each answered once: `{id, method, …}` ▸ `{id, result}` or `{id, error}`.
 * What it sends without an id is an event.
 */
import {Worker, type MessagePort} from 'node:worker_threads';
import {entryPoint} from '../base/entry-point.ts';
import {BorealisError, errorMessage, type ErrorKind} from '../base/errors.ts';

type Reply =
  | {readonly id: number; readonly result: unknown}
  | {
      readonly id: number;
      readonly error: {
        readonly kind: ErrorKind;
        readonly code: string;
        readonly message: string;
      };
    };
type Waiting = {resolve: (result: unknown) => void; reject: (error: Error) => void};

/** The caller's end. `Call` is what the worker understands. */
export class WorkerCalls<Call extends {method: string}> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: Error | null = null;

  /** `file` is that of the worker, as `entryPoint` has it. */
  constructor(
    file: string,
    workerData: object,
    onEvent: (event: unknown) => void = () => undefined,
  ) {
    this.#worker = new Worker(entryPoint(file), {workerData});
    this.#worker.on('message', (message: Reply | {readonly event: unknown}) => {
      if ('event' in message) onEvent(message.event);
      else this.#settle(message);
    });
    this.#worker.on('error', error => this.#end(error));
    this.#worker.on('exit', () => this.#end(new Error(`the thread of ${file} ended`)));
  }

  call<T>(call: Call): Promise<T> {
    if (this.#ended !== null) return Promise.reject(closed(this.#ended));
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, {resolve: result => resolve(result as T), reject});
      this.#worker.postMessage({id, ...call});
    });
  }

  /** Ends the thread at once, as a crash would: what is under way is cut off and its calls fail. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
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
    for (const waiting of this.#waiting.values()) waiting.reject(closed(cause));
    this.#waiting.clear();
  }
}

/** The worker's end: answers each call, which is of the kind that it takes, by what `run` returns or throws. */
export function answerCalls(port: MessagePort, run: (call: never) => unknown): void {
  const answer = async (call: {id: number}): Promise<void> => {
    port.postMessage(await replyTo(call, run));
  };
  port.on('message', (call: {id: number}) => void answer(call));
}

async function replyTo(call: {id: number}, run: (call: never) => unknown): Promise<Reply> {
  try {
    return {id: call.id, result: await run(call as never)};
  } catch (error) {
    const known = error instanceof BorealisError;
    const {kind, code} = known ? error : {kind: 'internal' as const, code: 'storage'};
    return {id: call.id, error: {kind, code, message: errorMessage(error)}};
  }
}

function closed(cause: Error): BorealisError {
  return new BorealisError('closed', 'storage-closed', 'the storage thread has ended', cause);
}
