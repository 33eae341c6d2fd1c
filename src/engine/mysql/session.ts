/**
 * Our own session on the server, as `rdsadmin` over the private Unix socket. There is one, from before
 * the server is said to be ready until it ends: the account is dropped as soon as the session is there,
 * so that no user who may create users can rename it, give it a password and become it.
 *
 * Statements carry password hashes: none of them goes to the general or the slow log.
 */
import type {Connection, RowDataPacket} from 'mysql2/promise';
import {BorealisError, errorMessage} from '../../base/errors.ts';
import {ADMIN_USER} from './names.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A year, the longest that the server knows. */
const IDLE_SECONDS_MAX = 31_536_000;
const SESSION_SETTINGS = [
  `wait_timeout = ${IDLE_SECONDS_MAX}`,
  'max_statement_time = 0',
  'sql_log_off = ON',
  'slow_query_log = OFF',
  'sql_mode = DEFAULT',
].join(', ');

export type Rows = readonly Readonly<Record<string, unknown>>[];

export type Session = {
  query(sql: string): Promise<Rows>;
  run(statements: readonly string[]): Promise<void>;
  /** Resolves with the reason when the session ends unasked. */
  readonly lost: Promise<Error>;
  close(): void;
};

/** Rejects while the server does not take connections. */
export async function openSession(socket: string): Promise<Session> {
  const {createConnection} = await import('mysql2/promise');
  const connection = await createConnection({
    socketPath: socket,
    user: ADMIN_USER,
    connectTimeout: CONNECT_TIMEOUT_MS,
    dateStrings: true,
  });
  // An error without a listener would end the process; queries that wait are rejected besides.
  const lost = new Promise<Error>(resolve => {
    connection.on('error', error => resolve(error));
    connection.on('end', () => resolve(new Error('the server closed it')));
  });
  const session: Session = {
    query: sql => query(connection, sql),
    run: async statements => {
      for (const statement of statements) await query(connection, statement);
    },
    lost,
    close: () => connection.destroy(),
  };
  await session.query(`SET SESSION ${SESSION_SETTINGS}`);
  return session;
}

async function query(connection: Connection, sql: string): Promise<Rows> {
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    return Array.isArray(rows) ? rows : [];
  } catch (error) {
    // Only the first words: what follows may be a password hash.
    const verb = sql.trim().split(/\s+/, 2).join(' ');
    throw new BorealisError(
      'internal',
      'engine-statement',
      `the server refused ${verb} …: ${errorMessage(error)}`,
      error,
    );
  }
}
