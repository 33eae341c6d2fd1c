/** What a volume tells of itself. */
import type {Lsn} from '../page-store/ids.ts';
import type {ZoneState} from '../page-store/zone.ts';
import type {SyncTarget} from './log-writer.ts';

/** What a barrier waits for; see `Volume.barrierTarget`. */
export type BarrierTarget = SyncTarget & {readonly holdFd: number | null};

export type VolumeStatistics = {
  readonly lsn: Lsn;
  readonly durableLsn: Lsn;
  readonly pagesRead: number;
  readonly pagesWritten: number;
  readonly bytesAppended: number;
  readonly barriers: number;
  /** Page-table nodes in memory. */
  readonly nodesLoaded: number;
  readonly zones: readonly ZoneState[];
};
