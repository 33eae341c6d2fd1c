/**
 * The engines that this machine can run, as DescribeDBEngineVersions lists them and CreateDBCluster
 * resolves an EngineVersion against them.
 *
 *     aurora-postgresql   '18.4' → that version      '18' → the first 18.x
 *     aurora-mysql        '10.11.19' → that one      '10.11' → the first 10.11.x
 *                         none → the engine's first
 *
 * Versions are those of the server that answers.
 */
import type {DBEngineVersion} from '@aws-sdk/client-rds';
import type {EngineName} from '../engine/engine.ts';
import type {EngineRuntime} from '../instance/messages.ts';
import {seriesOf} from './engine-kinds.ts';
import {invalidCombination} from './faults.ts';
import {quoted} from './identifiers.ts';

export type EngineOffer = {
  readonly engine: EngineName;
  /** As in `18.4`. */
  readonly engineVersion: string;
  readonly runtime: EngineRuntime;
  /** Directory of the server's programs; null for pglite. */
  readonly bin: string | null;
  /** Names the binaries in the key of a golden volume: a path, or the package that holds them. */
  readonly binary: string;
  /** For people, e.g. `PostgreSQL 18.4 (native, from npm)`. */
  readonly description: string;
};

export type EngineOffers = {
  /** What a new cluster may use; the first of an engine is its default. */
  readonly available: readonly EngineOffer[];
  /** What clusters that exist may need besides. */
  readonly others: readonly EngineOffer[];
  /** Why an engine cannot run here, and what to do about it. */
  readonly obstacles: Readonly<Partial<Record<EngineName, string>>>;
};

export function resolveEngineVersion(
  offers: EngineOffers,
  engine: EngineName,
  version: string | undefined,
): EngineOffer {
  const wanted = version ?? '';
  const obstacle = offers.obstacles[engine];
  if (obstacle !== undefined) {
    throw invalidCombination(`The engine ${engine} cannot run here. ${obstacle}`);
  }
  const ofEngine = offers.available.filter(offer => offer.engine === engine);
  const offer = ofEngine.find(
    ({engineVersion}) =>
      wanted === '' || engineVersion === wanted || seriesOf(engine, engineVersion) === wanted,
  );
  if (offer === undefined) {
    const known = ofEngine.map(each => each.engineVersion).join(', ');
    throw invalidCombination(
      `Cannot find version ${quoted(wanted)} for ${engine}. Available here: ${known}.`,
    );
  }
  return offer;
}

/** The engine for a cluster that exists; another version of the same series can read its files. */
export function offerFor(
  offers: EngineOffers,
  cluster: Pick<EngineOffer, 'engine' | 'engineVersion' | 'runtime'>,
): EngineOffer | undefined {
  const {engine, engineVersion, runtime} = cluster;
  const fitting = [...offers.available, ...offers.others].filter(
    offer =>
      offer.engine === engine &&
      offer.runtime === runtime &&
      seriesOf(engine, offer.engineVersion) === seriesOf(engine, engineVersion),
  );
  return fitting.find(offer => offer.engineVersion === engineVersion) ?? fitting[0];
}

export function goldenKey(
  offer: Pick<EngineOffer, 'engineVersion' | 'runtime' | 'binary'>,
): string {
  return `${offer.engineVersion}|${offer.runtime}|${offer.binary}`;
}

export function parameterGroupFamily({
  engine,
  engineVersion,
}: Pick<EngineOffer, 'engine' | 'engineVersion'>): string {
  return `${engine}${seriesOf(engine, engineVersion)}`;
}

export function engineVersionShape(offer: EngineOffer): DBEngineVersion {
  return {
    Engine: offer.engine,
    EngineVersion: offer.engineVersion,
    MajorEngineVersion: seriesOf(offer.engine, offer.engineVersion),
    DBParameterGroupFamily: parameterGroupFamily(offer),
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
