/**
 * RestoreDBClusterToPointInTime with RestoreType=copy-on-write: the clone.
 *
 *     validate ▸ listen ▸ take a number ▸ record (creating) ▸ fork ▸ record (available) ▸ answer
 *
 * The fork happens within the call, so that every transaction acknowledged before the call is in the
 * clone. A crash before the store recorded the child undoes the clone at the next start, one after it
 * finishes it.
 */
import type {
  RestoreDBClusterToPointInTimeMessage,
  RestoreDBClusterToPointInTimeResult,
} from '@aws-sdk/client-rds';
import {assert} from '../../base/assert.ts';
import {crashPoint} from '../../base/crash-point.ts';
import type {VolumeNumber} from '../../page-store/ids.ts';
import {becomeAvailable} from '../cluster-lifecycle.ts';
import {refuseWithoutTls} from '../engine-kinds.ts';
import {clusterOfResource} from '../instances-of.ts';
import {
  clusterNotFound,
  refuseUnlessAvailable,
  invalidCombination,
  invalidValue,
  missingParameter,
} from '../faults.ts';
import {forkCluster} from '../fork.ts';
import {newResourceId, parseIdentifier, parseReference, quoted} from '../identifiers.ts';
import {CLUSTER_REFUSALS, refuseMembers} from '../members.ts';
import {
  listenForNew,
  recordNewCluster,
  refuseTakenCluster,
  refuseWithoutSpace,
} from '../new-cluster.ts';
import type {ClusterRecord, ClusterSettings} from '../records.ts';
import {clonesBeside, refuseBeyondQuota} from '../quotas.ts';
import {parseSettings} from '../settings.ts';
import {settingsRules} from '../settings-rules.ts';
import {refuseOtherZones} from '../subnet-groups.ts';
import {clusterShape} from '../shapes.ts';
import {addEvent, type World} from '../world.ts';

export async function restoreDBClusterToPointInTime(
  world: World,
  input: RestoreDBClusterToPointInTimeMessage,
): Promise<RestoreDBClusterToPointInTimeResult> {
  const identifier = parseIdentifier('DBClusterIdentifier', input.DBClusterIdentifier);
  parseMoment(input);
  refuseMembers(input, CLUSTER_REFUSALS);
  const source = clonableSource(world, input);
  refuseWithoutTls(source.engine, input);
  const settings = parseSettings(
    input,
    inheritedSettings(source.settings),
    settingsRules(world, source),
  );
  if (settings.subnetGroupName !== source.settings.subnetGroupName) {
    refuseOtherZones(world, settings.subnetGroupName, source);
  }
  refuseTakenCluster(world, identifier);
  refuseWithoutSpace(world);
  const endpoint = await listenForNew(world, input.Port);
  const volume = await world.storage.allocateVolume();
  return await world.resourceLocks.hold(`cluster/${identifier}`, async () => {
    const cluster = await recordNewCluster(world, endpoint, () =>
      cloneRecord(world, {identifier, volume, port: endpoint.port, settings}, source),
    );
    world.supervisor.reroute(identifier);
    const available = await forkOrUndo(world, cluster, source, volume);
    return {DBCluster: clusterShape(world, available)};
  });
}

function parseMoment(input: RestoreDBClusterToPointInTimeMessage): void {
  const {RestoreToTime: time, UseLatestRestorableTime: latest, RestoreType: type} = input;
  if (time !== undefined && latest === true) {
    throw invalidCombination(
      'The parameters RestoreToTime and UseLatestRestorableTime cannot be used together. Specify one of them.',
    );
  }
  if (time === undefined && latest !== true) {
    throw invalidCombination(
      'One of the parameters RestoreToTime and UseLatestRestorableTime must be specified.',
    );
  }
  const allowed = 'The value that Borealis supports now is copy-on-write.';
  if (type === undefined || type === 'full-copy') {
    throw invalidValue(
      `RestoreType full-copy, which is the default, is not supported yet. ${allowed}`,
    );
  }
  if (type !== 'copy-on-write') {
    throw invalidValue(`The parameter RestoreType cannot be ${quoted(type)}. ${allowed}`);
  }
  if (time !== undefined) {
    throw invalidValue(
      'RestoreToTime cannot be used with RestoreType copy-on-write. Use UseLatestRestorableTime.',
    );
  }
}

function clonableSource(world: World, input: RestoreDBClusterToPointInTimeMessage): ClusterRecord {
  const {SourceDBClusterIdentifier: name, SourceDbClusterResourceId: resourceId} = input;
  if (name !== undefined && resourceId !== undefined) {
    throw invalidCombination(
      'The parameters SourceDBClusterIdentifier and SourceDbClusterResourceId cannot be used together. Specify one of them.',
    );
  }
  if (name === undefined && resourceId === undefined) {
    throw missingParameter('SourceDBClusterIdentifier');
  }
  refuseOtherRegion(name, world.catalog.identity.region);
  const source =
    resourceId === undefined
      ? world.catalog.clusters.get(
          parseReference('SourceDBClusterIdentifier', name, 'cluster', world.catalog.identity),
        )
      : clusterOfResource(world, resourceId);
  if (source === undefined) throw clusterNotFound(name ?? resourceId ?? '');
  refuseUnclonable(source);
  return source;
}

function refuseOtherRegion(name: string | undefined, region: string): void {
  const other = /^arn:aws[a-z-]*:rds:([a-z0-9-]+):/i.exec(name ?? '')?.[1];
  if (other === undefined || other === region) return;
  throw invalidValue(
    `The source DB cluster is in the region ${other}. A clone must be created in the AWS Region of its source: it shares the source's pages.`,
  );
}

/** A stopped cluster's volume can be cloned like any other. */
function refuseUnclonable(source: ClusterRecord): void {
  refuseUnlessAvailable(source, 'modifying', 'stopped');
}

/** Settings of the source that a clone has too; protection, logins by token and tags are the clone's own. */
function inheritedSettings(source: ClusterSettings): ClusterSettings {
  return {...source, deletionProtection: false, iamAuthentication: false, tags: []};
}

type CloneIdentity = Pick<ClusterRecord, 'identifier' | 'port' | 'settings'> & {
  readonly volume: VolumeNumber;
};

/** Runs inside the transaction, so the source is as it is now. */
function cloneRecord(world: World, clone: CloneIdentity, seen: ClusterRecord): ClusterRecord {
  const source = clusterOfResource(world, seen.resourceId);
  if (source === undefined) throw clusterNotFound(seen.identifier);
  refuseUnclonable(source);
  refuseBeyondQuota(world, 'CopyOnWriteClonesPerCopy', clonesBeside(world, source));
  assert(source.volume !== null && source.volumeReady, 'an available cluster has a volume');
  return {
    ...source,
    ...clone,
    resourceId: newResourceId('cluster'),
    status: 'creating',
    statusReason: null,
    createdAtMs: world.clock.nowMs(),
    origin: {
      kind: 'clone',
      sourceIdentifier: source.identifier,
      sourceResourceId: source.resourceId,
      sourceVolume: source.volume,
    },
    ancestors: [
      {identifier: source.identifier, volume: source.volume},
      ...(source.ancestors ?? []),
    ],
    pending: null,
    volumeReady: false,
    firstStart: true,
    cloneSteps: [],
    bytesCopiedAtBirth: 0,
  };
}

async function forkOrUndo(
  world: World,
  cluster: ClusterRecord,
  source: ClusterRecord,
  volume: VolumeNumber,
): Promise<ClusterRecord> {
  try {
    crashPoint('cluster.clone.before-fork');
    const outcome = await forkCluster(world, source, volume);
    crashPoint('cluster.clone.after-fork');
    const available = becomeAvailable(
      world,
      cluster.identifier,
      {
        ...masterAfterFork(world, cluster, source),
        cloneSteps: outcome.steps,
        bytesCopiedAtBirth: outcome.bytesCopied,
      },
      `DB cluster cloned from ${source.identifier}`,
    );
    crashPoint('cluster.clone.after-available');
    return available;
  } catch (error) {
    world.catalog.transaction(() => {
      world.catalog.clusters.update(cluster.identifier, record => ({
        ...record,
        status: 'deleting',
      }));
      addEvent(
        world,
        'db-cluster',
        cluster.identifier,
        'The clone failed and is undone',
        'failure',
      );
    });
    world.reconciler.enqueue(`cluster/${cluster.identifier}`);
    throw error;
  }
}

/**
 * The master user as it was set on the source when the fork was through. Unless it did not change
 * around the fork, nobody knows which one the child's pages have: its first start sets it once more.
 */
function masterAfterFork(
  world: World,
  clone: ClusterRecord,
  source: ClusterRecord,
): Partial<ClusterRecord> {
  const now = clusterOfResource(world, source.resourceId);
  if (now === undefined) return {};
  const settled =
    now.masterRevision === clone.masterRevision && now.masterApplied === clone.masterApplied;
  if (settled) return {};
  const {master, masterRevision} = now;
  return {master, masterRevision, masterApplied: masterRevision - 1};
}
