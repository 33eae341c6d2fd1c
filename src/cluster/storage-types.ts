import type {ForkResult} from '../attachment/attachment.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {StoreConfig} from '../page-store/open-zones.ts';
import type {MembershipState, ZoneEvent, ZoneState} from '../page-store/zone.ts';
import type {Share} from '../volume/census.ts';
import type {RestorableRange} from '../volume/history.ts';
import type {ScrubReport} from '../volume/scrub-report.ts';
import type {SweepReport} from '../volume/sweeper.ts';
import type {BacktrackReport, ForkOptions} from '../volume/volume-head.ts';

/**
 * Exact as of each volume's last checkpoint. 1 page = 1 page-table node = 8,192 bytes. What a volume
 * alone reaches, pages and nodes, is what is freed if it is deleted.
 */
export type VolumeUsage = Readonly<Share> & {
  readonly volume: VolumeNumber;
  /** The volume that this one was forked from, or null for a first one. */
  readonly source: VolumeNumber | null;
};

export type StoreUsage = {
  /** Bytes that the store's segments take on disk in one zone. */
  readonly bytesOnDisk: number;
  /** Pages and nodes that some volume reaches, each once. */
  readonly bytesReachable: number;
  readonly volumes: readonly VolumeUsage[];
  /** Volumes that were removed and whose pages others still reach. */
  readonly removed: readonly {
    readonly volume: VolumeNumber;
    readonly bytesOnDisk: number;
    readonly bytesHeld: number;
    /** Who reaches how much of it; what several reach is counted for each. */
    readonly holders: readonly {readonly volume: VolumeNumber; readonly bytes: number}[];
  }[];
};

export type SweepNeed = {
  /** So much was appended since the last sweep that the next one is due. */
  readonly isDue: boolean;
  /** Volumes with whole segments behind their checkpoint: a new checkpoint lets a sweep look at them. */
  readonly unsettled: readonly VolumeNumber[];
};

/** What a change of zones asks of the store. */
export type ZoneMembershipCalls = {
  /** From now on these are the zones. Returns once the store's own threads go by that. */
  change(config: StoreConfig): Promise<void>;
  state(): Promise<MembershipState>;
  /** Looks at every zone anew, or at one; see `Mirror.auditAnew`. */
  audit(zone?: string): Promise<void>;
  /** The zones remember which ones count now; see `refuseStaleMembership`. */
  record(): Promise<void>;
  /** Tells a zone that does not count any more so; false when it cannot be told. */
  markRemoved(zone: string): Promise<boolean>;
  /** Volumes whose log may hold more than their record vouches for: one is open, or was not closed in order. */
  unclean(): Promise<readonly VolumeNumber[]>;
  /** Opens a volume that nobody has open and closes it in order: its log is where its record says. */
  settle(volume: VolumeNumber): Promise<void>;
};

export type ScrubOrder = {
  /** Volumes whose roots are followed; null for all. */
  readonly volumes: readonly VolumeNumber[] | null;
  /** Read at most so much in a second, in all zones together; null for no limit. */
  readonly bytesPerSecond: number | null;
  readonly onProgress: (progress: ScrubProgress) => void;
  readonly onZoneEvent: (event: ZoneEvent) => void;
};

/** Bytes of all zones. */
export type ScrubProgress = {readonly bytesDone: number; readonly bytesTotal: number};

export type ScrubRun = {
  /** Rejects with kind `closed` when it was stopped. */
  readonly done: Promise<ScrubReport>;
  /** Cuts it off at once. Nothing is left behind. */
  stop(): Promise<void>;
};

/**
 * The store as the control plane sees it: volumes come and go. Runs in worker threads, because the
 * volume's own calls are synchronous; none of the others waits for a sweep or for usage. Every call is idempotent, so that a step that a crash cut off
 * can be run again.
 */
export type ClusterStorage = {
  /** A number never used before; durable. The volume itself does not exist yet. */
  allocateVolume(): Promise<VolumeNumber>;
  exists(volume: VolumeNumber): Promise<boolean>;
  /** Every volume that exists. */
  volumes(): Promise<readonly VolumeNumber[]>;
  /**
   * Forks a volume that no process has open for writing (e.g. of a cluster without instances, or a golden
   * volume), as of now or of a past moment.
   */
  forkIdle(source: VolumeNumber, child: VolumeNumber, options?: ForkOptions): Promise<ForkResult>;
  /** The times that the volume can be forked as of, whoever has it open; null while no history is kept. */
  restorableRange(volume: VolumeNumber): Promise<RestorableRange | null>;
  /**
   * The head of a volume that no process has open goes to a past moment. Nobody is to write to it before
   * `fromMs` of the report, which is at most a second ahead.
   */
  backtrack(volume: VolumeNumber, atMs: number): Promise<BacktrackReport>;
  /** How long past moments are kept, of a volume that no process has open. */
  setRetention(volume: VolumeNumber, seconds: number): Promise<void>;
  /** Lets go of what is older than the retention, of a volume that no process has open; a writer does it itself. */
  trimHistory(volume: VolumeNumber): Promise<void>;
  /** Lets go of the volume's root. Pages that another volume reaches stay; the rest go at the next sweep. */
  remove(volume: VolumeNumber): Promise<void>;
  /** How each zone fares, as the service sees it. */
  zoneStates(): Promise<readonly ZoneState[]>;
  readonly membership: ZoneMembershipCalls;
  /** Gives back space that no root reaches: one turn. It may run beside open writers, forks and removals. */
  sweep(): Promise<SweepReport>;
  sweepNeed(): Promise<SweepNeed>;
  /** Of all volumes except these, whose pages count as if they were not there. `bytesOnDisk` is of all. */
  usage(options: {readonly except: readonly VolumeNumber[]}): Promise<StoreUsage>;
  /** Verifies everything in every zone, on a thread of its own: nobody waits for it. */
  scrub(order: ScrubOrder): ScrubRun;
  /** Cuts off a sweep that is under way, and allows no other: before the store is closed. */
  endReclaim(): Promise<void>;
  close(): Promise<void>;
};
