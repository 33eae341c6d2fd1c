/** What a login needs to know of a role and a database, read as the bootstrap superuser. */
import {isTokenUser} from '../postgres/roles.ts';
import type {Session} from '../postgres/session.ts';

export type RoleLookup = {
  readonly oid: number;
  /** The stored verifier; null when the role cannot log in with a password (now). */
  readonly verifier: string | null;
  readonly canLogin: boolean;
  /** It logs in by a client certificate. */
  readonly isTokenUser: boolean;
};

export type DatabaseLookup = {
  readonly exists: boolean;
  /** The one database that this engine has open. */
  readonly served: string;
  readonly mayConnect: boolean;
  /** What ALTER ROLE and ALTER DATABASE … SET say, the stronger later. */
  readonly settings: readonly (readonly [string, string])[];
};

export async function lookUpRole(session: Session, name: string): Promise<RoleLookup | null> {
  const [row] = await session.query(
    `SELECT oid, rolcanlogin,
            CASE WHEN rolvaliduntil IS NULL OR rolvaliduntil > now()
                 THEN rolpassword END AS verifier
       FROM pg_authid WHERE rolname = $1`,
    [name],
  );
  if (row === undefined) return null;
  const verifier = row['verifier'];
  return {
    oid: Number(row['oid']),
    canLogin: row['rolcanlogin'] === 't',
    isTokenUser: await isTokenUser(session, name),
    // An MD5 hash, which only an old dump can bring, is no verifier of ours.
    verifier:
      typeof verifier === 'string' && verifier.startsWith('SCRAM-SHA-256$') ? verifier : null,
  };
}

export async function lookUpDatabase(
  session: Session,
  database: string,
  roleOid: number,
): Promise<DatabaseLookup> {
  const [row] = await session.query(
    `SELECT current_database() AS served, d.oid IS NOT NULL AS present,
            coalesce(d.datallowconn AND has_database_privilege($2::oid, d.oid, 'CONNECT'), false) AS allowed
       FROM (SELECT $1::name AS name) asked LEFT JOIN pg_database d ON d.datname = asked.name`,
    [database, roleOid],
  );
  const settings = await session.query(
    `SELECT unnest(setconfig) AS setting FROM pg_db_role_setting
      WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = $1))
        AND setrole IN (0, $2::oid)
      ORDER BY setrole <> 0, setdatabase <> 0`,
    [database, roleOid],
  );
  return {
    exists: row?.['present'] === 't',
    served: String(row?.['served']),
    mayConnect: row?.['allowed'] === 't',
    settings: settings.map(({setting}) => {
      const text = String(setting);
      const equals = text.indexOf('=');
      return [text.slice(0, equals), text.slice(equals + 1)] as const;
    }),
  };
}
