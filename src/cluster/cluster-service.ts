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
import {failoverDBCluster} from './actions/failover-db-cluster.ts';
import {modifyDBCluster} from './actions/modify-db-cluster.ts';
import {storageReport} from './actions/storage-report.ts';
import {restoreDBClusterToPointInTime} from './actions/restore-db-cluster-to-point-in-time.ts';
import {reconcileCluster} from './cluster-lifecycle.ts';
import type {ControlPlane} from './control-plane.ts';
import {every} from '../base/clock.ts';
import {EndpointSet} from './endpoint-set.ts';
import {reconcileInstance} from './instance-lifecycle.ts';
import {aborted, KeyedLock} from './keyed-lock.ts';
import {reclaim, watchGrowth} from './reclaim.ts';
import {Reconciler, type ResourceKey} from './reconciler.ts';
import {recover} from './recovery.ts';
import {ReplicaMonitor} from './replica-monitor.ts';
import {SpaceMonitor} from './space-monitor.ts';
import {Supervisor} from './supervisor.ts';
import {ShownCertificates} from './tls-refresh.ts';
import {addEvent, type Surroundings, type World} from './world.ts';

/** Certificates are renewed weeks before they end. */
const CERTIFICATE_LOOK_MS = 6 * 60 * 60 * 1000;

export type ClusterService = {
  /** Its calls wait until `recover` is through. */
  readonly controlPlane: ControlPlane;
  /** Brings up every cluster that was there; engines may still be starting when it returns. */
  recover(): Promise<void>;
  /** Stops every instance and closes every endpoint; the catalog and the store stay the caller's. */
  close(): Promise<void>;
};

export function createClusterService(surroundings: Surroundings): ClusterService {
  const base = {
    ...surroundings,
    endpoints: new EndpointSet(),
    shownCertificates: new ShownCertificates(),
    volumeLocks: new KeyedLock(),
    resourceLocks: new KeyedLock(),
  };
  const reconciler = new Reconciler(
    (key, attempt) => reconcile(world, key, attempt),
    surroundings.logger,
  );
  const supervisor = new Supervisor(base, {
    onReady: cluster => reconciler.enqueue(`cluster/${cluster}`),
    onFreed: () => reconciler.enqueue('sweep'),
  });
  const replicas = new ReplicaMonitor(base, supervisor);
  const space = new SpaceMonitor({
    ...surroundings,
    onChange: (isLow, message) => {
      if (isLow) {
        surroundings.logger.error(message);
        reconciler.enqueue('sweep');
      }
      surroundings.catalog.transaction(() => addEvent(surroundings, 'service', 'storage', message));
    },
  });
  const world: World = {...base, reconciler, supervisor, space, replicas};
  const recovered = new AbortController();
  const stopWatching = watchGrowth(world);
  // Whoever drives a cluster also hands on its certificate when that is due.
  const stopRenewing = every(CERTIFICATE_LOOK_MS, () => {
    for (const {identifier} of surroundings.catalog.clusters.list()) {
      reconciler.enqueue(`cluster/${identifier}`);
    }
  });
  return {
    controlPlane: controlPlaneOf(world, aborted(recovered.signal)),
    async recover() {
      await space.look();
      space.start();
      await recover(world);
      replicas.start();
      recovered.abort();
    },
    async close() {
      space.stop();
      replicas.stop();
      stopWatching();
      stopRenewing();
      const reconcilerStopped = world.reconciler.stop();
      await Promise.all([
        world.storage.endReclaim(),
        reconcilerStopped,
        world.supervisor.stopAll(),
      ]);
      await world.endpoints.closeAll();
    },
  };
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
    clusterReports: afterRecovery(clusterReports),
    storageReport: afterRecovery(storageReport),
  };
}
