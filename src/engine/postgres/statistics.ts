/**
 * What the server counts of itself. Sessions of our own, and what they commit in their database, are
 * left out. A session tells the server of its transactions when it goes idle, at most once a second.
 */
import type {EngineStatistics} from '../engine.ts';
import {ADMIN_DATABASE, ADMIN_ROLE} from './names.ts';
import {quoteText, withSession, type SocketAddress} from './session.ts';

const STATISTICS_SQL = `
  SELECT current_setting('max_connections')::int4 AS connections_max,
         (SELECT count(*)::int4 FROM pg_stat_activity
           WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM ${quoteText(ADMIN_ROLE)}) AS connections,
         coalesce(sum(xact_commit), 0)::float8 AS commits,
         coalesce(sum(xact_rollback), 0)::float8 AS rollbacks,
         coalesce(sum(blks_hit), 0)::float8 AS blocks_hit,
         coalesce(sum(blks_read), 0)::float8 AS blocks_read,
         coalesce(sum(deadlocks), 0)::float8 AS deadlocks
    FROM pg_stat_database WHERE datname <> ${quoteText(ADMIN_DATABASE)}`;

export async function readStatistics(address: SocketAddress): Promise<EngineStatistics> {
  const [row = {}] = await withSession(address, session => session.query(STATISTICS_SQL));
  return {
    connections: Number(row['connections']),
    connectionsMax: Number(row['connections_max']),
    activity: {
      commits: Number(row['commits']),
      rollbacks: Number(row['rollbacks']),
      blocksHit: Number(row['blocks_hit']),
      blocksRead: Number(row['blocks_read']),
      deadlocks: Number(row['deadlocks']),
    },
  };
}
