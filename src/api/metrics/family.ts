/** What a metric is: how it is named and explained, and its samples as of a moment. */
import type {Measurements} from '../../cluster/metrics/measurements.ts';

export type Sample = {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** The part of a histogram, such as `_bucket`. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
};

export type Family = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** Begins with the name that CloudWatch has for it, where it has one. */
  readonly help: string;
  readonly unit: string;
  /** Who counts it, for the documentation. */
  readonly source: string;
  readonly samples: (measured: Measurements) => readonly Sample[];
};

/** A flag, as Prometheus has it. */
export function flag(is: boolean): number {
  return is ? 1 : 0;
}

/** One sample for each key of a map. */
export function byKey(label: string, values: ReadonlyMap<string, number>): Sample[] {
  return Array.from(values, ([key, value]) => ({labels: {[label]: key}, value}));
}
