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
  AccountAttributesMessage,
  AddSourceIdentifierToSubscriptionMessage,
  AddSourceIdentifierToSubscriptionResult,
  AddTagsToResourceMessage,
  CertificateMessage,
  CopyDBClusterParameterGroupMessage,
  CopyDBClusterParameterGroupResult,
  CopyDBParameterGroupMessage,
  CopyDBParameterGroupResult,
  CreateDBClusterEndpointMessage,
  CreateDBClusterMessage,
  CreateDBClusterParameterGroupMessage,
  CreateDBClusterParameterGroupResult,
  CreateDBClusterResult,
  CreateDBInstanceMessage,
  CreateDBInstanceResult,
  CreateDBParameterGroupMessage,
  CreateDBParameterGroupResult,
  CreateDBSubnetGroupMessage,
  CreateDBSubnetGroupResult,
  CreateEventSubscriptionMessage,
  CreateEventSubscriptionResult,
  DBClusterEndpoint,
  DBClusterEndpointMessage,
  DBClusterMessage,
  DBClusterParameterGroupDetails,
  DBClusterParameterGroupNameMessage,
  DBClusterParameterGroupsMessage,
  DBEngineVersionMessage,
  DBInstanceMessage,
  DBParameterGroupDetails,
  DBParameterGroupNameMessage,
  DBParameterGroupsMessage,
  DBSubnetGroupMessage,
  DeleteDBClusterEndpointMessage,
  DeleteDBClusterMessage,
  DeleteDBClusterParameterGroupMessage,
  DeleteDBClusterResult,
  DeleteDBInstanceMessage,
  DeleteDBInstanceResult,
  DeleteDBParameterGroupMessage,
  DeleteDBSubnetGroupMessage,
  DeleteEventSubscriptionMessage,
  DeleteEventSubscriptionResult,
  DescribeAccountAttributesMessage,
  DescribeCertificatesMessage,
  DescribeDBClusterEndpointsMessage,
  DescribeDBClusterParameterGroupsMessage,
  DescribeDBClusterParametersMessage,
  DescribeDBClustersMessage,
  DescribeDBEngineVersionsMessage,
  DescribeDBInstancesMessage,
  DescribeDBLogFilesMessage,
  DescribeDBLogFilesResponse,
  DescribeDBParameterGroupsMessage,
  DescribeDBParametersMessage,
  DescribeDBSubnetGroupsMessage,
  DescribeEngineDefaultClusterParametersMessage,
  DescribeEngineDefaultClusterParametersResult,
  DescribeEngineDefaultParametersMessage,
  DescribeEngineDefaultParametersResult,
  DescribeEventCategoriesMessage,
  DescribeEventSubscriptionsMessage,
  DescribeEventsMessage,
  DescribeGlobalClustersMessage,
  DescribeOrderableDBInstanceOptionsMessage,
  DescribePendingMaintenanceActionsMessage,
  DescribeSourceRegionsMessage,
  DownloadDBLogFilePortionDetails,
  DownloadDBLogFilePortionMessage,
  EventCategoriesMessage,
  EventSubscriptionsMessage,
  EventsMessage,
  FailoverDBClusterMessage,
  FailoverDBClusterResult,
  GlobalClustersMessage,
  ListTagsForResourceMessage,
  ModifyDBClusterEndpointMessage,
  ModifyDBClusterMessage,
  ModifyDBClusterParameterGroupMessage,
  ModifyDBClusterResult,
  ModifyDBInstanceMessage,
  ModifyDBInstanceResult,
  ModifyDBParameterGroupMessage,
  ModifyDBSubnetGroupMessage,
  ModifyDBSubnetGroupResult,
  ModifyEventSubscriptionMessage,
  ModifyEventSubscriptionResult,
  OrderableDBInstanceOptionsMessage,
  PendingMaintenanceActionsMessage,
  RebootDBInstanceMessage,
  RebootDBInstanceResult,
  RemoveSourceIdentifierFromSubscriptionMessage,
  RemoveSourceIdentifierFromSubscriptionResult,
  RemoveTagsFromResourceMessage,
  ResetDBClusterParameterGroupMessage,
  ResetDBParameterGroupMessage,
  RestoreDBClusterToPointInTimeMessage,
  RestoreDBClusterToPointInTimeResult,
  SourceRegionMessage,
  StartDBClusterMessage,
  StartDBClusterResult,
  StartDBInstanceMessage,
  StartDBInstanceResult,
  StopDBClusterMessage,
  StopDBClusterResult,
  StopDBInstanceMessage,
  StopDBInstanceResult,
  TagListMessage,
} from '@aws-sdk/client-rds';
import type {StepReport} from '../instance/messages.ts';
import type {ZoneState} from '../page-store/zone.ts';
import type {BegunScrub, ScrubRequest, ScrubStatus} from './scrubber.ts';
import type {Quota} from './quotas.ts';
import type {VolumeUsage} from './storage-types.ts';
import type {ZoneSpace} from './zone-space.ts';

export type ControlPlane = {
  createDBCluster(input: CreateDBClusterMessage): Promise<CreateDBClusterResult>;
  describeDBClusters(input: DescribeDBClustersMessage): Promise<DBClusterMessage>;
  modifyDBCluster(input: ModifyDBClusterMessage): Promise<ModifyDBClusterResult>;
  deleteDBCluster(input: DeleteDBClusterMessage): Promise<DeleteDBClusterResult>;
  restoreDBClusterToPointInTime(
    input: RestoreDBClusterToPointInTimeMessage,
  ): Promise<RestoreDBClusterToPointInTimeResult>;
  stopDBCluster(input: StopDBClusterMessage): Promise<StopDBClusterResult>;
  startDBCluster(input: StartDBClusterMessage): Promise<StartDBClusterResult>;
  createDBInstance(input: CreateDBInstanceMessage): Promise<CreateDBInstanceResult>;
  describeDBInstances(input: DescribeDBInstancesMessage): Promise<DBInstanceMessage>;
  modifyDBInstance(input: ModifyDBInstanceMessage): Promise<ModifyDBInstanceResult>;
  rebootDBInstance(input: RebootDBInstanceMessage): Promise<RebootDBInstanceResult>;
  stopDBInstance(input: StopDBInstanceMessage): Promise<StopDBInstanceResult>;
  startDBInstance(input: StartDBInstanceMessage): Promise<StartDBInstanceResult>;
  deleteDBInstance(input: DeleteDBInstanceMessage): Promise<DeleteDBInstanceResult>;
  describeDBEngineVersions(input: DescribeDBEngineVersionsMessage): Promise<DBEngineVersionMessage>;
  describeCertificates(input: DescribeCertificatesMessage): Promise<CertificateMessage>;
  failoverDBCluster(input: FailoverDBClusterMessage): Promise<FailoverDBClusterResult>;
  createDBClusterEndpoint(input: CreateDBClusterEndpointMessage): Promise<DBClusterEndpoint>;
  describeDBClusterEndpoints(
    input: DescribeDBClusterEndpointsMessage,
  ): Promise<DBClusterEndpointMessage>;
  modifyDBClusterEndpoint(input: ModifyDBClusterEndpointMessage): Promise<DBClusterEndpoint>;
  deleteDBClusterEndpoint(input: DeleteDBClusterEndpointMessage): Promise<DBClusterEndpoint>;
  createDBClusterParameterGroup(
    input: CreateDBClusterParameterGroupMessage,
  ): Promise<CreateDBClusterParameterGroupResult>;
  createDBParameterGroup(
    input: CreateDBParameterGroupMessage,
  ): Promise<CreateDBParameterGroupResult>;
  copyDBClusterParameterGroup(
    input: CopyDBClusterParameterGroupMessage,
  ): Promise<CopyDBClusterParameterGroupResult>;
  copyDBParameterGroup(input: CopyDBParameterGroupMessage): Promise<CopyDBParameterGroupResult>;
  deleteDBClusterParameterGroup(input: DeleteDBClusterParameterGroupMessage): Promise<object>;
  deleteDBParameterGroup(input: DeleteDBParameterGroupMessage): Promise<object>;
  describeDBClusterParameterGroups(
    input: DescribeDBClusterParameterGroupsMessage,
  ): Promise<DBClusterParameterGroupsMessage>;
  describeDBParameterGroups(
    input: DescribeDBParameterGroupsMessage,
  ): Promise<DBParameterGroupsMessage>;
  modifyDBClusterParameterGroup(
    input: ModifyDBClusterParameterGroupMessage,
  ): Promise<DBClusterParameterGroupNameMessage>;
  modifyDBParameterGroup(
    input: ModifyDBParameterGroupMessage,
  ): Promise<DBParameterGroupNameMessage>;
  resetDBClusterParameterGroup(
    input: ResetDBClusterParameterGroupMessage,
  ): Promise<DBClusterParameterGroupNameMessage>;
  resetDBParameterGroup(input: ResetDBParameterGroupMessage): Promise<DBParameterGroupNameMessage>;
  describeDBClusterParameters(
    input: DescribeDBClusterParametersMessage,
  ): Promise<DBClusterParameterGroupDetails>;
  describeDBParameters(input: DescribeDBParametersMessage): Promise<DBParameterGroupDetails>;
  describeEngineDefaultClusterParameters(
    input: DescribeEngineDefaultClusterParametersMessage,
  ): Promise<DescribeEngineDefaultClusterParametersResult>;
  describeEngineDefaultParameters(
    input: DescribeEngineDefaultParametersMessage,
  ): Promise<DescribeEngineDefaultParametersResult>;
  createDBSubnetGroup(input: CreateDBSubnetGroupMessage): Promise<CreateDBSubnetGroupResult>;
  modifyDBSubnetGroup(input: ModifyDBSubnetGroupMessage): Promise<ModifyDBSubnetGroupResult>;
  deleteDBSubnetGroup(input: DeleteDBSubnetGroupMessage): Promise<object>;
  describeDBSubnetGroups(input: DescribeDBSubnetGroupsMessage): Promise<DBSubnetGroupMessage>;
  describeAccountAttributes(
    input: DescribeAccountAttributesMessage,
  ): Promise<AccountAttributesMessage>;
  addTagsToResource(input: AddTagsToResourceMessage): Promise<object>;
  removeTagsFromResource(input: RemoveTagsFromResourceMessage): Promise<object>;
  listTagsForResource(input: ListTagsForResourceMessage): Promise<TagListMessage>;
  describeEvents(input: DescribeEventsMessage): Promise<EventsMessage>;
  describeEventCategories(input: DescribeEventCategoriesMessage): Promise<EventCategoriesMessage>;
  describeDBLogFiles(input: DescribeDBLogFilesMessage): Promise<DescribeDBLogFilesResponse>;
  downloadDBLogFilePortion(
    input: DownloadDBLogFilePortionMessage,
  ): Promise<DownloadDBLogFilePortionDetails>;
  describeOrderableDBInstanceOptions(
    input: DescribeOrderableDBInstanceOptionsMessage,
  ): Promise<OrderableDBInstanceOptionsMessage>;
  describePendingMaintenanceActions(
    input: DescribePendingMaintenanceActionsMessage,
  ): Promise<PendingMaintenanceActionsMessage>;
  describeGlobalClusters(input: DescribeGlobalClustersMessage): Promise<GlobalClustersMessage>;
  describeSourceRegions(input: DescribeSourceRegionsMessage): Promise<SourceRegionMessage>;
  createEventSubscription(
    input: CreateEventSubscriptionMessage,
  ): Promise<CreateEventSubscriptionResult>;
  modifyEventSubscription(
    input: ModifyEventSubscriptionMessage,
  ): Promise<ModifyEventSubscriptionResult>;
  deleteEventSubscription(
    input: DeleteEventSubscriptionMessage,
  ): Promise<DeleteEventSubscriptionResult>;
  describeEventSubscriptions(
    input: DescribeEventSubscriptionsMessage,
  ): Promise<EventSubscriptionsMessage>;
  addSourceIdentifierToSubscription(
    input: AddSourceIdentifierToSubscriptionMessage,
  ): Promise<AddSourceIdentifierToSubscriptionResult>;
  removeSourceIdentifierFromSubscription(
    input: RemoveSourceIdentifierFromSubscriptionMessage,
  ): Promise<RemoveSourceIdentifierFromSubscriptionResult>;
  /** What RDS has no action for; served as JSON at `GET /borealis/v1/clusters`. */
  clusterReports(options: {fresh: boolean}): Promise<ClusterReports>;
  /** Likewise, at `GET /borealis/v1/storage`. */
  storageReport(options: {fresh: boolean}): Promise<StorageReport>;
  /** Likewise, at `GET /borealis/v1/zones`. */
  zoneReport(options: Record<string, never>): Promise<ZoneReport>;
  /** `POST /borealis/v1/zones`; returns once the change has begun. */
  addZone(zone: {letter: string; directory: string}): Promise<ZoneReport>;
  /** `DELETE /borealis/v1/zones?letter=…`; likewise. */
  removeZone(zone: {letter: string}): Promise<ZoneReport>;
  /** Likewise, at `/borealis/v1/scrub`: POST begins or joins one, GET tells, DELETE stops it. */
  beginScrub(request: ScrubRequest): Promise<BegunScrub>;
  scrubStatus(options: Record<string, never>): Promise<ScrubStatus>;
  stopScrub(options: {readonly id: string}): Promise<object>;
  /** `GET /borealis/v1/quotas`. */
  quotas(input: Record<string, never>): Promise<{quotas: readonly Quota[]}>;
  /** `POST /borealis/v1/quotas?name=…&limit=…`. Throws InvalidParameterValue. */
  setQuota(input: {name: string; limit: number}): Promise<Quota>;
};

/** One cluster as `borealis list` and `show` tell it. */
export type ClusterReport = {
  readonly identifier: string;
  readonly status: string;
  /** Why the status is `failed` (with the engine log's end), or null. */
  readonly statusReason: string | null;
  readonly engine: string;
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

/** The zones of the store. */
export type ZoneReport = {
  readonly zones: readonly {
    readonly name: string;
    readonly directory: string;
    /** It is one of those whose write quorum a commit waits for. */
    readonly counts: boolean;
    readonly state: ZoneState;
  }[];
  /** Null while none is under way. */
  readonly change: {
    readonly kind: 'add' | 'remove';
    readonly zone: string;
    readonly phase: string;
    readonly waitingFor: readonly string[];
  } | null;
};

export type ClusterReports = {
  readonly clusters: readonly ClusterReport[];
  readonly store: {
    readonly bytesOnDisk: number;
    readonly bytesFree: number;
    readonly zones: readonly ZoneState[];
    readonly scrub: ScrubStatus;
    /** What no zone holds as it should be: reads of it fail. */
    readonly damage: readonly DamageReport[];
  };
};

export type DamageReport = {
  /** Which page, of which file and volume, where it lies, and the zones that were tried. */
  readonly message: string;
  /** Clusters that reach it. */
  readonly clusters: readonly string[];
};

/** Bytes of pages and page-table nodes, as of each volume's last checkpoint. */
type StorageShares = {
  readonly volume: number;
  /** All that the volume reaches: shared and exclusive. */
  readonly logicalBytes: number;
  /** What it alone reaches, now or in its history: freed if it is deleted. */
  readonly exclusiveBytes: number;
  readonly sharedBytes: number;
  /** Of the logical bytes, those of page-table nodes. */
  readonly pageTableBytes: number;
  /** What its history reaches and no volume's head does. */
  readonly historyBytes: number;
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
    /** Each zone by itself. */
    readonly zones: readonly ZoneSpace[];
    readonly scrub: ScrubStatus;
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
