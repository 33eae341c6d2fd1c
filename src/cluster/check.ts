/**
 * Checks a data directory on which no service runs, and on demand removes what means nothing.
 *
 *     service lock ▸ each zone by itself ▸ catalog against store ▸ repair
 *
 * Repair first puts right what another zone holds as it should be. Then it removes leftovers: temporary
 * files, volumes that nothing in the catalog names (a start of the service removes them too), and then a
 * sweep. That begins only when nothing is damaged any more, for what a damaged record or node would have
 * reached must not be taken for unreachable.
 */
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import type {ZoneConfig} from '../attachment/attachment.ts';
import {assert} from '../base/assert.ts';
import {sleep, systemClock} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import {openDirectoryZone} from '../page-store/directory-zone.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import {openZones} from '../page-store/open-zones.ts';
import type {Mirror, Zone} from '../page-store/zone.ts';
import {Census} from '../volume/census.ts';
import {checkZone, type Finding, type ZoneCheck} from '../volume/checker.ts';
import {scrubSteps} from '../volume/scrub.ts';
import {sweep} from '../volume/sweeper.ts';
import {Catalog} from './catalog.ts';
import {isCatalogMissing} from './lost-parts.ts';
import {readZonePlan} from './zone-list.ts';
import {acquireServiceLock} from './service-lock.ts';

const TICK_MS = 1_000;
const STEP_MS = 2;
/** A zone that does not come up to date in that time stays as it is. */
const CATCH_UP_MS_MAX = 600_000;

export type CheckFinding = Finding & {
  /** Null for what is not in a zone. */
  readonly zone: string | null;
  readonly repaired: boolean;
};

export type CheckReport = {
  readonly findings: readonly CheckFinding[];
  readonly zones: readonly (Omit<ZoneCheck, 'findings' | 'records'> & {
    readonly name: string;
    readonly volumes: number;
  })[];
};

export type CheckOptions = {
  readonly directory: string;
  readonly zones: readonly ZoneConfig[];
  readonly repair: boolean;
};

/** Every zone of the data directory. */
export function zonesOf(directory: string): ZoneConfig[] {
  if (!existsSync(join(directory, 'borealis.json'))) {
    throw new BorealisError(
      'invalid',
      'data-directory-foreign',
      `${directory} is not a Borealis data directory: it has no borealis.json. Name one with --data.`,
    );
  }
  const remembered = readZonePlan(directory);
  if (remembered?.change != null) {
    throw new BorealisError(
      'conflict',
      'zone-change-under-way',
      'A change of zones is under way. Start the service and let it finish, then check.',
    );
  }
  if (remembered !== null) return [...remembered.zones];
  const store = join(directory, 'store');
  if (!existsSync(store)) return [];
  return readdirSync(store).map(name => ({name, directory: join(store, name)}));
}

/** @throws BorealisError data-directory-in-use while a service runs. */
export async function checkDataDirectory(options: CheckOptions): Promise<CheckReport> {
  const lock = acquireServiceLock(options.directory);
  try {
    return await check(options);
  } finally {
    lock.release();
  }
}

type Checked = {
  readonly zone: Zone;
  readonly check: ZoneCheck;
  readonly findings: readonly Finding[];
  /** Volumes that nothing in the catalog names. */
  readonly orphans: readonly VolumeNumber[];
};

async function check({directory, zones, repair}: CheckOptions): Promise<CheckReport> {
  const isThere = ({directory: place}: ZoneConfig): boolean => existsSync(join(place, 'volumes'));
  const catalog = await readCatalog(directory);
  const missingZones = zones.filter(each => !isThere(each)).map(missing);
  const look = (): Checked[] =>
    zones
      .filter(isThere)
      .map(({name, directory: place}) => checkOne(openDirectoryZone(name, place), catalog));
  const first = look();
  const general: Finding[] = [...catalog.findings, ...missingZones];
  if (!catalog.exists && first.some(({check: {records}}) => records.length > 0)) {
    general.push(CATALOG_MISSING);
  }
  let checked = first;
  const isDamaged = first.some(({findings}) => findings.some(({kind}) => kind === 'damage'));
  if (repair && isDamaged && first.length > 1 && missingZones.length === 0) {
    await repairFromOtherZones(zones);
    checked = look();
  }
  const all = [...general, ...checked.flatMap(each => each.findings)];
  const isSound = all.every(finding => finding.kind === 'leftover');
  return {
    findings: [
      ...general.map(finding => ({...finding, zone: null, repaired: false})),
      ...checked.flatMap((each, index) => {
        const left = repair && isSound ? repairZone(each, catalog) : each.findings;
        const messages = new Set(left.map(({message}) => message));
        const before = first[index]?.findings ?? [];
        const known = new Set(before.map(({message}) => message));
        const found = [...before, ...each.findings.filter(({message}) => !known.has(message))];
        return found.map(finding => ({
          ...finding,
          zone: each.zone.name,
          repaired: !messages.has(finding.message),
        }));
      }),
    ],
    zones: checked.map(({zone, check: {records, segments, nodesVerified, pagesVerified}}) => ({
      name: zone.name,
      volumes: records.length,
      segments,
      nodesVerified,
      pagesVerified,
    })),
  };
}

function checkOne(zone: Zone, catalog: Known): Checked {
  const result = checkZone(zone);
  const there = new Set(result.records.map(record => record.volume));
  const unnamed = catalog.exists ? [...there].filter(volume => !catalog.named.has(volume)) : [];
  const orphans = unnamed.filter(volume => volume <= catalog.highest);
  const newer = unnamed.filter(volume => volume > catalog.highest);
  const dangling = [...catalog.needed].filter(([volume]) => !there.has(volume));
  return {
    zone,
    check: result,
    orphans,
    findings: [
      ...result.findings,
      ...dangling.map(([volume, what]) => ({
        kind: 'damage' as const,
        code: 'dangling-volume',
        message: `${what} has volume ${volume}, which zone ${zone.name} does not`,
      })),
      ...newer.map(volume => ({
        kind: 'damage' as const,
        code: 'volume-unknown',
        message: `volume ${volume} is there, and the catalog, which is older than the store, has never named it: put the newest catalog.mdb back; \`borealis up --discard-unknown\` deletes it`,
      })),
      ...orphans.map(volume => ({
        kind: 'leftover' as const,
        code: 'orphan-volume',
        message: `volume ${volume} is there and nothing in the catalog names it`,
      })),
    ],
  };
}

/** Puts right what another zone holds as it should be: records and segments by catching up, pages by a scrub. */
async function repairFromOtherZones(zones: readonly ZoneConfig[]): Promise<void> {
  const zone = openZones({zones}, {role: 'keeper'});
  const {mirror} = zone;
  assert(mirror !== null, 'several zones are a mirror');
  try {
    zone.readStoreRecord();
    const untilMs = systemClock.monotonicMs() + CATCH_UP_MS_MAX;
    do {
      mirror.tick();
      while (mirror.step()) await sleep(STEP_MS);
      await sleep(TICK_MS);
    } while (!isWhole(mirror) && systemClock.monotonicMs() < untilMs);
    const steps = scrubSteps(zone);
    for (let step = steps.next(); step.done !== true; step = steps.next()) {
      if (step.value.pauseMs > 0) await sleep(step.value.pauseMs);
    }
  } catch (error) {
    // What it could not do is found by the check that follows.
    if (!(error instanceof BorealisError) || error.kind === 'internal') throw error;
  } finally {
    zone.close();
  }
}

function isWhole(mirror: Mirror): boolean {
  return mirror.states().every(({state}) => state === 'healthy');
}

/** Returns what is found afterwards. Nobody opens a volume meanwhile: the locks are held. */
function repairZone({zone, orphans}: Checked, catalog: Known): readonly Finding[] {
  const claims = zone.listVolumes().map(volume => zone.lockVolume(volume));
  try {
    for (const volume of orphans) zone.deleteVolumeRecord(volume);
    for (const name of zone.leftovers()) zone.removeLeftover(name);
  } finally {
    for (const claim of claims) claim.release();
  }
  const census = new Census(zone);
  sweep(zone, census);
  census.close();
  return checkOne(zone, catalog).findings;
}

function missing({name, directory}: ZoneConfig): Finding {
  return {
    kind: 'damage',
    code: 'zone-missing',
    message: `there is no store in ${directory}, which is to hold zone ${name}`,
  };
}

const CATALOG_MISSING: Finding = {
  kind: 'damage',
  code: 'catalog-missing',
  message:
    'there are volumes, and no catalog that could be read says whose they are: put catalog.mdb back from a copy of the data directory; `borealis up --discard-unknown` would begin anew and delete them',
};

/** What the catalog says of volumes. */
type Known = {
  /** False when it is missing or cannot be read; then nothing is an orphan. */
  readonly exists: boolean;
  readonly named: ReadonlySet<VolumeNumber>;
  /** The highest number that it has ever named. */
  readonly highest: number;
  /** Volumes that must be there, and what needs them. */
  readonly needed: ReadonlyMap<VolumeNumber, string>;
  readonly findings: readonly Finding[];
};

async function readCatalog(directory: string): Promise<Known> {
  const nothing = {
    ...{exists: false, named: new Set<never>(), needed: new Map<never, never>()},
    highest: Infinity,
  };
  if (isCatalogMissing(directory)) return {...nothing, findings: []};
  const newIdentity = (): never => {
    throw new BorealisError('corrupt', 'catalog-empty', 'The catalog holds nothing.');
  };
  try {
    // Records are kept by region, and only the catalog knows which one.
    const first = Catalog.open({directory, region: '', newIdentity});
    const {region} = first.identity;
    await first.close();
    const catalog = Catalog.open({directory, region, newIdentity});
    try {
      return knownOf(catalog);
    } finally {
      await catalog.close();
    }
  } catch (error) {
    if (!(error instanceof BorealisError)) throw error;
    const {code, message} = error;
    return {...nothing, findings: [{kind: 'damage', code, message}]};
  }
}

function knownOf(catalog: Catalog): Known {
  const named = new Set<VolumeNumber>();
  const needed = new Map<VolumeNumber, string>();
  for (const {identifier, volume, volumeReady, status} of catalog.clusters.list()) {
    if (volume === null) continue;
    named.add(volume);
    if (volumeReady && status !== 'deleting') needed.set(volume, `DB cluster ${identifier}`);
  }
  for (const {scratchVolume} of catalog.instances.list()) {
    if (scratchVolume !== null) named.add(scratchVolume);
  }
  for (const {engineVersion, volume, ready} of catalog.goldenVolumes.list()) {
    named.add(volume);
    if (ready) needed.set(volume, `the golden volume of ${engineVersion}`);
  }
  const findings = catalog.instances
    .list()
    .filter(({clusterIdentifier}) => catalog.clusters.get(clusterIdentifier) === undefined)
    .map(({identifier, clusterIdentifier}) => ({
      kind: 'damage' as const,
      code: 'dangling-instance',
      message: `DB instance ${identifier} belongs to DB cluster ${clusterIdentifier}, which is not there`,
    }));
  return {exists: true, named, needed, findings, highest: catalog.highestVolume ?? Infinity};
}
