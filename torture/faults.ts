/**
 * What is done to a cluster that serves: a process ends, or a zone of the store is lost, alone or
 * together. Another kind is another entry.
 */
import {sleep} from '../src/base/clock.ts';
import type {SeededRandom} from '../src/base/testing/seeded-random.ts';
import {MIRROR_DEFAULTS} from '../src/page-store/mirror-members.ts';
import {findProcesses, unmountVolume} from './processes.ts';
import type {ZoneDirectories} from './zone-directories.ts';

/** While a zone is away its loss may or may not have been noticed. */
const AWAY_MS = 2000;
/** By then a disk that hangs has been given up. */
const GIVEN_UP_MS: number = MIRROR_DEFAULTS.hangMs + 2000;

export type Victim = {
  /** Where the ledger's server itself listens. */
  readonly enginePort: number;
  readonly random: SeededRandom;
  readonly zones: ZoneDirectories;
  /** `kill -9` of the service, then `up` again. */
  restartService(): Promise<void>;
};

export type Fault = {
  readonly name: string;
  /** The instance, and with it every connection. One that does not must not be felt. */
  readonly endsInstance: boolean;
  /** It needs all zones to be whole before, and leaves one to be mended. */
  readonly strikesZone: boolean;
  readonly strike: (victim: Victim) => Promise<void>;
};

const KILL_INSTANCE: Fault = ofProcess('kill -9 of the instance', async ({enginePort}) =>
  kill(findProcesses(enginePort).instance),
);
const KILL_SERVICE: Fault = ofProcess('kill -9 of the service', victim => victim.restartService());

export const PROCESS_FAULTS: readonly Fault[] = [
  ofProcess('kill -9 of a backend', async ({enginePort, random}) => {
    const {backends, postmaster} = findProcesses(enginePort);
    kill(backends[random.below(backends.length)] ?? postmaster);
  }),
  ofProcess('kill -9 of the postmaster', async ({enginePort}) =>
    kill(findProcesses(enginePort).postmaster),
  ),
  KILL_INSTANCE,
  ofProcess('the FUSE mount taken away', ({enginePort}) =>
    unmountVolume(findProcesses(enginePort).instance),
  ),
  KILL_SERVICE,
];

/** With three zones and more. */
export const ZONE_FAULTS: readonly Fault[] = [
  ofZone('a zone taken away', async ({zones, random}) => {
    zones.takeAway(random);
    await sleep(random.below(AWAY_MS));
  }),
  ofZone('a new directory in place of a zone', async ({zones, random}) => zones.replace(random)),
  ofZone('rot in a zone', async ({zones, random}) => zones.rot(random)),
  whileAway(KILL_INSTANCE),
  whileAway(KILL_SERVICE),
];

/** With a zone that has a disk of its own. */
export const DISK_FAULTS: readonly Fault[] = [
  ofZone('a zone whose disk hangs', async ({zones, random}) => {
    zones.hang();
    await sleep(random.below(2) * GIVEN_UP_MS);
  }),
];

export function faultsFor({all, canHang}: ZoneDirectories): readonly (readonly Fault[])[] {
  if (all.length === 0) return [PROCESS_FAULTS];
  return [canHang ? [...ZONE_FAULTS, ...DISK_FAULTS] : ZONE_FAULTS, PROCESS_FAULTS];
}

/** Endlessly, one of each list in turn; each of a list once before any comes again, in an order that the seed gives. */
export function* faultOrder(
  random: SeededRandom,
  lists: readonly (readonly Fault[])[],
): Generator<Fault, never> {
  const bags = lists.map((): Fault[] => []);
  for (;;) {
    for (const [index, bag] of bags.entries()) {
      if (bag.length === 0) bag.push(...(lists[index] ?? []));
      yield* bag.splice(random.below(bag.length), 1);
    }
  }
}

function ofProcess(name: string, strike: Fault['strike']): Fault {
  return {name, endsInstance: true, strikesZone: false, strike};
}

function ofZone(name: string, strike: Fault['strike']): Fault {
  return {name, endsInstance: false, strikesZone: true, strike};
}

function whileAway({name, endsInstance, strike}: Fault): Fault {
  return {
    ...{name: `${name} while a zone is away`, endsInstance, strikesZone: true},
    strike: async victim => {
      const {zones, random} = victim;
      zones.takeAway(random);
      await sleep(random.below(AWAY_MS));
      await strike(victim);
    },
  };
}

function kill(pid: number): void {
  process.kill(pid, 'SIGKILL');
}
