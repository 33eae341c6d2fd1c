/** A session on either engine, for programs whose work is the same on both. */
import type {EngineName} from '../engine/engine.ts';

export type SqlAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

export type SqlLimits = {readonly connectTimeoutMs: number; readonly queryTimeoutMs?: number};

export type SqlClient = {
  readonly engine: EngineName;
  /** Several statements in one message give no rows. */
  query<Row extends object = Record<string, unknown>>(sql: string): Promise<{rows: Row[]}>;
  end(): Promise<void>;
};

export function openSqlClient(
  engine: EngineName,
  address: SqlAddress,
  limits: SqlLimits,
): Promise<SqlClient> {
  return engine === 'aurora-mysql' ? openMysql(address, limits) : openPostgres(address, limits);
}

async function openPostgres(address: SqlAddress, limits: SqlLimits): Promise<SqlClient> {
  const {Client} = await import('pg');
  const client = new Client({
    ...address,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    ...(limits.queryTimeoutMs === undefined ? {} : {query_timeout: limits.queryTimeoutMs}),
  });
  // A lost connection also rejects the query that waits on it, which tells.
  client.on('error', () => undefined);
  await client.connect();
  return {
    engine: 'aurora-postgresql',
    query: async <Row extends object>(sql: string) => {
      const {rows} = await client.query<Row>(sql);
      return {rows};
    },
    end: () => client.end(),
  };
}

async function openMysql(address: SqlAddress, limits: SqlLimits): Promise<SqlClient> {
  const {createConnection} = await import('mysql2/promise');
  const connection = await createConnection({
    ...address,
    connectTimeout: limits.connectTimeoutMs,
    multipleStatements: true,
  });
  connection.on('error', () => undefined);
  const {queryTimeoutMs} = limits;
  return {
    engine: 'aurora-mysql',
    query: async <Row extends object>(sql: string) => {
      const options = queryTimeoutMs === undefined ? {sql} : {sql, timeout: queryTimeoutMs};
      const [found] = await connection.query(options);
      const isRows = Array.isArray(found) && !found.some(row => row === null || isResult(row));
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller knows what it selects
      return {rows: (isRows ? found : []) as unknown as Row[]};
    },
    end: () => connection.end(),
  };
}

/** Of one among several statements: its own rows, or how many rows it changed. */
function isResult(value: unknown): boolean {
  return Array.isArray(value) || (value instanceof Object && 'affectedRows' in value);
}

/** A subquery with the column `n` from `first` to `last`. */
export function series(engine: EngineName, first: number, last: number): string {
  const rows =
    engine === 'aurora-mysql'
      ? `SELECT seq AS n FROM seq_${first}_to_${last}`
      : `SELECT n FROM generate_series(${first}, ${last}) AS n`;
  return `(${rows}) AS series`;
}
