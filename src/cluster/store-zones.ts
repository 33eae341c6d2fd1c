/** The zones of the store, as they are now: what the service tells of them, and the processes that it starts. */
import type {ZoneConfig} from '../attachment/attachment.ts';
import {writeZonePlan} from './zone-list.ts';
import {storeConfigOf, type ZonePlan} from './zone-plan.ts';

export class StoreZones {
  /** In force. Always this array: its contents follow a change. */
  readonly list: readonly ZoneConfig[];
  readonly #list: ZoneConfig[];
  readonly #dataDirectory: string;
  #plan: ZonePlan;

  /** `plan` is what `zones.json` says. */
  constructor(dataDirectory: string, plan: ZonePlan) {
    this.#dataDirectory = dataDirectory;
    this.#plan = plan;
    this.#list = [...plan.zones];
    this.list = this.#list;
  }

  get plan(): ZonePlan {
    return this.#plan;
  }

  /** For a process that opens the store now. */
  get config(): ReturnType<typeof storeConfigOf> {
    return storeConfigOf(this.#plan);
  }

  /** Durable on return; processes that are started from now on go by it. */
  write(plan: ZonePlan): void {
    writeZonePlan(this.#dataDirectory, plan);
    this.#plan = plan;
    this.#list.splice(0, Infinity, ...plan.zones);
  }
}
