/**
 * ModifyDBInstance and RebootDBInstance. Another identifier or class needs a restart: with
 * ApplyImmediately at once, else in the maintenance window. The rest changes at once.
 */
import type {
  ModifyDBInstanceMessage,
  ModifyDBInstanceResult,
  RebootDBInstanceMessage,
  RebootDBInstanceResult,
} from '@aws-sdk/client-rds';
import {assert} from '../../base/assert.ts';
import {crashPoint} from '../../base/crash-point.ts';
import {refuseWithoutTls} from '../engine-kinds.ts';
import {
  instanceAlreadyExists,
  instanceNotFound,
  invalidCombination,
  invalidInstanceState,
  refuseUnlessAvailable,
} from '../faults.ts';
import {parseIdentifier, parseReference} from '../identifiers.ts';
import {parseInteger, refuseMembers, unsupported, type Refusals} from '../members.ts';
import type {ClusterRecord, InstanceRecord} from '../records.ts';
import {parseMaintenanceWindow} from '../settings.ts';
import {instanceShape} from '../shapes.ts';
import {addEvent, type World} from '../world.ts';
import {
  CLUSTER_LEVEL,
  INSTANCE_REFUSALS,
  parseInstanceClass,
  parseInstanceGroup,
  PROMOTION_TIER_MAX,
  refuseOtherVersion,
} from './create-db-instance.ts';

const REFUSALS: Refusals = {
  ...INSTANCE_REFUSALS,
  AllowMajorVersionUpgrade: value => (value === true ? CLUSTER_LEVEL() : undefined),
  AutomationMode: unsupported('RDS Custom is'),
  CloudwatchLogsExportConfiguration: unsupported('log exports are'),
  DBPortNumber: CLUSTER_LEVEL,
  DBSubnetGroupName: CLUSTER_LEVEL,
  DisableDomain: value => (value === true ? 'Active Directory is not used' : undefined),
  LicenseModel: value => (value === 'postgresql-license' ? undefined : 'PostgreSQL has its own'),
  ReplicaMode: unsupported('replicas of Oracle and Db2 are'),
  ResumeFullAutomationModeMinutes: unsupported('RDS Custom is'),
  UseDefaultProcessorFeatures: value =>
    value === false ? 'processor features are not supported by Borealis' : undefined,
  VpcSecurityGroupIds: CLUSTER_LEVEL,
};

export function modifyDBInstance(
  world: World,
  input: ModifyDBInstanceMessage,
): ModifyDBInstanceResult {
  const identifier = identifierOf(world, input.DBInstanceIdentifier);
  const seen = found(world, identifier);
  refuseMembers(input, REFUSALS);
  refuseWithoutTls(seen.cluster.engine, input);
  refuseOtherVersion(input, seen.cluster);
  const {DBParameterGroupName: group} = input;
  const changes = {
    ...parseChanges(input),
    ...(group === undefined
      ? {}
      : {parameterGroupName: parseInstanceGroup(world, group, seen.cluster)}),
  };
  const {instance, cluster} = world.catalog.transaction(() => {
    const now = found(world, identifier);
    refuseUnlessAvailable(now.cluster, 'modifying');
    refuseBusy(now.instance, 'failed', 'modifying');
    const changed = withChanges({...now.instance, ...changes}, input);
    refuseTakenName(world, changed);
    world.catalog.instances.put(identifier, changed);
    addEvent(world, 'db-instance', identifier, 'DB instance modified', 'configuration change');
    return {...now, instance: changed};
  });
  crashPoint('instance.modify.after-intent');
  world.reconciler.enqueue(`instance/${identifier}`);
  return {DBInstance: instanceShape(world, cluster, instance)};
}

export function rebootDBInstance(
  world: World,
  input: RebootDBInstanceMessage,
): RebootDBInstanceResult {
  const identifier = identifierOf(world, input.DBInstanceIdentifier);
  found(world, identifier);
  if (input.ForceFailover === true) {
    throw invalidCombination(
      'ForceFailover cannot be specified for a DB instance of a DB cluster. Use FailoverDBCluster.',
    );
  }
  const {instance, cluster} = world.catalog.transaction(() => {
    const now = found(world, identifier);
    refuseUnlessAvailable(now.cluster, 'modifying');
    refuseBusy(now.instance);
    const rebooting: InstanceRecord = {...now.instance, status: 'rebooting'};
    world.catalog.instances.put(identifier, rebooting);
    return {...now, instance: rebooting};
  });
  crashPoint('instance.reboot.after-intent');
  world.reconciler.enqueue(`instance/${identifier}`);
  return {DBInstance: instanceShape(world, cluster, instance)};
}

/** Its pending changes are to be made now. */
export function dueInstance(instance: InstanceRecord): InstanceRecord {
  const {pending} = instance;
  if (pending === null) return instance;
  return {...instance, pending: {...pending, due: true}, status: 'modifying'};
}

function identifierOf({catalog}: World, value: string | undefined): string {
  return parseReference('DBInstanceIdentifier', value, 'db', catalog.identity);
}

function found(
  {catalog}: World,
  identifier: string,
): {instance: InstanceRecord; cluster: ClusterRecord} {
  const instance = catalog.instances.get(identifier);
  if (instance === undefined) throw instanceNotFound(identifier);
  const cluster = catalog.clusters.get(instance.clusterIdentifier);
  assert(cluster !== undefined, 'a cluster outlives its instances');
  return {instance, cluster};
}

function refuseBusy({identifier, status}: InstanceRecord, ...others: readonly string[]): void {
  if (status === 'available' || others.includes(status)) return;
  throw invalidInstanceState(
    `DB instance ${identifier} is not in the available state: it is ${status}.`,
  );
}

function parseChanges(input: ModifyDBInstanceMessage): Partial<InstanceRecord> {
  const {PreferredMaintenanceWindow: window, AutoMinorVersionUpgrade: upgrade} = input;
  const tier = parseInteger('PromotionTier', input.PromotionTier, {
    min: 0,
    max: PROMOTION_TIER_MAX,
    absent: -1,
  });
  return {
    ...(tier === -1 ? {} : {promotionTier: tier}),
    ...(window === undefined ? {} : {preferredMaintenanceWindow: parseMaintenanceWindow(window)}),
    ...(upgrade === undefined ? {} : {autoMinorVersionUpgrade: upgrade}),
  };
}

function withChanges(instance: InstanceRecord, input: ModifyDBInstanceMessage): InstanceRecord {
  const {NewDBInstanceIdentifier: newName, DBInstanceClass: newClass} = input;
  const name =
    newName === undefined || newName === ''
      ? null
      : parseIdentifier('NewDBInstanceIdentifier', newName);
  const size = newClass === undefined || newClass === '' ? null : parseInstanceClass(newClass);
  const waiting = instance.pending;
  const pending = {
    identifier: name === instance.identifier ? null : (name ?? waiting?.identifier ?? null),
    instanceClass:
      size === instance.instanceClass ? null : (size ?? waiting?.instanceClass ?? null),
    due: input.ApplyImmediately === true || waiting?.due === true,
  };
  if (pending.identifier === null && pending.instanceClass === null) {
    return {...instance, pending: null};
  }
  return pending.due ? dueInstance({...instance, pending}) : {...instance, pending};
}

function refuseTakenName(world: World, {pending}: InstanceRecord): void {
  const name = pending?.identifier ?? null;
  if (name !== null && world.catalog.instances.get(name) !== undefined) {
    throw instanceAlreadyExists(name);
  }
}
