import type {ForkResult} from '../attachment/attachment.ts';
import type {VolumeNumber} from '../page-store/ids.ts';

/** Exact as of each volume's last checkpoint. 1 page = 8,192 bytes. */
export type VolumeUsage = {
  readonly volume: VolumeNumber;
  /** The volume that this one was forked from, or null for a first one. */
  readonly source: VolumeNumber | null;
  /** Pages that the volume's root reaches. */
  readonly logicalPages: number;
  /** Of those, pages that another volume's root reaches too. */
  readonly sharedPages: number;
  /** Of those, pages that it alone reaches: "freed if deleted". */
  readonly ownedPages: number;
};

export type StoreUsage = {
  /** Bytes that the store takes on disk in its first zone. */
  readonly bytesOnDisk: number;
  readonly volumes: readonly VolumeUsage[];
};

/**
 * The store as the control plane sees it: volumes come and go. Runs in a worker thread, because the
 * volume's own calls are synchronous. Every call is idempotent, so that a step that a crash cut off
 * can be run again.
 */
export type ClusterStorage = {
  /** A number never used before; durable. The volume itself does not exist yet. */
  allocateVolume(): Promise<VolumeNumber>;
  exists(volume: VolumeNumber): Promise<boolean>;
  /** Every volume that exists. */
  volumes(): Promise<readonly VolumeNumber[]>;
  /** Forks a volume that no process has open for writing (e.g. of a cluster without instances, or a golden volume). */
  forkIdle(source: VolumeNumber, child: VolumeNumber): Promise<ForkResult>;
  /** Lets go of the volume's root. Pages that another volume reaches stay; the rest go at the next sweep. */
  remove(volume: VolumeNumber): Promise<void>;
  /** Deletes segments that no root reaches. Call it with no fork in flight; it may run beside open writers. */
  sweep(): Promise<{segmentsDeleted: number; bytesFreed: number}>;
  usage(): Promise<StoreUsage>;
  close(): Promise<void>;
};
