/**
 * Parameter groups of both scopes: Create…, Copy…, Delete… and Describe… of DBClusterParameterGroup(s) and
 * DBParameterGroup(s). An action of either scope is the same work on another table.
 */
import type {
  CopyDBClusterParameterGroupMessage,
  CopyDBClusterParameterGroupResult,
  CopyDBParameterGroupMessage,
  CopyDBParameterGroupResult,
  CreateDBClusterParameterGroupMessage,
  CreateDBClusterParameterGroupResult,
  CreateDBParameterGroupMessage,
  CreateDBParameterGroupResult,
  DBClusterParameterGroup,
  DBClusterParameterGroupsMessage,
  DBParameterGroup,
  DBParameterGroupsMessage,
  DeleteDBClusterParameterGroupMessage,
  DeleteDBParameterGroupMessage,
  DescribeDBClusterParameterGroupsMessage,
  DescribeDBParameterGroupsMessage,
  Tag,
} from '@aws-sdk/client-rds';
import {familySettings} from '../family-settings.ts';
import {groupAlreadyExists, groupInUse, groupNotFound, missingParameter} from '../faults.ts';
import {arnOf, parseGroupName} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import {families, findGroup, groupTable, refuseDefaultGroup} from '../parameter-groups.ts';
import {refuseBeyondQuota} from '../quotas.ts';
import type {GroupScope} from '../parameters.ts';
import type {ParameterGroupRecord} from '../records.ts';
import {parseTags} from '../settings.ts';
import {addEvent, type World} from '../world.ts';

export async function createDBClusterParameterGroup(
  world: World,
  input: CreateDBClusterParameterGroupMessage,
): Promise<CreateDBClusterParameterGroupResult> {
  const name = newName('DBClusterParameterGroupName', input.DBClusterParameterGroupName);
  const group = await create(world, 'cluster', name, input);
  return {DBClusterParameterGroup: clusterGroupShape(world, group)};
}

export async function createDBParameterGroup(
  world: World,
  input: CreateDBParameterGroupMessage,
): Promise<CreateDBParameterGroupResult> {
  const name = newName('DBParameterGroupName', input.DBParameterGroupName);
  const group = await create(world, 'instance', name, input);
  return {DBParameterGroup: instanceGroupShape(world, group)};
}

export function copyDBClusterParameterGroup(
  world: World,
  input: CopyDBClusterParameterGroupMessage,
): CopyDBClusterParameterGroupResult {
  const group = copy(world, 'cluster', {
    source: input.SourceDBClusterParameterGroupIdentifier,
    target: input.TargetDBClusterParameterGroupIdentifier,
    description: input.TargetDBClusterParameterGroupDescription,
    tags: input.Tags,
    member: 'DBClusterParameterGroup',
  });
  return {DBClusterParameterGroup: clusterGroupShape(world, group)};
}

export function copyDBParameterGroup(
  world: World,
  input: CopyDBParameterGroupMessage,
): CopyDBParameterGroupResult {
  const group = copy(world, 'instance', {
    source: input.SourceDBParameterGroupIdentifier,
    target: input.TargetDBParameterGroupIdentifier,
    description: input.TargetDBParameterGroupDescription,
    tags: input.Tags,
    member: 'DBParameterGroup',
  });
  return {DBParameterGroup: instanceGroupShape(world, group)};
}

export function deleteDBClusterParameterGroup(
  world: World,
  input: DeleteDBClusterParameterGroupMessage,
): object {
  return remove(
    world,
    'cluster',
    newName('DBClusterParameterGroupName', input.DBClusterParameterGroupName),
  );
}

export function deleteDBParameterGroup(world: World, input: DeleteDBParameterGroupMessage): object {
  return remove(world, 'instance', newName('DBParameterGroupName', input.DBParameterGroupName));
}

export function describeDBClusterParameterGroups(
  world: World,
  input: DescribeDBClusterParameterGroupsMessage,
): DBClusterParameterGroupsMessage {
  const {records, Marker} = list(world, 'cluster', input.DBClusterParameterGroupName, input);
  const shapes = records.map(group => clusterGroupShape(world, group));
  return {DBClusterParameterGroups: shapes, Marker};
}

export function describeDBParameterGroups(
  world: World,
  input: DescribeDBParameterGroupsMessage,
): DBParameterGroupsMessage {
  const {records, Marker} = list(world, 'instance', input.DBParameterGroupName, input);
  return {DBParameterGroups: records.map(group => instanceGroupShape(world, group)), Marker};
}

function newName(member: string, value: string | undefined): string {
  return parseGroupName(member, value);
}

async function create(
  world: World,
  scope: GroupScope,
  name: string,
  input: CreateDBParameterGroupMessage | CreateDBClusterParameterGroupMessage,
): Promise<ParameterGroupRecord> {
  const {DBParameterGroupFamily: family, Description: description} = input;
  if (family === undefined || family === '') throw missingParameter('DBParameterGroupFamily');
  if (description === undefined || description === '') throw missingParameter('Description');
  refuseDefaultGroup(name);
  await familySettings(world, family);
  const tags = parseTags(input.Tags ?? []);
  return record(world, scope, {name, family, description, values: {}, tags});
}

function record(
  world: World,
  scope: GroupScope,
  group: ParameterGroupRecord,
): ParameterGroupRecord {
  world.catalog.transaction(() => {
    const table = groupTable(world, scope);
    if (table.get(group.name) !== undefined) throw groupAlreadyExists(group.name);
    const quota = scope === 'cluster' ? 'DBClusterParameterGroups' : 'DBParameterGroups';
    refuseBeyondQuota(world, quota, table.list().length);
    table.put(group.name, group);
    const message = 'DB parameter group created';
    addEvent(world, 'db-parameter-group', group.name, message, 'configuration change');
  });
  return group;
}

type Copy = {
  source: string | undefined;
  target: string | undefined;
  description: string | undefined;
  tags: Tag[] | undefined;
  member: string;
};

function copy(world: World, scope: GroupScope, copied: Copy): ParameterGroupRecord {
  const {source, target, description, member} = copied;
  const type = scope === 'cluster' ? 'cluster-pg' : 'pg';
  const sourceName = parseGroupName(
    `Source${member}Identifier`,
    source,
    type,
    world.catalog.identity,
  );
  const name = newName(`Target${member}Identifier`, target);
  if (description === undefined || description === '') {
    throw missingParameter(`Target${member}Description`);
  }
  refuseDefaultGroup(name);
  const found = findGroup(world, scope, sourceName);
  if (found === undefined) throw groupNotFound(sourceName);
  return record(world, scope, {...found, name, description, tags: parseTags(copied.tags ?? [])});
}

function remove(world: World, scope: GroupScope, name: string): object {
  refuseDefaultGroup(name);
  world.catalog.transaction(() => {
    const table = groupTable(world, scope);
    if (table.get(name) === undefined) throw groupNotFound(name);
    const {clusters, instances} = world.catalog;
    const isUsed =
      scope === 'cluster'
        ? clusters.list().some(cluster => cluster.settings.parameterGroupName === name)
        : instances.list().some(instance => instance.parameterGroupName === name);
    if (isUsed) throw groupInUse(name, scope);
    table.remove(name);
    const message = 'DB parameter group deleted';
    addEvent(world, 'db-parameter-group', name, message, 'configuration change');
  });
  return {};
}

function list(
  world: World,
  scope: GroupScope,
  wanted: string | undefined,
  input: DescribeDBParameterGroupsMessage | DescribeDBClusterParameterGroupsMessage,
): {records: readonly ParameterGroupRecord[]; Marker: string | undefined} {
  const type = scope === 'cluster' ? 'cluster-pg' : 'pg';
  const {identity} = world.catalog;
  const groups = [
    ...families(world).flatMap(family => findGroup(world, scope, `default.${family}`) ?? []),
    ...groupTable(world, scope).list(),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (wanted !== undefined && wanted !== '') {
    const name = parseGroupName('DBParameterGroupName', wanted, type, identity);
    const found = groups.find(group => group.name === name);
    if (found === undefined) throw groupNotFound(name);
    return page([found], group => group.name, input);
  }
  const fitting = applyFilters<ParameterGroupRecord>(groups, input.Filters, {
    'db-parameter-group-family': (group, value) => group.family === value,
  });
  return page(fitting, group => group.name, input);
}

function clusterGroupShape(world: World, group: ParameterGroupRecord): DBClusterParameterGroup {
  return {
    DBClusterParameterGroupName: group.name,
    DBParameterGroupFamily: group.family,
    Description: group.description,
    DBClusterParameterGroupArn: arnOf('cluster-pg', world.catalog.identity, group.name),
  };
}

function instanceGroupShape(world: World, group: ParameterGroupRecord): DBParameterGroup {
  return {
    DBParameterGroupName: group.name,
    DBParameterGroupFamily: group.family,
    Description: group.description,
    DBParameterGroupArn: arnOf('pg', world.catalog.identity, group.name),
  };
}
