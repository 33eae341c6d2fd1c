/** Clients for tests: `pg` with the errors that a test provokes kept from ending the process. */
import pg from 'pg';
import {MASTER} from './scratch-store.ts';

export type ClientOptions = {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
};

export async function connect(port: number, options: ClientOptions = {}): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: options.user ?? MASTER.name,
    password: options.password ?? MASTER.password,
    database: options.database ?? 'postgres',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The first column of the first row, as `pg` gives it. */
export async function value(client: pg.Client, sql: string): Promise<unknown> {
  const {rows} = await client.query<unknown[]>({text: sql, rowMode: 'array'});
  return rows[0]?.[0];
}

/** The SQLSTATE with which `work` fails, or `succeeded`. */
export async function sqlState(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'succeeded';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}
