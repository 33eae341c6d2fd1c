/** Roles and databases that every cluster has, and its master user; as RDS for PostgreSQL has them. */
import type {EngineMaster} from '../engine.ts';
import {
  ADMIN_DATABASE,
  ADMIN_ROLE,
  MASTER_GROUP_ROLE,
  REPLICATION_ROLE,
  TOKEN_GROUP_ROLE,
} from './names.ts';
import {quoteName, quoteText, withSession, type Session, type SocketAddress} from './session.ts';

/** What rds_superuser may do and hand on, by the major version that brought the role. */
const PREDEFINED_ROLES: readonly (readonly [string, number])[] = [
  ['pg_monitor', 10],
  ['pg_signal_backend', 10],
  ['pg_checkpoint', 15],
  ['pg_use_reserved_connections', 16],
  ['pg_create_subscription', 16],
  ['pg_maintain', 17],
];

/** On a new cluster whose only databases are initdb's. */
export async function createClusterRoles(address: SocketAddress, major: number): Promise<void> {
  await withSession(
    address,
    async session => {
      await session.query(`CREATE ROLE ${MASTER_GROUP_ROLE} NOLOGIN`);
      await createTokenGroup(session);
      for (const [role, since] of PREDEFINED_ROLES) {
        if (major >= since) {
          await session.query(`GRANT ${role} TO ${MASTER_GROUP_ROLE} WITH ADMIN OPTION`);
        }
      }
      await createChecks(session);
      await session.query(`CREATE DATABASE ${ADMIN_DATABASE}`);
      await session.query(`REVOKE ALL ON DATABASE ${ADMIN_DATABASE} FROM PUBLIC`);
    },
    'postgres',
  );
  // Databases are copies of template1, so those to come have it too.
  await withSession(address, createChecks, 'template1');
  await withSession(address, async session => {
    await session.query('CHECKPOINT');
  });
}

/**
 * Who may grant a role is a member of it, so members of rds_superuser are members of this one as well;
 * `isTokenUser` and pg_hba.conf leave them their passwords.
 */
export async function createTokenGroup(session: Session): Promise<void> {
  await session.query(`CREATE ROLE ${TOKEN_GROUP_ROLE} NOLOGIN`);
  await session.query(`GRANT ${TOKEN_GROUP_ROLE} TO ${MASTER_GROUP_ROLE} WITH ADMIN OPTION`);
}

/** As pg_hba.conf decides it. */
export async function isTokenUser(session: Session, user: string): Promise<boolean> {
  const rows = await session.query(
    `SELECT FROM pg_roles
      WHERE rolname = $1 AND pg_has_role(oid, to_regrole('${TOKEN_GROUP_ROLE}'), 'MEMBER')
        AND NOT coalesce(pg_has_role(oid, to_regrole('${MASTER_GROUP_ROLE}'), 'MEMBER'), false)`,
    [user],
  );
  return rows.length > 0;
}

/**
 * `amcheck`, where the server has it, for the master user as well. In pg_catalog, so that no
 * `DROP SCHEMA public` meets it.
 */
async function createChecks(session: Session): Promise<void> {
  const available = await session.query(
    `SELECT FROM pg_available_extensions WHERE name = 'amcheck'`,
  );
  if (available.length === 0) return;
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

/** Creates the master user or gives it this verifier; writes nothing when all is so already. */
export async function setMaster(session: Session, master: EngineMaster): Promise<void> {
  const [role] = await session.query('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [
    master.name,
  ]);
  const name = quoteName(master.name);
  if (role === undefined) {
    await session.query(
      `CREATE ROLE ${name} LOGIN CREATEDB CREATEROLE REPLICATION PASSWORD ${quoteText(master.verifier)} IN ROLE ${MASTER_GROUP_ROLE}`,
    );
  } else if (role['rolpassword'] !== master.verifier) {
    await session.query(`ALTER ROLE ${name} LOGIN PASSWORD ${quoteText(master.verifier)}`);
  }
  // Its owner may create in the schema public of a database.
  const [database] = await session.query(
    `SELECT FROM pg_database WHERE datname = 'postgres' AND datdba = $1::regrole`,
    [ADMIN_ROLE],
  );
  if (database !== undefined) await session.query(`ALTER DATABASE postgres OWNER TO ${name}`);
}

/** Creates the role of the cluster's readers or gives it this verifier; writes nothing when all is so already. */
export async function setReplicationRole(session: Session, verifier: string): Promise<void> {
  const [role] = await session.query('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [
    REPLICATION_ROLE,
  ]);
  if (role?.['rolpassword'] === verifier) return;
  const verb = role === undefined ? 'CREATE' : 'ALTER';
  await session.query(
    `${verb} ROLE ${REPLICATION_ROLE} LOGIN REPLICATION PASSWORD ${quoteText(verifier)}`,
  );
}

/** Creates `databaseName`, owned by the master user, unless there is one of that name. */
export async function createDatabase(
  session: Session,
  databaseName: string,
  ownerName: string,
): Promise<void> {
  const existing = await session.query('SELECT FROM pg_database WHERE datname = $1', [
    databaseName,
  ]);
  if (existing.length > 0) return;
  await session.query(`CREATE DATABASE ${quoteName(databaseName)} OWNER ${quoteName(ownerName)}`);
}
