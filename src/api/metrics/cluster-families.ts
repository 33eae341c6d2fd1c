/** Metrics of clusters, their endpoints and the store. */
import {isHealthy} from '../../cluster/metrics/measurer.ts';
import type {EndpointMeasurement, Measurements} from '../../cluster/metrics/measurements.ts';
import type {ClusterStorageReport, StorageReport} from '../../cluster/control-plane.ts';
import type {ServiceCounts} from '../../cluster/metrics/service-counts.ts';
import {byKey, flag, type Family, type Sample} from './family.ts';

/** As of the last checkpoint of each volume; see `Measurer` for how old it may be. */
const CENSUS = 'census of the store';

function ofClusters(
  value: (cluster: ClusterStorageReport) => number,
): (measured: Measurements) => Sample[] {
  return ({storage}) =>
    (storage?.report.clusters ?? []).map(cluster => ({
      labels: {cluster: cluster.identifier},
      value: value(cluster),
    }));
}

function clusterBytes(
  name: string,
  help: string,
  value: (cluster: ClusterStorageReport) => number,
): Family {
  return {
    ...{name, type: 'gauge', labels: ['cluster'], unit: 'bytes', help, source: CENSUS},
    samples: ofClusters(value),
  };
}

function ofEndpoints(
  name: string,
  type: Family['type'],
  help: string,
  value: (endpoint: EndpointMeasurement) => number,
): Family {
  return {
    ...{name, type, labels: ['cluster', 'endpoint'], unit: 'connections', help},
    source: 'the relay of the endpoint',
    samples: ({endpoints}) =>
      endpoints.map(one => ({
        labels: {cluster: one.cluster, endpoint: one.endpoint},
        value: value(one),
      })),
  };
}

function ofStore(
  name: string,
  unit: string,
  help: string,
  value: (store: StorageReport['store']) => number | null,
): Family {
  return {
    ...{name, type: 'gauge', labels: [], unit, help, source: CENSUS},
    samples: ({storage}) => {
      const found = storage === null ? null : value(storage.report.store);
      return found === null ? [] : [{labels: {}, value: found}];
    },
  };
}

function ofSweep(
  name: string,
  type: Family['type'],
  unit: string,
  help: string,
  value: (sweep: ServiceCounts['sweep']) => number | null,
): Family {
  return {
    ...{name, type, labels: [], unit, help, source: 'turns of the sweep'},
    samples: ({counts}) => {
      const found = value(counts.sweep);
      return found === null ? [] : [{labels: {}, value: found}];
    },
  };
}

export const CLUSTER_FAMILIES: readonly Family[] = [
  {
    ...{name: 'borealis_cluster_status', type: 'gauge', labels: ['cluster', 'status'], unit: '1'},
    help: 'Always 1; the label is the status of the DB cluster.',
    source: 'catalog',
    samples: ({clusters}) =>
      clusters.map(({identifier, status}) => ({labels: {cluster: identifier, status}, value: 1})),
  },
  clusterBytes(
    'borealis_volume_used_bytes',
    'VolumeBytesUsed: what the cluster volume reaches, pages and page tables, shared or not.',
    one => one.logicalBytes,
  ),
  clusterBytes(
    'borealis_volume_exclusive_bytes',
    'What this cluster alone reaches: freed if it is deleted.',
    one => one.exclusiveBytes,
  ),
  clusterBytes(
    'borealis_volume_shared_bytes',
    'What the cluster reaches and another one does too.',
    one => one.sharedBytes,
  ),
  clusterBytes(
    'borealis_backup_retention_bytes',
    'BackupRetentionPeriodStorageUsed: what only the kept history of the cluster reaches.',
    one => one.historyBytes,
  ),
  clusterBytes(
    'borealis_snapshot_bytes',
    'SnapshotStorageUsed: what only manual snapshots reach. There are none yet.',
    () => 0,
  ),
  ofEndpoints(
    'borealis_endpoint_connections_accepted_total',
    'counter',
    'Connections of clients that the endpoint accepted.',
    one => one.accepted,
  ),
  ofEndpoints(
    'borealis_endpoint_connections_refused_total',
    'counter',
    'Connections that the endpoint answered with an error of its own: no instance, or too many clients.',
    one => one.refused,
  ),
  ofEndpoints(
    'borealis_endpoint_connections',
    'gauge',
    'Connections of clients that are open.',
    one => one.open,
  ),
  ofEndpoints(
    'borealis_endpoint_connections_held',
    'gauge',
    'Open connections that wait for an instance.',
    one => one.held,
  ),
];

export const STORE_FAMILIES: readonly Family[] = [
  {
    ...{name: 'borealis_zone_healthy', type: 'gauge', labels: ['zone'], unit: '1'},
    help: '1 while the zone has everything and answers; 0 while it is degraded, catches up or cannot be read.',
    source: 'the keeper of the zones and the instances; statfs',
    samples: ({zones}) =>
      zones.map(one => ({labels: {zone: one.zone}, value: flag(isHealthy(one))})),
  },
  {
    ...{name: 'borealis_zone_state', type: 'gauge', labels: ['zone', 'state'], unit: '1'},
    help: 'Always 1; the label is healthy, degraded or catching-up.',
    source: 'the keeper of the zones and the instances',
    samples: ({zones}) =>
      zones.flatMap(({zone, state}) =>
        state === null ? [] : {labels: {zone, state: state.state}, value: 1},
      ),
  },
  {
    ...{name: 'borealis_zone_catch_up_done_bytes', type: 'gauge', labels: ['zone'], unit: 'bytes'},
    help: 'Of a zone that catches up: what was copied to it.',
    source: 'the keeper of the zones',
    samples: ({zones}) =>
      zones.flatMap(({zone, state}) =>
        state?.state === 'catching-up' ? {labels: {zone}, value: state.bytesDone} : [],
      ),
  },
  {
    ...{name: 'borealis_zone_catch_up_bytes', type: 'gauge', labels: ['zone'], unit: 'bytes'},
    help: 'Of a zone that catches up: what is to be copied to it in all.',
    source: 'the keeper of the zones',
    samples: ({zones}) =>
      zones.flatMap(({zone, state}) =>
        state?.state === 'catching-up' ? {labels: {zone}, value: state.bytesTotal} : [],
      ),
  },
  {
    ...{name: 'borealis_zone_free_bytes', type: 'gauge', labels: ['zone'], unit: 'bytes'},
    help: 'What could still be written to the file system of the zone.',
    source: 'statfs',
    samples: ({zones}) =>
      zones.flatMap(({zone, freeBytes}) =>
        freeBytes === null ? [] : {labels: {zone}, value: freeBytes},
      ),
  },
  {
    ...{name: 'borealis_zone_repairs_total', type: 'counter', labels: ['zone'], unit: 'copies'},
    help: 'Bad or missing copies that were replaced from another zone.',
    source: 'events of the service and its instances',
    samples: ({zones, counts}) =>
      zones.map(({zone}) => ({labels: {zone}, value: counts.repairs.get(zone) ?? 0})),
  },
  {
    ...{name: 'borealis_storage_full', type: 'gauge', labels: [], unit: '1'},
    help: '1 while writes wait because no more than the reserve is free.',
    source: 'statfs',
    samples: ({isStorageFull}) => [{labels: {}, value: flag(isStorageFull)}],
  },
  ofStore(
    'borealis_store_disk_bytes',
    'bytes',
    'What the segments take on disk in one zone.',
    store => store.bytesOnDisk,
  ),
  ofStore(
    'borealis_store_reachable_bytes',
    'bytes',
    'What some volume reaches, each page and node once.',
    store => store.bytesReachable,
  ),
  ofStore(
    'borealis_store_amplification_ratio',
    'ratio',
    'Bytes on disk for each byte reachable.',
    store => store.amplification,
  ),
  {
    ...{name: 'borealis_store_age_seconds', type: 'gauge', labels: [], unit: 'seconds'},
    help: 'How long ago the bytes of the store and its volumes were counted.',
    source: 'the service',
    samples: ({storage}) =>
      storage === null ? [] : [{labels: {}, value: Math.max(0, storage.ageMs) / 1000}],
  },
  ofSweep(
    'borealis_sweep_runs_total',
    'counter',
    'turns',
    'Turns of the sweep.',
    ({turns}) => turns,
  ),
  ofSweep(
    'borealis_sweep_freed_bytes_total',
    'counter',
    'bytes',
    'Bytes that the sweep gave back.',
    ({bytesFreed}) => bytesFreed,
  ),
  ofSweep(
    'borealis_sweep_segments_deleted_total',
    'counter',
    'segments',
    'Segments that the sweep deleted.',
    ({segmentsDeleted}) => segmentsDeleted,
  ),
  ofSweep(
    'borealis_sweep_segments_compacted_total',
    'counter',
    'segments',
    'Segments that the sweep rewrote with their live pages alone.',
    ({segmentsCompacted}) => segmentsCompacted,
  ),
  ofSweep(
    'borealis_sweep_last_duration_seconds',
    'gauge',
    'seconds',
    'How long the last turn of the sweep took, its pauses included.',
    ({lastDurationMs}) => (lastDurationMs === null ? null : lastDurationMs / 1000),
  ),
];

export const SERVICE_FAMILIES: readonly Family[] = [
  {
    ...{name: 'borealis_ready', type: 'gauge', labels: [], unit: '1'},
    help: '1 when recovery is done and a write quorum of zones is healthy, as GET /health/ready tells.',
    source: 'the service',
    samples: ({isReady}) => [{labels: {}, value: flag(isReady)}],
  },
  {
    ...{name: 'borealis_scrape_missing', type: 'gauge', labels: ['part'], unit: 'parts'},
    help: 'What did not answer in time and is left out of this page: instances, zones, storage.',
    source: 'the service',
    samples: ({missing}) =>
      Object.entries(missing).map(([part, value]) => ({labels: {part}, value})),
  },
  {
    ...{name: 'borealis_reconcile_failures_total', type: 'counter', labels: ['kind']},
    unit: 'attempts',
    help: 'Failed attempts to bring a resource to what its record asks for; each is tried again.',
    source: 'reconciler',
    samples: ({reconcileFailures}) => byKey('kind', reconcileFailures),
  },
  {
    ...{name: 'borealis_events_total', type: 'counter', labels: ['category'], unit: 'events'},
    help: 'Events that were recorded, in each of their categories.',
    source: 'catalog',
    samples: ({events}) => byKey('category', events),
  },
];
