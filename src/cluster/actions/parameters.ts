/**
 * Parameters in groups of both scopes: Modify…, Reset… and Describe…, and the defaults of a family.
 * Instances that use a changed group are driven anew: their engines reload what they can.
 */
import type {
  DBClusterParameterGroupDetails,
  DBClusterParameterGroupNameMessage,
  DBParameterGroupDetails,
  DBParameterGroupNameMessage,
  DescribeDBClusterParametersMessage,
  DescribeDBParametersMessage,
  DescribeEngineDefaultClusterParametersMessage,
  DescribeEngineDefaultClusterParametersResult,
  DescribeEngineDefaultParametersMessage,
  DescribeEngineDefaultParametersResult,
  Filter,
  ModifyDBClusterParameterGroupMessage,
  ModifyDBParameterGroupMessage,
  Parameter,
  ResetDBClusterParameterGroupMessage,
  ResetDBParameterGroupMessage,
} from '@aws-sdk/client-rds';
import type {EngineSetting} from '../../engine/engine.ts';
import {familySettings, refuseUnusable} from '../family-settings.ts';
import {isFormula} from '../formula.ts';
import {groupNotFound, invalidCombination, invalidValue, missingParameter} from '../faults.ts';
import {parseGroupName, quoted} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import {findGroup, groupTable, refuseDefaultGroup} from '../parameter-groups.ts';
import {
  findSetting,
  parameterShape,
  parseMethod,
  parseParameter,
  settingsInScope,
  type GroupScope,
  type ParameterValue,
} from '../parameters.ts';
import type {ParameterGroupRecord} from '../records.ts';
import {addEvent, type World} from '../world.ts';

/** As in RDS. */
const CHANGES_MAX = 20;
const SOURCES: readonly string[] = ['user', 'system', 'engine-default'];
type Values = Readonly<Record<string, ParameterValue>>;

export async function modifyDBClusterParameterGroup(
  world: World,
  input: ModifyDBClusterParameterGroupMessage,
): Promise<DBClusterParameterGroupNameMessage> {
  const name = changedGroup('DBClusterParameterGroupName', input.DBClusterParameterGroupName);
  await modify(world, 'cluster', name, input.Parameters);
  return {DBClusterParameterGroupName: name};
}

export async function modifyDBParameterGroup(
  world: World,
  input: ModifyDBParameterGroupMessage,
): Promise<DBParameterGroupNameMessage> {
  const name = changedGroup('DBParameterGroupName', input.DBParameterGroupName);
  await modify(world, 'instance', name, input.Parameters);
  return {DBParameterGroupName: name};
}

export async function resetDBClusterParameterGroup(
  world: World,
  input: ResetDBClusterParameterGroupMessage,
): Promise<DBClusterParameterGroupNameMessage> {
  const name = changedGroup('DBClusterParameterGroupName', input.DBClusterParameterGroupName);
  await reset(world, 'cluster', name, input);
  return {DBClusterParameterGroupName: name};
}

export async function resetDBParameterGroup(
  world: World,
  input: ResetDBParameterGroupMessage,
): Promise<DBParameterGroupNameMessage> {
  const name = changedGroup('DBParameterGroupName', input.DBParameterGroupName);
  await reset(world, 'instance', name, input);
  return {DBParameterGroupName: name};
}

export async function describeDBClusterParameters(
  world: World,
  input: DescribeDBClusterParametersMessage,
): Promise<DBClusterParameterGroupDetails> {
  const name = parseGroupName(
    'DBClusterParameterGroupName',
    input.DBClusterParameterGroupName,
    'cluster-pg',
    world.catalog.identity,
  );
  return await describe(world, 'cluster', name, input);
}

export async function describeDBParameters(
  world: World,
  input: DescribeDBParametersMessage,
): Promise<DBParameterGroupDetails> {
  const name = parseGroupName(
    'DBParameterGroupName',
    input.DBParameterGroupName,
    'pg',
    world.catalog.identity,
  );
  return await describe(world, 'instance', name, input);
}

export async function describeEngineDefaultClusterParameters(
  world: World,
  input: DescribeEngineDefaultClusterParametersMessage,
): Promise<DescribeEngineDefaultClusterParametersResult> {
  return {EngineDefaults: await describeDefaults(world, 'cluster', input)};
}

export async function describeEngineDefaultParameters(
  world: World,
  input: DescribeEngineDefaultParametersMessage,
): Promise<DescribeEngineDefaultParametersResult> {
  return {EngineDefaults: await describeDefaults(world, 'instance', input)};
}

function changedGroup(member: string, value: string | undefined): string {
  const name = parseGroupName(member, value);
  refuseDefaultGroup(name);
  return name;
}

/** The group with the settings that it may have. */
async function groupWithSettings(
  world: World,
  scope: GroupScope,
  name: string,
): Promise<{group: ParameterGroupRecord; settings: EngineSetting[]}> {
  const group = findGroup(world, scope, name);
  if (group === undefined) throw groupNotFound(name);
  return {group, settings: settingsInScope(await familySettings(world, group.family), scope)};
}

async function modify(
  world: World,
  scope: GroupScope,
  name: string,
  parameters: readonly Parameter[] | undefined,
): Promise<void> {
  const {group, settings} = await groupWithSettings(world, scope, name);
  if (parameters === undefined || parameters.length === 0) throw missingParameter('Parameters');
  refuseTooMany(parameters);
  const entries = parameters.map(parameter => parseParameter(settings, parameter));
  const changed = Object.fromEntries(entries.map(each => [each.name, each.entry]));
  const texts = entries.map(each => [each.name, each.entry.value] as const);
  const fixed = texts.filter(([, value]) => !isFormula(value));
  await refuseUnusable(world, group.family, Object.fromEntries(fixed));
  change(world, scope, name, old => ({...old, ...changed}));
}

async function reset(
  world: World,
  scope: GroupScope,
  name: string,
  input: ResetDBParameterGroupMessage | ResetDBClusterParameterGroupMessage,
): Promise<void> {
  const {settings} = await groupWithSettings(world, scope, name);
  const {ResetAllParameters: all, Parameters: parameters = []} = input;
  if (all === true && parameters.length > 0) {
    throw invalidCombination('Parameters cannot be given with ResetAllParameters.');
  }
  if (all !== true && parameters.length === 0) {
    throw invalidCombination('Parameters must be given unless ResetAllParameters is true.');
  }
  refuseTooMany(parameters);
  const names = parameters.map(parameter => {
    const setting = findSetting(settings, parameter.ParameterName ?? '');
    parseMethod(setting, parameter.ApplyMethod);
    return setting.name;
  });
  change(world, scope, name, old =>
    all === true
      ? {}
      : Object.fromEntries(Object.entries(old).filter(([each]) => !names.includes(each))),
  );
}

function refuseTooMany(parameters: readonly Parameter[]): void {
  if (parameters.length <= CHANGES_MAX) return;
  throw invalidValue(`A request can change at most ${CHANGES_MAX} parameters.`);
}

function change(
  world: World,
  scope: GroupScope,
  name: string,
  changeValues: (old: Values) => Values,
): void {
  world.catalog.transaction(() => {
    const table = groupTable(world, scope);
    const group = table.get(name);
    if (group === undefined) throw groupNotFound(name);
    const values = changeValues(group.values);
    table.put(name, {...group, values});
    for (const message of changeMessages(group.values, values)) {
      addEvent(world, 'db-parameter-group', name, message, 'configuration change');
    }
  });
  for (const {
    identifier,
    clusterIdentifier,
    parameterGroupName,
  } of world.catalog.instances.list()) {
    const cluster = world.catalog.clusters.get(clusterIdentifier);
    const used = scope === 'cluster' ? cluster?.settings.parameterGroupName : parameterGroupName;
    if (used === name) world.reconciler.enqueue(`instance/${identifier}`);
  }
}

function changeMessages(old: Values, values: Values): string[] {
  const names = [...new Set([...Object.keys(old), ...Object.keys(values)])];
  return names.flatMap(name => {
    const entry = values[name];
    if (entry === undefined) return [`Reset parameter ${name}`];
    if (entry.value === old[name]?.value && entry.method === old[name].method) return [];
    return [`Updated parameter ${name} to ${entry.value} with apply method ${entry.method}`];
  });
}

type Listing = {
  readonly Source?: string | undefined;
  readonly Filters?: Filter[] | undefined;
  readonly MaxRecords?: number | undefined;
  readonly Marker?: string | undefined;
};

async function describe(
  world: World,
  scope: GroupScope,
  name: string,
  input: Listing,
): Promise<{Parameters: Parameter[]; Marker: string | undefined}> {
  const {group, settings} = await groupWithSettings(world, scope, name);
  return listParameters(settings, group.values, input);
}

async function describeDefaults(
  world: World,
  scope: GroupScope,
  input: DescribeEngineDefaultParametersMessage,
): Promise<{
  DBParameterGroupFamily: string;
  Parameters: Parameter[];
  Marker: string | undefined;
}> {
  const {DBParameterGroupFamily: family} = input;
  if (family === undefined || family === '') throw missingParameter('DBParameterGroupFamily');
  const settings = settingsInScope(await familySettings(world, family), scope);
  return {DBParameterGroupFamily: family, ...listParameters(settings, {}, input)};
}

function listParameters(
  settings: readonly EngineSetting[],
  values: Values,
  input: Listing,
): {Parameters: Parameter[]; Marker: string | undefined} {
  const {Source: source} = input;
  if (source !== undefined && source !== '' && !SOURCES.includes(source)) {
    throw invalidValue(`Invalid source: ${quoted(source)}. Valid are ${SOURCES.join(', ')}.`);
  }
  const all = settings.map(setting => parameterShape(setting, values[setting.name]));
  const wanted = all.filter(
    each => source === undefined || source === '' || each.Source === source,
  );
  const fitting = applyFilters<Parameter>(wanted, input.Filters, {
    'parameter-name': (parameter, value) => parameter.ParameterName === value,
  });
  const {records, Marker} = page(fitting, each => each.ParameterName ?? '', input);
  return {Parameters: [...records], Marker};
}
