/** SQL for users and databases. Each list may be run again, whatever of it was run before. */
import type {EngineMaster} from '../engine.ts';
import {ADMIN_USER, REPLICATION_HOST, REPLICATION_USER} from './names.ts';

/**
 * The rights of a master user, those of RDS: all but SUPER and its parts, FILE and SHUTDOWN. On every
 * database, that is: also on `mysql`, so whoever has them could give themselves more.
 */
const MASTER_RIGHTS: readonly string[] = [
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'DELETE HISTORY',
  'CREATE',
  'DROP',
  'RELOAD',
  'PROCESS',
  'REFERENCES',
  'INDEX',
  'ALTER',
  'SHOW DATABASES',
  'CREATE TEMPORARY TABLES',
  'LOCK TABLES',
  'EXECUTE',
  'REPLICATION SLAVE',
  'REPLICATION CLIENT',
  'SLAVE MONITOR',
  'CREATE VIEW',
  'SHOW VIEW',
  'CREATE ROUTINE',
  'ALTER ROUTINE',
  'CREATE USER',
  'EVENT',
  'TRIGGER',
];

/** Nothing of it concerns readers, which have an account of their own for as long as they need it. */
export const CREATE_ADMIN: readonly string[] = unlogged([
  `CREATE OR REPLACE USER '${ADMIN_USER}'@'localhost'`,
  `GRANT ALL PRIVILEGES ON *.* TO '${ADMIN_USER}'@'localhost' WITH GRANT OPTION`,
]);

/** A session that is open keeps its rights. */
export const DROP_ADMIN: readonly string[] = unlogged([
  `DROP USER IF EXISTS '${ADMIN_USER}'@'localhost'`,
]);

/** What a new data directory has besides; none of them could be used here. */
export const DROP_INSTALLED_USERS: readonly string[] = unlogged([
  `DELETE FROM mysql.global_priv WHERE User IN ('root', '')`,
  `DELETE FROM mysql.proxies_priv WHERE User IN ('root', '')`,
  'FLUSH PRIVILEGES',
]);

/**
 * The binary log and the position in another server's: a clone begins its own. Transactions that were
 * prepared are settled by then, for which the server needed the source's log.
 */
export const FORGET_SOURCE: readonly string[] = [
  ...unlogged([
    'RESET SLAVE ALL',
    'RESET MASTER',
    `SET GLOBAL gtid_slave_pos = ''`,
    dropUser(REPLICATION_USER, REPLICATION_HOST),
  ]),
];

/** Creates the master user or gives it this password hash. Readers follow. */
export function masterStatements({name, verifier}: EngineMaster): string[] {
  const user = `${quoteName(name)}@'%'`;
  const password = `IDENTIFIED BY PASSWORD ${quoteText(verifier)}`;
  return [
    `CREATE USER IF NOT EXISTS ${user} ${password}`,
    `ALTER USER ${user} ${password} ACCOUNT UNLOCK`,
    `GRANT ${MASTER_RIGHTS.join(', ')} ON *.* TO ${user} WITH GRANT OPTION`,
  ];
}

/** The user of the cluster's readers, on the writer; a fork of the writer has it too. */
export function replicationUserStatements(verifier: string): string[] {
  const user = `'${REPLICATION_USER}'@'${REPLICATION_HOST}'`;
  return unlogged([
    `CREATE OR REPLACE USER ${user} IDENTIFIED BY PASSWORD ${quoteText(verifier)}`,
    `GRANT REPLICATION SLAVE ON *.* TO ${user}`,
  ]);
}

export function createDatabase(name: string): string {
  return `CREATE DATABASE IF NOT EXISTS ${quoteName(name)}`;
}

/** `my`name` → `` `my``name` ``. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** `it's` → `'it''s'`; a backslash is doubled, since NO_BACKSLASH_ESCAPES is not in force. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function dropUser(name: string, host: string): string {
  return `DROP USER IF EXISTS '${name}'@'${host}'`;
}

function unlogged(statements: readonly string[]): string[] {
  return ['SET SESSION sql_log_bin = 0', ...statements, 'SET SESSION sql_log_bin = 1'];
}
