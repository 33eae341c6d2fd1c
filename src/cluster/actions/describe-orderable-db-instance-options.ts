/** DescribeOrderableDBInstanceOptions: every class with every engine version that can run here. */
import type {
  DescribeOrderableDBInstanceOptionsMessage,
  OrderableDBInstanceOption,
  OrderableDBInstanceOptionsMessage,
} from '@aws-sdk/client-rds';
import {ENGINE, parseEngine} from '../engine-versions.ts';
import {INSTANCE_CLASSES} from '../instance-classes.ts';
import {applyFilters, page} from '../listing.ts';
import {availabilityZones} from '../subnet-groups.ts';
import type {World} from '../world.ts';

const LICENSE = 'postgresql-license';
/** As in RDS, where every other action has 100. */
const RECORDS_MAX = 10_000;

type Option = {readonly version: string; readonly instanceClass: string};

export function describeOrderableDBInstanceOptions(
  world: World,
  input: DescribeOrderableDBInstanceOptionsMessage,
): OrderableDBInstanceOptionsMessage {
  parseEngine(input.Engine);
  const {EngineVersion: version, DBInstanceClass: instanceClass, LicenseModel: license} = input;
  const {AvailabilityZoneGroup: group} = input;
  const isOffered =
    (isAbsent(license) || license === LICENSE) &&
    (isAbsent(group) || group === world.catalog.identity.region) &&
    // Everything is in the one network that there is.
    input.Vpc !== false;
  const options = versions(world)
    .flatMap(each => INSTANCE_CLASSES.map(name => ({version: each, instanceClass: name})))
    .filter(
      option =>
        isOffered &&
        (isAbsent(version) || option.version === version) &&
        (isAbsent(instanceClass) || option.instanceClass === instanceClass),
    );
  const fitting = applyFilters<Option>(options, input.Filters, {});
  const {records, Marker} = page(fitting, nameOf, input, RECORDS_MAX);
  const zones = availabilityZones(world);
  return {OrderableDBInstanceOptions: records.map(option => shape(option, zones)), Marker};
}

function versions({offers}: World): string[] {
  return [...new Set(offers.available.map(({engineVersion}) => engineVersion))].sort();
}

function nameOf({version, instanceClass}: Option): string {
  return `${version} ${instanceClass}`;
}

function shape(
  {version, instanceClass}: Option,
  zones: readonly string[],
): OrderableDBInstanceOption {
  return {
    Engine: ENGINE,
    EngineVersion: version,
    DBInstanceClass: instanceClass,
    LicenseModel: LICENSE,
    AvailabilityZones: zones.map(Name => ({Name})),
    MultiAZCapable: false,
    ReadReplicaCapable: false,
    Vpc: true,
    SupportsStorageEncryption: false,
    StorageType: 'aurora',
    SupportsIops: false,
    SupportsStorageThroughput: false,
    SupportsEnhancedMonitoring: false,
    SupportsIAMDatabaseAuthentication: true,
    SupportsPerformanceInsights: false,
    AvailableProcessorFeatures: [],
    SupportedEngineModes: ['provisioned'],
    SupportsStorageAutoscaling: false,
    SupportsKerberosAuthentication: false,
    OutpostCapable: false,
    SupportedActivityStreamModes: [],
    SupportsGlobalDatabases: false,
    SupportedNetworkTypes: ['IPV4'],
    SupportsClusters: true,
    SupportsDedicatedLogVolume: false,
  };
}

function isAbsent(value: string | undefined): value is undefined | '' {
  return value === undefined || value === '';
}
