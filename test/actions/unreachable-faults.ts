/** Faults that the RDS API declares for an action which Borealis performs, and that cannot arise here: why. */

/** Of every action, by the name of the fault. The first pattern that fits tells. */
const ALWAYS: readonly (readonly [RegExp, string])[] = [
  [/^KMSKey/, 'storage is not encrypted with KMS keys'],
  [/^Domain/, 'no Active Directory'],
  [/^OptionGroup/, 'Aurora PostgreSQL uses no option groups'],
  [/GlobalCluster/, 'no global databases: there is one region'],
  [/^VpcEncryption|^NetworkType/, 'there is no VPC: only IPv4 is taken'],
  [/^StorageType|^ProvisionedIops|^StorageQuota/, 'one type of storage, bounded by the disk alone'],
  [/SecurityGroup|^AuthorizationNotFound/, 'DB security groups of EC2-Classic'],
  [/CapacityReservation/, 'no reservations of capacity'],
  [/TenantDatabase/, 'tenant databases of Oracle'],
  [/BlueGreen/, 'no blue/green deployments'],
  [/DBProxy/, 'no RDS Proxy'],
  [/ShardGroup/, 'no Limitless Database'],
  [/^Integration/, 'no zero-ETL integrations'],
  [/^BackupPolicy/, 'no backup plans of AWS Backup'],
  [/RoleQuota/, 'no IAM roles of clusters'],
  [/UpgradeDependency/, 'no upgrades of the engine in place'],
  [/Snapshot|AutomatedBackup|^InvalidRestore/, 'Borealis does not have snapshots and backups yet'],
];

/** Of one action. */
const OF_ACTION: Readonly<Record<string, string>> = {
  'AddTagsToResource InvalidDBClusterEndpointStateFault': 'tags change in any state',
  'AddTagsToResource InvalidDBClusterStateFault': 'tags change in any state',
  'AddTagsToResource InvalidDBInstanceStateFault': 'tags change in any state',
  'RemoveTagsFromResource InvalidDBClusterEndpointStateFault': 'tags change in any state',
  'RemoveTagsFromResource InvalidDBClusterStateFault': 'tags change in any state',
  'RemoveTagsFromResource InvalidDBInstanceStateFault': 'tags change in any state',
  'CreateDBCluster DBClusterNotFoundFault': 'a cluster is not made as a replica of another one',
  'CreateDBCluster DBInstanceNotFoundFault': 'a cluster is not made as a replica of an instance',
  'CreateDBCluster DBSubnetGroupDoesNotCoverEnoughAZs': 'every subnet group covers enough',
  'CreateDBCluster InsufficientDBInstanceCapacityFault': 'instances are made by CreateDBInstance',
  'CreateDBCluster InvalidDBClusterStateFault': 'a new cluster depends on no other one',
  'CreateDBCluster InvalidDBInstanceStateFault': 'a new cluster has no instance',
  'CreateDBCluster InvalidDBSubnetGroupFault': 'a subnet group has one state and one VPC',
  'CreateDBCluster InvalidDBSubnetGroupStateFault': 'a subnet group has one state and one VPC',
  'CreateDBCluster InvalidSubnet': 'subnets are names: a group that exists has good ones',
  'CreateDBCluster InvalidVPCNetworkStateFault': 'the subnet group of a new cluster may be any',
  'CreateDBInstance CertificateNotFoundFault':
    'answered by InvalidParameterValue, which names the one that there is',
  'CreateDBInstance DBSubnetGroupDoesNotCoverEnoughAZs': 'the subnet group is that of the cluster',
  'CreateDBInstance DBSubnetGroupNotFoundFault': 'the subnet group is that of the cluster',
  'CreateDBInstance InvalidSubnet': 'the subnet group is that of the cluster',
  'CreateDBInstance InvalidVPCNetworkStateFault': 'the subnet group is that of the cluster',
  'DeleteDBClusterEndpoint InvalidDBClusterEndpointStateFault': 'an endpoint has one state',
  'ModifyDBClusterEndpoint InvalidDBClusterEndpointStateFault': 'an endpoint has one state',
  'DeleteDBSubnetGroup InvalidDBSubnetStateFault': 'a subnet has one state',
  'DeleteEventSubscription InvalidEventSubscriptionStateFault':
    'a subscription is deleted at once, in any state',
  'DescribeDBLogFiles DBInstanceNotReadyFault': 'logs can be read in any state',
  'DownloadDBLogFilePortion DBInstanceNotReadyFault': 'logs can be read in any state',
  'ModifyDBCluster DBInstanceAlreadyExistsFault': 'instances are not renamed with their cluster',
  'ModifyDBCluster DBParameterGroupNotFoundFault':
    'a change of the engine version brings one, and there is none',
  'ModifyDBCluster DBSubnetGroupNotFoundFault': 'a cluster keeps its subnet group',
  'ModifyDBCluster InvalidDBInstanceStateFault': 'instances follow their cluster in any state',
  'ModifyDBCluster InvalidDBSubnetGroupStateFault': 'a cluster keeps its subnet group',
  'ModifyDBCluster InvalidSubnet': 'a cluster keeps its subnet group',
  'ModifyDBCluster InvalidVPCNetworkStateFault': 'a cluster keeps its subnet group',
  'ModifyDBInstance CertificateNotFoundFault':
    'answered by InvalidParameterValue, which names the one that there is',
  'ModifyDBInstance InsufficientDBInstanceCapacityFault':
    'a class asks for no capacity: memory is capped by the host',
  'ModifyDBInstance InvalidVPCNetworkStateFault': 'the subnet group is that of the cluster',
  'ModifyEventSubscription EventSubscriptionQuotaExceededFault': 'a modification adds none',
  'RestoreDBClusterToPointInTime InsufficientDBClusterCapacityFault':
    'capacity is that of the disk: InsufficientStorageClusterCapacityFault',
  'RestoreDBClusterToPointInTime InsufficientDBInstanceCapacityFault':
    'instances are made by CreateDBInstance',
  'RestoreDBClusterToPointInTime InvalidSubnet':
    'subnets are names: a group that exists has good ones',
  'StartDBCluster InvalidDBInstanceStateFault': 'instances follow their cluster in any state',
  'StopDBCluster InvalidDBInstanceStateFault': 'instances follow their cluster in any state',
};

/** Why the fault of this action cannot arise; undefined when it can. */
export function whyUnreachable(action: string, fault: string): string | undefined {
  return OF_ACTION[`${action} ${fault}`] ?? ALWAYS.find(([pattern]) => pattern.test(fault))?.[1];
}

export const UNREACHABLE_OF_ACTION: readonly string[] = Object.keys(OF_ACTION);
