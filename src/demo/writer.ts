/**
 * A writer that keeps running, and the ledger of what it was promised. The ledger is kept here,
 * outside the database:
 *
 *     issued         noted before a transaction is sent: it may or may not have happened
 *     acknowledged   noted when COMMIT was answered: from here on it must never be lost
 */
import {randomInt} from 'node:crypto';
import {systemClock} from '../base/clock.ts';
import type {SqlClient} from './sql-client.ts';
import {ACCOUNTS_PER_SCALE, TELLERS_PER_SCALE, transactionSql, type Transaction} from './bank.ts';

/** As pgbench: −5000 to 5000. */
const DELTA_MAX = 5000;

export type Acknowledgement = {readonly transaction: Transaction; readonly atMs: number};

export class Writer {
  readonly #clients: readonly SqlClient[];
  readonly #scale: number;
  readonly #issued: Transaction[] = [];
  readonly #acknowledged: Acknowledgement[] = [];
  #stopping = false;
  #sessions: Promise<void> | null = null;

  constructor(clients: readonly SqlClient[], scale: number) {
    this.#clients = clients;
    this.#scale = scale;
  }

  /** Every transaction ever sent; entry n is at index n − 1. */
  get issued(): readonly Transaction[] {
    return this.#issued;
  }

  get acknowledged(): readonly Acknowledgement[] {
    return this.#acknowledged;
  }

  start(): void {
    this.#sessions = Promise.all(this.#clients.map(client => this.#run(client))).then(
      () => undefined,
    );
    // Whoever awaits stop() hears of a failure; until then it is not unhandled.
    this.#sessions.catch(() => undefined);
  }

  /** Ends after the transactions under way. Rejects when a session had failed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#sessions;
  }

  /** The longest time within [from, to] in which nothing was acknowledged. */
  longestPauseMs(fromMs: number, toMs: number): number {
    const inside = this.#acknowledged.map(({atMs}) => atMs).filter(at => at > fromMs && at < toMs);
    const marks = [fromMs, ...inside, toMs];
    return Math.max(...marks.slice(1).map((at, index) => at - (marks[index] ?? at)));
  }

  async #run(client: SqlClient): Promise<void> {
    while (!this.#stopping) {
      const transaction = this.#next();
      this.#issued.push(transaction);
      await client.query(transactionSql(transaction));
      this.#acknowledged.push({transaction, atMs: systemClock.monotonicMs()});
    }
  }

  #next(): Transaction {
    const tid = randomInt(1, this.#scale * TELLERS_PER_SCALE + 1);
    return {
      entry: this.#issued.length + 1,
      aid: randomInt(1, this.#scale * ACCOUNTS_PER_SCALE + 1),
      tid,
      bid: Math.floor((tid - 1) / TELLERS_PER_SCALE) + 1,
      delta: randomInt(-DELTA_MAX, DELTA_MAX + 1),
    };
  }
}
