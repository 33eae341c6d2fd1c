/**
 * Our own session on the server: as the bootstrap superuser, over the private Unix socket. The
 * startup options hold whatever a database's owner may have set for it at bay: no schema of theirs
 * on the search path, no time limit, and no statement of ours (they carry verifiers) in the log.
 */
import type {Client} from 'pg';
import {BorealisError, errorMessage} from '../../base/errors.ts';
import {ADMIN_DATABASE, ADMIN_ROLE} from './names.ts';

const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog',
  role: 'none',
  default_transaction_read_only: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_min_error_statement: 'panic',
  'pg_stat_statements.track': 'none',
};
const CONNECT_TIMEOUT_MS = 10_000;

export type SocketAddress = {readonly directory: string; readonly port: number};
export type Rows = readonly Readonly<Record<string, unknown>>[];
export type Session = {query(sql: string, values?: readonly unknown[]): Promise<Rows>};

/** Runs `work` on a session of its own and ends it. */
export async function withSession<T>(
  address: SocketAddress,
  work: (session: Session) => Promise<T>,
  database: string = ADMIN_DATABASE,
): Promise<T> {
  const {Client} = await import('pg');
  const client = new Client({
    host: address.directory,
    port: address.port,
    user: ADMIN_ROLE,
    database,
    application_name: 'borealis',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    options: Object.entries(SESSION_SETTINGS)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  });
  // The error that ends a session also rejects the query that waits; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work({query: (sql, values = []) => query(client, sql, values)});
  } finally {
    await client.end();
  }
}

async function query(client: Client, sql: string, values: readonly unknown[]): Promise<Rows> {
  try {
    const result = await client.query<Record<string, unknown>>(sql, [...values]);
    return result.rows;
  } catch (error) {
    // Only the first words: what follows may be a verifier.
    const verb = sql.trim().split(/\s+/, 2).join(' ');
    throw new BorealisError(
      'internal',
      'engine-statement',
      `the server refused ${verb} …: ${errorMessage(error)}`,
      error,
    );
  }
}

/** `my"name` → `"my""name"`. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `it's` → `'it''s'`, with standard_conforming_strings (the default) in force. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
