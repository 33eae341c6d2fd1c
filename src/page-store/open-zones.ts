/** Opens the zones of a store: one directory as it is, several behind a mirror. */
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import {openDirectoryZone} from './directory-zone.ts';
import {MIRROR_DEFAULTS} from './mirror-members.ts';
import type {MirrorRole} from './mirror-upkeep.ts';
import {openMirroredZone} from './mirrored-zone.ts';
import {zonesOfThreads, type DirectoryZoneConfig} from './thread-channel.ts';
import {majority, ZoneBoard, ZONES_MAX} from './zone-board.ts';
import type {Zone, ZoneEvent} from './zone.ts';

export type StoreConfig = {
  /** One to six; the first good one is read from. */
  readonly zones: readonly DirectoryZoneConfig[];
  /** Zones that must hold what is acknowledged: more than half. By default the smallest such number. */
  readonly writeQuorum?: number | undefined;
  /** A zone that does nothing for so long is not waited for. */
  readonly zoneHangMs?: number | undefined;
};

export type ZonesHooks = {
  readonly role: MirrorRole;
  readonly board?: ZoneBoard;
  readonly onZoneEvent?: (event: ZoneEvent) => void;
};

/** @throws BorealisError invalid for a number of zones, or a quorum, that cannot be. */
export function openZones(config: StoreConfig, hooks: ZonesHooks): Zone {
  const {zones} = config;
  checkZones(config);
  const [only] = zones;
  assert(only !== undefined, 'a store has a zone');
  if (zones.length === 1) return openDirectoryZone(only.name, only.directory);
  return openMirroredZone({
    medium: zonesOfThreads(zones, hooks.board ?? new ZoneBoard()),
    settings: {
      ...MIRROR_DEFAULTS,
      quorum: config.writeQuorum ?? majority(zones.length),
      hangMs: config.zoneHangMs ?? MIRROR_DEFAULTS.hangMs,
    },
    role: hooks.role,
    onEvent: event => hooks.onZoneEvent?.(event),
  });
}

function checkZones({zones, writeQuorum}: StoreConfig): void {
  const count = zones.length;
  if (count < 1 || count > ZONES_MAX) {
    const text = `A store has 1 to ${ZONES_MAX} zones, not ${count}.`;
    throw new BorealisError('invalid', 'zone-count', text);
  }
  if (new Set(zones.map(zone => zone.name)).size < count) {
    throw new BorealisError('invalid', 'zone-name', 'Two zones have the same name.');
  }
  if (writeQuorum === undefined) return;
  if (writeQuorum >= majority(count) && writeQuorum <= count) return;
  const text = `A write quorum of ${writeQuorum} of ${count} zones is not possible: it is from ${majority(count)} to ${count}.`;
  throw new BorealisError('invalid', 'zone-quorum-size', text);
}
