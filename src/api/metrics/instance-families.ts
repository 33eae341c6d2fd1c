/** Metrics of DB instances: their engines, and the volumes that these work on. */
import {BARRIER_BOUNDS_S, type LatencyHistogram} from '../../attachment/barrier-latency.ts';
import type {AttachmentStatistics} from '../../attachment/attachment.ts';
import type {EngineStatistics} from '../../engine/engine.ts';
import {hasAnswered} from '../../cluster/metrics/measurer.ts';
import type {InstanceMeasurement, Measurements} from '../../cluster/metrics/measurements.ts';
import {PAGE_SIZE_BYTES} from '../../volume/pointer.ts';
import {flag, type Family, type Sample} from './family.ts';

const LABELS = ['cluster', 'instance'] as const;

function labelsOf({cluster, instance}: InstanceMeasurement): {cluster: string; instance: string} {
  return {cluster, instance};
}

function ofInstances(
  value: (instance: InstanceMeasurement) => number | null | undefined,
): (measured: Measurements) => Sample[] {
  return ({instances}) =>
    instances.flatMap(one => {
      const found = value(one);
      return found === null || found === undefined ? [] : {labels: labelsOf(one), value: found};
    });
}

function ofEngine(
  name: string,
  type: Family['type'],
  unit: string,
  help: string,
  value: (engine: EngineStatistics) => number | undefined,
): Family {
  return {
    ...{name, type, labels: LABELS, unit, help, source: 'the engine: pg_stat_database'},
    samples: ofInstances(({statistics}) => {
      const engine = statistics?.engine ?? null;
      return engine === null ? null : value(engine);
    }),
  };
}

function ofVolume(
  name: string,
  type: Family['type'],
  unit: string,
  help: string,
  value: (volume: AttachmentStatistics) => number,
): Family {
  return {
    ...{name, type, labels: LABELS, unit, help, source: 'the volume, since it was opened'},
    samples: ofInstances(({statistics}) => {
      const volume = statistics?.volume ?? null;
      return volume === null ? null : value(volume);
    }),
  };
}

/** Buckets count what is in those before them too. */
function histogramSamples(
  labels: Record<string, string>,
  {counts, sumSeconds}: LatencyHistogram,
): Sample[] {
  let total = 0;
  const buckets = [...BARRIER_BOUNDS_S, '+Inf'].map((le, index): Sample => {
    total += counts[index] ?? 0;
    return {labels: {le, ...labels}, value: total, suffix: '_bucket'};
  });
  return [
    ...buckets,
    {labels, value: sumSeconds, suffix: '_sum'},
    {labels, value: total, suffix: '_count'},
  ];
}

const STATE_FAMILIES: readonly Family[] = [
  {
    ...{name: 'borealis_instance_up', type: 'gauge', labels: LABELS, unit: '1'},
    help: '1 while the DB instance serves in its role.',
    source: 'supervisor',
    samples: ofInstances(({isUp}) => flag(isUp)),
  },
  {
    ...{name: 'borealis_instance_role', type: 'gauge', labels: [...LABELS, 'role'], unit: '1'},
    help: 'Always 1; the label is writer or reader.',
    source: 'catalog',
    samples: ({instances}) =>
      instances.map(one => ({labels: {...labelsOf(one), role: one.role}, value: 1})),
  },
  {
    ...{name: 'borealis_instance_answered', type: 'gauge', labels: LABELS, unit: '1'},
    help: '1 when engine and volume told their statistics in time; else counters of one or both are not on this page.',
    source: 'the service',
    samples: ofInstances(one => flag(hasAnswered(one))),
  },
  {
    ...{name: 'borealis_replica_lag_seconds', type: 'gauge', labels: LABELS, unit: 'seconds'},
    help: 'AuroraReplicaLag: how far a reader is behind its writer, measured once a second.',
    source: 'pg_stat_wal_receiver of the reader',
    samples: ofInstances(({replicaLagMs}) => (replicaLagMs === null ? null : replicaLagMs / 1000)),
  },
];

const ENGINE_FAMILIES: readonly Family[] = [
  {
    ...ofEngine(
      'borealis_database_connections',
      'gauge',
      'connections',
      'DatabaseConnections: sessions of clients, as the engine counts them.',
      engine => engine.connections,
    ),
    source: 'the engine: pg_stat_activity; with PGlite its front end',
  },
  ofEngine(
    'borealis_database_connections_max',
    'gauge',
    'connections',
    'Sessions that the engine takes at most (max_connections).',
    engine => engine.connectionsMax,
  ),
  ofEngine(
    'borealis_commits_total',
    'counter',
    'transactions',
    'CommitThroughput, as a rate: transactions that committed, read-only ones too. Not with PGlite.',
    engine => engine.activity?.commits,
  ),
  ofEngine(
    'borealis_rollbacks_total',
    'counter',
    'transactions',
    'Transactions that were rolled back. Not with PGlite.',
    engine => engine.activity?.rollbacks,
  ),
  ofEngine(
    'borealis_deadlocks_total',
    'counter',
    'deadlocks',
    'Deadlocks, as a rate: deadlocks that the engine resolved. Not with PGlite.',
    engine => engine.activity?.deadlocks,
  ),
  ofEngine(
    'borealis_buffer_hits_total',
    'counter',
    'blocks',
    'BufferCacheHitRatio, with reads: blocks that were found in shared buffers. Not with PGlite.',
    engine => engine.activity?.blocksHit,
  ),
  ofEngine(
    'borealis_buffer_reads_total',
    'counter',
    'blocks',
    'Blocks that were not found in shared buffers. Not with PGlite.',
    engine => engine.activity?.blocksRead,
  ),
];

const VOLUME_FAMILIES: readonly Family[] = [
  {
    ...{name: 'borealis_commit_latency_seconds', type: 'histogram', labels: [...LABELS, 'le']},
    unit: 'seconds',
    help: 'CommitLatency, the part of the storage: from the arrival of an fsync at the volume until a write quorum has it and it is answered.',
    source: 'the thread that answers barriers',
    samples: ({instances}) =>
      instances.flatMap(one => {
        const latency = one.statistics?.volume?.barrierLatency;
        return latency === undefined ? [] : histogramSamples(labelsOf(one), latency);
      }),
  },
  ofVolume(
    'borealis_volume_barriers_total',
    'counter',
    'barriers',
    'Barriers that were asked for, those included that had nothing to wait for.',
    volume => volume.barriers,
  ),
  ofVolume(
    'borealis_volume_read_pages_total',
    'counter',
    'pages',
    'VolumeReadIOPs and ReadIOPS, as a rate: pages and nodes of 8 KiB that were read from the log.',
    volume => volume.pagesRead,
  ),
  ofVolume(
    'borealis_volume_read_bytes_total',
    'counter',
    'bytes',
    'ReadThroughput, as a rate: the bytes of those pages.',
    volume => volume.pagesRead * PAGE_SIZE_BYTES,
  ),
  ofVolume(
    'borealis_volume_written_pages_total',
    'counter',
    'pages',
    'VolumeWriteIOPs and WriteIOPS, as a rate: pages of 8 KiB that were appended to the log.',
    volume => volume.pagesWritten,
  ),
  ofVolume(
    'borealis_volume_written_bytes_total',
    'counter',
    'bytes',
    'WriteThroughput, as a rate: the bytes of those pages.',
    volume => volume.pagesWritten * PAGE_SIZE_BYTES,
  ),
  ofVolume(
    'borealis_volume_appended_bytes_total',
    'counter',
    'bytes',
    'All that was appended to the log: pages, nodes and the headers of batches.',
    volume => volume.bytesAppended,
  ),
  ofVolume(
    'borealis_volume_cached_node_bytes',
    'gauge',
    'bytes',
    'Page-table nodes that are in memory.',
    volume => volume.nodesLoaded * PAGE_SIZE_BYTES,
  ),
  ofVolume(
    'borealis_volume_requests_total',
    'counter',
    'requests',
    'Requests of the file system that were served.',
    volume => volume.requests,
  ),
  ofVolume(
    'borealis_volume_waiting_writes',
    'gauge',
    'requests',
    'Writes that wait for free space.',
    volume => volume.waitingWrites,
  ),
];

export const INSTANCE_FAMILIES: readonly Family[] = [
  ...STATE_FAMILIES,
  ...ENGINE_FAMILIES,
  ...VOLUME_FAMILIES,
];
