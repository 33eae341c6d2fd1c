/** CreateDBInstance: the first DB instance of a cluster is its writer, those that follow are readers. */
import type {CreateDBInstanceMessage, CreateDBInstanceResult} from '@aws-sdk/client-rds';
import {crashPoint} from '../../base/crash-point.ts';
import {AUTHORITY_IDENTIFIER} from '../certificates.ts';
import {writerOf} from '../cluster-roles.ts';
import {parseEngine} from '../engine-versions.ts';
import {
  clusterNotFound,
  instanceAlreadyExists,
  invalidClusterState,
  refuseUnlessAvailable,
  invalidCombination,
  invalidValue,
  missingParameter,
  storageFull,
} from '../faults.ts';
import {newResourceId, parseIdentifier, parseReference, quoted} from '../identifiers.ts';
import {instancesOf} from '../instances-of.ts';
import {
  CLUSTER_REFUSALS,
  onlyValue,
  parseInteger,
  refuseMembers,
  unsupported,
  unsupportedIfTrue,
  type Refusals,
} from '../members.ts';
import {freePortForNew} from '../new-cluster.ts';
import {defaultGroupName, usableGroup} from '../parameter-groups.ts';
import {refuseBeyondQuota} from '../quotas.ts';
import type {ClusterRecord, InstanceRecord} from '../records.ts';
import {parseMaintenanceWindow, parseTags, parseZone, tagsFor} from '../settings.ts';
import {instanceShape} from '../shapes.ts';
import {emptiestZone, placementZones} from '../subnet-groups.ts';
import {addEvent, type World} from '../world.ts';

export const CLUSTER_LEVEL = (): string => 'it is set on the DB cluster, not on its DB instances';

/** Some of these belong to the cluster in Aurora, the others are not there yet. */
export const INSTANCE_REFUSALS: Refusals = {
  ...CLUSTER_REFUSALS,
  AdditionalStorageVolumes: unsupported('additional storage volumes are'),
  AllocatedStorage: CLUSTER_LEVEL,
  BackupRetentionPeriod: CLUSTER_LEVEL,
  BackupTarget: unsupported('a backup target is'),
  CACertificateIdentifier: onlyValue(AUTHORITY_IDENTIFIER),
  EnableIAMDatabaseAuthentication: value => (value === true ? CLUSTER_LEVEL() : undefined),
  CustomIamInstanceProfile: unsupported('RDS Custom is'),
  DBCapacityReservationIdentifier: unsupported('capacity reservations are'),
  DBName: CLUSTER_LEVEL,
  DBSecurityGroups: unsupported('DB security groups are'),
  DedicatedLogVolume: unsupportedIfTrue('a dedicated log volume is'),
  DeletionProtection: value => (value === true ? CLUSTER_LEVEL() : undefined),
  DomainAuthSecretArn: unsupported('Active Directory is'),
  DomainDnsIps: unsupported('Active Directory is'),
  DomainFqdn: unsupported('Active Directory is'),
  DomainOu: unsupported('Active Directory is'),
  EnableCustomerOwnedIp: unsupportedIfTrue('a customer-owned address is'),
  MasterUserPassword: CLUSTER_LEVEL,
  MasterUsername: CLUSTER_LEVEL,
  MaxAllocatedStorage: CLUSTER_LEVEL,
  MultiAZ: unsupportedIfTrue('MultiAZ on a DB instance of a DB cluster is'),
  MultiTenant: unsupportedIfTrue('multi-tenant configuration is'),
  NcharCharacterSetName: unsupported('NcharCharacterSetName is'),
  PreferredBackupWindow: CLUSTER_LEVEL,
  ProcessorFeatures: unsupported('processor features are'),
  StorageThroughput: CLUSTER_LEVEL,
  TdeCredentialArn: unsupported('storage encryption is'),
  TdeCredentialPassword: unsupported('storage encryption is'),
  Timezone: unsupported('Timezone is'),
};

export const PROMOTION_TIER_MAX = 15;

export async function createDBInstance(
  world: World,
  input: CreateDBInstanceMessage,
): Promise<CreateDBInstanceResult> {
  const identifier = parseIdentifier('DBInstanceIdentifier', input.DBInstanceIdentifier);
  const instanceClass = parseInstanceClass(input.DBInstanceClass);
  parseEngine(input.Engine);
  if (input.DBClusterIdentifier === undefined || input.DBClusterIdentifier === '') {
    throw invalidCombination(
      'The parameter DBClusterIdentifier must be provided: an aurora-postgresql DB instance belongs to a DB cluster.',
    );
  }
  const clusterIdentifier = parseReference(
    'DBClusterIdentifier',
    input.DBClusterIdentifier,
    'cluster',
    world.catalog.identity,
  );
  refuseMembers(input, INSTANCE_REFUSALS);
  const cluster = clusterForNew(world, identifier, clusterIdentifier);
  refuseOtherVersion(input, cluster);
  refuseOwnPort(input.Port, cluster);
  if (world.space.isLow)
    throw storageFull('InsufficientDBInstanceCapacityFault', world.space.message);
  const fields = {
    instanceClass,
    availabilityZone: parseZone(
      'AvailabilityZone',
      input.AvailabilityZone ?? emptiestZone(world, cluster),
      placementZones(world, cluster),
    ),
    promotionTier: parseInteger('PromotionTier', input.PromotionTier, {
      min: 0,
      max: PROMOTION_TIER_MAX,
      absent: 1,
    }),
    preferredMaintenanceWindow: parseMaintenanceWindow(
      input.PreferredMaintenanceWindow ?? cluster.settings.preferredMaintenanceWindow,
    ),
    autoMinorVersionUpgrade:
      input.AutoMinorVersionUpgrade ?? cluster.settings.autoMinorVersionUpgrade,
    tags: parseTags(input.Tags ?? tagsFor('db-instance', input.TagSpecifications) ?? []),
  };
  const instance = record(world, clusterIdentifier, {
    ...fields,
    identifier,
    clusterIdentifier,
    resourceId: newResourceId('db'),
    role: roleForNew(world, clusterIdentifier),
    scratchVolume: null,
    status: 'creating',
    statusReason: null,
    createdAtMs: world.clock.nowMs(),
    port: await freePortForNew(world),
    parameterGroupName: parseInstanceGroup(world, input.DBParameterGroupName, cluster),
    parameters: null,
    pending: null,
    startSteps: [],
    process: null,
  });
  world.reconciler.enqueue(`instance/${identifier}`);
  return {DBInstance: instanceShape(world, cluster, instance)};
}

function record(world: World, clusterIdentifier: string, parsed: InstanceRecord): InstanceRecord {
  const {identifier} = parsed;
  crashPoint('instance.new.before-record');
  const instance = world.catalog.transaction(() => {
    clusterForNew(world, identifier, clusterIdentifier);
    const current = {...parsed, role: roleForNew(world, clusterIdentifier)};
    world.catalog.instances.put(identifier, current);
    addEvent(world, 'db-instance', identifier, 'DB instance is being created', 'creation');
    return current;
  });
  crashPoint('instance.new.after-record');
  world.supervisor.reroute(clusterIdentifier);
  return instance;
}

function roleForNew(world: World, clusterIdentifier: string): InstanceRecord['role'] {
  return instancesOf(world, clusterIdentifier).length === 0 ? 'writer' : 'reader';
}

/** The cluster, if an instance of that name can be added to it now. */
function clusterForNew(world: World, identifier: string, clusterIdentifier: string): ClusterRecord {
  if (world.catalog.instances.get(identifier) !== undefined) {
    throw instanceAlreadyExists(identifier);
  }
  refuseBeyondQuota(world, 'DBInstances', world.catalog.instances.list().length);
  const cluster = world.catalog.clusters.get(clusterIdentifier);
  if (cluster === undefined) throw clusterNotFound(clusterIdentifier);
  refuseUnlessAvailable(cluster, 'creating', 'modifying');
  refuseReader(world, cluster, instancesOf(world, clusterIdentifier));
  return cluster;
}

/** A first instance is always welcome. */
function refuseReader(
  world: World,
  cluster: ClusterRecord,
  instances: readonly InstanceRecord[],
): void {
  const {identifier, runtime} = cluster;
  const writer = writerOf(instances);
  if (writer === undefined) return;
  if (writer.status === 'deleting') {
    throw invalidClusterState(
      `DB instance ${writer.identifier} of DB cluster ${identifier} is still being deleted. Try again when it is gone.`,
    );
  }
  if (runtime === 'pglite') {
    throw invalidClusterState(
      `DB cluster ${identifier} has its writer, ${writer.identifier}, and runs on PGlite, which cannot replicate: it cannot have Aurora Replicas (readers). A cluster on the native runtime can.`,
    );
  }
  const readers = instances.filter(instance => instance.role === 'reader');
  refuseBeyondQuota(world, 'ReadReplicasPerMaster', readers.length);
}

/** Null for the default group. */
export function parseInstanceGroup(
  world: World,
  value: string | undefined,
  {engineVersion}: ClusterRecord,
): string | null {
  if (value === undefined || value === '') return null;
  const name = usableGroup(world, 'instance', value, engineVersion);
  return name === defaultGroupName(engineVersion) ? null : name;
}

/** A family with its generation, and a size. RDS adds families faster than a table here could follow. */
const INSTANCE_CLASS =
  /^db\.[a-z]{1,8}\d{1,2}[a-z-]{0,8}\.(?:micro|small|medium|large|\d{0,2}xlarge)$/;

export function parseInstanceClass(value: string | undefined): string {
  if (value === undefined || value === '') throw missingParameter('DBInstanceClass');
  if (value !== 'db.serverless' && !INSTANCE_CLASS.test(value)) {
    throw invalidValue(
      `Invalid DB Instance class: ${quoted(value)}. It has the form db.r6g.large; every class gets what this machine has.`,
    );
  }
  if (value === 'db.serverless') {
    throw invalidValue(
      'DBInstanceClass db.serverless: Aurora Serverless is not supported by Borealis.',
    );
  }
  return value;
}

export function refuseOtherVersion(
  input: {EngineVersion?: string | undefined},
  cluster: ClusterRecord,
): void {
  const {EngineVersion: version} = input;
  if (version === undefined || version === '' || version === cluster.engineVersion) return;
  throw invalidCombination(
    `The engine version that you requested for your DB instance (${quoted(version)}) does not match the engine version of your DB cluster (${cluster.engineVersion}).`,
  );
}

/** In Aurora all endpoints of a cluster have its port; here each has its own, chosen by the service. */
function refuseOwnPort(port: number | undefined, cluster: ClusterRecord): void {
  if (port === undefined || port === cluster.port) return;
  throw invalidCombination(
    `The parameter Port is set on the DB cluster (${cluster.port}), not on its DB instances; their endpoints get ports of their own.`,
  );
}
