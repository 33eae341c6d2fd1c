/**
 * Replication by GTID from a cluster's writer to its readers.
 *
 *     writer   binary log · user rdsrepladmin with a password hash
 *     reader   fork of the writer's directory · gtid_slave_pos = what its binary log says · read_only
 *
 * A reader begins where the fork was: it recovers as after a crash, binary log and InnoDB alike, and
 * asks the writer for the transactions that come after. There is no base backup.
 */
import type {EngineReplication, ReplicationProgress, ReplicationSource} from '../engine.ts';
import {REPLICATION_HOST, REPLICATION_USER} from './names.ts';
import type {Session} from './session.ts';
import {quoteText, replicationUserStatements} from './statements.ts';

/** A silent writer says that it is there this often; `slave_net_timeout` is a multiple of it. */
const HEARTBEAT_SECONDS = 2;
const RETRY_SECONDS = 1;

/** Of a reader that just recovered. Transactions of its own it has none from here on. */
export async function startFollowing(session: Session, source: ReplicationSource): Promise<void> {
  await session.run(['SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos']);
  await follow(session, source);
}

export function engineReplication(session: Session): EngineReplication {
  return {
    admitReaders: verifier => admitReaders(session, verifier),
    follow: source => follow(session, source),
    progress: async () => {
      const [row] = await session.query('SHOW ALL SLAVES STATUS');
      return progressOf(row ?? {});
    },
  };
}

/** Writes nothing when all is so already. */
async function admitReaders(session: Session, verifier: string): Promise<void> {
  const [user] = await session.query(
    `SELECT authentication_string AS hash FROM mysql.user WHERE User = '${REPLICATION_USER}' AND Host = '${REPLICATION_HOST}'`,
  );
  if (user?.['hash'] !== verifier) await session.run(replicationUserStatements(verifier));
}

async function follow(session: Session, {port, secret}: ReplicationSource): Promise<void> {
  const options = [
    `MASTER_HOST = '${REPLICATION_HOST}'`,
    `MASTER_PORT = ${port}`,
    `MASTER_USER = '${REPLICATION_USER}'`,
    `MASTER_PASSWORD = ${quoteText(secret)}`,
    `MASTER_CONNECT_RETRY = ${RETRY_SECONDS}`,
    `MASTER_HEARTBEAT_PERIOD = ${HEARTBEAT_SECONDS}`,
    'MASTER_USE_GTID = slave_pos',
  ];
  await session.run(['STOP SLAVE', `CHANGE MASTER TO ${options.join(', ')}`, 'START SLAVE']);
}

/** `row`: of SHOW ALL SLAVES STATUS, whose positions are in the writer's binary log. */
export function progressOf(row: Readonly<Record<string, unknown>>): ReplicationProgress {
  const isStreaming = row['Slave_IO_Running'] === 'Yes' && row['Slave_SQL_Running'] === 'Yes';
  const read = [row['Master_Log_File'], row['Read_Master_Log_Pos']].map(String);
  const done = [row['Relay_Master_Log_File'], row['Exec_Master_Log_Pos']].map(String);
  const behind = row['Seconds_Behind_Master'];
  const isKnown = behind !== null && behind !== undefined;
  return {
    isStreaming,
    isCaughtUp: isStreaming && read.join(':') === done.join(':'),
    // The server does not tell; on loopback it is far below a millisecond.
    transitMs: null,
    replayedAgeMs: isKnown ? Number(behind) * 1000 : null,
  };
}
