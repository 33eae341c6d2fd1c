/** What the store lies in, and how that is changed while it is in use. */
import {constants} from 'node:fs';
import {access, mkdir, readdir, realpath, statfs} from 'node:fs/promises';
import {dirname, isAbsolute, join} from 'node:path';
import type {ZoneConfig} from '../../attachment/attachment.ts';
import {BorealisError, errorMessage, systemErrorCode} from '../../base/errors.ts';
import {isWriteQuorum} from '../../page-store/membership.ts';
import {ZONES_MAX} from '../../page-store/zone-board.ts';
import type {ZoneState} from '../../page-store/zone.ts';
import type {ZoneReport} from '../control-plane.ts';
import type {World} from '../world.ts';
import {overlap, parseZoneLetter, zoneConfig} from '../zone-list.ts';
import {zonesAfter} from '../zone-plan.ts';

/** What a new file system has in its root. */
const IGNORED_NAMES: readonly string[] = ['lost+found'];

export async function zoneReport(world: World): Promise<ZoneReport> {
  const {config, plan} = world.storeZones;
  const states = world.zoneHealth.shown(await world.storage.zoneStates());
  const voters = config.membership.voters.flat();
  return {
    zones: config.zones.map(({name, directory}) => ({
      name,
      directory,
      counts: voters.includes(name),
      state: states.find(({zone}) => zone === name) ?? UNKNOWN(name),
    })),
    change:
      plan.change === null
        ? null
        : {
            kind: plan.change.kind,
            zone: plan.change.zone.name,
            phase: plan.change.phase,
            waitingFor: world.zoneChanges.waitingFor,
          },
  };
}

const UNKNOWN = (zone: string): ZoneState => {
  return {zone, state: 'degraded', reason: 'it is not open yet', sinceMs: 0};
};

export async function addZone(
  world: World,
  {letter, directory}: {letter: string; directory: string},
): Promise<ZoneReport> {
  return await world.resourceLocks.hold('zones', async () => {
    refuseChangeUnderWay(world);
    const zones = world.zones;
    const zone = zoneConfig(world.catalog.identity.region, {
      letter: parseZoneLetter(letter),
      directory,
    });
    if (zones.some(({name}) => name === zone.name)) {
      throw conflict(`The store has a zone ${zone.name} already.`);
    }
    if (zones.length >= ZONES_MAX) {
      throw new BorealisError('quota', 'zone-count', `A store has at most ${ZONES_MAX} zones.`);
    }
    await refuseWithoutQuorum(world, zones, 'as they are');
    await takeDirectory(world, zone);
    world.zoneChanges.begin('add', zone);
    return await zoneReport(world);
  });
}

export async function removeZone(world: World, {letter}: {letter: string}): Promise<ZoneReport> {
  return await world.resourceLocks.hold('zones', async () => {
    const {change} = world.storeZones.plan;
    const region = world.catalog.identity.region;
    const {name} = zoneConfig(region, {letter: parseZoneLetter(letter), directory: ''});
    if (change?.phase === 'joining' && change.zone.name === name) {
      world.zoneChanges.undo();
      return await zoneReport(world);
    }
    refuseChangeUnderWay(world);
    const zone = world.zones.find(one => one.name === name);
    if (zone === undefined) {
      const names = world.zones.map(one => one.name).join(', ');
      throw new BorealisError(
        'not-found',
        'zone-unknown',
        `The store has no zone ${name}; it has ${names}.`,
      );
    }
    if (world.zones.length === 1) throw conflict(`Zone ${name} is the only one of the store.`);
    await refuseWithoutQuorum(world, world.zones, 'as they are');
    const rest = zonesAfter(world.zones, {kind: 'remove', zone});
    await refuseWithoutQuorum(world, rest, `without ${name}`);
    world.zoneChanges.begin('remove', zone);
    return await zoneReport(world);
  });
}

function refuseChangeUnderWay({storeZones, zoneChanges}: World): void {
  const {change} = storeZones.plan;
  if (change === null) return;
  const {kind, zone, phase} = change;
  const what = kind === 'add' ? 'added' : 'removed';
  const waiting =
    zoneChanges.waitingFor.length === 0 ? '' : `; ${zoneChanges.waitingFor.join('; ')}`;
  throw conflict(
    `Zone ${zone.name} is being ${what} (${phase}${waiting}). Zones are changed one at a time: wait until that is done.`,
  );
}

/** Everything is to be on a write quorum of these zones, and up to date there. */
async function refuseWithoutQuorum(
  world: World,
  zones: readonly ZoneConfig[],
  how: string,
): Promise<void> {
  const states = world.zoneHealth.shown(await world.storage.zoneStates());
  const names = zones.map(({name}) => name);
  const healthy = states.filter(({state}) => state === 'healthy').map(({zone}) => zone);
  if (isWriteQuorum({number: 0, voters: [names]}, healthy)) return;
  const bad = states.flatMap(state => {
    if (state.state === 'healthy' || !names.includes(state.zone)) return [];
    return [
      `${state.zone} is ${state.state}${state.state === 'degraded' ? `: ${state.reason}` : ''}`,
    ];
  });
  throw conflict(
    `The zones ${how} (${names.join(', ')}) have no write quorum that is healthy: ${bad.join('; ')}. Wait until they are, or give a zone whose disk is lost an empty directory at its place: it is filled again.`,
  );
}

/** An empty directory that no other zone lies in, made if it is not there, with room for a copy of the store. */
async function takeDirectory(world: World, {name, directory}: ZoneConfig): Promise<void> {
  if (!isAbsolute(directory)) {
    throw invalid(
      `The directory ${JSON.stringify(directory)} of zone ${name} is not an absolute path.`,
    );
  }
  const real = await realPathOf(directory);
  for (const other of world.zones) {
    if (!overlap(await realPathOf(other.directory), real)) continue;
    throw invalid(
      `The directories of zones ${other.name} and ${name} would lie in one another: ${other.directory} and ${directory}.`,
    );
  }
  let found: readonly string[];
  try {
    await mkdir(directory, {recursive: true, mode: 0o700});
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    found = (await readdir(directory)).filter(entry => !IGNORED_NAMES.includes(entry));
  } catch (error) {
    throw invalid(`The directory ${directory} cannot be used: ${errorMessage(error)}.`, error);
  }
  if (found.includes('store')) {
    throw conflict(`${directory} holds a store, or was a zone of one. Name an empty directory.`);
  }
  if (found.length > 0) {
    throw conflict(`${directory} is not empty: it holds ${found.slice(0, 3).join(', ')}.`);
  }
  const {bytesOnDisk} = await world.storage.usage({except: []});
  const {bavail, bsize} = await statfs(directory);
  const needed = bytesOnDisk + world.reserveBytes;
  if (bavail * bsize >= needed) return;
  throw new BorealisError(
    'quota',
    'zone-too-small',
    `${directory} has ${bavail * bsize} bytes free; a copy of the store and the reserve take ${needed}.`,
  );
}

/** Of a path whose end may not be there yet. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT' || dirname(path) === path) return path;
    return join(await realPathOf(dirname(path)), path.slice(dirname(path).length));
  }
}

function conflict(message: string): BorealisError {
  return new BorealisError('conflict', 'zone-state', message);
}

function invalid(message: string, cause?: unknown): BorealisError {
  return new BorealisError('invalid', 'InvalidParameterValue', message, cause);
}
