/** The settings of an engine family, and what it takes for them, from the engine itself. */
import type {EngineSetting} from '../engine/engine.ts';
import {goldenKey, parameterGroupFamily, type EngineOffer} from './engine-versions.ts';
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
  const offer = offerOf(world, family);
  await goldenVolume(world, offer);
  return world.catalog.engineSettings.get(goldenKey(offer))?.settings ?? [];
}

/** Throws for a value with which an engine of the family would not start. */
export async function refuseUnusable(
  world: World,
  family: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const {postgresBin} = offerOf(world, family);
  // PGlite has no program to ask.
  if (postgresBin === null) return;
  const reason = await world.refusedSetting(postgresBin, settings);
  if (reason !== null) throw invalidValue(`Invalid parameter value: the engine says ${reason}`);
}

function offerOf(world: World, family: string): EngineOffer {
  const offer = [...world.offers.available, ...world.offers.others].find(
    ({engineVersion}) => parameterGroupFamily(engineVersion) === family,
  );
  if (offer === undefined) throw unknownFamily(world, family);
  return offer;
}

export function unknownFamily(world: World, family: string): Error {
  return invalidValue(
    `DBParameterGroupFamily ${quoted(family)} is not a valid parameter group family. Here: ${families(world).join(', ')}.`,
  );
}
