/**
 * What the catalog keeps of each resource. A record is a plain value: read it, make a changed copy,
 * put it back in a transaction.
 *
 *     cluster   creating ──▶ available ◀──▶ modifying, renaming     instance  creating ──▶ available ◀─┐
 *                  │           │  ▲                                              │           │        │
 *                  │           │  └─ starting ◀─ stopped ◀─ stopping              │           ├─▶ modifying,
 *                  └─▶ failed ─┴─▶ deleting ──▶ gone                              └─▶ failed ─┤   rebooting,
 *                                                                                            │   stopping ─▶ stopped
 *                                                                                            ▼      └─▶ starting
 *                                                                                deleting ──▶ gone
 *
 * Secrets: of a password only the SCRAM verifier is here.
 */
import type {ProcessIdentity} from '../base/process-identity.ts';
import type {Tag} from '@aws-sdk/client-rds';
import type {EngineSetting} from '../engine/engine.ts';
import type {EngineRuntime, MasterUser, StepReport} from '../instance/messages.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {ScrubReport} from '../volume/scrub-report.ts';
import type {ScrubOutcome} from './scrub-result.ts';
import type {ParameterValue} from './parameters.ts';

type ClusterStatus =
  | 'creating'
  | 'available'
  | 'modifying'
  | 'renaming'
  | 'stopping'
  | 'stopped'
  | 'starting'
  | 'deleting'
  | 'failed';
/** What an instance is to its cluster. A failover swaps the roles of two. */
type InstanceRole = 'writer' | 'reader';
type InstanceStatus =
  | 'creating'
  | 'available'
  | 'starting'
  | 'modifying'
  | 'rebooting'
  | 'stopping'
  | 'stopped'
  | 'deleting'
  | 'failed';

/** Changes that wait for the maintenance window; once `due`, they are being made. Null: unchanged. */
export type PendingClusterChanges = {
  readonly identifier: string | null;
  readonly port: number | null;
  readonly due: boolean;
};
/** As `PendingClusterChanges`. The instance restarts with them. */
export type PendingInstanceChanges = {
  readonly identifier: string | null;
  readonly instanceClass: string | null;
  readonly due: boolean;
};

/** Where the first root of a cluster's volume comes from. */
type ClusterOrigin =
  | {readonly kind: 'golden'}
  | {
      readonly kind: 'clone';
      readonly sourceIdentifier: string;
      readonly sourceResourceId: string;
      readonly sourceVolume: VolumeNumber;
    };

/** A volume keeps its number when its cluster is deleted, and with this its name. */
type Ancestor = {readonly identifier: string; readonly volume: VolumeNumber};

/** Settings that are kept and shown back; they change nothing else. */
export type ClusterSettings = {
  readonly backupRetentionDays: number;
  readonly preferredBackupWindow: string;
  readonly preferredMaintenanceWindow: string;
  readonly parameterGroupName: string;
  readonly subnetGroupName: string;
  readonly vpcSecurityGroupIds: readonly string[];
  readonly copyTagsToSnapshot: boolean;
  /** 0 for none. */
  readonly backtrackWindowSeconds: number;
  readonly autoMinorVersionUpgrade: boolean;
  readonly deletionProtection: boolean;
  /** IAM database authentication: members of rds_iam log in by a token. */
  readonly iamAuthentication: boolean;
  /** Availability Zones that the request named; absent when it named none. */
  readonly namedZones?: readonly string[] | undefined;
  readonly tags: readonly Tag[];
};

export type ClusterRecord = {
  /** Lower case. */
  readonly identifier: string;
  readonly resourceId: string;
  /** The same for all clusters that stem from one. */
  readonly cloneGroupId: string;
  readonly status: ClusterStatus;
  readonly statusReason: string | null;
  readonly createdAtMs: number;
  readonly engineVersion: string;
  readonly runtime: EngineRuntime;
  readonly serverVersion: string | null;
  readonly origin: ClusterOrigin;
  /** Whom it was cloned from, the nearest first; absent in records of before there was storage accounting. */
  readonly ancestors?: readonly Ancestor[];
  /** Null until a number was taken; the volume exists once `volumeReady`. */
  readonly volume: VolumeNumber | null;
  readonly volumeReady: boolean;
  /** No engine has run on the volume yet. */
  readonly firstStart: boolean;
  readonly master: MasterUser;
  /** Counts changes of the master user; the engine has taken `masterApplied` of them. */
  readonly masterRevision: number;
  readonly masterApplied: number;
  readonly databaseName: string | null;
  /** The database was made, and is not made again should someone drop it. */
  readonly databaseMade: boolean;
  readonly port: number;
  readonly cloneSteps: readonly StepReport[];
  readonly bytesCopiedAtBirth: number;
  readonly settings: ClusterSettings;
  readonly pending: PendingClusterChanges | null;
};

/** A process, so that no other one that was given the same number is taken for it. */
export type InstanceRecord = {
  readonly identifier: string;
  readonly clusterIdentifier: string;
  readonly resourceId: string;
  readonly role: InstanceRole;
  /** Of a reader that runs or is about to: its private fork, which ends with its process. */
  readonly scratchVolume: VolumeNumber | null;
  readonly instanceClass: string;
  readonly status: InstanceStatus;
  readonly statusReason: string | null;
  readonly createdAtMs: number;
  readonly port: number;
  readonly availabilityZone: string;
  readonly promotionTier: number;
  readonly preferredMaintenanceWindow: string;
  readonly autoMinorVersionUpgrade: boolean;
  readonly tags: readonly Tag[];
  /** Null for the default one of the engine. */
  readonly parameterGroupName: string | null;
  /** From parameter groups and class, as the engine has them since its last start or reload; null before its first. */
  readonly parameters: Readonly<Record<string, string>> | null;
  readonly pending: PendingInstanceChanges | null;
  /** Of the last start that came to an end. */
  readonly startSteps: readonly StepReport[];
  /** The instance's process while it runs. */
  readonly process: ProcessIdentity | null;
};

/** A custom endpoint. Key: its identifier. */
export type ClusterEndpointRecord = {
  /** Lower case. */
  readonly identifier: string;
  readonly clusterIdentifier: string;
  readonly resourceId: string;
  /** `READER`: never the writer. */
  readonly type: 'ANY' | 'READER';
  /** Instances that it leads to; empty for all but the excluded. One of the two lists is empty. */
  readonly staticMembers: readonly string[];
  readonly excludedMembers: readonly string[];
  /** On the port of its cluster. */
  readonly address: string;
  readonly tags: readonly Tag[];
};

/** Of either scope. Key: its name in lower case. */
export type ParameterGroupRecord = {
  readonly name: string;
  /** As in `aurora-postgresql18`. */
  readonly family: string;
  readonly description: string;
  /** What the group sets, by the parameter's name. */
  readonly values: Readonly<Record<string, ParameterValue>>;
  readonly tags: readonly Tag[];
};

/** Key: its name in lower case. The group `default` has none. */
export type SubnetGroupRecord = {
  readonly name: string;
  readonly description: string;
  readonly subnets: readonly {readonly id: string; readonly zone: string}[];
  readonly tags: readonly Tag[];
};

/** A quota that was changed. Key: its name. `limit` 0: none. */
export type QuotaRecord = {readonly limit: number};

/** What an engine says of its settings, read when its golden volume was filled. Key: as the golden volume's. */
export type EngineSettingsRecord = {readonly settings: readonly EngineSetting[]};

/** A volume that initdb filled once; clusters begin as its clones. Key: `goldenKey`. */
export type GoldenVolumeRecord = {
  readonly engineVersion: string;
  readonly runtime: EngineRuntime;
  readonly binary: string;
  readonly volume: VolumeNumber;
  readonly ready: boolean;
  readonly process: ProcessIdentity | null;
};

export type ServiceIdentity = {
  /** Twelve digits. */
  readonly accountId: string;
  readonly region: string;
  readonly createdAtMs: number;
};

/** `service` is Borealis's own: the store, its zones, engines being prepared. The others are those of RDS. */
export type EventSource = 'db-cluster' | 'db-instance' | 'db-parameter-group' | 'service';

/** Those of RDS that Borealis uses; events.ts tells which go with which source. */
export type EventCategory =
  | 'availability'
  | 'backup'
  | 'configuration change'
  | 'creation'
  | 'deletion'
  | 'failover'
  | 'failure'
  | 'low storage'
  | 'maintenance'
  | 'notification'
  | 'read replica'
  | 'recovery'
  | 'restoration';

/** Key: its name in lower case. */
export type EventSubscriptionRecord = {
  readonly name: string;
  /** A webhook; see event-subscriptions.ts. */
  readonly topic: string;
  /** Null for all. */
  readonly sourceType: EventSource | null;
  /** Lower case; empty for all. */
  readonly sourceIds: readonly string[];
  /** Empty for all. */
  readonly categories: readonly EventCategory[];
  readonly isEnabled: boolean;
  readonly createdAtMs: number;
  readonly tags: readonly Tag[];
  /** How the last attempt ended; `failing` is Borealis's own. */
  readonly status: 'active' | 'failing' | 'no-permission' | 'topic-not-exist';
  /** The number of the last event that was delivered. */
  readonly place: number;
};

export type EventRecord = {
  readonly timeMs: number;
  readonly sourceType: EventSource;
  readonly source: string;
  readonly message: string;
  readonly categories: readonly EventCategory[];
};

export type ScrubResult = {
  readonly id: string;
  /** Null for the whole store. */
  readonly cluster: string | null;
  readonly trigger: 'request' | 'schedule';
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly durationMs: number;
  readonly outcome: ScrubOutcome;
  /** Why it failed or was stopped; then there is no report. */
  readonly reason: string | null;
  readonly report: ScrubReport | null;
};

/** Of the scrubs of the whole store. Key: `store`. */
export type ScrubRecord = {
  /** One was begun and has not ended. */
  readonly begunAtMs: number | null;
  /** One was stopped on request: the next one is due as if it had ended then. */
  readonly stoppedAtMs: number | null;
  readonly last: ScrubResult | null;
};
