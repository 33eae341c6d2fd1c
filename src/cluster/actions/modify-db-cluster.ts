/** ModifyDBCluster: master password, deletion protection, and settings that are only kept. */
import type {ModifyDBClusterMessage, ModifyDBClusterResult} from '@aws-sdk/client-rds';
import {crashPoint} from '../../base/crash-point.ts';
import {clusterNotFound, invalidClusterState, invalidCombination} from '../faults.ts';
import {parseReference} from '../identifiers.ts';
import {parseMasterUserPassword} from '../master-user.ts';
import {CLUSTER_REFUSALS, refuseMembers, unsupported, type Refusals} from '../members.ts';
import type {ClusterRecord} from '../records.ts';
import {parseSettings} from '../settings.ts';
import {clusterShape} from '../shapes.ts';
import {addEvent, type World} from '../world.ts';

const REFUSALS: Refusals = {
  ...CLUSTER_REFUSALS,
  AllowEngineModeChange: unsupported('changing the engine mode is'),
  AwsBackupRecoveryPointArn: unsupported('AWS Backup is'),
  CACertificateIdentifier: unsupported('TLS is'),
  NewDBClusterIdentifier: unsupported('renaming a DB cluster is'),
  RotateMasterUserPassword: unsupported('passwords in Secrets Manager are'),
};

export function modifyDBCluster(
  world: World,
  input: ModifyDBClusterMessage,
): ModifyDBClusterResult {
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
  refuseUnchangeable(input, found);
  const zoneNames = world.zones.map(zone => zone.name);
  parseSettings(input, found.settings, zoneNames);
  const password = input.MasterUserPassword;
  const verifier =
    password === undefined
      ? undefined
      : world.passwordVerifier(found.engine, parseMasterUserPassword(found.engine, password));
  const cluster = world.catalog.transaction((): ClusterRecord => {
    const current = modifiable(world, identifier);
    const settings = parseSettings(input, current.settings, zoneNames);
    const changed: ClusterRecord = {...current, settings, ...newMaster(current, verifier)};
    world.catalog.clusters.put(identifier, changed);
    addEvent(world, 'db-cluster', identifier, 'DB cluster modified');
    return changed;
  });
  crashPoint('cluster.modify.after-intent');
  world.reconciler.enqueue(`cluster/${identifier}`);
  return {DBCluster: clusterShape(world, cluster)};
}

function modifiable(world: World, identifier: string): ClusterRecord {
  const cluster = world.catalog.clusters.get(identifier);
  if (cluster === undefined) throw clusterNotFound(identifier);
  if (cluster.status !== 'available' && cluster.status !== 'modifying') {
    throw invalidClusterState(
      `DB cluster ${identifier} is not in the available state: it is ${cluster.status}.`,
    );
  }
  return cluster;
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
  if (input.Port !== undefined && input.Port !== cluster.port) {
    throw invalidCombination(
      `The parameter Port cannot be changed: DB cluster ${cluster.identifier} keeps port ${cluster.port}. A clone can have another one.`,
    );
  }
  const version = input.EngineVersion;
  if (version !== undefined && version !== '' && version !== cluster.engineVersion) {
    throw invalidCombination(
      `The parameter EngineVersion cannot be changed: DB cluster ${cluster.identifier} stays at ${cluster.engineVersion}. Upgrades are not supported by Borealis.`,
    );
  }
}
