/**
 * Which zones a data directory's store has: `zones.json`, written before a zone is used for the first time.
 *
 *     {"formatVersion": 1, "zones": [{"name": "us-east-1a", "directory": "/disks/one"}, …]}
 *
 * A data directory without that file has one zone, `REGIONa`, below itself.
 */
import {existsSync, readFileSync} from 'node:fs';
import {join, resolve, sep} from 'node:path';
import type {ZoneConfig} from '../attachment/attachment.ts';
import {BorealisError} from '../base/errors.ts';
import {ZONES_MAX} from '../page-store/zone-board.ts';
import {writeWhole} from './data-directory.ts';

const ZONES_FORMAT = 1;
const LETTER = /^[a-f]$/;

/** A zone as a person names it: the letter that follows the region in its name, and where it lies. */
export type ZoneOption = {readonly letter: string; readonly directory: string};

/** `b=/disks/two` → letter and absolute directory. */
export function parseZoneOption(text: string): ZoneOption {
  const at = text.indexOf('=');
  const letter = text.slice(0, Math.max(at, 0));
  const directory = text.slice(at + 1);
  if (at > 0 && LETTER.test(letter) && directory !== '') {
    return {letter, directory: resolve(directory)};
  }
  throw invalidZone(
    `--zone ${JSON.stringify(text)} is not LETTER=DIR with a letter from a to f, such as b=/disks/two`,
  );
}

export function zoneConfig(region: string, {letter, directory}: ZoneOption): ZoneConfig {
  return {name: `${region}${letter}`, directory};
}

/**
 * The zones of a data directory. With `requested`, which are those of a new store, or the ones that it
 * has already; to change them is not a matter of starting it.
 */
export function openZoneList(
  dataDirectory: string,
  region: string,
  requested: readonly ZoneOption[],
): readonly ZoneConfig[] {
  const remembered = readZoneList(dataDirectory);
  const wanted = requested.map(option => zoneConfig(region, option));
  if (wanted.length > 0) checkZones(wanted);
  const standard = {name: `${region}a`, directory: join(dataDirectory, 'store', `${region}a`)};
  const present = remembered ?? (existsSync(standard.directory) ? [standard] : null);
  if (present === null) {
    const zones = wanted.length > 0 ? wanted : [standard];
    if (wanted.length > 0) writeZoneList(dataDirectory, zones);
    return zones;
  }
  if (wanted.length > 0 && !sameZones(wanted, present)) {
    throw new BorealisError(
      'conflict',
      'zones-differ',
      `The store has the zones ${describeZones(present)}, not ${describeZones(wanted)}. Start without --zone, or name another data directory.`,
    );
  }
  return present;
}

/** Durable on return. */
export function writeZoneList(dataDirectory: string, zones: readonly ZoneConfig[]): void {
  checkZones(zones);
  writeWhole(zoneFile(dataDirectory), {formatVersion: ZONES_FORMAT, zones});
}

/** At most six, each with a name and a directory of its own, none inside another. */
function checkZones(zones: readonly ZoneConfig[]): void {
  if (zones.length === 0 || zones.length > ZONES_MAX) {
    throw invalidZone(`a store has from 1 to ${ZONES_MAX} zones, not ${zones.length}`);
  }
  for (const [index, zone] of zones.entries()) {
    for (const other of zones.slice(0, index)) {
      if (other.name === zone.name) throw invalidZone(`zone ${zone.name} is named twice`);
      if (overlap(other.directory, zone.directory)) {
        throw invalidZone(
          `zones ${other.name} and ${zone.name} would lie in one another: ${other.directory} and ${zone.directory}`,
        );
      }
    }
  }
}

function overlap(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}${sep}`) || other.startsWith(`${one}${sep}`);
}

function sameZones(one: readonly ZoneConfig[], other: readonly ZoneConfig[]): boolean {
  const texts = (zones: readonly ZoneConfig[]): string =>
    zones
      .map(({name, directory}) => `${name}=${directory}`)
      .sort()
      .join('\n');
  return texts(one) === texts(other);
}

function describeZones(zones: readonly ZoneConfig[]): string {
  return zones.map(({name, directory}) => `${name} (${directory})`).join(', ');
}

/** Null when none was named: then there is one, below the data directory. */
export function readZoneList(dataDirectory: string): readonly ZoneConfig[] | null {
  const path = zoneFile(dataDirectory);
  if (!existsSync(path)) return null;
  const unreadable = (cause?: unknown): BorealisError =>
    new BorealisError(
      'corrupt',
      'zones-unreadable',
      `${path} does not name the store's zones. Restore it: {"formatVersion":${ZONES_FORMAT},"zones":[{"name":…,"directory":…}]}`,
      cause,
    );
  let found: {formatVersion?: unknown; zones?: unknown};
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as typeof found;
  } catch (error) {
    throw unreadable(error);
  }
  const {formatVersion, zones} = found;
  if (formatVersion !== ZONES_FORMAT || !Array.isArray(zones) || !zones.every(isZone)) {
    throw unreadable();
  }
  checkZones(zones);
  return zones;
}

function isZone(value: unknown): value is ZoneConfig {
  const {name, directory} = (value ?? {}) as {name?: unknown; directory?: unknown};
  return typeof name === 'string' && typeof directory === 'string';
}

function zoneFile(dataDirectory: string): string {
  return join(dataDirectory, 'zones.json');
}

function invalidZone(message: string): BorealisError {
  return new BorealisError('invalid', 'InvalidParameterValue', message);
}
