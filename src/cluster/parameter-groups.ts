/**
 * Parameter groups, and what they come to for one instance.
 *
 *     class settings ◀ cluster group ◀ instance group          what is further right wins
 *
 * Each family has a default group of both scopes, `default.FAMILY`, which exists without a record and
 * is empty. What an engine takes by a reload it gets at once; the rest at its next start.
 */
import type {EngineSetting} from '../engine/engine.ts';
import {offerFor, parameterGroupFamily, goldenKey, type EngineOffer} from './engine-versions.ts';
import {BorealisError} from '../base/errors.ts';
import {writerOf} from './cluster-roles.ts';
import {clusterGroupNotFound, groupNotFound, invalidCombination} from './faults.ts';
import {parseGroupName} from './identifiers.ts';
import {classMemoryBytes} from './instance-classes.ts';
import {instancesOf} from './instances-of.ts';
import {effectiveValue, isDynamic, managedReason, type GroupScope} from './parameters.ts';
import {rulesOf} from './parameter-rules.ts';
import type {CatalogTable} from './catalog.ts';
import type {ClusterRecord, InstanceRecord, ParameterGroupRecord} from './records.ts';
import type {World} from './world.ts';

const DEFAULT_PREFIX = 'default.';

type GroupWorld = Pick<World, 'catalog' | 'offers' | 'hostMemoryBytes'>;
type Values = Readonly<Record<string, string>>;
/** A cluster, or an offer of an engine. */
type Versioned = Pick<EngineOffer, 'engine' | 'engineVersion'>;

export function groupTable(
  {catalog}: Pick<World, 'catalog'>,
  scope: GroupScope,
): CatalogTable<ParameterGroupRecord> {
  return scope === 'cluster' ? catalog.clusterParameterGroups : catalog.instanceParameterGroups;
}

export function defaultGroupName(engine: Versioned): string {
  return DEFAULT_PREFIX + parameterGroupFamily(engine);
}

function isDefaultGroup(name: string): boolean {
  return name.startsWith(DEFAULT_PREFIX);
}

/** The families of the engines that can run here, each once. */
export function families({offers}: Pick<World, 'offers'>): string[] {
  const all = [...offers.available, ...offers.others];
  return [...new Set(all.map(parameterGroupFamily))].sort();
}

/** A group by its name in lower case, a default one included. */
export function findGroup(
  world: Pick<World, 'catalog' | 'offers'>,
  scope: GroupScope,
  name: string,
): ParameterGroupRecord | undefined {
  if (!isDefaultGroup(name)) return groupTable(world, scope).get(name);
  const family = name.slice(DEFAULT_PREFIX.length);
  if (!families(world).includes(family)) return undefined;
  const what = scope === 'cluster' ? 'cluster parameter' : 'parameter';
  return {name, family, description: `Default ${what} group for ${family}`, values: {}, tags: []};
}

/** Throws for a name of a default group, which nobody may change, and no other group may have. */
export function refuseDefaultGroup(name: string): void {
  if (!isDefaultGroup(name)) return;
  throw new BorealisError(
    'conflict',
    'InvalidDBParameterGroupStateFault',
    `${name} is a default parameter group; it cannot be created, modified or deleted. Create a group of your own.`,
  );
}

/** The group that a request names, if it is there and is for that engine. */
export function usableGroup(
  world: Pick<World, 'catalog' | 'offers'>,
  scope: GroupScope,
  value: string,
  engine: Versioned,
): string {
  const member = scope === 'cluster' ? 'DBClusterParameterGroupName' : 'DBParameterGroupName';
  const name = parseGroupName(member, value);
  const group = findGroup(world, scope, name);
  if (group === undefined) {
    throw scope === 'cluster' ? clusterGroupNotFound(name) : groupNotFound(name);
  }
  refuseOtherFamily(group, engine);
  return name;
}

function refuseOtherFamily(group: ParameterGroupRecord, engine: Versioned): void {
  const family = parameterGroupFamily(engine);
  if (group.family === family) return;
  throw invalidCombination(
    `The Parameter Group ${group.name} with DBParameterGroupFamily ${group.family} cannot be used for this instance. Please use a Parameter Group with DBParameterGroupFamily ${family}`,
  );
}

function knownSettings(
  {catalog}: Pick<World, 'catalog'>,
  offer: EngineOffer,
): readonly EngineSetting[] | undefined {
  return catalog.engineSettings.get(goldenKey(offer))?.settings;
}

/** What the instance's engine is to have over Borealis's own settings. */
export function wantedParameters(
  world: GroupWorld,
  cluster: ClusterRecord,
  instance: InstanceRecord,
): Values {
  const rules = rulesOf(cluster.engine);
  const settings = settingsOf(world, cluster);
  const sized = memoryFor(world, cluster, instance);
  const wanted = new Map<string, string>();
  const set = (name: string, value: string): void => {
    const setting = settings.get(name);
    wanted.set(name, effectiveValue(setting, value, sized(name)));
  };
  // PGlite has one backend and a small memory of its own.
  if (cluster.runtime === 'native') {
    for (const [name, value] of Object.entries(rules.classSettings)) set(name, value);
  }
  for (const group of groupsOf(world, cluster, instance)) {
    for (const [name, {value}] of Object.entries(group.values)) {
      const setting = settings.get(name);
      if (setting !== undefined && managedReason(rules, setting) === null) set(name, value);
    }
  }
  return Object.fromEntries(wanted);
}

/**
 * What the engine starts with: what is wanted, and of a reader no less than its writer runs with now,
 * which may be more than the groups say since the writer started.
 */
export function startParameters(
  world: GroupWorld,
  cluster: ClusterRecord,
  instance: InstanceRecord,
): Values {
  const wanted = wantedParameters(world, cluster, instance);
  if (instance.role !== 'reader') return wanted;
  const raised = writerMinima(world, cluster).filter(({least, valueIn}) => valueIn(wanted) < least);
  return {...wanted, ...Object.fromEntries(raised.map(({name, least}) => [name, String(least)]))};
}

/** Whether a reader that runs would have to stop at what its writer has written since it started. */
export function hasLessThanWriter(
  world: GroupWorld,
  cluster: ClusterRecord,
  {parameters}: InstanceRecord,
): boolean {
  return writerMinima(world, cluster).some(({least, valueIn}) => valueIn(parameters ?? {}) < least);
}

type Minimum = {
  readonly name: string;
  readonly least: number;
  /** What it comes to where a server runs with `values`. */
  readonly valueIn: (values: Values) => number;
};

function writerMinima(world: GroupWorld, cluster: ClusterRecord): Minimum[] {
  const running = writerOf(instancesOf(world, cluster.identifier))?.parameters;
  if (running === null || running === undefined) return [];
  const {readerMinima, own} = rulesOf(cluster.engine);
  const settings = settingsOf(world, cluster);
  return readerMinima.map(name => {
    const valueIn = (values: Values): number =>
      Number(values[name] ?? own[name] ?? settings.get(name)?.absent ?? 0);
    return {name, least: valueIn(running), valueIn};
  });
}

/** Of what is wanted, what a running engine gets by a reload; the rest stays as it has it. */
export function reloadableParameters(
  world: GroupWorld,
  cluster: ClusterRecord,
  instance: InstanceRecord,
): Values {
  const settings = settingsOf(world, cluster);
  const wanted = wantedParameters(world, cluster, instance);
  const applied = instance.parameters ?? {};
  const waits = new Set(
    groupsOf(world, cluster, instance).flatMap(group =>
      Object.entries(group.values).flatMap(([name, {method}]) =>
        method === 'pending-reboot' ? [name] : [],
      ),
    ),
  );
  const names = [...new Set([...Object.keys(applied), ...Object.keys(wanted)])];
  return Object.fromEntries(
    names.flatMap(name => {
      const setting = settings.get(name);
      const now = setting !== undefined && isDynamic(setting) && !waits.has(name);
      const value = (now ? wanted : applied)[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Whether the instance runs with other parameters than its groups say. */
export function isPendingReboot(
  world: GroupWorld,
  cluster: ClusterRecord,
  instance: InstanceRecord,
): boolean {
  const {parameters} = instance;
  return parameters !== null && !isSame(parameters, wantedParameters(world, cluster, instance));
}

export function isSame(one: Values, other: Values): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every(name => one[name] === other[name])
  );
}

function groupsOf(
  world: GroupWorld,
  cluster: ClusterRecord,
  instance: InstanceRecord,
): ParameterGroupRecord[] {
  return [
    findGroup(world, 'cluster', cluster.settings.parameterGroupName),
    instance.parameterGroupName === null
      ? undefined
      : findGroup(world, 'instance', instance.parameterGroupName),
  ].filter(group => group !== undefined);
}

function settingsOf(world: GroupWorld, cluster: ClusterRecord): ReadonlyMap<string, EngineSetting> {
  const offer = offerFor(world.offers, cluster);
  const settings = offer === undefined ? undefined : knownSettings(world, offer);
  return new Map(settings?.map(setting => [setting.name, setting]));
}

/** By the parameter's name: what all instances of a cluster must have alike follows from the largest of them. */
function memoryFor(
  world: GroupWorld,
  {identifier, engine}: ClusterRecord,
  {instanceClass}: InstanceRecord,
): (name: string) => number {
  const of = (each: string): number => classMemoryBytes(each, world.hostMemoryBytes);
  const own = of(instanceClass);
  const all = instancesOf(world, identifier).map(each => of(each.instanceClass));
  const largest = Math.max(own, ...all);
  return name => (rulesOf(engine).clusterWide.has(name) ? largest : own);
}
