/**
 * Describe actions that a client of Aurora calls and for which there is nothing here: Borealis has one
 * region, so no global databases either, and upgrades nothing by itself.
 */
import type {
  DescribeGlobalClustersMessage,
  DescribePendingMaintenanceActionsMessage,
  DescribeSourceRegionsMessage,
  GlobalClustersMessage,
  PendingMaintenanceActionsMessage,
  SourceRegionMessage,
} from '@aws-sdk/client-rds';
import {BorealisError} from '../../base/errors.ts';
import {invalidValue} from '../faults.ts';
import {parseArn, parseIdentifier, quoted} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import type {World} from '../world.ts';

const NONE: readonly string[] = [];
const same = (name: string): string => name;

/** What waits for a maintenance window by a user's own wish is in PendingModifiedValues. */
export function describePendingMaintenanceActions(
  world: World,
  input: DescribePendingMaintenanceActionsMessage,
): PendingMaintenanceActionsMessage {
  const {ResourceIdentifier: arn} = input;
  if (arn !== undefined && arn !== '') refuseUnknown(world, arn);
  const fitting = applyFilters(NONE, input.Filters, {
    'db-cluster-id': () => true,
    'db-instance-id': () => true,
  });
  const {Marker} = page(fitting, same, input);
  return {PendingMaintenanceActions: [], Marker};
}

function refuseUnknown({catalog}: World, arn: string): void {
  const {type, name} = parseArn('ResourceIdentifier', arn, catalog.identity);
  const record =
    type === 'cluster'
      ? catalog.clusters.get(name)
      : type === 'db'
        ? catalog.instances.get(name)
        : undefined;
  if (record !== undefined) return;
  throw new BorealisError(
    'not-found',
    'ResourceNotFoundFault',
    `Resource ${quoted(arn)} not found.`,
  );
}

/** Regions that this one could take replicas from: none, for there is no other. */
export function describeSourceRegions(
  {catalog}: World,
  input: DescribeSourceRegionsMessage,
): SourceRegionMessage {
  const {RegionName: name} = input;
  const {region} = catalog.identity;
  if (name !== undefined && name !== '' && name !== region) {
    throw invalidValue(`The region ${quoted(name)} is not there: the region here is ${region}.`);
  }
  const {Marker} = page(applyFilters(NONE, input.Filters, {}), same, input);
  return {SourceRegions: [], Marker};
}

/** Terraform asks for that of each DB cluster that it reads. */
export function describeGlobalClusters(
  _world: World,
  input: DescribeGlobalClustersMessage,
): GlobalClustersMessage {
  const {GlobalClusterIdentifier: given} = input;
  if (given !== undefined && given !== '') {
    const identifier = parseIdentifier('GlobalClusterIdentifier', given);
    throw new BorealisError(
      'not-found',
      'GlobalClusterNotFoundFault',
      `Global cluster ${identifier} not found.`,
    );
  }
  const fitting = applyFilters(NONE, input.Filters, {
    'db-cluster-id': () => true,
    region: () => true,
  });
  const {Marker} = page(fitting, same, input);
  return {GlobalClusters: [], Marker};
}
