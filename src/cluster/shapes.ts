/** Records as RDS shows them. */
import type {
  ClusterPendingModifiedValues,
  DBCluster,
  DBInstance,
  DBInstanceStatusInfo,
  DBSubnetGroup,
  VpcSecurityGroupMembership,
} from '@aws-sdk/client-rds';
import {ENDPOINT_ADDRESS} from '../endpoint/endpoint.ts';
import {AUTHORITY_IDENTIFIER} from './certificates.ts';
import {writerOf} from './cluster-roles.ts';
import {readerAddress} from './endpoint-set.ts';
import {ENGINE} from './engine-versions.ts';
import {arnOf} from './identifiers.ts';
import {certificateOf} from './gates.ts';
import {instancesOf} from './instances-of.ts';
import {defaultGroupName, isPendingReboot} from './parameter-groups.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import {findSubnetGroup, subnetGroupShape} from './subnet-groups.ts';
import type {World} from './world.ts';

/** Aurora shows 1 whatever the size; storage grows by itself. */
const ALLOCATED_STORAGE_GIB = 1;
/** No DNS zone serves these addresses; tools want the member all the same. */
const HOSTED_ZONE_ID = 'ZBOREALISLOCAL';

type ShapeWorld = Pick<
  World,
  'catalog' | 'certificates' | 'clock' | 'space' | 'zones' | 'offers' | 'hostMemoryBytes'
>;

export function clusterShape(world: ShapeWorld, cluster: ClusterRecord): DBCluster {
  const {settings, identifier} = cluster;
  const instances = instancesOf(world, identifier);
  const writer = writerOf(instances);
  const restorable = cluster.volumeReady && cluster.status !== 'deleting';
  const now = new Date(world.clock.nowMs());
  return {
    AllocatedStorage: ALLOCATED_STORAGE_GIB,
    AvailabilityZones: shownZones(world, settings),
    BackupRetentionPeriod: settings.backupRetentionDays,
    DatabaseName: cluster.databaseName ?? undefined,
    DBClusterIdentifier: identifier,
    DBClusterParameterGroup: settings.parameterGroupName,
    DBSubnetGroup: settings.subnetGroupName,
    Status: world.space.shown(cluster.status),
    // A clone is of this very moment; there is no history before it yet.
    EarliestRestorableTime: restorable ? now : undefined,
    LatestRestorableTime: restorable ? now : undefined,
    Endpoint: ENDPOINT_ADDRESS,
    ReaderEndpoint: readerAddress(cluster),
    MultiAZ: new Set(instances.map(instance => instance.availabilityZone)).size > 1,
    Engine: ENGINE,
    EngineVersion: cluster.engineVersion,
    EngineMode: 'provisioned',
    Port: cluster.port,
    MasterUsername: cluster.master.name,
    PreferredBackupWindow: settings.preferredBackupWindow,
    PreferredMaintenanceWindow: settings.preferredMaintenanceWindow,
    ReadReplicaIdentifiers: [],
    DBClusterMembers: instances.map(instance => ({
      DBInstanceIdentifier: instance.identifier,
      IsClusterWriter: instance.identifier === writer?.identifier,
      DBClusterParameterGroupStatus: applyStatus(world, cluster, instance),
      PromotionTier: instance.promotionTier,
    })),
    VpcSecurityGroups: securityGroups(cluster),
    HostedZoneId: HOSTED_ZONE_ID,
    StorageEncrypted: false,
    DbClusterResourceId: cluster.resourceId,
    DBClusterArn: arnOf('cluster', world.catalog.identity, identifier),
    AssociatedRoles: [],
    IAMDatabaseAuthenticationEnabled: settings.iamAuthentication,
    CloneGroupId: cluster.cloneGroupId,
    ClusterCreateTime: new Date(cluster.createdAtMs),
    PendingModifiedValues: pendingCluster(cluster),
    BacktrackWindow: settings.backtrackWindowSeconds,
    HttpEndpointEnabled: false,
    ActivityStreamStatus: 'stopped',
    AutoMinorVersionUpgrade: settings.autoMinorVersionUpgrade,
    CopyTagsToSnapshot: settings.copyTagsToSnapshot,
    CrossAccountClone: false,
    DeletionProtection: settings.deletionProtection,
    DomainMemberships: [],
    TagList: [...settings.tags],
    NetworkType: 'IPV4',
    StatusInfos: statusInfos(cluster.statusReason),
  };
}

export function instanceShape(
  world: ShapeWorld,
  cluster: ClusterRecord,
  instance: InstanceRecord,
): DBInstance {
  const {settings} = cluster;
  const listens = instance.status !== 'creating';
  return {
    DBInstanceIdentifier: instance.identifier,
    DBInstanceClass: instance.instanceClass,
    Engine: ENGINE,
    EngineVersion: cluster.engineVersion,
    DBInstanceStatus: world.space.shown(instance.status),
    MasterUsername: cluster.master.name,
    DBName: cluster.databaseName ?? undefined,
    Endpoint: listens
      ? {Address: ENDPOINT_ADDRESS, Port: instance.port, HostedZoneId: HOSTED_ZONE_ID}
      : undefined,
    AllocatedStorage: ALLOCATED_STORAGE_GIB,
    InstanceCreateTime: listens ? new Date(instance.createdAtMs) : undefined,
    PreferredBackupWindow: settings.preferredBackupWindow,
    PreferredMaintenanceWindow: instance.preferredMaintenanceWindow,
    BackupRetentionPeriod: settings.backupRetentionDays,
    DBSecurityGroups: [],
    VpcSecurityGroups: securityGroups(cluster),
    DBParameterGroups: [
      {
        DBParameterGroupName:
          instance.parameterGroupName ?? defaultGroupName(cluster.engineVersion),
        ParameterApplyStatus: applyStatus(world, cluster, instance),
      },
    ],
    AvailabilityZone: instance.availabilityZone,
    DBSubnetGroup: shownSubnetGroup(world, settings.subnetGroupName),
    PendingModifiedValues: {
      DBInstanceIdentifier: instance.pending?.identifier ?? undefined,
      DBInstanceClass: instance.pending?.instanceClass ?? undefined,
    },
    MultiAZ: false,
    AutoMinorVersionUpgrade: instance.autoMinorVersionUpgrade,
    ReadReplicaDBInstanceIdentifiers: [],
    LicenseModel: 'postgresql-license',
    PubliclyAccessible: false,
    StorageType: 'aurora',
    StorageEncrypted: false,
    DbInstancePort: 0,
    DBClusterIdentifier: cluster.identifier,
    DbiResourceId: instance.resourceId,
    DBInstanceArn: arnOf('db', world.catalog.identity, instance.identifier),
    CopyTagsToSnapshot: settings.copyTagsToSnapshot,
    MonitoringInterval: 0,
    PromotionTier: instance.promotionTier,
    IAMDatabaseAuthenticationEnabled: settings.iamAuthentication,
    CACertificateIdentifier: AUTHORITY_IDENTIFIER,
    CertificateDetails: {
      CAIdentifier: AUTHORITY_IDENTIFIER,
      ValidTill: new Date(certificateOf(world, cluster).validity.notAfterMs),
    },
    PerformanceInsightsEnabled: false,
    DeletionProtection: settings.deletionProtection,
    DomainMemberships: [],
    AssociatedRoles: [],
    TagList: [...instance.tags],
    NetworkType: 'IPV4',
    StatusInfos: statusInfos(instance.statusReason),
  };
}

/** Where its pages are, and what was asked for: Terraform replaces a cluster that lacks a zone it named. */
function shownZones({zones}: ShapeWorld, {namedZones = []}: ClusterRecord['settings']): string[] {
  return [...new Set([...zones.map(zone => zone.name), ...namedZones])].sort();
}

function shownSubnetGroup(world: ShapeWorld, name: string): DBSubnetGroup | undefined {
  const group = findSubnetGroup(world, name);
  return group === undefined ? undefined : subnetGroupShape(world, group);
}

function applyStatus(
  world: ShapeWorld,
  cluster: ClusterRecord,
  instance: InstanceRecord,
): 'in-sync' | 'pending-reboot' {
  return isPendingReboot(world, cluster, instance) ? 'pending-reboot' : 'in-sync';
}

/** RDS has no member for a port that is pending. */
function pendingCluster(cluster: ClusterRecord): ClusterPendingModifiedValues | undefined {
  const isNewMaster =
    cluster.status === 'modifying' && cluster.masterApplied < cluster.masterRevision;
  const name = cluster.pending?.identifier ?? undefined;
  if (!isNewMaster && name === undefined) return undefined;
  return {DBClusterIdentifier: name, MasterUserPassword: isNewMaster ? '****' : undefined};
}

/** RDS tells the state of replication here; we tell why a resource failed. */
function statusInfos(reason: string | null): DBInstanceStatusInfo[] | undefined {
  if (reason === null) return undefined;
  return [{StatusType: 'borealis:start', Normal: false, Status: 'error', Message: reason}];
}

function securityGroups(cluster: ClusterRecord): VpcSecurityGroupMembership[] {
  return cluster.settings.vpcSecurityGroupIds.map(VpcSecurityGroupId => ({
    VpcSecurityGroupId,
    Status: 'active',
  }));
}
