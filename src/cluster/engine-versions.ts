/**
 * The engines that this machine can run, as DescribeDBEngineVersions lists them and CreateDBCluster
 * resolves an EngineVersion against them.
 *
 *     '18.4' → that version        '18' → the first 18.x        none → the default: the first
 */
import type {DBEngineVersion} from '@aws-sdk/client-rds';
import type {EngineRuntime} from '../instance/messages.ts';
import {invalidCombination, invalidValue, missingParameter} from './faults.ts';
import {quoted} from './identifiers.ts';

export const ENGINE = 'aurora-postgresql';

export type EngineOffer = {
  /** As in `18.4`. */
  readonly engineVersion: string;
  readonly runtime: EngineRuntime;
  /** Directory with `initdb` and `postgres`; null for pglite. */
  readonly postgresBin: string | null;
  /** Names the binaries in the key of a golden volume: a path, or the package that holds them. */
  readonly binary: string;
  /** For people, e.g. `PostgreSQL 18.4 (native, from npm)`. */
  readonly description: string;
};

export type EngineOffers = {
  /** What a new cluster may use; the first is the default. Never empty. */
  readonly available: readonly EngineOffer[];
  /** What clusters that exist may need besides. */
  readonly others: readonly EngineOffer[];
};

export function parseEngine(value: string | undefined): void {
  if (value === undefined || value === '') throw missingParameter('Engine');
  if (value !== ENGINE) {
    throw invalidValue(`Invalid DB engine: ${quoted(value)}. The engine here is ${ENGINE}.`);
  }
}

export function resolveEngineVersion(
  offers: EngineOffers,
  version: string | undefined,
): EngineOffer {
  const wanted = version ?? '';
  const offer = offers.available.find(
    ({engineVersion}) =>
      wanted === '' || engineVersion === wanted || majorOf(engineVersion) === wanted,
  );
  if (offer === undefined) {
    const known = offers.available.map(each => each.engineVersion).join(', ');
    throw invalidCombination(
      `Cannot find version ${quoted(wanted)} for ${ENGINE}. Available here: ${known}.`,
    );
  }
  return offer;
}

/** The engine for a cluster that exists; a different minor version of the same major can read its files. */
export function offerFor(
  offers: EngineOffers,
  cluster: {readonly engineVersion: string; readonly runtime: EngineRuntime},
): EngineOffer | undefined {
  const fitting = [...offers.available, ...offers.others].filter(
    offer =>
      offer.runtime === cluster.runtime &&
      majorOf(offer.engineVersion) === majorOf(cluster.engineVersion),
  );
  return fitting.find(offer => offer.engineVersion === cluster.engineVersion) ?? fitting[0];
}

export function goldenKey(offer: EngineOffer): string {
  return `${offer.engineVersion}|${offer.runtime}|${offer.binary}`;
}

export function parameterGroupFamily(engineVersion: string): string {
  return `${ENGINE}${majorOf(engineVersion)}`;
}

export function engineVersionShape(offer: EngineOffer): DBEngineVersion {
  return {
    Engine: ENGINE,
    EngineVersion: offer.engineVersion,
    MajorEngineVersion: majorOf(offer.engineVersion),
    DBParameterGroupFamily: parameterGroupFamily(offer.engineVersion),
    DBEngineDescription: offer.description,
    DBEngineVersionDescription: offer.description,
    ValidUpgradeTarget: [],
    ExportableLogTypes: [],
    SupportsLogExportsToCloudwatchLogs: false,
    SupportsReadReplica: false,
    SupportedEngineModes: ['provisioned'],
    SupportedFeatureNames: [],
    Status: 'available',
    SupportsParallelQuery: false,
    SupportsGlobalDatabases: false,
    SupportsBabelfish: false,
    SupportsLimitlessDatabase: false,
    SupportsLocalWriteForwarding: false,
    SupportsIntegrations: false,
    TagList: [],
  };
}

function majorOf(engineVersion: string): string {
  return engineVersion.split('.')[0] ?? engineVersion;
}
