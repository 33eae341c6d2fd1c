/**
 * Fills an empty volume with a cluster as every PGlite cluster begins: initdb, the roles that RDS has,
 * and amcheck for the master user, in template1 as well so that databases to come have it.
 */
import {ADMIN_ROLE, MASTER_GROUP_ROLE} from '../postgres/names.ts';
import {createTokenGroup} from '../postgres/roles.ts';
import type {Session} from '../postgres/session.ts';
import {readSettings} from '../postgres/read-settings.ts';
import type {EngineSetting, ReportStep} from '../engine.ts';
import {adminSession} from './admin-session.ts';
import {EngineLink} from './engine-link.ts';
import type {EngineLinkOptions} from './engine-link.ts';

/** What rds_superuser may do and hand on. */
const PREDEFINED_ROLES: readonly string[] = [
  'pg_monitor',
  'pg_signal_backend',
  'pg_checkpoint',
  'pg_use_reserved_connections',
  'pg_maintain',
];

export async function makeGoldenVolume(
  options: Omit<EngineLinkOptions, 'database' | 'initialise'>,
  report: ReportStep,
): Promise<readonly EngineSetting[]> {
  let catalogue: readonly EngineSetting[] = [];
  await withEngine({...options, database: 'postgres', initialise: true}, report, async session => {
    await createRoles(session);
    await createChecks(session);
    catalogue = await readSettings(session);
  });
  const attachment = {...options.attachment, format: false};
  const again = {...options, attachment, database: 'template1', initialise: false};
  await withEngine(again, report, createChecks);
  return catalogue;
}

/** Opens the engine, works as the bootstrap superuser, and stops it cleanly. */
export async function withEngine(
  options: EngineLinkOptions,
  report: ReportStep,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const link = await EngineLink.open(options, report);
  try {
    await work(adminSession(messages => link.internal('admin', messages)));
    await link.close();
    await link.control('detach', {});
  } finally {
    await link.terminate();
  }
}

async function createRoles(session: Session): Promise<void> {
  await session.query(`CREATE ROLE ${MASTER_GROUP_ROLE} NOLOGIN`);
  await createTokenGroup(session);
  for (const role of PREDEFINED_ROLES) {
    await session.query(`GRANT ${role} TO ${MASTER_GROUP_ROLE} WITH ADMIN OPTION`);
  }
  // initdb's own; clients of the network are held off by its OID as well.
  await session.query(`ALTER ROLE ${ADMIN_ROLE} PASSWORD NULL`);
}

/** In pg_catalog, so that no `DROP SCHEMA public` meets it. */
async function createChecks(session: Session): Promise<void> {
  await session.query('CREATE EXTENSION amcheck SCHEMA pg_catalog');
  const functions = await session.query(
    `SELECT objid::regprocedure::text AS signature FROM pg_depend
      WHERE classid = 'pg_proc'::regclass AND refclassid = 'pg_extension'::regclass
        AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'amcheck')`,
  );
  for (const {signature} of functions) {
    await session.query(`GRANT EXECUTE ON FUNCTION ${String(signature)} TO ${MASTER_GROUP_ROLE}`);
  }
}
