/** What the catalog and the events say of the lives of an instance. */
import {crashPoint} from '../base/crash-point.ts';
import {errorChain} from '../base/errors.ts';
import type {ReadyInstance} from '../instance/instance-process.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import {addEvent, type World} from './world.ts';

type HistoryWorld = Pick<World, 'catalog' | 'clock'>;

export function recordReady(
  world: HistoryWorld,
  instance: InstanceRecord,
  started: ClusterRecord,
  ready: ReadyInstance,
): void {
  crashPoint('instance.start.before-available');
  world.catalog.transaction(() => {
    if (instance.role === 'writer') recordWriter(world, started, ready);
    world.catalog.instances.update(instance.identifier, record => ({
      ...record,
      status: isOnItsWayUp(record.status) ? 'available' : record.status,
      statusReason: null,
      startSteps: ready.steps,
    }));
    const [message, category] =
      instance.status === 'creating'
        ? (['DB instance created', 'creation'] as const)
        : (['DB instance restarted', 'availability'] as const);
    addEvent(world, 'db-instance', instance.identifier, message, category);
  });
  crashPoint('instance.start.after-available');
}

function recordWriter(world: HistoryWorld, started: ClusterRecord, ready: ReadyInstance): void {
  world.catalog.clusters.update(started.identifier, cluster => ({
    ...cluster,
    firstStart: false,
    databaseMade: true,
    masterApplied: Math.max(cluster.masterApplied, started.masterRevision),
    serverVersion: ready.serverVersion,
  }));
}

/** It served and does not any more; it is started again. */
export function recordRestart(world: HistoryWorld, identifier: string, why: string): void {
  world.catalog.transaction(() => {
    world.catalog.instances.update(identifier, record => ({
      ...record,
      status: record.status === 'available' ? 'starting' : record.status,
    }));
    const message = `Recovery of the DB instance has started: ${why}`;
    addEvent(world, 'db-instance', identifier, message, 'recovery');
  });
}

export function recordFailed(world: HistoryWorld, identifier: string, error: Error): void {
  const reason = errorChain(error);
  world.catalog.transaction(() => {
    const record = world.catalog.instances.get(identifier);
    if (record === undefined || !isOnItsWayUp(record.status)) return;
    world.catalog.instances.put(identifier, {...record, status: 'failed', statusReason: reason});
    if (record.status !== 'failed') {
      const message = `DB instance failed to start: ${reason}`;
      addEvent(world, 'db-instance', identifier, message, 'failure');
    }
  });
}

/** What was asked for meanwhile (a deletion, a stop, a restart) stands. */
function isOnItsWayUp(status: InstanceRecord['status']): boolean {
  return ['creating', 'starting', 'available', 'failed'].includes(status);
}

export function recordTakenOver(world: HistoryWorld, cluster: string, writer: string): void {
  world.catalog.transaction(() => {
    const message = `Completed failover to DB instance: ${writer}`;
    addEvent(world, 'db-cluster', cluster, message, 'failover');
  });
}
