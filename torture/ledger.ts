/**
 * Transfers between accounts, and what must be true of them. The number of a transfer says all of it
 * (with the seed), so what is kept outside the database is numbers alone:
 *
 *     issued        every number up to it was sent: it may or may not have happened
 *     acknowledged  numbers whose COMMIT was answered: from then on never lost
 */
import {series, type SqlClient} from '../src/demo/sql-client.ts';
import type {EngineName} from '../src/engine/engine.ts';
import {SeededRandom} from '../src/base/testing/seeded-random.ts';

const ACCOUNTS = 2000;
const BALANCE_AT_START = 1000;
const AMOUNT_MAX = 100;
/** So that accounts take some pages and an update is not always in its page. */
const FILLER_LENGTH = 200;

type Transfer = {readonly debit: number; readonly credit: number; readonly amount: number};

/** What was known when a cluster was cloned, or is looked at. */
export type Expectation = {
  /** All of these are there. */
  readonly acknowledged: readonly number[];
  /** Nothing above it is. */
  readonly issued: number;
};

export async function createLedger(client: SqlClient): Promise<void> {
  await client.query(`
    CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, filler text NOT NULL);
    CREATE TABLE transfer (id int PRIMARY KEY, debit int NOT NULL, credit int NOT NULL, amount int NOT NULL);
    CREATE INDEX transfer_accounts ON transfer (debit, credit);
    INSERT INTO account SELECT n, ${BALANCE_AT_START}, repeat('x', ${FILLER_LENGTH})
      FROM ${series(client.engine, 1, ACCOUNTS)}`);
}

export function transferOf(seed: number, id: number): Transfer {
  const random = new SeededRandom(Math.imul(seed, 0x9e3779b1) ^ id);
  const debit = 1 + random.below(ACCOUNTS);
  const credit = 1 + ((debit + random.below(ACCOUNTS - 1)) % ACCOUNTS);
  return {debit, credit, amount: 1 + random.below(AMOUNT_MAX)};
}

/** One message, so that the answer is the answer to COMMIT. Rows are locked in order: no deadlock. */
export function transferSql(seed: number, id: number): string {
  const {debit, credit, amount} = transferOf(seed, id);
  const changes = [
    {account: debit, by: -amount},
    {account: credit, by: amount},
  ].sort((a, b) => a.account - b.account);
  const updates = changes.map(
    ({account, by}) => `UPDATE account SET balance = balance + ${by} WHERE id = ${account};`,
  );
  return `BEGIN; ${updates.join(' ')}
    INSERT INTO transfer VALUES (${id}, ${debit}, ${credit}, ${amount}); COMMIT`;
}

export type LedgerFaults = {
  /** Acknowledged and not there. */
  readonly lost: readonly number[];
  /** There, though never sent, or not as it was sent. */
  readonly foreign: readonly number[];
  /** What does not add up; null when all does. */
  readonly balances: string | null;
};

/** A transaction that sees one moment. */
const SNAPSHOTS: Readonly<Record<EngineName, string>> = {
  'aurora-postgresql': 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  'aurora-mysql': 'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
};

/** `expect` is asked for what was acknowledged before the look, and for what was issued after it. */
export async function checkLedger(
  client: SqlClient,
  seed: number,
  expect: {before(): readonly number[]; after(): number},
): Promise<LedgerFaults> {
  const acknowledged = expect.before();
  await client.query(SNAPSHOTS[client.engine]);
  const transfers = await client.query<Transfer & {readonly id: number}>(
    'SELECT id, debit, credit, amount FROM transfer',
  );
  const balances = await balanceFault(client);
  await client.query('COMMIT');
  const issued = expect.after();
  const found = new Set(transfers.rows.map(({id}) => id));
  const foreign = transfers.rows.filter(({id, debit, credit, amount}) => {
    const sent = transferOf(seed, id);
    const same = sent.debit === debit && sent.credit === credit && sent.amount === amount;
    return id > issued || !same;
  });
  return {
    lost: acknowledged.filter(id => !found.has(id)),
    foreign: foreign.map(({id}) => id),
    balances,
  };
}

async function balanceFault(client: SqlClient): Promise<string | null> {
  const {rows} = await client.query<Record<'total' | 'accounts' | 'wrong', string | number>>(`
    WITH moved AS (
      SELECT id, sum(delta) AS delta FROM (
        SELECT debit AS id, -amount AS delta FROM transfer UNION ALL
        SELECT credit, amount FROM transfer) AS moves GROUP BY id)
    SELECT sum(balance) AS total, count(*) AS accounts,
           coalesce(sum(CASE WHEN balance <> ${BALANCE_AT_START} + coalesce(moved.delta, 0) THEN 1 ELSE 0 END), 0) AS wrong
      FROM account LEFT JOIN moved USING (id)`);
  const [row] = rows;
  const [total, accounts, wrong] = [row?.total, row?.accounts, row?.wrong].map(String);
  const expected = String(ACCOUNTS * BALANCE_AT_START);
  if (total === expected && accounts === String(ACCOUNTS) && wrong === '0') return null;
  return `${accounts} accounts with ${total} instead of ${ACCOUNTS} with ${expected}; ${wrong} do not match their transfers`;
}
