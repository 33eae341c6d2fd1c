import type {Lsn, VolumeNumber} from '../page-store/ids.ts';
import type {StoreConfig} from '../page-store/open-zones.ts';
import type {MembershipState} from '../page-store/zone.ts';
import type {ZonePlace} from '../page-store/zone-channel.ts';
import type {VolumeStatistics} from '../volume/statistics.ts';
import type {ForkOptions} from '../volume/volume-head.ts';
import type {LatencyHistogram} from './barrier-latency.ts';

/** One complete copy of the store, standing for an Availability Zone: today a directory. */
export type ZoneConfig = ZonePlace;

/** What an attachment needs to open a volume as its one writer. */
export type AttachmentConfig = StoreConfig & {
  readonly volume: VolumeNumber;
  /** The volume is empty: make a file system on it first. */
  readonly format: boolean;
  /** Upper bound of memory for page-table nodes. */
  readonly nodeCacheBytes: number;
  /** Writes wait while the store has no more free bytes than this; 0 lets them fail on a full disk. */
  readonly reserveBytes: number;
};

export type ForkResult = {
  /** The child begins with all that was written up to here. */
  readonly lsn: Lsn;
  /** The past moment that the child begins with; null when it begins with the present. */
  readonly atMs: number | null;
  /** What the fork itself wrote: page-table nodes changed since the last checkpoint, and the child's record. */
  readonly bytesWritten: number;
  /** Pages of the source that were copied: none, ever. Reported from a counter, not assumed. */
  readonly bytesCopied: number;
  readonly durationMs: number;
};

export type AttachmentStatistics = VolumeStatistics & {
  readonly requests: number;
  /** Writes that wait for free space now. */
  readonly waitingWrites: number;
  /** False while a write quorum of zones is missing: barriers wait. */
  readonly isWritable: boolean;
  /** Of the barriers that had something to wait for. */
  readonly barrierLatency: LatencyHistogram;
};

/**
 * A volume made visible to an engine. It runs in a worker thread of the instance process; these
 * calls talk to that thread.
 */
export type Attachment = {
  /** Barrier, checkpoint, then the durable record of `child`, which exists from then on. */
  fork(child: VolumeNumber, options?: ForkOptions): Promise<ForkResult>;
  /** How long past moments of the volume are kept. */
  setRetention(seconds: number): Promise<void>;
  /** Barrier and checkpoint: the volume's record on disk is its head as of now. */
  checkpoint(): Promise<Lsn>;
  statistics(): Promise<AttachmentStatistics>;
  /** Tells it which zones there are from now on; see `changeZones` of the page store. */
  changeZones(config: StoreConfig): Promise<MembershipState>;
  /**
   * Checkpoints, marks the volume cleanly closed and lets go of it; without a write quorum of zones as
   * in a crash. Idempotent.
   */
  detach(): Promise<void>;
  /** Resolves with the reason when the attachment dies by itself; never on `detach`. */
  readonly failed: Promise<Error>;
};

/** An attachment through a mount point (FUSE). */
export type MountedAttachment = Attachment & {readonly directory: string};
