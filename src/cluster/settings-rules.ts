/** What the settings of a cluster may name: zones and groups that are there, for its engine. */
import {usableGroup} from './parameter-groups.ts';
import {availabilityZones, usableSubnetGroup, zonesOf} from './subnet-groups.ts';
import type {EngineOffer} from './engine-versions.ts';
import type {World} from './world.ts';

export type SettingsRules = {
  readonly zones: readonly string[];
  /** The group's name as it is kept; throws unless it can be used. */
  parameterGroup(name: string): string;
  subnetGroup(name: string): {readonly name: string; readonly zones: readonly string[]};
};

export function settingsRules(
  world: World,
  engine: Pick<EngineOffer, 'engine' | 'engineVersion'>,
): SettingsRules {
  return {
    zones: availabilityZones(world),
    parameterGroup: name => usableGroup(world, 'cluster', name, engine),
    subnetGroup: name => {
      const group = usableSubnetGroup(world, name);
      return {name: group.name, zones: zonesOf(group)};
    },
  };
}
