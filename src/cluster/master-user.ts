/** Rules for the master user, its password and the first database: those of RDS for each engine. */
import type {EngineName} from '../engine/engine.ts';
import {invalidValue, missingParameter} from './faults.ts';
import {quoted} from './identifiers.ts';

const PASSWORD_LENGTH_MIN = 8;

type NameRules = {
  readonly passwordLengthMax: number;
  readonly usernameLengthMax: number;
  readonly databaseLengthMax: number;
  /** Users that the engine or the service has for itself. */
  readonly usernames: ReadonlySet<string>;
  readonly databases: ReadonlySet<string>;
};

const RULES: Readonly<Record<EngineName, NameRules>> = {
  'aurora-postgresql': {
    passwordLengthMax: 128,
    // PostgreSQL cuts longer names (NAMEDATALEN − 1).
    usernameLengthMax: 63,
    databaseLengthMax: 63,
    // `pg_…` is refused by PostgreSQL.
    usernames: new Set([
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
    ]),
    databases: new Set(['rdsadmin', 'template0', 'template1']),
  },
  'aurora-mysql': {
    passwordLengthMax: 41,
    usernameLengthMax: 16,
    databaseLengthMax: 64,
    usernames: new Set([
      'rdsadmin',
      'rdsrepladmin',
      'rdsproxyadmin',
      'rdstopmgr',
      'mysql',
      'public',
    ]),
    databases: new Set([
      'information_schema',
      'innodb',
      'mysql',
      'performance_schema',
      'sys',
      'test',
    ]),
  },
};

export function parseMasterUsername(engine: EngineName, value: string | undefined): string {
  const {usernameLengthMax, usernames} = RULES[engine];
  if (value === undefined || value === '') throw missingParameter('MasterUsername');
  if (value.length > usernameLengthMax || !/^[a-zA-Z][a-zA-Z0-9_]*$/.test(value)) {
    throw invalidValue(
      `The parameter MasterUsername is not a valid identifier. It must be 1 to ${usernameLengthMax} letters, digits or underscores and begin with a letter. Given: ${quoted(value)}`,
    );
  }
  if (usernames.has(value.toLowerCase())) {
    throw invalidValue(
      `MasterUsername ${value} cannot be used as it is a reserved word used by the engine`,
    );
  }
  if (engine === 'aurora-postgresql' && value.toLowerCase().startsWith('pg_')) {
    throw invalidValue(
      `MasterUsername ${value} cannot be used because role names starting with "pg_" are reserved by the PostgreSQL engine`,
    );
  }
  return value;
}

/** Returns the password if it is allowed. No message repeats it. */
export function parseMasterUserPassword(engine: EngineName, value: string | undefined): string {
  const {passwordLengthMax} = RULES[engine];
  if (value === undefined || value === '') throw missingParameter('MasterUserPassword');
  if (value.length < PASSWORD_LENGTH_MIN) {
    throw invalidValue(
      `The parameter MasterUserPassword is not a valid password because it is shorter than ${PASSWORD_LENGTH_MIN} characters.`,
    );
  }
  if (value.length > passwordLengthMax) {
    throw invalidValue(
      `The parameter MasterUserPassword is not a valid password because it is longer than ${passwordLengthMax} characters.`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(value) || /["/@]/.test(value)) {
    throw invalidValue(
      `The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '"', ' ' may be used.`,
    );
  }
  return value;
}

/** The database to make at the first start, or null for none but those that are always there. */
export function parseDatabaseName(engine: EngineName, value: string | undefined): string | null {
  const {databaseLengthMax, databases} = RULES[engine];
  if (value === undefined || value === '') return null;
  if (value.length > databaseLengthMax || !/^[a-zA-Z][a-zA-Z0-9_]*$/.test(value)) {
    throw invalidValue(
      `The parameter DatabaseName must be 1 to ${databaseLengthMax} letters, digits or underscores and begin with a letter. Given: ${quoted(value)}`,
    );
  }
  if (databases.has(value.toLowerCase())) {
    throw invalidValue(`DatabaseName ${value} cannot be used. It is reserved for the engine`);
  }
  return value;
}
