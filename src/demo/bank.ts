/**
 * The work that the demo puts into a cluster: the tables of TPC-B as pgbench makes them, with one
 * column more (history.entry, by which the ledger knows a transaction again), and the four pages
 * of the documentation of Aurora cloning, one row to a page of 8 KiB.
 */
import type {Client} from 'pg';

export const ACCOUNTS_PER_SCALE = 100_000;
export const TELLERS_PER_SCALE = 10;
/** Rows that one INSERT makes: about a second's work at the slowest, so that progress is live. */
const ACCOUNTS_PER_INSERT = 50_000;

/** Over half a page, so that with fillfactor 50 each row has a page, and room there for its next version. */
const PAGE_FILLER_LENGTH = 3500;
export const FOUR_PAGES = ['Page 1', 'Page 2', 'Page 3', 'Page 4'] as const;

const SCHEMA = `
  CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100);
  CREATE TABLE pgbench_history (entry int NOT NULL, tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
  CREATE TABLE four_pages (page int PRIMARY KEY, content text, filler text) WITH (fillfactor = 50);
  ALTER TABLE four_pages ALTER COLUMN filler SET STORAGE PLAIN;
`;
const KEYS = [
  'ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid)',
  'ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid)',
  'ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)',
  'ALTER TABLE pgbench_history ADD PRIMARY KEY (entry)',
] as const;
const TABLES = 'pgbench_branches, pgbench_tellers, pgbench_accounts, pgbench_history, four_pages';

export async function loadBank(
  client: Client,
  scale: number,
  say: (text: string) => void,
): Promise<void> {
  await client.query(SCHEMA);
  await client.query(
    `INSERT INTO pgbench_branches SELECT bid, 0, '' FROM generate_series(1, ${scale}) bid`,
  );
  await client.query(
    `INSERT INTO pgbench_tellers SELECT tid, (tid - 1) / ${TELLERS_PER_SCALE} + 1, 0, ''
       FROM generate_series(1, ${scale * TELLERS_PER_SCALE}) tid`,
  );
  await client.query(
    `INSERT INTO four_pages SELECT page, 'Page ' || page, repeat('x', ${PAGE_FILLER_LENGTH})
       FROM generate_series(1, ${FOUR_PAGES.length}) page`,
  );
  const accountCount = scale * ACCOUNTS_PER_SCALE;
  for (let first = 1; first <= accountCount; first += ACCOUNTS_PER_INSERT) {
    const last = Math.min(first + ACCOUNTS_PER_INSERT - 1, accountCount);
    await client.query(
      `INSERT INTO pgbench_accounts SELECT aid, (aid - 1) / ${ACCOUNTS_PER_SCALE} + 1, 0, ''
         FROM generate_series(${first}, ${last}) aid`,
    );
    say(`${last.toLocaleString('en-US')} of ${accountCount.toLocaleString('en-US')} accounts`);
  }
  for (const key of KEYS) {
    say(key.replace('ALTER TABLE ', '').toLowerCase());
    await client.query(key);
  }
  // Now rather than by the first reader, whose hint bits and visibility map would be changed pages.
  say('vacuum');
  await client.query(`VACUUM (FREEZE, ANALYZE) ${TABLES}`);
  say('checkpoint');
  await client.query('CHECKPOINT');
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

export async function readHistory(client: Client): Promise<Transaction[]> {
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

export async function readBalances(client: Client): Promise<BalanceSums> {
  const {rows} = await client.query<BalanceSums>(`SELECT
    (SELECT sum(abalance) FROM pgbench_accounts)::text AS accounts,
    (SELECT sum(tbalance) FROM pgbench_tellers)::text AS tellers,
    (SELECT sum(bbalance) FROM pgbench_branches)::text AS branches,
    (SELECT coalesce(sum(delta), 0) FROM pgbench_history)::text AS history,
    (${mismatchCount('accounts', 'aid', 'abalance')} + ${mismatchCount('tellers', 'tid', 'tbalance')}
      + ${mismatchCount('branches', 'bid', 'bbalance')})::text AS mismatches`);
  const row = rows[0];
  if (row === undefined) throw new Error('a SELECT without FROM gives one row');
  return row;
}

export type PageRow = {readonly page: number; readonly content: string; readonly block: string};

export async function readFourPages(client: Client): Promise<PageRow[]> {
  const {rows} = await client.query<PageRow>(
    `SELECT page, content, split_part(trim('()' FROM ctid::text), ',', 1) AS block
       FROM four_pages ORDER BY page`,
  );
  return rows;
}

/** `Page 1` becomes `Page 1'`, in its own block. CHECKPOINT brings it from the engine to the volume. */
export async function changePage(client: Client, page: number): Promise<void> {
  await client.query(`UPDATE four_pages SET content = content || '''' WHERE page = $1`, [page]);
  await client.query('CHECKPOINT');
}

function mismatchCount(table: string, key: string, balance: string): string {
  return `(SELECT count(*) FROM pgbench_${table} t FULL JOIN
       (SELECT ${key}, sum(delta) AS delta FROM pgbench_history GROUP BY ${key}) h USING (${key})
      WHERE coalesce(t.${balance}, 0) <> coalesce(h.delta, 0))`;
}
