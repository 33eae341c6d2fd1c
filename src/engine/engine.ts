/**
 * An engine on a directory: a real database server that thinks it owns the files it is given. It
 * knows nothing of volumes; whoever made the directory visible starts it, and ends when it ends.
 *
 *     initialise ─▶ (cleanly stopped) ─▶ start ─▶ RunningEngine ─▶ stop
 *                                                      └─▶ failed, when it ends unasked
 *
 * Errors: BorealisError. `engine-binary` when the server's programs do not run, `engine-start` when
 * the server ended before it was ready (its log tells why), `engine-statement` when it refused one of
 * our own statements.
 */

import type {Credential} from '../base/x509.ts';

/** A step that took time, as it is shown to people: `recover`, `checkpoint`, … */
export type EngineStep = {readonly name: string; readonly durationMs: number};
export type ReportStep = (step: EngineStep) => void;

/** As RDS names them; the server that answers is PostgreSQL or MariaDB. */
export type EngineName = 'aurora-postgresql' | 'aurora-mysql';

/** A user's name and its password as the server stores it: a SCRAM-SHA-256 verifier or a hash. */
export type EngineMaster = {readonly name: string; readonly verifier: string};

/** What clients know the engine by, and what lets some of them in. */
export type EngineTls = Credential & {
  /** A certificate in PEM: whoever shows one that it signed, in the name of a role, may log in so. */
  readonly clientAuthority: string;
};

/** One of the engine's settings, as its own catalogue (`pg_settings`) describes it. */
export type EngineSetting = {
  readonly name: string;
  /** Who may change it, and when: `internal`, `postmaster`, `sighup`, `superuser`, `user`, … */
  readonly context: string;
  readonly type: 'bool' | 'integer' | 'real' | 'string' | 'enum';
  /** Of a number, e.g. `8kB` or `ms`; null for none. */
  readonly unit: string | null;
  /** Of a number, in `unit`. */
  readonly min: string | null;
  readonly max: string | null;
  /** Of an enum, else null. */
  readonly values: readonly string[] | null;
  /** What it is when nothing sets it, in `unit`. */
  readonly absent: string | null;
  readonly category: string;
  readonly description: string;
};

/** What is left of an instance that made a golden volume. */
export type GoldenVolume = {readonly settings: readonly EngineSetting[]};

export type StopMode = 'fast' | 'immediate';

/** Where a reader takes its changes from: the writer's port on loopback and the secret of its replication role. */
export type ReplicationSource = {readonly port: number; readonly secret: string};

/** How far a reader has come, as it knows itself. */
export type ReplicationProgress = {
  /** It is connected to its writer. */
  readonly isStreaming: boolean;
  /** It has replayed all that the writer has told it of. */
  readonly isCaughtUp: boolean;
  /** How long the writer's latest message was on its way, in milliseconds; null before the first one. */
  readonly transitMs: number | null;
  /** Age in milliseconds of the last commit that it replayed; null before the first one. */
  readonly replayedAgeMs: number | null;
};

export type EngineReplication = {
  /** Of a writer: lets readers log in by a secret with this verifier, and keeps for them what they have yet to read. */
  admitReaders(verifier: string): Promise<void>;
  /** Of a reader: takes its changes from another writer of the same cluster from now on. */
  follow(source: ReplicationSource): Promise<void>;
  /** Of a reader. */
  progress(): Promise<ReplicationProgress>;
};

/** As the engine counts since it started; a crash begins anew. */
export type EngineStatistics = {
  /** Of clients, now. */
  readonly connections: number;
  readonly connectionsMax: number;
  /** Null for an engine that would have to stop its clients to tell. */
  readonly activity: {
    readonly commits: number;
    readonly rollbacks: number;
    /** Blocks that were found in the engine's own memory, and those that it had to read. */
    readonly blocksHit: number;
    readonly blocksRead: number;
    readonly deadlocks: number;
  } | null;
};

export type RunningEngine = {
  /** Loopback TCP port where the engine takes clients. */
  readonly port: number;
  /** As the server says it, e.g. `PostgreSQL 18.4`. */
  readonly serverVersion: string;
  /** Resolves with the reason when the engine ends by itself; never after `stop`. */
  readonly failed: Promise<Error>;
  setMaster(master: EngineMaster): Promise<void>;
  /**
   * Takes these settings over its own, in place of those that it has now, as far as they need no restart.
   * False when it can take none without one.
   */
  configure(parameters: Readonly<Record<string, string>>): Promise<boolean>;
  /** Of connections to come. */
  setTls(tls: EngineTls): Promise<void>;
  /** Whether this user logs in by a token (a client certificate, to the engine) instead of a password. */
  isTokenUser(user: string): Promise<boolean>;
  /** Makes recovery of a fork that is taken right after this short. Best effort and bounded in time. */
  prepareFork(report: ReportStep): Promise<void>;
  statistics(): Promise<EngineStatistics>;
  /** Null for an engine that cannot replicate. */
  readonly replication: EngineReplication | null;
  /** `fast` ends the clients and leaves a cleanly stopped directory; `immediate` leaves one to recover. */
  stop(mode: StopMode): Promise<void>;
};

export type EngineStartOptions = {
  /** Loopback TCP port to listen on; 0 takes any free one. */
  readonly port: number;
  /** The directory comes from another cluster: what makes it act as its source is dropped before clients get in. */
  readonly firstStart: boolean;
  readonly master: EngineMaster | null;
  /** Created, owned by the master, if it does not exist; null for none. */
  readonly databaseName: string | null;
  /** Of a writer with readers: as `admitReaders`, before clients get in. Null for none. */
  readonly readerVerifier: string | null;
  /** Follow this writer, read-only: the directory is a fork of the writer's. Null for a writer. */
  readonly source: ReplicationSource | null;
  /** Null: without TLS. */
  readonly tls: EngineTls | null;
  /** Settings that go over Borealis's own. */
  readonly parameters: Readonly<Record<string, string>>;
};

export type Engine = {
  /** Fills an empty directory with a cluster that has the roles and extensions every cluster has, stopped cleanly. Returns the engine's settings. */
  initialise(report: ReportStep): Promise<readonly EngineSetting[]>;
  start(options: EngineStartOptions, report: ReportStep): Promise<RunningEngine>;
};
