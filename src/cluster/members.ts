/**
 * Request members that Borealis does not honour yet. One that would change the meaning of the request
 * is refused by name instead of being ignored; a value that asks for nothing (false, 0, the default)
 * passes.
 */
import {invalidCombination, invalidValue} from './faults.ts';

/** Why a value cannot be honoured, or undefined when it asks for nothing special. */
export type Refusal = (value: unknown) => string | undefined;

export type Refusals = Readonly<Record<string, Refusal>>;

/** Any value at all. */
export function unsupported(what: string): Refusal {
  return () => `${what} not supported by Borealis`;
}

/** `true`; `false` is what happens anyway. */
export function unsupportedIfTrue(what: string): Refusal {
  return value => (value === true ? `${what} not supported by Borealis` : undefined);
}

/** A number above zero. */
function unsupportedIfPositive(what: string): Refusal {
  return value => (value === 0 ? undefined : `${what} not supported by Borealis`);
}

/** Anything but the one value that is honoured. */
export function onlyValue(...allowed: readonly string[]): Refusal {
  return value =>
    allowed.some(each => each === value) ? undefined : `the value here is ${allowed.join(' or ')}`;
}

/** Throws for the first member of `input` that is set to something that cannot be honoured. */
export function refuseMembers(input: object, refusals: Refusals): void {
  for (const [member, value] of Object.entries(input)) {
    if (value === undefined || value === null || value === '' || isEmptyList(value)) continue;
    const reason = refusals[member]?.(value);
    if (reason !== undefined) {
      throw invalidCombination(`The parameter ${member} cannot be used: ${reason}.`);
    }
  }
}

/** A whole number within limits, or the default when it is not given. */
export function parseInteger(
  member: string,
  value: number | undefined,
  limits: {readonly min: number; readonly max: number; readonly absent: number},
): number {
  if (value === undefined) return limits.absent;
  if (!Number.isInteger(value) || value < limits.min || value > limits.max) {
    throw invalidValue(
      `The parameter ${member} must be a whole number from ${limits.min} to ${limits.max}. Given: ${value}`,
    );
  }
  return value;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** What CreateDBCluster, RestoreDBClusterToPointInTime and ModifyDBCluster have in common. */
export const CLUSTER_REFUSALS: Refusals = {
  AllocatedStorage: unsupported('Multi-AZ DB clusters are'),
  AssociatedRoles: unsupported('IAM roles are'),
  CharacterSetName: onlyValue('UTF8'),
  ClusterScalabilityType: onlyValue('standard'),
  CloudwatchLogsExportConfiguration: unsupported('log exports are'),
  DBClusterInstanceClass: unsupported('Multi-AZ DB clusters are'),
  DBInstanceParameterGroupName: unsupported('parameter groups are'),
  DBSystemId: unsupported('RDS Custom is'),
  DatabaseInsightsMode: onlyValue('standard'),
  Domain: unsupported('Active Directory is'),
  DomainIAMRoleName: unsupported('Active Directory is'),
  EnableCloudwatchLogsExports: unsupported('log exports are'),
  EnableGlobalWriteForwarding: unsupportedIfTrue('global databases are'),
  EnableHttpEndpoint: unsupportedIfTrue('the Data API is'),
  EnableInternetAccessGateway: unsupportedIfTrue('internet access gateways are'),
  EnableLimitlessDatabase: unsupportedIfTrue('Limitless Database is'),
  EnableLocalWriteForwarding: unsupportedIfTrue('write forwarding is'),
  EnablePerformanceInsights: unsupportedIfTrue('Performance Insights is'),
  EnableVPCNetworking: unsupportedIfTrue('VPC networking is'),
  EngineMode: onlyValue('provisioned'),
  GlobalClusterIdentifier: unsupported('global databases are'),
  Iops: unsupported('provisioned IOPS are'),
  KmsKeyId: unsupported('storage encryption is'),
  ManageMasterUserPassword: unsupportedIfTrue('passwords in Secrets Manager are'),
  MasterUserAuthenticationType: onlyValue('password'),
  MasterUserSecretKmsKeyId: unsupported('passwords in Secrets Manager are'),
  MonitoringInterval: unsupportedIfPositive('Enhanced Monitoring is'),
  MonitoringRoleArn: unsupported('Enhanced Monitoring is'),
  NetworkType: onlyValue('IPV4'),
  OptionGroupName: unsupported('option groups are'),
  PerformanceInsightsKMSKeyId: unsupported('Performance Insights is'),
  PerformanceInsightsRetentionPeriod: unsupported('Performance Insights is'),
  PreSignedUrl: unsupported('replication between regions is'),
  PubliclyAccessible: unsupportedIfTrue('an address beyond loopback is'),
  RdsCustomClusterConfiguration: unsupported('RDS Custom is'),
  ReplicationSourceIdentifier: unsupported('replication from another DB cluster is'),
  ScalingConfiguration: unsupported('Aurora Serverless is'),
  ServerlessV2ScalingConfiguration: unsupported('Aurora Serverless is'),
  StorageEncrypted: unsupportedIfTrue('storage encryption is'),
  StorageType: onlyValue('aurora'),
  WithExpressConfiguration: unsupportedIfTrue('express configuration is'),
};
