/**
 * The control plane of one data directory: actions in front, the reconciler and the supervisor behind.
 *
 *     open ▸ recover what the last service left ▸ serve ▸ close (all engines cleanly, side by side)
 */
import {clusterReports} from './actions/cluster-reports.ts';
import {createDBCluster} from './actions/create-db-cluster.ts';
import {createDBInstance} from './actions/create-db-instance.ts';
import {deleteDBCluster} from './actions/delete-db-cluster.ts';
import {
  createDBClusterEndpoint,
  deleteDBClusterEndpoint,
  modifyDBClusterEndpoint,
} from './actions/db-cluster-endpoints.ts';
import {deleteDBInstance} from './actions/delete-db-instance.ts';
import {describeCertificates} from './actions/describe-certificates.ts';
import {describeDBClusterEndpoints} from './actions/describe-db-cluster-endpoints.ts';
import {
  describeDBClusters,
  describeDBEngineVersions,
  describeDBInstances,
} from './actions/describe.ts';
import {describeOrderableDBInstanceOptions} from './actions/describe-orderable-db-instance-options.ts';
import {
  describePendingMaintenanceActions,
  describeSourceRegions,
} from './actions/describe-nothing.ts';
import {describeDBLogFiles, downloadDBLogFilePortion} from './actions/log-files.ts';
import {
  addSourceIdentifierToSubscription,
  createEventSubscription,
  deleteEventSubscription,
  describeEventSubscriptions,
  modifyEventSubscription,
  removeSourceIdentifierFromSubscription,
} from './actions/event-subscriptions.ts';
import {describeEventCategories, describeEvents} from './actions/describe-events.ts';
import {failoverDBCluster} from './actions/failover-db-cluster.ts';
import {modifyDBCluster} from './actions/modify-db-cluster.ts';
import {beginScrub, scrubStatus, stopScrub} from './actions/scrub.ts';
import {storageReport} from './actions/storage-report.ts';
import {addZone, removeZone, zoneReport} from './actions/zones.ts';
import {modifyDBInstance, rebootDBInstance} from './actions/modify-db-instance.ts';
import {
  copyDBClusterParameterGroup,
  copyDBParameterGroup,
  createDBClusterParameterGroup,
  createDBParameterGroup,
  deleteDBClusterParameterGroup,
  deleteDBParameterGroup,
  describeDBClusterParameterGroups,
  describeDBParameterGroups,
} from './actions/parameter-groups.ts';
import {
  describeDBClusterParameters,
  describeDBParameters,
  describeEngineDefaultClusterParameters,
  describeEngineDefaultParameters,
  modifyDBClusterParameterGroup,
  modifyDBParameterGroup,
  resetDBClusterParameterGroup,
  resetDBParameterGroup,
} from './actions/parameters.ts';
import {restoreDBClusterToPointInTime} from './actions/restore-db-cluster-to-point-in-time.ts';
import {
  startDBCluster,
  startDBInstance,
  stopDBCluster,
  stopDBInstance,
} from './actions/stop-start-db-cluster.ts';
import {
  createDBSubnetGroup,
  deleteDBSubnetGroup,
  describeDBSubnetGroups,
  modifyDBSubnetGroup,
} from './actions/subnet-groups.ts';
import {describeAccountAttributes} from './actions/describe-account-attributes.ts';
import {quotas, setQuota} from './quotas.ts';
import {addTagsToResource, listTagsForResource, removeTagsFromResource} from './actions/tags.ts';
import {every} from '../base/clock.ts';
import {errorChain} from '../base/errors.ts';
import {reconcileCluster} from './cluster-lifecycle.ts';
import type {ControlPlane} from './control-plane.ts';
import {DamageList} from './damage.ts';
import {EndpointSet} from './endpoint-set.ts';
import {reconcileInstance} from './instance-lifecycle.ts';
import {EventDelivery} from './event-delivery.ts';
import {instancesOf} from './instances-of.ts';
import {aborted, KeyedLock} from './keyed-lock.ts';
import {LaunchedProcesses} from './launched-processes.ts';
import {levelFromTimeToTime} from './level-volumes.ts';
import {reclaim, watchGrowth} from './reclaim.ts';
import type {Monitor} from './metrics/measurements.ts';
import {Measurer} from './metrics/measurer.ts';
import {beginMaintenance, MAINTENANCE_PERIOD_MS} from './maintenance.ts';
import {Reconciler, type ResourceKey} from './reconciler.ts';
import {recover} from './recovery.ts';
import {ReplicaMonitor} from './replica-monitor.ts';
import {Scrubber} from './scrubber.ts';
import {SpaceMonitor} from './space-monitor.ts';
import {Supervisor} from './supervisor.ts';
import {ShownCertificates} from './tls-refresh.ts';
import {addEvent, type Surroundings, type World} from './world.ts';
import {ZoneChanges} from './zone-changes.ts';

/** Certificates are renewed weeks before they end. */
const CERTIFICATE_LOOK_MS = 6 * 60 * 60 * 1000;

export type ClusterService = {
  /** Its calls wait until `recover` is through. */
  readonly controlPlane: ControlPlane;
  /** Answers during recovery too. */
  readonly monitor: Monitor;
  /** Brings up every cluster that was there; engines may still be starting when it returns. */
  recover(): Promise<void>;
  /** Stops every instance and closes every endpoint; the catalog and the store stay the caller's. */
  close(): Promise<void>;
};

export function createClusterService(surroundings: Surroundings): ClusterService {
  const processes = new LaunchedProcesses(surroundings.launch);
  const base = {
    ...surroundings,
    launch: processes.launch.bind(processes),
    zones: surroundings.storeZones.list,
    endpoints: new EndpointSet(),
    shownCertificates: new ShownCertificates(),
    volumeLocks: new KeyedLock(),
    resourceLocks: new KeyedLock(),
    damage: new DamageList(),
  };
  const reconciler = new Reconciler(
    (key, attempt) => reconcile(world, key, attempt),
    surroundings.logger,
  );
  const supervisor = new Supervisor(base, {
    onSettled: cluster => {
      reconciler.enqueue(`cluster/${cluster}`);
      // Parameters may have changed while it started.
      for (const {identifier} of instancesOf(surroundings, cluster)) {
        reconciler.enqueue(`instance/${identifier}`);
      }
    },
    onFreed: () => reconciler.enqueue('sweep'),
  });
  const replicas = new ReplicaMonitor(base, supervisor);
  const {zoneSpaces, storeZones} = surroundings;
  const space = new SpaceMonitor({
    ...surroundings,
    freeBytes: () => zoneSpaces.quorumBytesFree(storeZones.list),
    onChange: (isLow, message) => {
      if (isLow) {
        surroundings.logger.error(message);
        reconciler.enqueue('sweep');
      }
      const category = isLow ? 'low storage' : 'recovery';
      surroundings.catalog.transaction(() =>
        addEvent(surroundings, 'service', 'storage', message, category),
      );
    },
  });
  const zoneChanges = new ZoneChanges({...base, processes}, supervisor);
  const delivery = new EventDelivery(surroundings);
  const scrubber = new Scrubber({...base, supervisor});
  const world: World = {...base, reconciler, supervisor, space, replicas, scrubber, zoneChanges};
  const recovered = new AbortController();
  const stopWatching = watchGrowth(world);
  const stopLevelling = levelFromTimeToTime({...world, processes});
  // Whoever drives a cluster also hands on its certificate when that is due.
  const stopRenewing = every(CERTIFICATE_LOOK_MS, () => {
    for (const {identifier} of surroundings.catalog.clusters.list()) {
      reconciler.enqueue(`cluster/${identifier}`);
    }
  });
  let stopMaintenance = (): void => undefined;
  return {
    controlPlane: controlPlaneOf(world, aborted(recovered.signal)),
    monitor: new Measurer(world, () => recovered.signal.aborted),
    async recover() {
      await space.look();
      space.start();
      await recover(world);
      replicas.start();
      zoneChanges.resume();
      delivery.start();
      scrubber.start();
      stopMaintenance = every(MAINTENANCE_PERIOD_MS, () => maintain(world));
      recovered.abort();
    },
    async close() {
      stopMaintenance();
      space.stop();
      replicas.stop();
      stopWatching();
      stopLevelling();
      stopRenewing();
      const changesStopped = zoneChanges.stop();
      const reconcilerStopped = world.reconciler.stop();
      await Promise.all([
        world.storage.endReclaim(),
        changesStopped,
        scrubber.close(),
        reconcilerStopped,
        world.supervisor.stopAll(),
      ]);
      await delivery.stop();
      await world.endpoints.closeAll();
    },
  };
}

/** What cannot be recorded now (a full disk) is tried again in the next period. */
function maintain(world: World): void {
  try {
    beginMaintenance(world);
  } catch (error) {
    world.logger.error(`maintenance could not begin: ${errorChain(error)}`);
  }
}

async function reconcile(world: World, key: ResourceKey, attempt: number): Promise<void> {
  await world.resourceLocks.hold(key, async () => {
    const identifier = key.slice(key.indexOf('/') + 1);
    if (key.startsWith('cluster/')) await reconcileCluster(world, identifier, attempt);
    else if (key.startsWith('instance/')) await reconcileInstance(world, identifier);
    else await reclaim(world);
  });
}

function controlPlaneOf(world: World, recovered: Promise<void>): ControlPlane {
  const afterRecovery =
    <I, O>(action: (world: World, input: I) => O | Promise<O>) =>
    async (input: I): Promise<O> => {
      await recovered;
      return await action(world, input);
    };
  return {
    createDBCluster: afterRecovery(createDBCluster),
    describeDBClusters: afterRecovery(describeDBClusters),
    modifyDBCluster: afterRecovery(modifyDBCluster),
    deleteDBCluster: afterRecovery(deleteDBCluster),
    restoreDBClusterToPointInTime: afterRecovery(restoreDBClusterToPointInTime),
    stopDBCluster: afterRecovery(stopDBCluster),
    startDBCluster: afterRecovery(startDBCluster),
    modifyDBInstance: afterRecovery(modifyDBInstance),
    rebootDBInstance: afterRecovery(rebootDBInstance),
    stopDBInstance: afterRecovery(stopDBInstance),
    startDBInstance: afterRecovery(startDBInstance),
    createDBInstance: afterRecovery(createDBInstance),
    describeDBInstances: afterRecovery(describeDBInstances),
    deleteDBInstance: afterRecovery(deleteDBInstance),
    describeDBEngineVersions: afterRecovery(describeDBEngineVersions),
    describeCertificates: afterRecovery(describeCertificates),
    failoverDBCluster: afterRecovery(failoverDBCluster),
    createDBClusterEndpoint: afterRecovery(createDBClusterEndpoint),
    describeDBClusterEndpoints: afterRecovery(describeDBClusterEndpoints),
    modifyDBClusterEndpoint: afterRecovery(modifyDBClusterEndpoint),
    deleteDBClusterEndpoint: afterRecovery(deleteDBClusterEndpoint),
    createDBClusterParameterGroup: afterRecovery(createDBClusterParameterGroup),
    createDBParameterGroup: afterRecovery(createDBParameterGroup),
    copyDBClusterParameterGroup: afterRecovery(copyDBClusterParameterGroup),
    copyDBParameterGroup: afterRecovery(copyDBParameterGroup),
    deleteDBClusterParameterGroup: afterRecovery(deleteDBClusterParameterGroup),
    deleteDBParameterGroup: afterRecovery(deleteDBParameterGroup),
    describeDBClusterParameterGroups: afterRecovery(describeDBClusterParameterGroups),
    describeDBParameterGroups: afterRecovery(describeDBParameterGroups),
    modifyDBClusterParameterGroup: afterRecovery(modifyDBClusterParameterGroup),
    modifyDBParameterGroup: afterRecovery(modifyDBParameterGroup),
    resetDBClusterParameterGroup: afterRecovery(resetDBClusterParameterGroup),
    resetDBParameterGroup: afterRecovery(resetDBParameterGroup),
    describeDBClusterParameters: afterRecovery(describeDBClusterParameters),
    describeDBParameters: afterRecovery(describeDBParameters),
    describeEngineDefaultClusterParameters: afterRecovery(describeEngineDefaultClusterParameters),
    describeEngineDefaultParameters: afterRecovery(describeEngineDefaultParameters),
    createDBSubnetGroup: afterRecovery(createDBSubnetGroup),
    modifyDBSubnetGroup: afterRecovery(modifyDBSubnetGroup),
    deleteDBSubnetGroup: afterRecovery(deleteDBSubnetGroup),
    describeDBSubnetGroups: afterRecovery(describeDBSubnetGroups),
    describeAccountAttributes: afterRecovery(describeAccountAttributes),
    addTagsToResource: afterRecovery(addTagsToResource),
    removeTagsFromResource: afterRecovery(removeTagsFromResource),
    listTagsForResource: afterRecovery(listTagsForResource),
    describeEvents: afterRecovery(describeEvents),
    describeEventCategories: afterRecovery(describeEventCategories),
    quotas: afterRecovery(() => ({quotas: quotas(world)})),
    setQuota: afterRecovery(setQuota),
    describeDBLogFiles: afterRecovery(describeDBLogFiles),
    downloadDBLogFilePortion: afterRecovery(downloadDBLogFilePortion),
    describeOrderableDBInstanceOptions: afterRecovery(describeOrderableDBInstanceOptions),
    describePendingMaintenanceActions: afterRecovery(describePendingMaintenanceActions),
    describeSourceRegions: afterRecovery(describeSourceRegions),
    createEventSubscription: afterRecovery(createEventSubscription),
    modifyEventSubscription: afterRecovery(modifyEventSubscription),
    deleteEventSubscription: afterRecovery(deleteEventSubscription),
    describeEventSubscriptions: afterRecovery(describeEventSubscriptions),
    addSourceIdentifierToSubscription: afterRecovery(addSourceIdentifierToSubscription),
    removeSourceIdentifierFromSubscription: afterRecovery(removeSourceIdentifierFromSubscription),
    clusterReports: afterRecovery(clusterReports),
    storageReport: afterRecovery(storageReport),
    zoneReport: afterRecovery(zoneReport),
    addZone: afterRecovery(addZone),
    removeZone: afterRecovery(removeZone),
    beginScrub: afterRecovery(beginScrub),
    scrubStatus: afterRecovery(scrubStatus),
    stopScrub: afterRecovery(stopScrub),
  };
}
