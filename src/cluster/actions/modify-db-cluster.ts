/**
 * ModifyDBCluster. The password, protection and other settings change at once; another identifier or
 * port with ApplyImmediately, else in the maintenance window.
 */
import type {ModifyDBClusterMessage, ModifyDBClusterResult} from '@aws-sdk/client-rds';
import {crashPoint} from '../../base/crash-point.ts';
import {AUTHORITY_IDENTIFIER} from '../certificates.ts';
import {refuseWithoutTls} from '../engine-kinds.ts';
import {
  clusterAlreadyExists,
  clusterNotFound,
  invalidCombination,
  refuseUnlessAvailable,
} from '../faults.ts';
import {parseIdentifier, parseReference} from '../identifiers.ts';
import {instancesOf} from '../instances-of.ts';
import {parseMasterUserPassword} from '../master-user.ts';
import {
  CLUSTER_REFUSALS,
  onlyValue,
  refuseMembers,
  unsupported,
  type Refusals,
} from '../members.ts';
import {listenForNew} from '../new-cluster.ts';
import {forgetPasswordNote} from '../password-notes.ts';
import type {ClusterRecord} from '../records.ts';
import {parseSettings} from '../settings.ts';
import {settingsRules} from '../settings-rules.ts';
import {clusterShape} from '../shapes.ts';
import {addEvent, type World} from '../world.ts';

const REFUSALS: Refusals = {
  ...CLUSTER_REFUSALS,
  AllowEngineModeChange: unsupported('changing the engine mode is'),
  AwsBackupRecoveryPointArn: unsupported('AWS Backup is'),
  CACertificateIdentifier: onlyValue(AUTHORITY_IDENTIFIER),
  RotateMasterUserPassword: unsupported('passwords in Secrets Manager are'),
};

export async function modifyDBCluster(
  world: World,
  input: ModifyDBClusterMessage,
): Promise<ModifyDBClusterResult> {
  const {identity} = world.catalog;
  const identifier = parseReference(
    'DBClusterIdentifier',
    input.DBClusterIdentifier,
    'cluster',
    identity,
  );
  const found = world.catalog.clusters.get(identifier);
  if (found === undefined) throw clusterNotFound(identifier);
  refuseMembers(input, REFUSALS);
  refuseWithoutTls(found.engine, input);
  refuseUnchangeable(input, found);
  const rules = settingsRules(world, found);
  parseSettings(input, found.settings, rules);
  const password = input.MasterUserPassword;
  const verifier =
    password === undefined
      ? undefined
      : world.passwordVerifier(found.engine, parseMasterUserPassword(found.engine, password));
  const name = parseNewName(input.NewDBClusterIdentifier, found);
  if (input.Port !== undefined && input.Port !== found.port) await tryPort(world, input.Port);
  const cluster = world.catalog.transaction((): ClusterRecord => {
    const current = modifiable(world, identifier);
    refuseTakenName(world, name);
    const settings = parseSettings(input, current.settings, rules);
    const changed = withChanges(
      {...current, settings, ...newMaster(current, verifier)},
      name,
      input,
    );
    // Before the change is there: a note that is missing is better than one that is wrong.
    if (verifier !== undefined) forgetPasswordNote(world, current.resourceId);
    world.catalog.clusters.put(identifier, changed);
    addEvent(world, 'db-cluster', identifier, 'DB cluster modified', 'configuration change');
    return changed;
  });
  crashPoint('cluster.modify.after-intent');
  world.reconciler.enqueue(`cluster/${identifier}`);
  // Their engines take what another parameter group brings.
  for (const instance of instancesOf(world, identifier)) {
    world.reconciler.enqueue(`instance/${instance.identifier}`);
  }
  return {DBCluster: clusterShape(world, cluster)};
}

function modifiable(world: World, identifier: string): ClusterRecord {
  const cluster = world.catalog.clusters.get(identifier);
  if (cluster === undefined) throw clusterNotFound(identifier);
  refuseUnlessAvailable(cluster, 'modifying');
  return cluster;
}

function parseNewName(value: string | undefined, cluster: ClusterRecord): string | null {
  if (value === undefined || value === '') return null;
  const name = parseIdentifier('NewDBClusterIdentifier', value);
  return name === cluster.identifier ? null : name;
}

function refuseTakenName(world: World, name: string | null): void {
  if (name !== null && world.catalog.clusters.get(name) !== undefined) {
    throw clusterAlreadyExists(name);
  }
}

/** It may be taken by another program until the change is made; events tell then. */
async function tryPort(world: World, port: number): Promise<void> {
  const endpoint = await listenForNew(world, port);
  await endpoint.close();
}

/** What waits is made with what is asked for to be made at once, as in RDS. */
function withChanges(
  cluster: ClusterRecord,
  name: string | null,
  {Port: port, ApplyImmediately: isNow = false}: ModifyDBClusterMessage,
): ClusterRecord {
  const pending = {
    identifier: name ?? cluster.pending?.identifier ?? null,
    port: port ?? cluster.pending?.port ?? null,
    due: isNow || cluster.pending?.due === true,
  };
  if (pending.identifier === null && pending.port === null) return cluster;
  return pending.due ? due({...cluster, pending}) : {...cluster, pending};
}

/** Its pending changes are to be made now. */
export function due(cluster: ClusterRecord): ClusterRecord {
  const {pending} = cluster;
  if (pending === null) return cluster;
  return {
    ...cluster,
    pending: {...pending, due: true},
    status: pending.identifier === null ? 'modifying' : 'renaming',
  };
}

function newMaster(cluster: ClusterRecord, verifier: string | undefined): Partial<ClusterRecord> {
  if (verifier === undefined) return {};
  return {
    status: 'modifying',
    master: {name: cluster.master.name, verifier},
    masterRevision: cluster.masterRevision + 1,
  };
}

function refuseUnchangeable(input: ModifyDBClusterMessage, cluster: ClusterRecord): void {
  const version = input.EngineVersion;
  if (version !== undefined && version !== '' && version !== cluster.engineVersion) {
    throw invalidCombination(
      `The parameter EngineVersion cannot be changed: DB cluster ${cluster.identifier} stays at ${cluster.engineVersion}. Upgrades are not supported by Borealis.`,
    );
  }
}
