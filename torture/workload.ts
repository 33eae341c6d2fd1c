/** Sessions that transfer, through all that happens to the server, and note what they were promised. */
import {Client} from 'pg';
import {sleep} from '../src/base/clock.ts';
import {transferSql} from './ledger.ts';

const RETRY_MS = 50;
const CONNECT_TIMEOUT_MS = 60_000;
/** A connection that says nothing for so long is given up, and what it was asked is in doubt. */
const QUERY_TIMEOUT_MS = 60_000;

export type Address = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

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
      const client = openClient(this.#address);
      try {
        await client.connect();
        while (!this.#stopping) await this.#transfer(client);
      } catch {
        // The server goes away again and again here; what was under way is in doubt.
        this.#failures++;
        await sleep(RETRY_MS);
      } finally {
        // What cannot be ended in order has ended already.
        await client.end().catch(() => undefined);
      }
    }
  }

  async #transfer(client: Client): Promise<void> {
    const id = ++this.#issued;
    await client.query(transferSql(this.#seed, id));
    this.#acknowledged.push(id);
  }
}

export function openClient(address: Address): Client {
  const client = new Client({
    ...address,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  // A lost connection also rejects the query that waits on it, which tells.
  client.on('error', () => undefined);
  return client;
}
