/**
 * Availability Zones and subnet groups. A region has three zones by name; the store's own zones are
 * among them. There is no network here that a subnet could be a part of, so a subnet is a name with an
 * Availability Zone:
 *
 *     'subnet-us-east-1b'   ends with the name of a zone: that one
 *     'subnet-0a1b2c'       any other: the zone that it has in another group already, else by its place
 *                           in the list, the first in a, the second in b, the third in c, the fourth in a …
 */
import type {DBSubnetGroup} from '@aws-sdk/client-rds';
import {BorealisError} from '../base/errors.ts';
import {arnOf} from './identifiers.ts';
import type {World} from './world.ts';
import {instancesOf} from './instances-of.ts';
import type {ClusterRecord, SubnetGroupRecord} from './records.ts';

const ZONE_LETTERS = ['a', 'b', 'c'];
export const DEFAULT_SUBNET_GROUP = 'default';

/** Tools want one; nothing is behind it. */
const VPC_ID = 'vpc-borealis';

export type Subnet = SubnetGroupRecord['subnets'][number];
type GroupWorld = Pick<World, 'catalog' | 'zones'>;

export function availabilityZones({catalog, zones}: GroupWorld): string[] {
  const usual = ZONE_LETTERS.map(letter => catalog.identity.region + letter);
  return [...new Set([...usual, ...zones.map(zone => zone.name)])].sort();
}

/** A group by its name in lower case, the default one included, which covers every zone. */
export function findSubnetGroup(world: GroupWorld, name: string): SubnetGroupRecord | undefined {
  if (name !== DEFAULT_SUBNET_GROUP) return world.catalog.subnetGroups.get(name);
  const subnets = availabilityZones(world).map(zone => ({id: `subnet-${zone}`, zone}));
  return {name, description: 'default', subnets, tags: []};
}

export function usableSubnetGroup(world: GroupWorld, name: string): SubnetGroupRecord {
  const group = findSubnetGroup(world, name.toLowerCase());
  if (group === undefined) throw subnetGroupNotFound(name);
  return group;
}

export function zonesOf({subnets}: SubnetGroupRecord): string[] {
  return [...new Set(subnets.map(subnet => subnet.zone))].sort();
}

/** Zones that an instance of the cluster may be in. */
export function placementZones(world: GroupWorld, {settings}: ClusterRecord): string[] {
  return zonesOf(usableSubnetGroup(world, settings.subnetGroupName));
}

/** That with the fewest instances of the cluster; one with a copy of its pages, if the subnet group reaches any. */
export function emptiestZone(world: GroupWorld, cluster: ClusterRecord): string | undefined {
  const instances = instancesOf(world, cluster.identifier);
  const count = (zone: string): number =>
    instances.filter(instance => instance.availabilityZone === zone).length;
  const isElsewhere = (zone: string): number =>
    world.zones.some(({name}) => name === zone) ? 0 : 1;
  return placementZones(world, cluster).sort(
    (a, b) => isElsewhere(a) - isElsewhere(b) || count(a) - count(b),
  )[0];
}

export function placeSubnets(world: GroupWorld, ids: readonly string[]): Subnet[] {
  const zones = availabilityZones(world);
  const known = new Map(
    world.catalog.subnetGroups
      .list()
      .flatMap(group => group.subnets.map(({id, zone}) => [id, zone])),
  );
  return ids.map((id, index) => {
    const named = zones.find(zone => id.toLowerCase().endsWith(zone));
    const usual = zones[index % ZONE_LETTERS.length] ?? '';
    return {id, zone: named ?? known.get(id) ?? usual};
  });
}

/** A clone's pages are where its source's are, so its subnet group must reach the same zones. */
export function refuseOtherZones(world: GroupWorld, name: string, source: ClusterRecord): void {
  const zones = zonesOf(usableSubnetGroup(world, name));
  const sourceZones = placementZones(world, source);
  if (zones.join() === sourceZones.join()) return;
  throw new BorealisError(
    'conflict',
    'InvalidVPCNetworkStateFault',
    `The DB subnet group ${name} covers ${zones.join(', ')}; that of a clone must cover the same Availability Zones as its source: ${sourceZones.join(', ')}.`,
  );
}

export function subnetGroupNotFound(name: string): BorealisError {
  return new BorealisError(
    'not-found',
    'DBSubnetGroupNotFoundFault',
    `DB subnet group '${name}' does not exist.`,
  );
}

export function subnetGroupShape(
  world: Pick<World, 'catalog'>,
  group: SubnetGroupRecord,
): DBSubnetGroup {
  return {
    DBSubnetGroupName: group.name,
    DBSubnetGroupDescription: group.description,
    VpcId: VPC_ID,
    SubnetGroupStatus: 'Complete',
    Subnets: group.subnets.map(({id, zone}) => ({
      SubnetIdentifier: id,
      SubnetAvailabilityZone: {Name: zone},
      SubnetOutpost: {},
      SubnetStatus: 'Active',
    })),
    DBSubnetGroupArn: arnOf('subgrp', world.catalog.identity, group.name),
    SupportedNetworkTypes: ['IPV4'],
  };
}
