/** Makes pending changes due once their maintenance window has begun. */
import {dueInstance} from './actions/modify-db-instance.ts';
import {due} from './actions/modify-db-cluster.ts';
import {isWithinWindow} from './settings.ts';
import type {World} from './world.ts';

/** A window lasts half an hour at least. */
export const MAINTENANCE_PERIOD_MS = 60_000;

export function beginMaintenance(world: World): void {
  const nowMs = world.clock.nowMs();
  const {clusters, instances} = world.catalog;
  for (const {identifier, status, pending, settings} of clusters.list()) {
    if (pending === null || pending.due || status !== 'available') continue;
    if (!isWithinWindow(settings.preferredMaintenanceWindow, nowMs)) continue;
    world.catalog.transaction(() => clusters.update(identifier, due));
    world.reconciler.enqueue(`cluster/${identifier}`);
  }
  for (const {identifier, status, pending, preferredMaintenanceWindow} of instances.list()) {
    if (pending === null || pending.due || status !== 'available') continue;
    if (!isWithinWindow(preferredMaintenanceWindow, nowMs)) continue;
    world.catalog.transaction(() => instances.update(identifier, dueInstance));
    world.reconciler.enqueue(`instance/${identifier}`);
  }
}
