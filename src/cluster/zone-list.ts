/**
 * Which zones a data directory's store has: `zones.json`, written before a zone is used for the first time,
 * and before each step of a change of zones (zone-plan.ts).
 *
 *     {"formatVersion": 2, "number": 5, "zones": [{"name": "us-east-1a", "directory": "/disks/one"}, …],
 *      "change": null | {"kind": "add", "zone": {…}, "phase": "joining"}}
 *
 * Version 1 has neither `number`, which is 0 then, nor `change`. A data directory without that file has one zone, `REGIONa`, below itself.
 */
import {closeSync, existsSync, fsyncSync, openSync, readFileSync} from 'node:fs';
import {join, resolve, sep} from 'node:path';
import type {ZoneConfig} from '../attachment/attachment.ts';
import {BorealisError} from '../base/errors.ts';
import {ZONES_MAX} from '../page-store/zone-board.ts';
import {writeWhole} from './data-directory.ts';
import {ZONE_PHASES, type ZoneChange, type ZonePlan} from './zone-plan.ts';

const ZONES_FORMAT = 2;
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

export function parseZoneLetter(text: string): string {
  if (LETTER.test(text)) return text;
  throw invalidZone(`zone ${JSON.stringify(text)} is not a letter from a to f`);
}

export function zoneConfig(region: string, {letter, directory}: ZoneOption): ZoneConfig {
  return {name: `${region}${letter}`, directory};
}

/**
 * The zones of a data directory. With `requested`, which are those of a new store, or the ones that it
 * has already; to change them is not a matter of starting it.
 */
export function openZonePlan(
  dataDirectory: string,
  region: string,
  requested: readonly ZoneOption[],
): ZonePlan {
  const remembered = readZonePlan(dataDirectory);
  const wanted = requested.map(option => zoneConfig(region, option));
  if (wanted.length > 0) checkZones(wanted);
  const standard = {name: `${region}a`, directory: join(dataDirectory, 'store', `${region}a`)};
  const unnamed = existsSync(standard.directory) ? plainPlan([standard]) : null;
  const present = remembered ?? unnamed;
  if (present === null) {
    const plan = plainPlan(wanted.length > 0 ? wanted : [standard]);
    if (wanted.length > 0) writeZonePlan(dataDirectory, plan);
    return plan;
  }
  if (wanted.length > 0 && !sameZones(wanted, present.zones)) {
    throw new BorealisError(
      'conflict',
      'zones-differ',
      `The store has the zones ${describeZones(present.zones)}, not ${describeZones(wanted)}. Start without --zone and change them with \`borealis zone add\` and \`borealis zone remove\`, or name another data directory.`,
    );
  }
  return present;
}

function plainPlan(zones: readonly ZoneConfig[]): ZonePlan {
  return {number: 0, zones, change: null};
}

/** Durable on return. */
export function writeZonePlan(dataDirectory: string, plan: ZonePlan): void {
  checkZones(plan.zones);
  writeWhole(zoneFile(dataDirectory), {formatVersion: ZONES_FORMAT, ...plan});
  const descriptor = openSync(dataDirectory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** At most six, each with a name and a directory of its own, none inside another. */
export function checkZones(zones: readonly ZoneConfig[]): void {
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

export function overlap(one: string, other: string): boolean {
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
export function readZonePlan(dataDirectory: string): ZonePlan | null {
  const path = zoneFile(dataDirectory);
  if (!existsSync(path)) return null;
  const unreadable = (cause?: unknown): BorealisError =>
    new BorealisError(
      'corrupt',
      'zones-unreadable',
      `${path} does not name the store's zones. Restore it: {"formatVersion":${ZONES_FORMAT},"number":…,"zones":[{"name":…,"directory":…}],"change":null}`,
      cause,
    );
  let found: Readonly<Record<string, unknown>>;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as typeof found;
  } catch (error) {
    throw unreadable(error);
  }
  const {formatVersion, zones} = found;
  const isKnown = formatVersion === 1 || formatVersion === ZONES_FORMAT;
  if (!isKnown || !Array.isArray(zones) || !zones.every(isZone)) throw unreadable();
  checkZones(zones);
  if (formatVersion === 1) return plainPlan(zones);
  const {number, change} = found;
  if (typeof number !== 'number' || (change !== null && !isChange(change))) throw unreadable();
  return {number, zones, change};
}

function isChange(value: unknown): value is ZoneChange {
  const {kind, zone, phase} = (value ?? {}) as Partial<Record<keyof ZoneChange, unknown>>;
  return (
    (kind === 'add' || kind === 'remove') &&
    isZone(zone) &&
    ZONE_PHASES.some(known => known === phase)
  );
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
