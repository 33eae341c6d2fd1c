/**
 * The page at `GET /metrics`: the text format of Prometheus, version 0.0.4.
 *
 *     measurements, taken now ──▶ families of Borealis     catalogue.ts
 *     counted as it happens   ──▶ requests of the API      request-metrics.ts
 *     prom-client             ──▶ the service's process
 *
 * Those who ask at the same time get the same page.
 */
import {collectDefaultMetrics, Registry, type Metric} from 'prom-client';
import type {Measurements, Monitor} from '../../cluster/metrics/measurements.ts';
import {FAMILIES} from './catalogue.ts';
import type {Family} from './family.ts';
import {RequestMetrics} from './request-metrics.ts';

export const PAGE_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export class MetricsPage {
  readonly requests: RequestMetrics;
  readonly #monitor: Monitor;
  readonly #registry = new Registry();
  #rendering: Promise<string> | null = null;

  constructor(monitor: Monitor) {
    this.#monitor = monitor;
    this.requests = new RequestMetrics(this.#registry);
    collectDefaultMetrics({register: this.#registry});
  }

  render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = null;
    });
    return this.#rendering;
  }

  async #render(): Promise<string> {
    const measured = await this.#monitor.measure();
    return (await renderFamilies(measured)) + (await this.#registry.metrics());
  }
}

/** Each moment has a registry of its own, so a cluster that is gone leaves no sample behind. */
export function renderFamilies(measured: Measurements): Promise<string> {
  const registry = new Registry();
  for (const family of FAMILIES) registry.registerMetric(snapshot(family, measured));
  return registry.metrics();
}

/** A registry asks a metric for no more than its name and what `get` returns; the classes count by themselves, and these were counted elsewhere. */
function snapshot({name, help, type, samples}: Family, measured: Measurements): Metric {
  const values = samples(measured).map(({labels, value, suffix}) =>
    suffix === undefined ? {labels, value} : {labels, value, metricName: name + suffix},
  );
  const get = async (): Promise<object> => ({name, help, type, values});
  return {name, get} as unknown as Metric;
}
