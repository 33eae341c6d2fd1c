/** What the service and its instances are measured by, as of one moment. */
import type {EndpointStatistics} from '../../endpoint/endpoint.ts';
import type {InstanceStatistics} from '../../instance/messages.ts';
import type {ZoneState} from '../../page-store/zone.ts';
import type {StorageReport} from '../control-plane.ts';
import type {ServiceCounts} from './service-counts.ts';

export type Measurements = {
  readonly isReady: boolean;
  /** Writes wait for free space. */
  readonly isStorageFull: boolean;
  /** Parts that did not answer in time, and are left out. */
  readonly missing: Readonly<Record<MeasuredPart, number>>;
  readonly clusters: readonly {readonly identifier: string; readonly status: string}[];
  readonly instances: readonly InstanceMeasurement[];
  readonly endpoints: readonly EndpointMeasurement[];
  readonly zones: readonly ZoneMeasurement[];
  /** As it was counted at most half a minute ago, or at the last time that anybody asked. */
  readonly storage: {readonly report: StorageReport; readonly ageMs: number} | null;
  readonly counts: ServiceCounts;
  /** By kind of resource: failed attempts to bring one to what its record asks for. */
  readonly reconcileFailures: ReadonlyMap<string, number>;
  /** By category: events that were recorded. */
  readonly events: ReadonlyMap<string, number>;
};

export type MeasuredPart = 'instances' | 'zones' | 'storage';

export type InstanceMeasurement = {
  readonly cluster: string;
  readonly instance: string;
  readonly role: 'writer' | 'reader';
  /** It serves in its role. */
  readonly isUp: boolean;
  /** Of a reader that serves. */
  readonly replicaLagMs: number | null;
  /** Null when it does not serve, or did not answer in time. */
  readonly statistics: InstanceStatistics | null;
};

export type EndpointMeasurement = {
  readonly cluster: string;
  /** `cluster`, `reader`, or the name of a custom endpoint. */
  readonly endpoint: string;
} & EndpointStatistics;

export type ZoneMeasurement = {
  readonly zone: string;
  /** Null when the store did not answer in time. */
  readonly state: ZoneState | null;
  /** Null when its directory cannot be read, or did not answer in time. */
  readonly freeBytes: number | null;
};

export type Readiness = {readonly isReady: boolean; readonly reason: string | null};

/** Neither call rejects for what does not answer, or takes long. */
export type Monitor = {
  measure(): Promise<Measurements>;
  readiness(): Promise<Readiness>;
};
