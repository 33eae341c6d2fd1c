/** API requests, counted as they end. Actions and statuses are few: what nobody knows is `unknown`. */
import {Counter, Histogram, type Registry} from 'prom-client';

/** From a describe to a clone of a busy cluster, and the limit of a call. */
const DURATION_BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 120];

export type EndedRequest = {
  readonly action: string;
  readonly status: number;
  readonly durationMs: number;
};

export class RequestMetrics {
  readonly #count: Counter<'action' | 'status'>;
  readonly #duration: Histogram<'action'>;

  constructor(registry: Registry) {
    this.#count = new Counter({
      name: 'borealis_api_requests_total',
      help: 'Requests that were answered, by action (or path) and HTTP status.',
      labelNames: ['action', 'status'],
      registers: [registry],
    });
    this.#duration = new Histogram({
      name: 'borealis_api_request_duration_seconds',
      help: 'From the head of a request to its answer.',
      labelNames: ['action'],
      buckets: DURATION_BOUNDS_S,
      registers: [registry],
    });
  }

  note({action, status, durationMs}: EndedRequest): void {
    this.#count.inc({action, status});
    this.#duration.observe({action}, durationMs / 1000);
  }
}
