/** One query through the cluster endpoint, as the user's program will make it. */
import {errorMessage, BorealisError, systemErrorCode} from '../base/errors.ts';
import type {ServiceContext} from './command.ts';
import type {ConnectionTarget} from './format/connection-url.ts';

const CONNECT_TIMEOUT_MS = 30_000;
/** A login with the wrong password: SQLSTATE of PostgreSQL, name of MySQL's error. */
const INVALID_PASSWORD: readonly (string | undefined)[] = ['28P01', 'ER_ACCESS_DENIED_ERROR'];

/** As `firstQuery`; false when the server does not take the password, as the kept one may be out of date. */
export async function firstQueryUnlessRefused(
  context: ServiceContext,
  target: ConnectionTarget,
): Promise<boolean> {
  try {
    await firstQuery(context, target);
    return true;
  } catch (error) {
    const cause = error instanceof BorealisError ? error.cause : undefined;
    if (INVALID_PASSWORD.includes(systemErrorCode(cause))) return false;
    throw error;
  }
}

/** Connects through the cluster endpoint and asks for one row. */
export async function firstQuery(context: ServiceContext, target: ConnectionTarget): Promise<void> {
  await context.terminal.step('first query', async () => {
    try {
      await (target.scheme === 'mysql' ? queryMysql(target) : queryPostgres(target));
    } catch (error) {
      throw new BorealisError(
        'unavailable',
        'first-query-failed',
        `The endpoint ${target.host}:${target.port} did not answer a query: ${errorMessage(error)}`,
        error,
      );
    }
  });
}

async function queryPostgres(target: ConnectionTarget): Promise<void> {
  const {Client} = await import('pg');
  const client = new Client({
    host: target.host,
    port: target.port,
    user: target.user,
    password: target.password ?? undefined,
    database: target.database,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // The query below rejects on a lost connection; the event would end the process besides.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end();
  }
}

async function queryMysql({host, port, user, password, database}: ConnectionTarget): Promise<void> {
  const {createConnection} = await import('mysql2/promise');
  const connection = await createConnection({
    host,
    port,
    user,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(password === null ? {} : {password}),
    ...(database === '' ? {} : {database}),
  });
  try {
    await connection.query('SELECT 1');
  } finally {
    await connection.end();
  }
}
