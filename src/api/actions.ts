/** Every action that the service performs. Any other of the model is `InvalidAction`. */
import type {Action} from './action.ts';
import {failoverDBCluster} from './actions/failover-db-cluster.ts';
import {createDBClusterEndpoint} from './actions/create-db-cluster-endpoint.ts';
import {describeDBClusterEndpoints} from './actions/describe-db-cluster-endpoints.ts';
import {modifyDBClusterEndpoint} from './actions/modify-db-cluster-endpoint.ts';
import {deleteDBClusterEndpoint} from './actions/delete-db-cluster-endpoint.ts';
import {describeCertificates} from './actions/describe-certificates.ts';
import {createDBCluster} from './actions/create-db-cluster.ts';
import {createDBInstance} from './actions/create-db-instance.ts';
import {deleteDBCluster} from './actions/delete-db-cluster.ts';
import {deleteDBInstance} from './actions/delete-db-instance.ts';
import {describeDBClusters} from './actions/describe-db-clusters.ts';
import {describeDBEngineVersions} from './actions/describe-db-engine-versions.ts';
import {describeDBInstances} from './actions/describe-db-instances.ts';
import {modifyDBCluster} from './actions/modify-db-cluster.ts';
import {restoreDBClusterToPointInTime} from './actions/restore-db-cluster-to-point-in-time.ts';

export const ACTIONS: ReadonlyMap<string, Action> = new Map(
  [
    createDBCluster,
    createDBInstance,
    deleteDBCluster,
    deleteDBInstance,
    describeDBClusters,
    describeDBEngineVersions,
    describeDBInstances,
    modifyDBCluster,
    restoreDBClusterToPointInTime,
    describeCertificates,
    failoverDBCluster,
    createDBClusterEndpoint,
    describeDBClusterEndpoints,
    modifyDBClusterEndpoint,
    deleteDBClusterEndpoint,
  ].map(action => [action.name, action]),
);
