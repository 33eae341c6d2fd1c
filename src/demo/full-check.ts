/**
 * The engine's own check of all that it stores.
 *
 *     PostgreSQL   as pg_amcheck makes it, by SQL: the npm package has no pg_amcheck
 *       bt_index_check(…, heapallindexed)   every B-tree index: order, and an entry for every row
 *       verify_heapam                       every table, TOAST table and materialised view: all tuples
 *     MariaDB
 *       CHECK TABLE … EXTENDED              every table: its pages and rows, and each index against them
 */
import type {SqlClient} from './sql-client.ts';

export type FullCheck = {
  /** Who looked. */
  readonly tool: string;
  readonly tables: number;
  readonly indexes: number;
  /** What is wrong, each with the relation's name. */
  readonly faults: readonly string[];
};

type Relation = {readonly oid: number; readonly name: string};

const INDEXES = `
  SELECT c.oid, c.oid::regclass::text AS name
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
   WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p'
     AND i.indisvalid AND i.indisready ORDER BY c.oid`;
const TABLES = `
  SELECT oid, oid::regclass::text AS name FROM pg_class
   WHERE relkind IN ('r', 'm', 't') AND relpersistence = 'p' ORDER BY oid`;

export function fullCheck(client: SqlClient, say: (text: string) => void): Promise<FullCheck> {
  return client.engine === 'aurora-mysql' ? checkTables(client, say) : amcheck(client, say);
}

async function amcheck(client: SqlClient, say: (text: string) => void): Promise<FullCheck> {
  const faults: string[] = [];
  const indexes = (await client.query<Relation>(INDEXES)).rows;
  for (const [index, {oid, name}] of indexes.entries()) {
    say(`index ${index + 1} of ${indexes.length}: ${name}`);
    try {
      await client.query(`SELECT bt_index_check(${oid}::oid::regclass, true)`);
    } catch (error) {
      faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const tables = (await client.query<Relation>(TABLES)).rows;
  for (const [index, {oid, name}] of tables.entries()) {
    say(`table ${index + 1} of ${tables.length}: ${name}`);
    const {rows} = await client.query<{blkno: string; msg: string}>(
      `SELECT blkno, msg FROM verify_heapam(${oid}::oid::regclass)`,
    );
    faults.push(...rows.map(({blkno, msg}) => `${name} block ${blkno}: ${msg}`));
  }
  return {tool: 'amcheck', tables: tables.length, indexes: indexes.length, faults};
}

const MYSQL_TABLES = `
  SELECT concat('\`', TABLE_SCHEMA, '\`.\`', TABLE_NAME, '\`') AS name FROM information_schema.TABLES
   WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')
   ORDER BY name`;
const MYSQL_INDEXES = `
  SELECT count(DISTINCT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME) AS count FROM information_schema.STATISTICS`;

async function checkTables(client: SqlClient, say: (text: string) => void): Promise<FullCheck> {
  const faults: string[] = [];
  const tables = (await client.query<{name: string}>(MYSQL_TABLES)).rows;
  for (const [index, {name}] of tables.entries()) {
    say(`table ${index + 1} of ${tables.length}: ${name}`);
    const {rows} = await client.query<{Msg_type: string; Msg_text: string}>(
      `CHECK TABLE ${name} EXTENDED`,
    );
    // Log tables are CSV, whose engine has nothing to check.
    const bad = rows.filter(
      ({Msg_type: type, Msg_text: text}) =>
        !(type === 'status' && text === 'OK') && type !== 'note',
    );
    faults.push(...bad.map(row => `${name}: ${row.Msg_type} ${row.Msg_text}`));
  }
  const [indexes] = (await client.query<{count: number}>(MYSQL_INDEXES)).rows;
  const tool = 'CHECK TABLE … EXTENDED';
  return {tool, tables: tables.length, indexes: Number(indexes?.count), faults};
}
