/** Rules for the master user, its password and the first database: those of RDS for PostgreSQL. */
import {invalidValue, missingParameter} from './faults.ts';
import {quoted} from './identifiers.ts';

const PASSWORD_LENGTH_MIN = 8;
const PASSWORD_LENGTH_MAX = 128;
/** PostgreSQL cuts longer names (NAMEDATALEN − 1). */
const NAME_LENGTH_MAX = 63;

/** Roles that the engine or the service has for itself. `pg_…` is refused by PostgreSQL. */
const RESERVED_USERNAMES: ReadonlySet<string> = new Set([
  'admin',
  'rdsadmin',
  'rds_superuser',
  'rds_replication',
  'rds_password',
  'rds_iam',
  'rds_ad',
  'rdsrepladmin',
  'rdstopmgr',
  'public',
  'none',
  'current_user',
  'session_user',
  'current_role',
  'user',
  'replication',
]);

/** Databases that the engine or the service has for itself. */
const RESERVED_DATABASES: ReadonlySet<string> = new Set(['rdsadmin', 'template0', 'template1']);

export function parseMasterUsername(value: string | undefined): string {
  if (value === undefined || value === '') throw missingParameter('MasterUsername');
  if (value.length > NAME_LENGTH_MAX || !/^[a-zA-Z][a-zA-Z0-9_]*$/.test(value)) {
    throw invalidValue(
      `The parameter MasterUsername is not a valid identifier. It must be 1 to ${NAME_LENGTH_MAX} letters, digits or underscores and begin with a letter. Given: ${quoted(value)}`,
    );
  }
  if (RESERVED_USERNAMES.has(value.toLowerCase())) {
    throw invalidValue(
      `MasterUsername ${value} cannot be used as it is a reserved word used by the engine`,
    );
  }
  if (value.toLowerCase().startsWith('pg_')) {
    throw invalidValue(
      `MasterUsername ${value} cannot be used because role names starting with "pg_" are reserved by the PostgreSQL engine`,
    );
  }
  return value;
}

/** Returns the password if it is allowed. No message repeats it. */
export function parseMasterUserPassword(value: string | undefined): string {
  if (value === undefined || value === '') throw missingParameter('MasterUserPassword');
  if (value.length < PASSWORD_LENGTH_MIN) {
    throw invalidValue(
      `The parameter MasterUserPassword is not a valid password because it is shorter than ${PASSWORD_LENGTH_MIN} characters.`,
    );
  }
  if (value.length > PASSWORD_LENGTH_MAX) {
    throw invalidValue(
      `The parameter MasterUserPassword is not a valid password because it is longer than ${PASSWORD_LENGTH_MAX} characters.`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(value) || /["/@]/.test(value)) {
    throw invalidValue(
      `The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '"', ' ' may be used.`,
    );
  }
  return value;
}

/** The database to make at the first start, or null for none but `postgres`, which is always there. */
export function parseDatabaseName(value: string | undefined): string | null {
  if (value === undefined || value === '') return null;
  if (value.length > NAME_LENGTH_MAX || !/^[a-zA-Z][a-zA-Z0-9_]*$/.test(value)) {
    throw invalidValue(
      `The parameter DatabaseName must be 1 to ${NAME_LENGTH_MAX} letters, digits or underscores and begin with a letter. Given: ${quoted(value)}`,
    );
  }
  if (RESERVED_DATABASES.has(value.toLowerCase())) {
    throw invalidValue(`DatabaseName ${value} cannot be used. It is reserved for the engine`);
  }
  return value;
}
