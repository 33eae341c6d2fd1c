/** Measurements of two clusters, one of everything, and of a service in which nothing has happened. */
import {ServiceCounts} from '../../cluster/metrics/service-counts.ts';
import type {Measurements, Monitor} from '../../cluster/metrics/measurements.ts';
import {INSTANCE_STATISTICS} from '../../instance/testing/statistics.ts';

export const NOTHING_MEASURED: Measurements = {
  isReady: false,
  isStorageFull: false,
  missing: {instances: 0, zones: 0, storage: 1},
  ...{clusters: [], instances: [], endpoints: [], zones: [], storage: null},
  counts: new ServiceCounts(),
  reconcileFailures: new Map(),
  events: new Map(),
};

export function everythingMeasured(): Measurements {
  const counts = new ServiceCounts();
  counts.noteRepair('us-east-1b');
  const sweep = {bytesOnDisk: 0, bytesReachable: 0, more: false};
  counts.noteSweep({...sweep, segmentsDeleted: 2, segmentsCompacted: 1, bytesFreed: 4096}, 1500);
  const shares = {volume: 1, logicalBytes: 81_920, exclusiveBytes: 8_192, sharedBytes: 73_728};
  const orders = {cluster: 'orders', instance: 'orders-writer', role: 'writer'} as const;
  const reader = {cluster: 'orders', instance: 'orders-reader', role: 'reader'} as const;
  return {
    isReady: true,
    isStorageFull: false,
    missing: {instances: 0, zones: 0, storage: 0},
    clusters: [
      {identifier: 'orders', status: 'available'},
      {identifier: 'empty', status: 'creating'},
    ],
    instances: [
      {...orders, isUp: true, replicaLagMs: null, statistics: INSTANCE_STATISTICS},
      {...reader, isUp: true, replicaLagMs: 12.5, statistics: {volume: null, engine: null}},
      {...reader, instance: 'orders-late', isUp: false, replicaLagMs: null, statistics: null},
    ],
    endpoints: [
      {cluster: 'orders', endpoint: 'cluster', accepted: 10, refused: 1, open: 3, held: 1},
      {cluster: 'orders', endpoint: 'reader', accepted: 0, refused: 0, open: 0, held: 0},
    ],
    zones: [
      {zone: 'us-east-1a', state: {zone: 'us-east-1a', state: 'healthy'}, freeBytes: 2 ** 30},
      {
        zone: 'us-east-1b',
        state: {zone: 'us-east-1b', state: 'catching-up', bytesDone: 10, bytesTotal: 100},
        freeBytes: 2 ** 30,
      },
      {
        zone: 'us-east-1c',
        state: {zone: 'us-east-1c', state: 'degraded', reason: 'gone', sinceMs: 5},
        freeBytes: null,
      },
    ],
    storage: {
      ageMs: 2500,
      report: {
        store: {
          bytesOnDisk: 120_000,
          bytesReachable: 100_000,
          bytesFree: 2 ** 30,
          amplification: 1.2,
          zones: [],
          scrub: {running: null, ended: null, last: null, everyHours: null, nextAtMs: null},
        },
        clusters: [
          {identifier: 'orders', ...shares, pageTableBytes: 0, historyBytes: 0, heldOfDeleted: []},
        ],
        ...{golden: [], deleted: []},
      },
    },
    counts,
    reconcileFailures: new Map([['cluster', 3]]),
    events: new Map([['creation', 6]]),
  };
}

export function stubMonitor(measured: Measurements = NOTHING_MEASURED): Monitor {
  return {
    measure: async () => measured,
    readiness: async () => ({
      isReady: measured.isReady,
      reason: measured.isReady ? null : 'The service is recovering.',
    }),
  };
}
