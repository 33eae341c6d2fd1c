/**
 * DescribeDBClusterEndpoints: of each cluster its own two endpoints, then the custom ones. Of a custom endpoint
 * that is not there, none: RDS has no fault for it here, and Terraform waits for the empty list after a deletion.
 */
import type {
  DBClusterEndpoint,
  DBClusterEndpointMessage,
  DescribeDBClusterEndpointsMessage,
} from '@aws-sdk/client-rds';
import {customEndpointsOf} from '../endpoint-set.ts';
import {clusterNotFound} from '../faults.ts';
import {parseReference} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import {customEndpointShape, ownEndpointShapes} from '../shapes-of-endpoints.ts';
import type {World} from '../world.ts';

export function describeDBClusterEndpoints(
  world: World,
  input: DescribeDBClusterEndpointsMessage,
): DBClusterEndpointMessage {
  const {identity} = world.catalog;
  const cluster = optional('DBClusterIdentifier', input.DBClusterIdentifier, 'cluster');
  const endpoint = optional(
    'DBClusterEndpointIdentifier',
    input.DBClusterEndpointIdentifier,
    'cluster-endpoint',
  );
  if (cluster !== undefined && world.catalog.clusters.get(cluster) === undefined) {
    throw clusterNotFound(cluster);
  }
  const shapes = world.catalog.clusters
    .list()
    .filter(({identifier}) => cluster === undefined || identifier === cluster)
    .flatMap(record => [
      ...ownEndpointShapes(record),
      ...customEndpointsOf(world, record.identifier).map(each =>
        customEndpointShape(world, each, 'available'),
      ),
    ])
    .filter(shape => endpoint === undefined || shape.DBClusterEndpointIdentifier === endpoint);
  const fitting = applyFilters<DBClusterEndpoint>(shapes, input.Filters, {
    'db-cluster-endpoint-type': (shape, value) => isSame(shape.EndpointType, value),
    'db-cluster-endpoint-custom-type': (shape, value) => isSame(shape.CustomEndpointType, value),
    'db-cluster-endpoint-id': (shape, value) => isSame(shape.DBClusterEndpointIdentifier, value),
    'db-cluster-endpoint-status': (shape, value) => isSame(shape.Status, value),
  });
  const {records, Marker} = page(fitting, nameOf, input);
  return {DBClusterEndpoints: [...records], Marker};

  function optional(
    member: string,
    value: string | undefined,
    type: 'cluster' | 'cluster-endpoint',
  ): string | undefined {
    if (value === undefined || value === '') return undefined;
    return parseReference(member, value, type, identity);
  }
}

/** In the order of the list: cluster by cluster, its own before the custom ones. */
function nameOf(shape: DBClusterEndpoint): string {
  const ranks: Record<string, number> = {WRITER: 0, READER: 1, CUSTOM: 2};
  const rank = ranks[shape.EndpointType ?? ''] ?? 0;
  return `${shape.DBClusterIdentifier ?? ''} ${rank} ${shape.DBClusterEndpointIdentifier ?? ''}`;
}

function isSame(shown: string | undefined, value: string): boolean {
  return shown?.toLowerCase() === value.toLowerCase();
}
