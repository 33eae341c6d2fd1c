/**
 * Clients that commit all the time, in the manner of pgbench's TPC-B: each transaction moves something
 * between accounts and leaves a row in a history, and what was acknowledged is remembered outside.
 */
import pg from 'pg';
import {expect} from 'vitest';
import {sleep, systemClock} from '../../src/base/clock.ts';
import {PASSWORD} from './zone-service.ts';

const ACCOUNTS = 1000;
const CLIENTS = 4;

export class Load {
  readonly errors: string[] = [];
  #clients: pg.Client[];
  /** The last number that each client was told is committed. */
  readonly #acknowledged: number[];
  /** When the last commit of all was acknowledged. */
  lastCommitMs = 0;
  commits = 0;
  readonly #ending = new AbortController();
  #loops: Promise<void>[] = [];

  private constructor(clients: pg.Client[]) {
    this.#clients = clients;
    this.#acknowledged = clients.map(() => 0);
  }

  /** Makes the tables and begins. */
  static async start(port: number): Promise<Load> {
    const setUp = await connect(port);
    await setUp.query('CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)');
    await setUp.query('CREATE TABLE history (client int, n int, PRIMARY KEY (client, n))');
    await setUp.query(
      `INSERT INTO accounts SELECT id, 0 FROM generate_series(1, ${ACCOUNTS}) AS id`,
    );
    await setUp.end();
    const clients = await Promise.all(Array.from({length: CLIENTS}, () => connect(port)));
    const load = new Load(clients);
    load.#loops = clients.map((client, index) => load.#loop(client, index));
    return load;
  }

  /** Waits until all clients together have committed so much more. */
  async run(seconds: number): Promise<number> {
    const before = this.commits;
    await sleep(seconds * 1000);
    return this.commits - before;
  }

  /** Connects again those clients that were cut off. */
  async resume(port: number): Promise<void> {
    await Promise.all(this.#loops);
    this.errors.length = 0;
    this.#clients = await Promise.all(this.#clients.map(() => connect(port)));
    this.#loops = this.#clients.map((client, index) => this.#loop(client, index));
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#loops);
    await Promise.all(this.#clients.map(client => client.end().catch(() => undefined)));
  }

  /** When each client's server process began: a new one would tell of a new connection or engine. */
  async serverStarts(): Promise<string[]> {
    return await Promise.all(
      this.#clients.map(async client => {
        const {rows} = await client.query<{pid: number; at: string}>(
          'SELECT pg_backend_pid() AS pid, pg_postmaster_start_time()::text AS at',
        );
        return `${rows[0]?.pid} ${rows[0]?.at}`;
      }),
    );
  }

  /** Every acknowledged commit is there whole, and nothing is there in part. */
  async verify(port: number): Promise<void> {
    const client = await connect(port);
    try {
      const {rows: sums} = await client.query<{sum: number}>(
        'SELECT sum(balance)::int AS sum FROM accounts',
      );
      expect(sums[0]?.sum).toBe(0);
      const {rows} = await client.query<{client: number; count: number; last: number}>(
        'SELECT client, count(*)::int AS count, max(n)::int AS last FROM history GROUP BY client',
      );
      for (const [index, acknowledged] of this.#acknowledged.entries()) {
        const row = rows.find(each => each.client === index);
        expect(row?.last ?? 0, `of client ${index}`).toBeGreaterThanOrEqual(acknowledged);
        expect(row?.count ?? 0).toBe(row?.last ?? 0);
      }
    } finally {
      await client.end();
    }
  }

  async #loop(client: pg.Client, index: number): Promise<void> {
    for (let n = (this.#acknowledged[index] ?? 0) + 1; !this.#ending.signal.aborted; n++) {
      const [from, to] = [1 + ((n * 7 + index) % ACCOUNTS), 1 + ((n * 13 + index) % ACCOUNTS)];
      try {
        await client.query(
          `WITH moved AS (
             INSERT INTO history VALUES (${index}, ${n}))
           UPDATE accounts SET balance = balance + CASE WHEN id = ${from} THEN -1 ELSE 1 END
            WHERE id IN (${from}, ${to}) AND ${from} <> ${to}`,
        );
      } catch (error) {
        this.errors.push(`client ${index}: ${String(error)}`);
        return;
      }
      this.#acknowledged[index] = n;
      this.commits++;
      this.lastCommitMs = systemClock.monotonicMs();
    }
  }
}

export async function connect(port: number): Promise<pg.Client> {
  const client = new pg.Client({
    ...{host: '127.0.0.1', port, user: 'owner', password: PASSWORD, database: 'postgres'},
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
