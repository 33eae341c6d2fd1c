/** What a test of the service must know to be run on either engine: how to connect, and its words. */
import {createConnection, type RowDataPacket} from 'mysql2/promise';
import pg from 'pg';
import type {EngineName} from '../../src/engine/engine.ts';
import {installedMariadbBin} from '../../src/engine/mysql/binaries.ts';

type Row = Record<string, unknown>;
export type Session = {query(sql: string): Promise<Row[]>; end(): Promise<void>};
export type Place = {
  readonly port: number;
  readonly host?: string;
  readonly user: string;
  readonly password: string;
  /** None: one that is always there. */
  readonly database?: string;
};

export type TestEngine = {
  readonly name: EngineName;
  /** Why it cannot be tested here, or null. */
  readonly obstacle: string | null;
  connect(place: Place): Promise<Session>;
  /** The name of the server's main process. */
  readonly serverProcess: string;
  readonly sql: {
    /** Rows with `n` from 1 to `count`. */
    series(count: number): string;
    /** One row: `port`. */
    readonly port: string;
    /** One row: `reader`, true or 1 on a reader. */
    readonly isReader: string;
    /** One row: `server`, another one after each start of a reader. */
    readonly server: string;
  };
};

export const POSTGRES: TestEngine = {
  name: 'aurora-postgresql',
  obstacle: null,
  serverProcess: 'postgres',
  connect: async place => {
    const client = new pg.Client({
      host: '127.0.0.1',
      database: 'postgres',
      connectionTimeoutMillis: 30_000,
      ...place,
    });
    client.on('error', () => undefined);
    await client.connect();
    return {
      query: async sql => (await client.query<Row>(sql)).rows,
      end: () => client.end(),
    };
  },
  sql: {
    series: count => `SELECT i AS n FROM generate_series(1, ${count}) i`,
    port: `SELECT current_setting('port')::int AS port`,
    isReader: 'SELECT pg_is_in_recovery() AS reader',
    server: 'SELECT pg_postmaster_start_time()::text AS server',
  },
};

const MYSQL: TestEngine = {
  name: 'aurora-mysql',
  obstacle: installedMariadbBin() === null ? 'mariadb-server is not installed' : null,
  serverProcess: 'mariadbd',
  connect: async place => {
    const connection = await createConnection({
      host: '127.0.0.1',
      connectTimeout: 30_000,
      supportBigNumbers: true,
      ...place,
    });
    connection.on('error', () => undefined);
    return {
      query: async sql => {
        const [rows] = await connection.query<RowDataPacket[]>(sql);
        return Array.isArray(rows) ? rows.map(row => ({...row})) : [];
      },
      end: () => connection.end(),
    };
  },
  sql: {
    series: count => `SELECT seq AS n FROM seq_1_to_${count}`,
    port: 'SELECT @@port AS port',
    isReader: 'SELECT @@GLOBAL.read_only AS reader',
    server: 'SELECT @@server_id AS server',
  },
};

export const TEST_ENGINES: readonly TestEngine[] = [POSTGRES, MYSQL];

/** Runs one statement on a connection of its own. */
export async function query(engine: TestEngine, place: Place, sql: string): Promise<Row[]> {
  const session = await engine.connect(place);
  try {
    return await session.query(sql);
  } finally {
    await session.end();
  }
}
