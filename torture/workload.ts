/** Sessions that transfer, through all that happens to the server, and note what they were promised. */
import {sleep} from '../src/base/clock.ts';
import type {EngineName} from '../src/engine/engine.ts';
import {openSqlClient, type SqlAddress, type SqlClient} from '../src/demo/sql-client.ts';
import {transferSql} from './ledger.ts';

const RETRY_MS = 50;
const CONNECT_TIMEOUT_MS = 15_000;
/** A connection that says nothing for so long is given up, and what it was asked is in doubt. */
const QUERY_TIMEOUT_MS = 60_000;

export type Address = SqlAddress & {readonly engine: EngineName};

export class Workload {
  readonly #address: Address;
  readonly #seed: number;
  readonly #acknowledged: number[] = [];
  #issued = 0;
  #failures = 0;
  #stopping = false;
  readonly #sessions: Promise<unknown>;

  constructor(address: Address, seed: number, sessions: number) {
    this.#address = address;
    this.#seed = seed;
    this.#sessions = Promise.all(Array.from({length: sessions}, () => this.#run()));
  }

  /** Numbers of transfers in the order in which they were acknowledged; it only ever grows. */
  get acknowledged(): readonly number[] {
    return this.#acknowledged;
  }

  get issued(): number {
    return this.#issued;
  }

  /** How many times a session lost its connection, or found none. */
  get failures(): number {
    return this.#failures;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#sessions;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      let client: SqlClient | null = null;
      try {
        client = await openClient(this.#address);
        while (!this.#stopping) await this.#transfer(client);
      } catch {
        // The server goes away again and again here; what was under way is in doubt.
        this.#failures++;
        await sleep(RETRY_MS);
      } finally {
        // What cannot be ended in order has ended already.
        await client?.end().catch(() => undefined);
      }
    }
  }

  async #transfer(client: SqlClient): Promise<void> {
    const id = ++this.#issued;
    await client.query(transferSql(this.#seed, id));
    this.#acknowledged.push(id);
  }
}

export function openClient({engine, ...address}: Address): Promise<SqlClient> {
  return openSqlClient(engine, address, {
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
  });
}
