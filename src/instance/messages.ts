/**
 * What the service and an instance process say to each other over the Node IPC channel.
 *
 *     service                               instance process
 *        │── start {config} ─────────────────────▶│ opens the volume, attaches, starts the engine
 *        │◀─ step {name, durationMs} ─────────────│ (one for each step)
 *        │◀─ ready {port, steps} ─────────────────│ or: failed {reason, logTail}, then exit
 *        │── request {id, method, params} ───────▶│
 *        │◀─ reply {id, …} ───────────────────────│
 *        ╳  channel closed: the instance ends at once, and its engine with it
 */
import type {AttachmentStatistics, ForkResult, ZoneConfig} from '../attachment/attachment.ts';
import type {ErrorKind} from '../base/errors.ts';
import type {
  EngineName,
  EngineSetting,
  EngineTls,
  EngineStatistics,
  ReplicationProgress,
  ReplicationSource,
} from '../engine/engine.ts';
import type {Lsn, VolumeNumber} from '../page-store/ids.ts';
import type {Membership} from '../page-store/membership.ts';
import type {StoreConfig} from '../page-store/open-zones.ts';
import type {MembershipState, ZoneEvent} from '../page-store/zone.ts';
import type {ForkOptions} from '../volume/volume-head.ts';

export type EngineRuntime = 'native' | 'pglite';

/** A user's name and its password as the server stores it (`EngineMaster`); the password itself is never kept. */
export type MasterUser = {readonly name: string; readonly verifier: string};

export type InstanceConfig = {
  /** For log lines and process titles, e.g. `orders-writer`. */
  readonly name: string;
  readonly zones: readonly ZoneConfig[];
  /** Which of them count; see `StoreConfig`. */
  readonly membership?: Membership | undefined;
  readonly volume: VolumeNumber;
  readonly nodeCacheBytes: number;
  /** See `AttachmentConfig`. */
  readonly reserveBytes: number;
  readonly engine: EngineName;
  readonly runtime: EngineRuntime;
  /** Directory of the server's programs (`postgres` or `mariadbd`); null for pglite. */
  readonly bin: string | null;
  /** An existing directory of this instance's own, mode 0700: `engine.log` is written here. */
  readonly runDirectory: string;
  /**
   * `golden`: format the volume, initialise the engine on it, create the roles and extensions every
   * cluster has, stop it cleanly; answers `ready` with port 0 and ends.
   * `writer`: recover and serve.
   * `reader`: follow `source`, read-only, on a volume that is a fork of the writer's.
   */
  readonly role: 'golden' | 'writer' | 'reader';
  /** Loopback TCP port that the engine takes clients on: the instance endpoint. 0 for golden. */
  readonly port: number;
  /**
   * True the first time the engine starts on a volume that was forked from another cluster: what made
   * it act as its source (slots, subscriptions, …) is dropped before the port is told.
   */
  readonly firstStart: boolean;
  /** Created or altered before `ready`; null leaves roles alone. */
  readonly master: MasterUser | null;
  /** Created, owned by the master user, before `ready` if it does not exist; null for none. */
  readonly databaseName: string | null;
  /** Of a writer with readers: the verifier of the secret that they log in by. */
  readonly readerVerifier: string | null;
  /** Of a reader, else null. */
  readonly source: ReplicationSource | null;
  /** Certificate and key, of the cluster's own; null for golden. */
  readonly tls: EngineTls | null;
  /** Engine settings from the parameter group, over Borealis's own. */
  readonly parameters: Readonly<Record<string, string>>;
};

export type StartMessage = {readonly type: 'start'; readonly config: InstanceConfig};

/** Each part is null when it did not answer in time. */
export type InstanceStatistics = {
  readonly volume: AttachmentStatistics | null;
  readonly engine: EngineStatistics | null;
};

/** Method name to the types of its parameters and of its result. */
export type InstanceMethods = {
  /** As of now, or of a past moment within the volume's restorable range. */
  fork: {
    params: {child: VolumeNumber} & ForkOptions;
    result: ForkResult & {steps: readonly StepReport[]};
  };
  /** How long past moments of the volume are kept; 0 for not at all. */
  setRetention: {params: {seconds: number}; result: Record<string, never>};
  checkpoint: {params: Record<string, never>; result: {lsn: Lsn}};
  statistics: {params: Record<string, never>; result: InstanceStatistics};
  /** Which zones there are from now on. */
  changeZones: {params: StoreConfig; result: MembershipState};
  setMaster: {params: {master: MasterUser}; result: Record<string, never>};
  setTls: {params: {tls: EngineTls}; result: Record<string, never>};
  isTokenUser: {params: {user: string}; result: {isTokenUser: boolean}};
  /** Of a writer; see `EngineReplication`. */
  admitReaders: {params: {verifier: string}; result: Record<string, never>};
  /** Of a reader. */
  follow: {params: {source: ReplicationSource}; result: Record<string, never>};
  /** Of a reader. */
  replication: {params: Record<string, never>; result: ReplicationProgress};
  /** See `RunningEngine.configure`. */
  configure: {
    params: {parameters: Readonly<Record<string, string>>};
    result: {isTaken: boolean};
  };
  /** `fast`: clean shutdown of engine and volume; the process then exits with status 0. */
  stop: {params: {mode: 'fast' | 'immediate'}; result: Record<string, never>};
};
export type InstanceMethod = keyof InstanceMethods;

export type RequestMessage = {
  [M in InstanceMethod]: {
    readonly type: 'request';
    readonly id: number;
    readonly method: M;
    readonly params: InstanceMethods[M]['params'];
  };
}[InstanceMethod];

export type ToInstance = StartMessage | RequestMessage;

export type StepReport = {readonly name: string; readonly durationMs: number};

export type FromInstance =
  | {readonly type: 'step'; readonly step: StepReport}
  | {
      readonly type: 'ready';
      /** `config.port`, or the one that was taken where that was 0. 0 for golden. */
      readonly port: number;
      readonly steps: readonly StepReport[];
      /** As the server says it, e.g. `PostgreSQL 18.4`. */
      readonly serverVersion: string;
      /** Of golden: all settings that the engine knows. */
      readonly settings: readonly EngineSetting[];
    }
  /** How a zone of the store fares, or that a bad copy was repaired. */
  | {readonly type: 'zone-event'; readonly event: ZoneEvent}
  | {readonly type: 'failed'; readonly reason: string; readonly logTail: string}
  | {readonly type: 'reply'; readonly id: number; readonly result: unknown}
  | {
      readonly type: 'reply-error';
      readonly id: number;
      readonly error: {readonly kind: ErrorKind; readonly code: string; readonly message: string};
    };
