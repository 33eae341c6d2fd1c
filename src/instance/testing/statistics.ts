/** What an instance might tell of itself. */
import {BARRIER_BOUNDS_S} from '../../attachment/barrier-latency.ts';
import type {Lsn} from '../../page-store/ids.ts';
import type {InstanceStatistics} from '../messages.ts';

export const INSTANCE_STATISTICS: InstanceStatistics = {
  volume: {
    lsn: 12 as Lsn,
    durableLsn: 11 as Lsn,
    pagesRead: 3,
    pagesWritten: 5,
    bytesAppended: 50_000,
    barriers: 7,
    nodesLoaded: 2,
    zones: [],
    requests: 90,
    waitingWrites: 0,
    isWritable: true,
    barrierLatency: {
      counts: Array.from({length: BARRIER_BOUNDS_S.length + 1}, (_, index) => (index < 3 ? 2 : 0)),
      sumSeconds: 0.0015,
    },
  },
  engine: {
    connections: 4,
    connectionsMax: 100,
    activity: {commits: 1000, rollbacks: 1, blocksHit: 500, blocksRead: 20, deadlocks: 0},
  },
};
