import {afterAll, beforeAll, expect, test} from 'vitest';
import {sleep} from '../../base/clock.ts';
import {createLogger} from '../../base/log.ts';
import {adminSession} from './admin-session.ts';
import {EngineLink} from './engine-link.ts';
import {Housekeeping} from './housekeeping.ts';
import {makeScratchStore, type ScratchStore} from './testing/scratch-store.ts';
import {Turns} from './turns.ts';

const WAL_BYTES_MAX = 64 * 1024 * 1024;
let store: ScratchStore;
let link: EngineLink;
let turns: Turns;
let housekeeping: Housekeeping;

beforeAll(async () => {
  store = await makeScratchStore();
  const config = store.config(store.cluster());
  link = await EngineLink.open(
    {
      attachment: {...config, format: false},
      database: 'postgres',
      parameters: {},
      initialise: false,
      onZoneEvent: () => undefined,
      onLog: () => undefined,
    },
    () => undefined,
  );
  turns = new Turns(link, error => {
    throw error;
  });
  housekeeping = new Housekeeping(link, turns, createLogger('test'));
});

afterAll(async () => {
  housekeeping.stop();
  await link.close();
  await link.control('detach', {});
  await link.terminate();
  store.remove();
});

async function query(sql: string): Promise<Readonly<Record<string, unknown>>> {
  const rows = await turns.admin(exchange => adminSession(exchange).query(sql));
  return rows[0] ?? {};
}

test(
  'checkpoints come by themselves, so pg_wal and recovery stay small',
  {timeout: 60_000},
  async () => {
    await query('CREATE TABLE public.wide (n int, t text)');
    for (let round = 0; round < 8; round++) {
      await query(
        `INSERT INTO public.wide SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 20000) n`,
      );
      await sleep(600);
    }
    expect(link.walKiB).toBeGreaterThan(100 * 1024);
    const {bytes} = await query('SELECT sum(size) AS bytes FROM pg_ls_waldir()');
    expect(Number(bytes)).toBeLessThan(WAL_BYTES_MAX + 32 * 1024 * 1024);
    const {redo} = await query(
      'SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn) AS redo FROM pg_control_checkpoint()',
    );
    expect(Number(redo)).toBeLessThan(40 * 1024 * 1024);
  },
);

test(
  'a table full of dead rows is vacuumed and analysed, one a turn',
  {timeout: 60_000},
  async () => {
    await query('CREATE TABLE public.worn AS SELECT n, 0 AS v FROM generate_series(1, 5000) n');
    for (let round = 0; round < 3; round++) await query('UPDATE public.worn SET v = v + 1');
    await query('SELECT pg_stat_force_next_flush()');
    const before = await query(`SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'worn'`);
    expect(Number(before['n_dead_tup'])).toBeGreaterThan(1000);
    let turnsTaken = 0;
    while (await housekeeping.vacuumOne()) turnsTaken++;
    expect(turnsTaken).toBeGreaterThan(0);
    await query('SELECT pg_stat_force_next_flush()');
    const after = await query(
      `SELECT n_dead_tup, vacuum_count, analyze_count FROM pg_stat_user_tables WHERE relname = 'worn'`,
    );
    expect(after).toEqual({n_dead_tup: '0', vacuum_count: '1', analyze_count: '1'});
  },
);
