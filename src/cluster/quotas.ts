/**
 * Quotas: how many there may be of what. The defaults are those of RDS; `borealis quota` changes one,
 * and 0 lifts it.
 */
import {BorealisError} from '../base/errors.ts';
import {WAL_SENDERS_MAX} from '../engine/postgres/settings.ts';
import {invalidValue} from './faults.ts';
import {quoted} from './identifiers.ts';
import {customEndpointsOf} from './endpoint-set.ts';
import {instancesOf} from './instances-of.ts';
import type {ClusterRecord, InstanceRecord} from './records.ts';
import type {World} from './world.ts';

export type QuotaName =
  | 'DBClusters'
  | 'DBInstances'
  | 'ReadReplicasPerMaster'
  | 'ManualClusterSnapshots'
  | 'CustomEndpointsPerDBCluster'
  | 'CopyOnWriteClonesPerCopy'
  | 'DBClusterParameterGroups'
  | 'DBParameterGroups'
  | 'DBSubnetGroups'
  | 'SubnetsPerDBSubnetGroup'
  | 'EventSubscriptions';

type Definition = {
  readonly absent: number;
  /** In words, for people: `DB clusters`. */
  readonly what: string;
  /** The fault of RDS. */
  readonly fault: string;
  /** What the quota can be at most; then it cannot be lifted. */
  readonly limitMax?: number;
  /** Of a quota for each cluster: the fullest one. */
  used(world: Pick<World, 'catalog'>): number;
};

/** The names are those of DescribeAccountAttributes where it has one. */
const DEFINITIONS: Readonly<Record<QuotaName, Definition>> = {
  DBClusters: {
    absent: 40,
    what: 'DB clusters',
    fault: 'DBClusterQuotaExceededFault',
    used: ({catalog}) => catalog.clusters.list().length,
  },
  DBInstances: {
    absent: 40,
    what: 'DB instances',
    fault: 'InstanceQuotaExceededFault',
    used: ({catalog}) => catalog.instances.list().length,
  },
  ReadReplicasPerMaster: {
    absent: 15,
    what: 'readers (Aurora Replicas) of one DB cluster',
    fault: 'InvalidDBClusterStateFault',
    // As many as a writer sends WAL to.
    limitMax: WAL_SENDERS_MAX,
    used: world => most(world, ({identifier}) => readersOf(world, identifier).length),
  },
  ManualClusterSnapshots: {
    absent: 100,
    what: 'manual snapshots',
    fault: 'SnapshotQuotaExceededFault',
    used: () => 0,
  },
  CustomEndpointsPerDBCluster: {
    absent: 5,
    what: 'custom endpoints of one DB cluster',
    fault: 'DBClusterEndpointQuotaExceededFault',
    used: world => most(world, ({identifier}) => customEndpointsOf(world, identifier).length),
  },
  CopyOnWriteClonesPerCopy: {
    absent: 15,
    what: 'copy-on-write clones of one copy, counting clones of clones',
    fault: 'DBClusterQuotaExceededFault',
    used: world => most(world, cluster => clonesBeside(world, cluster)),
  },
  DBClusterParameterGroups: {
    absent: 50,
    what: 'DB cluster parameter groups',
    fault: 'DBParameterGroupQuotaExceededFault',
    used: ({catalog}) => catalog.clusterParameterGroups.list().length,
  },
  DBParameterGroups: {
    absent: 50,
    what: 'DB parameter groups',
    fault: 'DBParameterGroupQuotaExceededFault',
    used: ({catalog}) => catalog.instanceParameterGroups.list().length,
  },
  DBSubnetGroups: {
    absent: 50,
    what: 'DB subnet groups',
    fault: 'DBSubnetGroupQuotaExceededFault',
    used: ({catalog}) => catalog.subnetGroups.list().length,
  },
  SubnetsPerDBSubnetGroup: {
    absent: 20,
    what: 'subnets of one DB subnet group',
    fault: 'DBSubnetQuotaExceededFault',
    used: ({catalog}) =>
      Math.max(0, ...catalog.subnetGroups.list().map(each => each.subnets.length)),
  },
  EventSubscriptions: {
    absent: 20,
    what: 'event subscriptions',
    fault: 'EventSubscriptionQuotaExceededFault',
    used: ({catalog}) => catalog.eventSubscriptions.list().length,
  },
};

/** `limit` 0: none. */
export type Quota = {readonly name: string; readonly used: number; readonly limit: number};

const NAMES = Object.keys(DEFINITIONS) as QuotaName[];
/** Nobody means more; 0 is for no limit at all. */
const LIMIT_MAX = 1_000_000;

export function quotas(world: Pick<World, 'catalog'>): Quota[] {
  return NAMES.map(name => quota(world, name));
}

export function setQuota(world: World, wanted: {name: string; limit: number}): Quota {
  const name = NAMES.find(each => each.toLowerCase() === wanted.name.toLowerCase());
  if (name === undefined) {
    throw invalidValue(
      `There is no quota with the name ${quoted(wanted.name)}. There are ${NAMES.join(', ')}.`,
    );
  }
  const {limit} = wanted;
  const {limitMax} = DEFINITIONS[name];
  const max = limitMax ?? LIMIT_MAX;
  const min = limitMax === undefined ? 0 : 1;
  if (!Number.isInteger(limit) || limit < min || limit > max) {
    const lifted = limitMax === undefined ? ', or 0 for no limit' : '';
    throw invalidValue(
      `The quota ${name} is a whole number from 1 to ${max}${lifted}. Given: ${limit}`,
    );
  }
  world.catalog.transaction(() => world.catalog.quotas.put(name, {limit}));
  return quota(world, name);
}

/** Throws the fault of RDS unless there may be `added` more than `used`. */
export function refuseBeyondQuota(
  {catalog}: Pick<World, 'catalog'>,
  name: QuotaName,
  used: number,
  added = 1,
): void {
  const {what, fault, absent} = DEFINITIONS[name];
  const limit = catalog.quotas.get(name)?.limit ?? absent;
  if (limit === 0 || used + added <= limit) return;
  throw new BorealisError(
    'quota',
    fault,
    `The quota is ${limit} ${what}, and there are ${used}. Delete one, or change the quota: borealis quota ${name} ${used + added}.`,
  );
}

/** Clones that share one copy with a cluster, itself counted if it is one. */
export function clonesBeside(
  {catalog}: Pick<World, 'catalog'>,
  {cloneGroupId}: ClusterRecord,
): number {
  return catalog.clusters
    .list()
    .filter(each => each.cloneGroupId === cloneGroupId && each.origin.kind === 'clone').length;
}

function quota(world: Pick<World, 'catalog'>, name: QuotaName): Quota {
  const definition = DEFINITIONS[name];
  const limit = world.catalog.quotas.get(name)?.limit ?? definition.absent;
  return {name, used: definition.used(world), limit};
}

function readersOf(world: Pick<World, 'catalog'>, cluster: string): InstanceRecord[] {
  return instancesOf(world, cluster).filter(({role}) => role === 'reader');
}

function most(world: Pick<World, 'catalog'>, count: (cluster: ClusterRecord) => number): number {
  return Math.max(0, ...world.catalog.clusters.list().map(count));
}
