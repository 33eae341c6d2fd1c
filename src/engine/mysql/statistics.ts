/** What the server counts of itself. Our own session, and those of readers, are left out of the connections. */
import type {EngineStatistics} from '../engine.ts';
import {ADMIN_USER, REPLICATION_USER} from './names.ts';
import type {Session} from './session.ts';

const NOT_CLIENTS = [ADMIN_USER, REPLICATION_USER, 'system user', 'event_scheduler']
  .map(name => `'${name}'`)
  .join(', ');

/** Handlers count each transaction of a storage engine, those of autocommit too. */
const STATISTICS_SQL = `
  SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_VALUE AS value FROM information_schema.GLOBAL_STATUS
   WHERE VARIABLE_NAME IN ('HANDLER_COMMIT', 'HANDLER_ROLLBACK', 'INNODB_BUFFER_POOL_READ_REQUESTS',
                           'INNODB_BUFFER_POOL_READS', 'INNODB_DEADLOCKS')
   UNION ALL SELECT 'connections', count(*) FROM information_schema.PROCESSLIST WHERE USER NOT IN (${NOT_CLIENTS})
   UNION ALL SELECT 'connections_max', @@GLOBAL.max_connections`;

export async function readStatistics(session: Session): Promise<EngineStatistics> {
  const rows = await session.query(STATISTICS_SQL);
  const values = new Map(rows.map(row => [String(row['name']), Number(row['value'])]));
  const value = (name: string): number => values.get(name) ?? 0;
  const blocksRead = value('innodb_buffer_pool_reads');
  return {
    connections: value('connections'),
    connectionsMax: value('connections_max'),
    activity: {
      commits: value('handler_commit'),
      rollbacks: value('handler_rollback'),
      blocksHit: Math.max(0, value('innodb_buffer_pool_read_requests') - blocksRead),
      blocksRead,
      deadlocks: value('innodb_deadlocks'),
    },
  };
}
