/**
 * What PostgreSQL's background processes do, done by statements of our own between clients' turns, for
 * nothing runs in the background here.
 *
 *     checkpointer   CHECKPOINT after WAL_KIB_MAX of WAL, or after CHECKPOINT_PERIOD_MS if there was any
 *     autovacuum     VACUUM and ANALYZE, a table a turn, by autovacuum's own thresholds, when nobody waits
 *     WAL writer     not needed: each commit is a barrier
 *
 * Without the first pg_wal grows for ever and crash recovery, hence a clone, takes ever longer.
 */
import {every, systemClock} from '../../base/clock.ts';
import {errorMessage} from '../../base/errors.ts';
import type {Logger} from '../../base/log.ts';
import {quoteName} from '../postgres/session.ts';
import {adminSession} from './admin-session.ts';
import type {EngineLink} from './engine-link.ts';
import type {Turns} from './turns.ts';

/** Redo of this much takes about a quarter of a second. */
const WAL_KIB_MAX = 16 * 1024;
const CHECKPOINT_PERIOD_MS = 60_000;
/** autovacuum_naptime is a minute; here a look costs a statement on a shared backend. */
const VACUUM_PERIOD_MS = 60_000;
const TICK_MS = 500;

/** autovacuum's thresholds, from its settings; the oldest and most worn table first. */
const CANDIDATE_SQL = `
  SELECT s.schemaname, s.relname,
         s.n_dead_tup > limits.vacuum + limits.vacuum_scale * greatest(c.reltuples, 0)
           OR s.n_ins_since_vacuum > limits.inserts + limits.inserts_scale * greatest(c.reltuples, 0)
           OR age(c.relfrozenxid) > limits.freeze AS wants_vacuum
    FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid,
         (SELECT current_setting('autovacuum_vacuum_threshold')::float8 AS vacuum,
                 current_setting('autovacuum_vacuum_scale_factor')::float8 AS vacuum_scale,
                 current_setting('autovacuum_vacuum_insert_threshold')::float8 AS inserts,
                 current_setting('autovacuum_vacuum_insert_scale_factor')::float8 AS inserts_scale,
                 current_setting('autovacuum_analyze_threshold')::float8 AS analyze,
                 current_setting('autovacuum_analyze_scale_factor')::float8 AS analyze_scale,
                 current_setting('autovacuum_freeze_max_age')::float8 AS freeze) AS limits
   WHERE c.relpersistence <> 't'
     AND (s.n_dead_tup > limits.vacuum + limits.vacuum_scale * greatest(c.reltuples, 0)
          OR s.n_ins_since_vacuum > limits.inserts + limits.inserts_scale * greatest(c.reltuples, 0)
          OR s.n_mod_since_analyze > limits.analyze + limits.analyze_scale * greatest(c.reltuples, 0)
          OR age(c.relfrozenxid) > limits.freeze)
   ORDER BY age(c.relfrozenxid) > limits.freeze DESC, s.n_dead_tup DESC, s.n_mod_since_analyze DESC
   LIMIT 1`;

export class Housekeeping {
  readonly #link: EngineLink;
  readonly #turns: Turns;
  readonly #log: Logger;
  readonly #stop: () => void;
  #isBusy = false;
  #walKiBAtCheckpoint = 0;
  #checkpointMs: number;
  #vacuumMs: number;
  /** Vacuumed in this round, so that a table that stays a candidate is not done for ever. */
  readonly #done = new Set<string>();

  constructor(link: EngineLink, turns: Turns, log: Logger) {
    this.#link = link;
    this.#turns = turns;
    this.#log = log;
    this.#checkpointMs = systemClock.monotonicMs();
    this.#vacuumMs = this.#checkpointMs;
    this.#stop = every(TICK_MS, () => this.#tick());
  }

  stop(): void {
    this.#stop();
  }

  /** Writes a checkpoint when the engine is free, if more WAL than `walKiBMax` was written since the last. */
  async checkpoint(walKiBMax: number): Promise<boolean> {
    if (this.#link.walKiB - this.#walKiBAtCheckpoint <= walKiBMax) return false;
    await this.#turns.admin(async exchange => {
      await adminSession(exchange).query('CHECKPOINT');
    });
    // The checkpoint's own record is not counted as new WAL.
    this.#walKiBAtCheckpoint = this.#link.walKiB;
    this.#checkpointMs = systemClock.monotonicMs();
    return true;
  }

  /** Vacuums or analyses the table that needs it most. False when none does. */
  async vacuumOne(): Promise<boolean> {
    let table: string | undefined;
    await this.#turns.admin(
      async exchange => {
        const session = adminSession(exchange);
        // The one backend's counts, of all its clients, are not in the view until it flushes them.
        await session.query('SELECT pg_stat_force_next_flush()');
        const [row] = await session.query(CANDIDATE_SQL);
        if (row === undefined) return;
        table = `${quoteName(String(row['schemaname']))}.${quoteName(String(row['relname']))}`;
        if (this.#done.has(table)) {
          table = undefined;
          return;
        }
        this.#done.add(table);
        await session.query(
          row['wants_vacuum'] === 't' ? `VACUUM (ANALYZE) ${table}` : `ANALYZE ${table}`,
        );
      },
      {patient: true},
    );
    return table !== undefined;
  }

  #tick(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#work()
      .catch((error: unknown) => {
        this.#log.warn({error: errorMessage(error)}, 'housekeeping failed');
      })
      .finally(() => {
        this.#isBusy = false;
      });
  }

  async #work(): Promise<void> {
    const nowMs = systemClock.monotonicMs();
    const isDue = nowMs - this.#checkpointMs > CHECKPOINT_PERIOD_MS;
    await this.checkpoint(isDue ? 0 : WAL_KIB_MAX);
    if (nowMs - this.#vacuumMs < VACUUM_PERIOD_MS) return;
    if (!(await this.vacuumOne())) {
      this.#vacuumMs = nowMs;
      this.#done.clear();
    }
  }
}
