/** Every action that the service performs. Any other of the model is `InvalidAction`. */
import type {Action} from './action.ts';
import {addSourceIdentifierToSubscription} from './actions/add-source-identifier-to-subscription.ts';
import {addTagsToResource} from './actions/add-tags-to-resource.ts';
import {copyDBClusterParameterGroup} from './actions/copy-db-cluster-parameter-group.ts';
import {copyDBParameterGroup} from './actions/copy-db-parameter-group.ts';
import {createDBCluster} from './actions/create-db-cluster.ts';
import {createDBClusterEndpoint} from './actions/create-db-cluster-endpoint.ts';
import {createDBClusterParameterGroup} from './actions/create-db-cluster-parameter-group.ts';
import {createDBInstance} from './actions/create-db-instance.ts';
import {createDBParameterGroup} from './actions/create-db-parameter-group.ts';
import {createDBSubnetGroup} from './actions/create-db-subnet-group.ts';
import {createEventSubscription} from './actions/create-event-subscription.ts';
import {deleteDBCluster} from './actions/delete-db-cluster.ts';
import {deleteDBClusterEndpoint} from './actions/delete-db-cluster-endpoint.ts';
import {deleteDBClusterParameterGroup} from './actions/delete-db-cluster-parameter-group.ts';
import {deleteDBInstance} from './actions/delete-db-instance.ts';
import {deleteDBParameterGroup} from './actions/delete-db-parameter-group.ts';
import {deleteDBSubnetGroup} from './actions/delete-db-subnet-group.ts';
import {deleteEventSubscription} from './actions/delete-event-subscription.ts';
import {describeAccountAttributes} from './actions/describe-account-attributes.ts';
import {describeCertificates} from './actions/describe-certificates.ts';
import {describeDBClusterEndpoints} from './actions/describe-db-cluster-endpoints.ts';
import {describeDBClusterParameterGroups} from './actions/describe-db-cluster-parameter-groups.ts';
import {describeDBClusterParameters} from './actions/describe-db-cluster-parameters.ts';
import {describeDBClusters} from './actions/describe-db-clusters.ts';
import {describeDBEngineVersions} from './actions/describe-db-engine-versions.ts';
import {describeDBInstances} from './actions/describe-db-instances.ts';
import {describeDBLogFiles} from './actions/describe-db-log-files.ts';
import {describeDBParameterGroups} from './actions/describe-db-parameter-groups.ts';
import {describeDBParameters} from './actions/describe-db-parameters.ts';
import {describeDBSubnetGroups} from './actions/describe-db-subnet-groups.ts';
import {describeEngineDefaultClusterParameters} from './actions/describe-engine-default-cluster-parameters.ts';
import {describeEngineDefaultParameters} from './actions/describe-engine-default-parameters.ts';
import {describeEventCategories} from './actions/describe-event-categories.ts';
import {describeEventSubscriptions} from './actions/describe-event-subscriptions.ts';
import {describeEvents} from './actions/describe-events.ts';
import {describeGlobalClusters} from './actions/describe-global-clusters.ts';
import {describeOrderableDBInstanceOptions} from './actions/describe-orderable-db-instance-options.ts';
import {describePendingMaintenanceActions} from './actions/describe-pending-maintenance-actions.ts';
import {describeSourceRegions} from './actions/describe-source-regions.ts';
import {downloadDBLogFilePortion} from './actions/download-db-log-file-portion.ts';
import {failoverDBCluster} from './actions/failover-db-cluster.ts';
import {listTagsForResource} from './actions/list-tags-for-resource.ts';
import {modifyDBCluster} from './actions/modify-db-cluster.ts';
import {modifyDBClusterEndpoint} from './actions/modify-db-cluster-endpoint.ts';
import {modifyDBClusterParameterGroup} from './actions/modify-db-cluster-parameter-group.ts';
import {modifyDBInstance} from './actions/modify-db-instance.ts';
import {modifyDBParameterGroup} from './actions/modify-db-parameter-group.ts';
import {modifyDBSubnetGroup} from './actions/modify-db-subnet-group.ts';
import {modifyEventSubscription} from './actions/modify-event-subscription.ts';
import {rebootDBInstance} from './actions/reboot-db-instance.ts';
import {removeSourceIdentifierFromSubscription} from './actions/remove-source-identifier-from-subscription.ts';
import {removeTagsFromResource} from './actions/remove-tags-from-resource.ts';
import {resetDBClusterParameterGroup} from './actions/reset-db-cluster-parameter-group.ts';
import {resetDBParameterGroup} from './actions/reset-db-parameter-group.ts';
import {restoreDBClusterToPointInTime} from './actions/restore-db-cluster-to-point-in-time.ts';
import {startDBCluster} from './actions/start-db-cluster.ts';
import {startDBInstance} from './actions/start-db-instance.ts';
import {stopDBCluster} from './actions/stop-db-cluster.ts';
import {stopDBInstance} from './actions/stop-db-instance.ts';

export const ACTIONS: ReadonlyMap<string, Action> = new Map(
  [
    addSourceIdentifierToSubscription,
    addTagsToResource,
    copyDBClusterParameterGroup,
    copyDBParameterGroup,
    createDBCluster,
    createDBClusterEndpoint,
    createDBClusterParameterGroup,
    createDBInstance,
    createDBParameterGroup,
    createDBSubnetGroup,
    createEventSubscription,
    deleteDBCluster,
    deleteDBClusterEndpoint,
    deleteDBClusterParameterGroup,
    deleteDBInstance,
    deleteDBInstance,
    deleteDBParameterGroup,
    deleteDBSubnetGroup,
    deleteEventSubscription,
    describeAccountAttributes,
    describeCertificates,
    describeDBClusterEndpoints,
    describeDBClusterParameterGroups,
    describeDBClusterParameters,
    describeDBClusters,
    describeDBEngineVersions,
    describeDBInstances,
    describeDBLogFiles,
    describeDBParameterGroups,
    describeDBParameters,
    describeDBSubnetGroups,
    describeEngineDefaultClusterParameters,
    describeEngineDefaultParameters,
    describeEventCategories,
    describeEventSubscriptions,
    describeEvents,
    describeGlobalClusters,
    describeOrderableDBInstanceOptions,
    describePendingMaintenanceActions,
    describeSourceRegions,
    downloadDBLogFilePortion,
    failoverDBCluster,
    listTagsForResource,
    modifyDBCluster,
    modifyDBClusterEndpoint,
    modifyDBClusterParameterGroup,
    modifyDBInstance,
    modifyDBParameterGroup,
    modifyDBSubnetGroup,
    modifyEventSubscription,
    rebootDBInstance,
    removeSourceIdentifierFromSubscription,
    removeTagsFromResource,
    resetDBClusterParameterGroup,
    resetDBParameterGroup,
    restoreDBClusterToPointInTime,
    startDBCluster,
    startDBInstance,
    stopDBCluster,
    stopDBInstance,
  ].map(action => [action.name, action]),
);
