/** Endpoints as RDS shows them. */
import type {DBClusterEndpoint} from '@aws-sdk/client-rds';
import {ENDPOINT_ADDRESS} from '../endpoint/endpoint.ts';
import {readerAddress} from './endpoint-set.ts';
import {arnOf} from './identifiers.ts';
import type {ClusterEndpointRecord, ClusterRecord} from './records.ts';
import type {World} from './world.ts';

export function customEndpointShape(
  {catalog}: Pick<World, 'catalog'>,
  endpoint: ClusterEndpointRecord,
  status: 'available' | 'deleting',
): DBClusterEndpoint {
  return {
    DBClusterEndpointIdentifier: endpoint.identifier,
    DBClusterIdentifier: endpoint.clusterIdentifier,
    DBClusterEndpointResourceIdentifier: endpoint.resourceId,
    Endpoint: endpoint.address,
    Status: status,
    EndpointType: 'CUSTOM',
    CustomEndpointType: endpoint.type,
    StaticMembers: [...endpoint.staticMembers],
    ExcludedMembers: [...endpoint.excludedMembers],
    DBClusterEndpointArn: arnOf('cluster-endpoint', catalog.identity, endpoint.identifier),
  };
}

/** The two endpoints that every cluster has; they have no identifiers. */
export function ownEndpointShapes(cluster: ClusterRecord): DBClusterEndpoint[] {
  const shape = (EndpointType: string, address: string): DBClusterEndpoint => ({
    DBClusterIdentifier: cluster.identifier,
    Endpoint: address,
    Status:
      cluster.status === 'creating' || cluster.status === 'deleting' ? cluster.status : 'available',
    EndpointType,
  });
  return [shape('WRITER', ENDPOINT_ADDRESS), shape('READER', readerAddress(cluster))];
}
