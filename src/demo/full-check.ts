/**
 * The check that pg_amcheck makes, by SQL: the npm package of PostgreSQL has no pg_amcheck.
 *
 *     bt_index_check(…, heapallindexed)   every B-tree index: order, and an entry for every row
 *     verify_heapam                       every table, TOAST table and materialised view: all tuples
 */
import type {Client} from 'pg';

export type FullCheck = {
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

export async function fullCheck(client: Client, say: (text: string) => void): Promise<FullCheck> {
  const faults: string[] = [];
  const indexes = (await client.query<Relation>(INDEXES)).rows;
  for (const [index, {oid, name}] of indexes.entries()) {
    say(`index ${index + 1} of ${indexes.length}: ${name}`);
    try {
      await client.query('SELECT bt_index_check($1::oid::regclass, true)', [oid]);
    } catch (error) {
      faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const tables = (await client.query<Relation>(TABLES)).rows;
  for (const [index, {oid, name}] of tables.entries()) {
    say(`table ${index + 1} of ${tables.length}: ${name}`);
    const {rows} = await client.query<{blkno: string; msg: string}>(
      'SELECT blkno, msg FROM verify_heapam($1::oid::regclass)',
      [oid],
    );
    faults.push(...rows.map(({blkno, msg}) => `${name} block ${blkno}: ${msg}`));
  }
  return {tables: tables.length, indexes: indexes.length, faults};
}
