/**
 * The work that the demo puts into a cluster: the tables of TPC-B as pgbench makes them, with one
 * column more (history.entry, by which the ledger knows a transaction again), and the four pages
 * of the documentation of Aurora cloning, one row each: with PostgreSQL, to a page of its own.
 */
import type {EngineName} from '../engine/engine.ts';
import {series, type SqlClient} from './sql-client.ts';

export const ACCOUNTS_PER_SCALE = 100_000;
export const TELLERS_PER_SCALE = 10;
/** Rows that one INSERT makes: about a second's work at the slowest, so that progress is live. */
const ACCOUNTS_PER_INSERT = 50_000;

/** Over half a page, so that with fillfactor 50 each row has a page, and room there for its next version. */
const PAGE_FILLER_LENGTH = 3500;
export const FOUR_PAGES = ['Page 1', 'Page 2', 'Page 3', 'Page 4'] as const;

type Schema = {
  readonly tables: string;
  readonly keys: readonly string[];
  readonly finish: readonly string[];
};

const TABLES = 'pgbench_branches, pgbench_tellers, pgbench_accounts, pgbench_history, four_pages';

const SCHEMAS: Readonly<Record<EngineName, Schema>> = {
  'aurora-postgresql': {
    tables: `
  CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_history (entry int NOT NULL, tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
  CREATE TABLE four_pages (page int PRIMARY KEY, content text, filler text) WITH (fillfactor = 50);
  ALTER TABLE four_pages ALTER COLUMN filler SET STORAGE PLAIN;
`,
    keys: [
      'ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid)',
      'ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid)',
      'ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)',
      'ALTER TABLE pgbench_history ADD PRIMARY KEY (entry)',
    ],
    // Now rather than by the first reader, whose hint bits and visibility map would be changed pages.
    finish: [`VACUUM (FREEZE, ANALYZE) ${TABLES}`, 'CHECKPOINT'],
  },
  'aurora-mysql': {
    // InnoDB keeps rows in the order of their keys: later ones would write every table anew.
    tables: `
  CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
  CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
  CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
  CREATE TABLE pgbench_history (entry int PRIMARY KEY, tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
  CREATE TABLE four_pages (page int PRIMARY KEY, content varchar(100), filler text);
`,
    keys: [],
    finish: [`ANALYZE TABLE ${TABLES}`],
  },
};

export async function loadBank(
  client: SqlClient,
  scale: number,
  say: (text: string) => void,
): Promise<void> {
  const {engine} = client;
  const {tables, keys, finish} = SCHEMAS[engine];
  await client.query(tables);
  await client.query(
    `INSERT INTO pgbench_branches SELECT n, 0, '' FROM ${series(engine, 1, scale)}`,
  );
  await client.query(
    `INSERT INTO pgbench_tellers SELECT n, floor((n - 1) / ${TELLERS_PER_SCALE}) + 1, 0, ''
       FROM ${series(engine, 1, scale * TELLERS_PER_SCALE)}`,
  );
  await client.query(
    `INSERT INTO four_pages SELECT n, concat('Page ', n), repeat('x', ${PAGE_FILLER_LENGTH})
       FROM ${series(engine, 1, FOUR_PAGES.length)}`,
  );
  const accountCount = scale * ACCOUNTS_PER_SCALE;
  for (let first = 1; first <= accountCount; first += ACCOUNTS_PER_INSERT) {
    const last = Math.min(first + ACCOUNTS_PER_INSERT - 1, accountCount);
    await client.query(
      `INSERT INTO pgbench_accounts SELECT n, floor((n - 1) / ${ACCOUNTS_PER_SCALE}) + 1, 0, ''
         FROM ${series(engine, first, last)}`,
    );
    say(`${last.toLocaleString('en-US')} of ${accountCount.toLocaleString('en-US')} accounts`);
  }
  for (const key of keys) {
    say(key.replace('ALTER TABLE ', '').toLowerCase());
    await client.query(key);
  }
  for (const statement of finish) {
    say(statement.split(' ', 1).join('').toLowerCase());
    await client.query(statement);
  }
}

/** What the engine still holds in memory goes to the volume, where a master user may ask for it. */
export async function checkpoint(client: SqlClient): Promise<void> {
  if (client.engine === 'aurora-postgresql') await client.query('CHECKPOINT');
}

/** One TPC-B transaction; `entry` is its number in the ledger. All are whole numbers of ours. */
export type Transaction = {
  readonly entry: number;
  readonly aid: number;
  readonly tid: number;
  readonly bid: number;
  readonly delta: number;
};

/** One message, so one round trip; the answer to COMMIT is the acknowledgement. */
export function transactionSql({entry, aid, tid, bid, delta}: Transaction): string {
  return `BEGIN;
    UPDATE pgbench_accounts SET abalance = abalance + ${delta} WHERE aid = ${aid};
    SELECT abalance FROM pgbench_accounts WHERE aid = ${aid};
    UPDATE pgbench_tellers SET tbalance = tbalance + ${delta} WHERE tid = ${tid};
    UPDATE pgbench_branches SET bbalance = bbalance + ${delta} WHERE bid = ${bid};
    INSERT INTO pgbench_history (entry, tid, bid, aid, delta, mtime)
      VALUES (${entry}, ${tid}, ${bid}, ${aid}, ${delta}, CURRENT_TIMESTAMP);
    COMMIT`;
}

export async function readHistory(client: SqlClient): Promise<Transaction[]> {
  const {rows} = await client.query<Transaction>(
    'SELECT entry, aid, tid, bid, delta FROM pgbench_history ORDER BY entry',
  );
  return rows;
}

export type BalanceSums = {
  readonly accounts: string;
  readonly tellers: string;
  readonly branches: string;
  readonly history: string;
  /** Accounts, tellers and branches whose balance is not the sum of their own history. */
  readonly mismatches: string;
};

export async function readBalances(client: SqlClient): Promise<BalanceSums> {
  const {rows} = await client.query<Record<keyof BalanceSums, string | number>>(`SELECT
    (SELECT sum(abalance) FROM pgbench_accounts) AS accounts,
    (SELECT sum(tbalance) FROM pgbench_tellers) AS tellers,
    (SELECT sum(bbalance) FROM pgbench_branches) AS branches,
    (SELECT coalesce(sum(delta), 0) FROM pgbench_history) AS history,
    ${mismatchCount('accounts', 'aid', 'abalance')} + ${mismatchCount('tellers', 'tid', 'tbalance')}
      + ${mismatchCount('branches', 'bid', 'bbalance')} AS mismatches`);
  const row = rows[0];
  if (row === undefined) throw new Error('a SELECT without FROM gives one row');
  return {
    accounts: String(row.accounts),
    tellers: String(row.tellers),
    branches: String(row.branches),
    history: String(row.history),
    mismatches: String(row.mismatches),
  };
}

/** `block`: the page that the row is in, counted from 0; null where the engine does not tell. */
export type PageRow = {
  readonly page: number;
  readonly content: string;
  readonly block: string | null;
};

const BLOCKS: Readonly<Record<EngineName, string>> = {
  'aurora-postgresql': `split_part(trim('()' FROM ctid::text), ',', 1)`,
  'aurora-mysql': 'NULL',
};

export async function readFourPages(client: SqlClient): Promise<PageRow[]> {
  const {rows} = await client.query<PageRow>(
    `SELECT page, content, ${BLOCKS[client.engine]} AS block FROM four_pages ORDER BY page`,
  );
  return rows;
}

/** What makes the change more than the page of a log that its writer has already. */
const PAGE_CHANGES: Readonly<Record<EngineName, string>> = {
  'aurora-postgresql': '',
  'aurora-mysql': `, filler = repeat('y', 3 * ${PAGE_FILLER_LENGTH})`,
};

/** `Page 1` becomes `Page 1'`, in its own block, and goes from the engine to the volume. */
export async function changePage(client: SqlClient, page: number): Promise<void> {
  await client.query(
    `UPDATE four_pages SET content = concat(content, '''')${PAGE_CHANGES[client.engine]} WHERE page = ${page}`,
  );
  await checkpoint(client);
}

/** Keys whose balance and history do not cancel out. */
function mismatchCount(table: string, key: string, balance: string): string {
  return `(SELECT count(*) FROM (
       SELECT id FROM (SELECT ${key} AS id, ${balance} AS amount FROM pgbench_${table}
          UNION ALL SELECT ${key}, -delta FROM pgbench_history) AS entries
        GROUP BY id HAVING sum(amount) <> 0) AS wrong)`;
}
