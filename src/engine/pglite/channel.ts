/**
 * What the instance's main thread and the engine's worker thread say to each other.
 *
 *     main thread                                   worker thread (blocked in Atomics.wait or in a query)
 *        │── input port: acquire, input, … ─────────────▶│ taken in order, between statements
 *        │── control port: fork, checkpoint, … ─────────▶│ taken at any I/O of a running statement too
 *        │◀─ parent port: output, reply, log, failed ────│
 *        │◀▶ shared words: wake, pending, cancel, flow ─▶│ read and written with Atomics
 *
 * The worker never returns to its event loop while it serves, so it takes messages with
 * receiveMessageOnPort after a look at the shared words.
 */
import type {MessagePort} from 'node:worker_threads';
import type {
  AttachmentConfig,
  AttachmentStatistics,
  ForkResult,
} from '../../attachment/attachment.ts';
import type {ErrorKind} from '../../base/errors.ts';
import type {Lsn, VolumeNumber} from '../../page-store/ids.ts';
import type {StoreConfig} from '../../page-store/open-zones.ts';
import type {MembershipState, ZoneEvent} from '../../page-store/zone.ts';
import type {WasmModule} from './web-assembly.ts';
import type {ForkOptions} from '../../volume/volume-head.ts';

/** Indexes of the shared Int32Array. */
export const SharedWord = {
  /** Counts all messages to the worker; the worker sleeps on it. */
  wake: 0,
  /** Counts messages on the control port. */
  control: 1,
  /** The epoch whose running statement is to be cancelled, or 0. */
  cancel: 2,
  /** Bytes of output that the main thread has not passed on yet. */
  outputBytes: 3,
  /** KiB written to pg_wal since the engine was opened. */
  walKiB: 4,
} as const;
export const SHARED_WORD_COUNT = 5;

export type WorkerConfig = {
  readonly attachment: AttachmentConfig;
  readonly wasm: WasmModule;
  readonly database: string;
  /** `name=value` engine settings over Borealis's own. */
  readonly parameters: readonly string[];
  /** Run initdb on the empty file system first. */
  readonly initialise: boolean;
  readonly input: MessagePort;
  readonly control: MessagePort;
  readonly shared: SharedArrayBuffer;
};

/** A role as whom statements run. */
export type Identity = {readonly name: string; readonly oid: number};

export type InputMessage =
  /** From here on `input` is this client's. `setup` runs as the client before it, unseen by it. */
  | {
      readonly type: 'acquire';
      readonly epoch: number;
      readonly identity: Identity;
      /** Reset what the last session left behind. */
      readonly reset: boolean;
      /** Each a Query, or a Parse and a Sync. */
      readonly setup: readonly Uint8Array[];
    }
  | {readonly type: 'input'; readonly bytes: Uint8Array}
  /** The client is gone or refused: end its statement and transaction, answer nothing. */
  | {readonly type: 'abort'; readonly id: number}
  /**
   * Statements of Borealis itself; the reply is what the server answers. `admin` resets the session and is
   * the bootstrap superuser; `client` looks at the session as it is, as its client.
   */
  | {
      readonly type: 'internal';
      readonly id: number;
      readonly as: 'admin' | 'client';
      readonly messages: Uint8Array;
    }
  /** Shut the engine down cleanly. Control messages are served until `detach`. */
  | {readonly type: 'close'; readonly id: number};

export type ControlMessage =
  | {
      readonly type: 'fork';
      readonly id: number;
      readonly child: VolumeNumber;
      readonly options: ForkOptions;
    }
  | {readonly type: 'setRetention'; readonly id: number; readonly seconds: number}
  | {readonly type: 'checkpoint'; readonly id: number}
  | {readonly type: 'statistics'; readonly id: number}
  | {readonly type: 'changeZones'; readonly id: number; readonly config: StoreConfig}
  | {readonly type: 'detach'; readonly id: number};

export type ControlResults = {
  fork: ForkResult;
  setRetention: null;
  checkpoint: Lsn;
  statistics: AttachmentStatistics;
  changeZones: MembershipState;
  detach: null;
};

export type FromWorker =
  | {readonly type: 'opened'; readonly steps: readonly {name: string; durationMs: number}[]}
  | {readonly type: 'output'; readonly epoch: number; readonly bytes: Uint8Array}
  /** The setup of `acquire` failed: `report` is the ErrorResponse. Input is dropped until the next acquire. */
  | {readonly type: 'refused'; readonly epoch: number; readonly report: Uint8Array}
  /** This many bytes of input were taken by the engine. */
  | {readonly type: 'consumed'; readonly epoch: number; readonly byteCount: number}
  | {readonly type: 'reply'; readonly id: number; readonly result: unknown}
  | {
      readonly type: 'reply-error';
      readonly id: number;
      readonly error: {readonly kind: ErrorKind; readonly code: string; readonly message: string};
    }
  /** How a zone of the store fares, what was repaired, and what is damaged. */
  | {readonly type: 'zone-event'; readonly event: ZoneEvent}
  | {readonly type: 'log'; readonly text: string}
  | {readonly type: 'failed'; readonly reason: string};
