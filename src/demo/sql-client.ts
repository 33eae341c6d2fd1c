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

/** The caller knows what it selects. Several statements in one message give no rows. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- as the clients themselves have it
type Query = <Row extends object = Record<string, unknown>>(sql: string) => Promise<{rows: Row[]}>;

export type SqlClient = {
  readonly engine: EngineName;
  readonly query: Query;
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
    query: async sql => {
      const {rows} = await client.query(sql);
      return {rows: rows as never[]};
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
    query: async sql => {
      const options = queryTimeoutMs === undefined ? {sql} : {sql, timeout: queryTimeoutMs};
      const [found] = await connection.query(options);
      const isRows = Array.isArray(found) && !found.some(row => row === null || isResult(row));
      return {rows: (isRows ? found : []) as never[]};
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
