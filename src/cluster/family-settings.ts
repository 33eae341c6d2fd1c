/** The settings of an engine family, from the engine itself. */
import type {EngineSetting} from '../engine/engine.ts';
import {goldenKey, parameterGroupFamily} from './engine-versions.ts';
import {invalidValue} from './faults.ts';
import {goldenVolume} from './golden-volumes.ts';
import {quoted} from './identifiers.ts';
import {families} from './parameter-groups.ts';
import type {World} from './world.ts';

/** Prepares the engine if it was never used here, which takes some seconds. Throws for a family that is not there. */
export async function familySettings(
  world: World,
  family: string,
): Promise<readonly EngineSetting[]> {
  const offer = [...world.offers.available, ...world.offers.others].find(
    each => parameterGroupFamily(each) === family,
  );
  if (offer === undefined) throw unknownFamily(world, family);
  await goldenVolume(world, offer);
  return world.catalog.engineSettings.get(goldenKey(offer))?.settings ?? [];
}

export function unknownFamily(world: World, family: string): Error {
  return invalidValue(
    `DBParameterGroupFamily ${quoted(family)} is not a valid parameter group family. Here: ${families(world).join(', ')}.`,
  );
}
