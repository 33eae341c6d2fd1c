/** All that the control plane's actions and reconciler work with. */
import type {Clock} from '../base/clock.ts';
import type {Logger} from '../base/log.ts';
import type {ZoneConfig} from '../attachment/attachment.ts';
import type {Catalog} from './catalog.ts';
import type {Certificates} from './certificates.ts';
import type {DamageList} from './damage.ts';
import type {EndpointSet} from './endpoint-set.ts';
import type {EngineOffers} from './engine-versions.ts';
import type {TokenScope} from './gates.ts';
import type {KeyedLock} from './keyed-lock.ts';
import type {InstanceLauncher} from '../instance/instance-process.ts';
import type {Reconciler} from './reconciler.ts';
import type {EventCategory, EventSource} from './records.ts';
import type {StoreZones} from './store-zones.ts';
import type {ClusterStorage} from './storage-types.ts';
import type {ServiceCounts} from './metrics/service-counts.ts';
import type {SpaceMonitor} from './space-monitor.ts';
import type {ReplicaMonitor} from './replica-monitor.ts';
import type {Scrubber} from './scrubber.ts';
import type {Supervisor} from './supervisor.ts';
import type {ShownCertificates} from './tls-refresh.ts';
import type {ZoneChanges} from './zone-changes.ts';
import type {ZoneHealth} from './zone-health.ts';
import type {ZoneSpaces} from './zone-space.ts';

/** What the service gives. */
export type Surroundings = {
  readonly catalog: Catalog;
  readonly storage: ClusterStorage;
  readonly launch: InstanceLauncher['launch'];
  readonly offers: EngineOffers;
  readonly storeZones: StoreZones;
  /** The next process is to be started with the mounts that there are now. */
  readonly renewSpare: () => void;
  /** Run directories of instances are made in it. */
  readonly instancesDirectory: string;
  /** Where the CLI keeps notes of master passwords; see password-notes.ts. */
  readonly passwordsDirectory: string;
  readonly zoneSpaces: ZoneSpaces;
  /** Free bytes below which engines' writes wait; see attachment/space-guard.ts. */
  readonly reserveBytes: number;
  /** Between two scrubs by schedule; null for none. */
  readonly scrubEveryMs: number | null;
  /** Volumes that the catalog is too old to know are deleted. */
  readonly discardUnknown: boolean;
  /** Instance classes count for a part of it; see instance-classes.ts. */
  readonly hostMemoryBytes: number;
  /** How long an instance may take to start before it is ended and tried again; a default for the absent. */
  readonly startMsMax?: number;
  readonly scramVerifier: (password: string) => string;
  readonly certificates: Certificates;
  /** Why a token of `generate-db-auth-token` is no good for this scope; null when it is. */
  readonly tokenRefusal: (token: string, scope: TokenScope) => string | null;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counts: ServiceCounts;
  readonly zoneHealth: ZoneHealth;
};

export type World = Surroundings & {
  /** Of the store, in force; see `StoreZones`. */
  readonly zones: readonly ZoneConfig[];
  readonly endpoints: EndpointSet;
  readonly shownCertificates: ShownCertificates;
  /** Held by whoever has a volume open or is about to change it as a whole. Key: its number. */
  readonly volumeLocks: KeyedLock;
  /** Held while a resource is driven. Key: as the reconciler's. */
  readonly resourceLocks: KeyedLock;
  readonly damage: DamageList;
  readonly supervisor: Supervisor;
  readonly scrubber: Scrubber;
  readonly space: SpaceMonitor;
  readonly replicas: ReplicaMonitor;
  readonly zoneChanges: ZoneChanges;
  readonly reconciler: Reconciler;
};

/** Call it inside a transaction. Without a category it is a `notification`. */
export function addEvent(
  world: Pick<World, 'catalog' | 'clock'>,
  sourceType: EventSource,
  source: string,
  message: string,
  ...categories: readonly EventCategory[]
): void {
  world.catalog.addEvent({
    timeMs: world.clock.nowMs(),
    sourceType,
    source,
    message,
    categories: categories.length === 0 ? ['notification'] : categories,
  });
}
