/** CreateDBSubnetGroup, ModifyDBSubnetGroup, DeleteDBSubnetGroup and DescribeDBSubnetGroups. */
import type {
  CreateDBSubnetGroupMessage,
  CreateDBSubnetGroupResult,
  DBSubnetGroupMessage,
  DeleteDBSubnetGroupMessage,
  DescribeDBSubnetGroupsMessage,
  ModifyDBSubnetGroupMessage,
  ModifyDBSubnetGroupResult,
} from '@aws-sdk/client-rds';
import {BorealisError} from '../../base/errors.ts';
import {invalidValue, missingParameter} from '../faults.ts';
import {quoted} from '../identifiers.ts';
import {applyFilters, page} from '../listing.ts';
import {refuseBeyondQuota} from '../quotas.ts';
import type {SubnetGroupRecord} from '../records.ts';
import {parseTags} from '../settings.ts';
import {
  DEFAULT_SUBNET_GROUP,
  findSubnetGroup,
  placeSubnets,
  subnetGroupNotFound,
  subnetGroupShape,
  zonesOf,
  type Subnet,
} from '../subnet-groups.ts';
import type {World} from '../world.ts';

/** As in RDS. */
const NAME = /^[a-z0-9][a-z0-9._ -]{0,254}$/i;
const SUBNET = /^[a-z0-9][a-z0-9-]{0,99}$/i;
const ZONES_MIN = 2;

export function createDBSubnetGroup(
  world: World,
  input: CreateDBSubnetGroupMessage,
): CreateDBSubnetGroupResult {
  const name = parseName(input.DBSubnetGroupName);
  const {DBSubnetGroupDescription: description} = input;
  if (description === undefined || description === '') {
    throw missingParameter('DBSubnetGroupDescription');
  }
  refuseDefault(name);
  const subnets = parseSubnets(world, input.SubnetIds);
  const group = {name, description, subnets, tags: parseTags(input.Tags ?? [])};
  world.catalog.transaction(() => {
    const {subnetGroups} = world.catalog;
    if (subnetGroups.get(name) !== undefined) {
      throw new BorealisError(
        'conflict',
        'DBSubnetGroupAlreadyExistsFault',
        `The DB subnet group '${name}' already exists.`,
      );
    }
    refuseBeyondQuota(world, 'DBSubnetGroups', subnetGroups.list().length);
    subnetGroups.put(name, group);
  });
  return {DBSubnetGroup: subnetGroupShape(world, group)};
}

export function modifyDBSubnetGroup(
  world: World,
  input: ModifyDBSubnetGroupMessage,
): ModifyDBSubnetGroupResult {
  const name = parseName(input.DBSubnetGroupName);
  refuseDefault(name);
  const subnets = parseSubnets(world, input.SubnetIds);
  const group = world.catalog.transaction(() => {
    const old = world.catalog.subnetGroups.get(name);
    if (old === undefined) throw subnetGroupNotFound(name);
    const description = input.DBSubnetGroupDescription ?? old.description;
    const changed: SubnetGroupRecord = {...old, description, subnets};
    refuseZonesInUse(world, old, changed);
    world.catalog.subnetGroups.put(name, changed);
    return changed;
  });
  return {DBSubnetGroup: subnetGroupShape(world, group)};
}

export function deleteDBSubnetGroup(world: World, input: DeleteDBSubnetGroupMessage): object {
  const name = parseName(input.DBSubnetGroupName);
  refuseDefault(name);
  world.catalog.transaction(() => {
    if (world.catalog.subnetGroups.get(name) === undefined) throw subnetGroupNotFound(name);
    const user = world.catalog.clusters.list().find(each => each.settings.subnetGroupName === name);
    if (user !== undefined) {
      throw invalidState(
        `Cannot delete the subnet group '${name}' because at least one DB cluster is still using it: ${user.identifier}.`,
      );
    }
    world.catalog.subnetGroups.remove(name);
  });
  return {};
}

export function describeDBSubnetGroups(
  world: World,
  input: DescribeDBSubnetGroupsMessage,
): DBSubnetGroupMessage {
  const wanted = input.DBSubnetGroupName?.toLowerCase() ?? '';
  const standard = findSubnetGroup(world, DEFAULT_SUBNET_GROUP);
  const all = [...(standard === undefined ? [] : [standard]), ...world.catalog.subnetGroups.list()];
  const groups = all
    .filter(group => wanted === '' || group.name === wanted)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (wanted !== '' && groups.length === 0) throw subnetGroupNotFound(wanted);
  const fitting = applyFilters<SubnetGroupRecord>(groups, input.Filters, {});
  const {records, Marker} = page(fitting, group => group.name, input);
  return {DBSubnetGroups: records.map(group => subnetGroupShape(world, group)), Marker};
}

function parseName(value: string | undefined): string {
  if (value === undefined || value === '') throw missingParameter('DBSubnetGroupName');
  if (NAME.test(value)) return value.toLowerCase();
  throw invalidValue(
    `The parameter DBSubnetGroupName must have at most 255 letters, digits, periods, underscores, spaces and hyphens. Given: ${quoted(value)}`,
  );
}

function refuseDefault(name: string): void {
  if (name !== DEFAULT_SUBNET_GROUP) return;
  throw invalidState(
    'The subnet group default covers every Availability Zone; it cannot be created, modified or deleted.',
  );
}

function parseSubnets(world: World, ids: readonly string[] | undefined): Subnet[] {
  if (ids === undefined || ids.length === 0) throw missingParameter('SubnetIds');
  for (const id of ids) {
    if (SUBNET.test(id)) continue;
    const message = `The subnet ${quoted(id)} is not a name of letters, digits and hyphens.`;
    throw new BorealisError('invalid', 'InvalidSubnet', message);
  }
  const subnets = placeSubnets(world, [...new Set(ids)]);
  refuseBeyondQuota(world, 'SubnetsPerDBSubnetGroup', 0, subnets.length);
  const zones = new Set(subnets.map(subnet => subnet.zone));
  if (zones.size >= ZONES_MIN) return subnets;
  throw new BorealisError(
    'invalid',
    'DBSubnetGroupDoesNotCoverEnoughAZs',
    `The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: ${[...zones].join(', ')}. Add subnets to cover at least ${ZONES_MIN} AZs.`,
  );
}

function refuseZonesInUse(world: World, old: SubnetGroupRecord, changed: SubnetGroupRecord): void {
  const zones = zonesOf(changed);
  const lost = zonesOf(old).filter(zone => !zones.includes(zone));
  const user = world.catalog.clusters
    .list()
    .find(each => each.settings.subnetGroupName === old.name);
  if (lost.length === 0 || user === undefined) return;
  throw new BorealisError(
    'conflict',
    'SubnetAlreadyInUse',
    `DB cluster ${user.identifier} of the DB subnet group ${old.name} is in ${lost.join(', ')}, which the subnets would not cover any more.`,
  );
}

function invalidState(message: string): BorealisError {
  return new BorealisError('conflict', 'InvalidDBSubnetGroupStateFault', message);
}
