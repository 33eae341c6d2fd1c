/** DescribeDBClusters, DescribeDBInstances and DescribeDBEngineVersions. */
import type {
  DBClusterMessage,
  DBEngineVersionMessage,
  DBInstanceMessage,
  DescribeDBClustersMessage,
  DescribeDBEngineVersionsMessage,
  DescribeDBInstancesMessage,
} from '@aws-sdk/client-rds';
import {seriesOf} from '../engine-kinds.ts';
import {engineVersionShape, parameterGroupFamily} from '../engine-versions.ts';
import {clusterNotFound, instanceNotFound} from '../faults.ts';
import {arnOf, parseReference} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import type {ClusterRecord, InstanceRecord} from '../records.ts';
import {clusterShape, instanceShape} from '../shapes.ts';
import type {World} from '../world.ts';

export function describeDBClusters(
  world: World,
  input: DescribeDBClustersMessage,
): DBClusterMessage {
  const {identity} = world.catalog;
  const wanted = optionalReference('DBClusterIdentifier', input.DBClusterIdentifier, 'cluster');
  const records = world.catalog.clusters.list().filter(each => wanted(world, each.identifier));
  if (records.length === 0 && isGiven(input.DBClusterIdentifier)) {
    throw clusterNotFound(input.DBClusterIdentifier);
  }
  const fitting = applyFilters<ClusterRecord>(records, input.Filters, {
    'clone-group-id': (cluster, value) => cluster.cloneGroupId === value,
    'db-cluster-id': (cluster, value) =>
      isNamed(value, cluster.identifier, arnOf('cluster', identity, cluster.identifier)),
    'db-cluster-resource-id': (cluster, value) => cluster.resourceId === value,
    domain: () => false,
    engine: (cluster, value) => value === cluster.engine,
  });
  const {records: shown, Marker} = page(fitting, cluster => cluster.identifier, input);
  return {DBClusters: shown.map(cluster => clusterShape(world, cluster)), Marker};
}

export function describeDBInstances(
  world: World,
  input: DescribeDBInstancesMessage,
): DBInstanceMessage {
  const {identity, clusters} = world.catalog;
  const wanted = optionalReference('DBInstanceIdentifier', input.DBInstanceIdentifier, 'db');
  const records = world.catalog.instances.list().filter(each => wanted(world, each.identifier));
  if (records.length === 0 && isGiven(input.DBInstanceIdentifier)) {
    throw instanceNotFound(input.DBInstanceIdentifier);
  }
  const fitting = applyFilters<InstanceRecord>(records, input.Filters, {
    'db-cluster-id': ({clusterIdentifier}, value) =>
      isNamed(value, clusterIdentifier, arnOf('cluster', identity, clusterIdentifier)),
    'db-instance-id': ({identifier}, value) =>
      isNamed(value, identifier, arnOf('db', identity, identifier)),
    'dbi-resource-id': (instance, value) => instance.resourceId === value,
    domain: () => false,
    engine: (instance, value) => clusters.get(instance.clusterIdentifier)?.engine === value,
  });
  const {records: shown, Marker} = page(fitting, instance => instance.identifier, input);
  const DBInstances = shown.flatMap(instance => {
    const cluster = clusters.get(instance.clusterIdentifier);
    return cluster === undefined ? [] : [instanceShape(world, cluster, instance)];
  });
  return {DBInstances, Marker};
}

export function describeDBEngineVersions(
  world: World,
  input: DescribeDBEngineVersionsMessage,
): DBEngineVersionMessage {
  const {Engine: engine, EngineVersion: version, DBParameterGroupFamily: family} = input;
  const offers = world.offers.available.filter(
    (offer, index, all) =>
      (!isGiven(engine) || engine === offer.engine) &&
      (!isGiven(version) ||
        offer.engineVersion === version ||
        seriesOf(offer.engine, offer.engineVersion) === version) &&
      (!isGiven(family) || family === parameterGroupFamily(offer)) &&
      (input.DefaultOnly !== true || index === all.findIndex(each => each.engine === offer.engine)),
  );
  const fitting = applyFilters(offers, input.Filters, {
    'db-parameter-group-family': (offer, value) => parameterGroupFamily(offer) === value,
    engine: (offer, value) => value === offer.engine,
    'engine-mode': (_, value) => value === 'provisioned',
    'engine-version': (offer, value) => offer.engineVersion === value,
    status: (_, value) => value === 'available',
  });
  const sorted = fitting.sort((a, b) => (a.engineVersion < b.engineVersion ? -1 : 1));
  const {records: shown, Marker} = page(sorted, offer => offer.engineVersion, input);
  return {DBEngineVersions: shown.map(engineVersionShape), Marker};
}

function optionalReference(
  member: string,
  value: string | undefined,
  type: 'cluster' | 'db',
): (world: World, identifier: string) => boolean {
  if (!isGiven(value)) return () => true;
  return (world, identifier) =>
    parseReference(member, value, type, world.catalog.identity) === identifier;
}

function isNamed(value: string, identifier: string, arn: string): boolean {
  return value.toLowerCase() === identifier || value.toLowerCase() === arn.toLowerCase();
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}
