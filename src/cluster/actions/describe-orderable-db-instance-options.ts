/** DescribeOrderableDBInstanceOptions: every class with every engine version that can run here. */
import type {
  DescribeOrderableDBInstanceOptionsMessage,
  OrderableDBInstanceOption,
  OrderableDBInstanceOptionsMessage,
} from '@aws-sdk/client-rds';
import type {EngineName} from '../../engine/engine.ts';
import {kindOf, parseEngine} from '../engine-kinds.ts';
import {INSTANCE_CLASSES} from '../instance-classes.ts';
import {applyFilters, page} from '../listing.ts';
import {availabilityZones} from '../subnet-groups.ts';
import type {World} from '../world.ts';

type Option = {
  readonly engine: EngineName;
  readonly version: string;
  readonly instanceClass: string;
};

export function describeOrderableDBInstanceOptions(
  world: World,
  input: DescribeOrderableDBInstanceOptionsMessage,
): OrderableDBInstanceOptionsMessage {
  const engine = parseEngine(input.Engine);
  const {EngineVersion: version, DBInstanceClass: instanceClass, LicenseModel: license} = input;
  const {AvailabilityZoneGroup: group} = input;
  const isOffered =
    (isAbsent(license) || license === kindOf(engine).licenseModel) &&
    (isAbsent(group) || group === world.catalog.identity.region) &&
    // Everything is in the one network that there is.
    input.Vpc !== false;
  const options = versions(world, engine)
    .flatMap(each => INSTANCE_CLASSES.map(name => ({engine, version: each, instanceClass: name})))
    .filter(
      option =>
        isOffered &&
        (isAbsent(version) || option.version === version) &&
        (isAbsent(instanceClass) || option.instanceClass === instanceClass),
    );
  const fitting = applyFilters<Option>(options, input.Filters, {});
  const {records, Marker} = page(fitting, nameOf, input);
  const zones = availabilityZones(world);
  return {OrderableDBInstanceOptions: records.map(option => shape(option, zones)), Marker};
}

function versions({offers}: World, engine: EngineName): string[] {
  const ofEngine = offers.available.filter(offer => offer.engine === engine);
  return [...new Set(ofEngine.map(({engineVersion}) => engineVersion))].sort();
}

function nameOf({version, instanceClass}: Option): string {
  return `${version} ${instanceClass}`;
}

function shape(
  {engine, version, instanceClass}: Option,
  zones: readonly string[],
): OrderableDBInstanceOption {
  return {
    Engine: engine,
    EngineVersion: version,
    DBInstanceClass: instanceClass,
    LicenseModel: kindOf(engine).licenseModel,
    AvailabilityZones: zones.map(Name => ({Name})),
    MultiAZCapable: false,
    ReadReplicaCapable: false,
    Vpc: true,
    SupportsStorageEncryption: false,
    StorageType: 'aurora',
    SupportsIops: false,
    SupportsStorageThroughput: false,
    SupportsEnhancedMonitoring: false,
    SupportsIAMDatabaseAuthentication: false,
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
