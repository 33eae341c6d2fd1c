/**
 * What the control plane does, in the words of the RDS API: each method takes the action's input
 * members and returns its output members. The API layer decodes, checks the signature, calls, and
 * encodes; meaning (defaults, validation, faults, states) lives here.
 *
 * Faults are BorealisErrors whose `code` is the RDS fault's shape name (`DBClusterNotFoundFault`,
 * `InvalidDBClusterStateFault`, …) or a common error code (`InvalidParameterValue`,
 * `InvalidParameterCombination`, `MissingParameter`); the API maps the code to wire code and status.
 */
import type {
  CreateDBClusterEndpointMessage,
  CreateDBClusterMessage,
  CreateDBClusterResult,
  CreateDBInstanceMessage,
  CreateDBInstanceResult,
  DBClusterEndpoint,
  DBClusterEndpointMessage,
  DBClusterMessage,
  DBEngineVersionMessage,
  DBInstanceMessage,
  DeleteDBClusterEndpointMessage,
  DeleteDBClusterMessage,
  DeleteDBClusterResult,
  DeleteDBInstanceMessage,
  DeleteDBInstanceResult,
  DescribeDBClusterEndpointsMessage,
  DescribeDBClustersMessage,
  DescribeDBEngineVersionsMessage,
  DescribeDBInstancesMessage,
  FailoverDBClusterMessage,
  FailoverDBClusterResult,
  ModifyDBClusterEndpointMessage,
  ModifyDBClusterMessage,
  ModifyDBClusterResult,
  RestoreDBClusterToPointInTimeMessage,
  RestoreDBClusterToPointInTimeResult,
} from '@aws-sdk/client-rds';
import type {EngineName} from '../engine/engine.ts';
import type {StepReport} from '../instance/messages.ts';
import type {ZoneState} from '../page-store/zone.ts';
import type {VolumeUsage} from './storage-types.ts';

export type ControlPlane = {
  createDBCluster(input: CreateDBClusterMessage): Promise<CreateDBClusterResult>;
  describeDBClusters(input: DescribeDBClustersMessage): Promise<DBClusterMessage>;
  modifyDBCluster(input: ModifyDBClusterMessage): Promise<ModifyDBClusterResult>;
  deleteDBCluster(input: DeleteDBClusterMessage): Promise<DeleteDBClusterResult>;
  restoreDBClusterToPointInTime(
    input: RestoreDBClusterToPointInTimeMessage,
  ): Promise<RestoreDBClusterToPointInTimeResult>;
  createDBInstance(input: CreateDBInstanceMessage): Promise<CreateDBInstanceResult>;
  describeDBInstances(input: DescribeDBInstancesMessage): Promise<DBInstanceMessage>;
  deleteDBInstance(input: DeleteDBInstanceMessage): Promise<DeleteDBInstanceResult>;
  describeDBEngineVersions(input: DescribeDBEngineVersionsMessage): Promise<DBEngineVersionMessage>;
  failoverDBCluster(input: FailoverDBClusterMessage): Promise<FailoverDBClusterResult>;
  createDBClusterEndpoint(input: CreateDBClusterEndpointMessage): Promise<DBClusterEndpoint>;
  describeDBClusterEndpoints(
    input: DescribeDBClusterEndpointsMessage,
  ): Promise<DBClusterEndpointMessage>;
  modifyDBClusterEndpoint(input: ModifyDBClusterEndpointMessage): Promise<DBClusterEndpoint>;
  deleteDBClusterEndpoint(input: DeleteDBClusterEndpointMessage): Promise<DBClusterEndpoint>;
  /** What RDS has no action for; served as JSON at `GET /borealis/v1/clusters`. */
  clusterReports(options: {fresh: boolean}): Promise<ClusterReports>;
  /** Likewise, at `GET /borealis/v1/storage`. */
  storageReport(options: {fresh: boolean}): Promise<StorageReport>;
};

/** One cluster as `borealis list` and `show` tell it. */
export type ClusterReport = {
  readonly identifier: string;
  readonly status: string;
  /** Why the status is `failed` (with the engine log's end), or null. */
  readonly statusReason: string | null;
  readonly engine: EngineName;
  readonly engineVersion: string;
  readonly runtime: 'native' | 'pglite';
  /** As the server says it once it has run, e.g. `PostgreSQL 18.4`. */
  readonly serverVersion: string | null;
  readonly masterUsername: string;
  readonly databaseName: string | null;
  /** Cluster endpoint, e.g. `127.0.0.1` and 15432. */
  readonly endpoint: string;
  /** Address of the reader endpoint, e.g. `127.0.0.2`; its port is that of the cluster endpoint. */
  readonly readerEndpoint: string;
  readonly port: number;
  readonly instances: readonly {
    readonly identifier: string;
    readonly role: 'writer' | 'reader';
    readonly status: string;
    readonly statusReason: string | null;
    /** Instance endpoint: there the engine itself listens. */
    readonly endpoint: string;
    readonly port: number;
    /** 0 to 15; the lowest takes over first. */
    readonly promotionTier: number;
    /** AuroraReplicaLag of a reader that serves, in milliseconds, measured in the last second or two; else null. */
    readonly replicaLagMs: number | null;
    /** Steps of the last start with their durations. */
    readonly startSteps: readonly StepReport[];
    /** Memory of its processes in bytes, what they share counted once, or null when it does not run. */
    readonly memoryBytes: number | null;
  }[];
  readonly createdAt: string;
  /** Identifier of the cluster that this one was cloned from; it may be deleted by now. Null for a first one. */
  readonly clonedFrom: string | null;
  /** The steps of the clone (source's checkpoint, fork, …) with durations; empty for a first cluster. */
  readonly cloneSteps: readonly StepReport[];
  readonly bytesCopiedAtBirth: number;
  /** Null when the volume does not exist yet. `?fresh=true` checkpoints running writers first, so that it is exact as of now. */
  readonly usage: VolumeUsage | null;
};

export type ClusterReports = {
  readonly clusters: readonly ClusterReport[];
  readonly store: {
    readonly bytesOnDisk: number;
    readonly bytesFree: number;
    readonly zones: readonly ZoneState[];
  };
};

/** Bytes of pages and page-table nodes, as of each volume's last checkpoint. */
type StorageShares = {
  readonly volume: number;
  /** All that the volume reaches: shared and exclusive. */
  readonly logicalBytes: number;
  /** What it alone reaches: freed if it is deleted. */
  readonly exclusiveBytes: number;
  readonly sharedBytes: number;
  /** Of the logical bytes, those of page-table nodes. */
  readonly pageTableBytes: number;
  /** What only its history reaches: nothing, for no history is kept. */
  readonly historyBytes: 0;
};

export type ClusterStorageReport = StorageShares & {
  readonly identifier: string;
  /** Space of clusters that were deleted which this one still reaches. */
  readonly heldOfDeleted: readonly HeldSpace[];
};

/** `identifier` is null where nobody remembers it. */
export type HeldSpace = {
  readonly volume: number;
  readonly identifier: string | null;
  readonly bytes: number;
};

export type StorageReport = {
  readonly store: {
    /** What the segments take on disk in one zone. */
    readonly bytesOnDisk: number;
    /** What some volume reaches, each page and node once. */
    readonly bytesReachable: number;
    /** What could still be written. */
    readonly bytesFree: number;
    /** On disk for each byte reachable, or null when nothing is. */
    readonly amplification: number | null;
  };
  readonly clusters: readonly ClusterStorageReport[];
  /** What new clusters are cloned from; stays when all clusters are deleted. */
  readonly golden: readonly (StorageShares & {readonly engineVersion: string})[];
  /** Deleted clusters whose pages others still reach. */
  readonly deleted: readonly {
    readonly volume: number;
    readonly identifier: string | null;
    readonly bytesOnDisk: number;
    /** Reachable bytes, each once. */
    readonly bytesHeld: number;
    /** What several reach is counted for each. */
    readonly heldBy: readonly HeldSpace[];
  }[];
};
