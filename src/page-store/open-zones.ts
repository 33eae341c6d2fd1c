/** Opens the zones of a store: one directory as it is, several behind a mirror. */
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import {openDirectoryZone} from './directory-zone.ts';
import type {Membership} from './membership.ts';
import {MIRROR_DEFAULTS} from './mirror-members.ts';
import type {MirrorRole} from './mirror-upkeep.ts';
import {openMirroredZone} from './mirrored-zone.ts';
import {zonesOfThreads} from './thread-channel.ts';
import {ZoneBoard, ZONES_MAX} from './zone-board.ts';
import type {ZonePlace} from './zone-channel.ts';
import type {MembershipState, Zone, ZoneEvent} from './zone.ts';

/** Some writes of a few bytes; a zone that takes none is shown after this and the time that it may hang. */
const PROBE_MS = 5_000;

export type StoreConfig = {
  /** One to six; the first good one is read from. */
  readonly zones: readonly ZonePlace[];
  /** Which of them count; without it all of them do, and never changed. */
  readonly membership?: Membership | undefined;
  /** A zone that does nothing for so long is not waited for. */
  readonly zoneHangMs?: number | undefined;
};

export type ZonesHooks = {
  readonly role: MirrorRole;
  readonly board?: ZoneBoard;
  readonly onZoneEvent?: (event: ZoneEvent) => void;
};

/** @throws BorealisError invalid for zones that cannot be. */
export function openZones(config: StoreConfig, hooks: ZonesHooks): Zone {
  const {zones, membership} = config;
  checkZones(config);
  const [only] = zones;
  assert(only !== undefined, 'a store has a zone');
  if (zones.length === 1) return openDirectoryZone(only.name, only.directory);
  return openMirroredZone({
    medium: zonesOfThreads(zones, hooks.board ?? new ZoneBoard()),
    settings: {
      ...MIRROR_DEFAULTS,
      ...{hangMs: config.zoneHangMs ?? MIRROR_DEFAULTS.hangMs, probeMs: PROBE_MS},
    },
    ...(membership === undefined ? {} : {membership}),
    role: hooks.role,
    onEvent: event => hooks.onZoneEvent?.(event),
  });
}

/**
 * Tells an open zone which zones there are from now on. One that is a directory, without a mirror, can go
 * on only while it is the only one. @throws BorealisError `zone-mirror-needed`.
 */
export function changeZones({mirror, name}: Zone, config: StoreConfig): MembershipState {
  const {zones, membership} = config;
  assert(membership !== undefined, 'zones change to a membership');
  if (mirror !== null) {
    mirror.setMembership(zones, membership);
    return mirror.membershipState();
  }
  if (zones.length === 1 && zones[0]?.name === name) {
    return {number: membership.number, current: [name], broken: [], isSettled: true};
  }
  const text = `This process has zone ${name} open without a mirror: it is to be started anew for several zones.`;
  throw new BorealisError('conflict', MIRROR_NEEDED, text);
}

/** Code of the error that a process must be started anew to have several zones. */
export const MIRROR_NEEDED = 'zone-mirror-needed';

function checkZones({zones, membership}: StoreConfig): void {
  const count = zones.length;
  if (count < 1 || count > ZONES_MAX) {
    const text = `A store has 1 to ${ZONES_MAX} zones, not ${count}.`;
    throw new BorealisError('invalid', 'zone-count', text);
  }
  const names = new Set(zones.map(zone => zone.name));
  if (names.size < count) {
    throw new BorealisError('invalid', 'zone-name', 'Two zones have the same name.');
  }
  const isKnown = membership?.voters.flat().every(name => names.has(name)) ?? true;
  assert(isKnown, 'a zone that counts is one of the zones');
}
