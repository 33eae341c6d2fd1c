/**
 * Streaming replication from a cluster's writer to its readers.
 *
 *     writer   role rdsrepladmin with a verifier · some WAL kept
 *     reader   fork of the writer's directory · standby.signal · primary_conninfo · passfile
 *
 * A reader begins where the fork was: it replays the WAL it finds, as after a crash, and asks the
 * writer for what comes after. There is no base backup and no replication slot.
 *
 * The secret is in a file of the reader's private directory, mode 0600; the setting that names the
 * file may be read by users who may read settings, so it has no secret in it.
 */
import {chown, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import type {EngineReplication, ReplicationProgress, ReplicationSource} from '../engine.ts';
import type {LiveSettings} from './live-settings.ts';
import {REPLICATION_ROLE} from './names.ts';
import {setReplicationRole} from './roles.ts';
import {withSession, type SocketAddress} from './session.ts';
import type {ReplicationSettings} from './settings.ts';
import type {Workplace} from './workplace.ts';

/**
 * `latest_end_lsn` is how far the writer's WAL went when it sent its latest message. A receiver asks a
 * silent writer for a word every five seconds and gives up after ten (wal_receiver_timeout), so one
 * that has heard nothing for longer hangs itself.
 */
const PROGRESS_SQL = `
  SELECT coalesce(status = 'streaming' AND last_msg_receipt_time > clock_timestamp() - interval '12s', false) AS streaming,
         coalesce(pg_last_wal_replay_lsn() >= latest_end_lsn, false) AS caught_up,
         (extract(epoch FROM last_msg_receipt_time - last_msg_send_time) * 1000)::float8 AS transit_ms,
         (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::float8 AS replayed_age_ms
    FROM (SELECT) AS one LEFT JOIN pg_stat_wal_receiver ON true`;

/** Makes a forked directory that of a reader. Call it before the server starts. */
export async function prepareReader(
  place: Workplace,
  source: ReplicationSource,
): Promise<ReplicationSettings> {
  const signal = join(place.pgdata, 'standby.signal');
  await writeFile(signal, '', {mode: 0o600});
  await chown(signal, place.user.owner.uid, place.user.owner.gid);
  return writeSource(place, source);
}

async function writeSource(
  place: Workplace,
  {port, secret}: ReplicationSource,
): Promise<ReplicationSettings> {
  const passFile = join(place.configDirectory, 'replication.pass');
  await writeFile(passFile, `*:*:*:${REPLICATION_ROLE}:${secret}\n`, {mode: 0o600});
  await chown(passFile, place.user.owner.uid, place.user.owner.gid);
  return {role: 'reader', port, passFile};
}

export function engineReplication(
  place: Workplace,
  address: SocketAddress,
  live: LiveSettings,
): EngineReplication {
  return {
    admitReaders: async verifier => {
      await withSession(address, session => setReplicationRole(session, verifier));
      await live.change({replication: {role: 'source'}});
    },
    follow: async source => live.change({replication: await writeSource(place, source)}),
    progress: () =>
      withSession(address, async session => {
        const [row] = await session.query(PROGRESS_SQL);
        return progressOf(row ?? {});
      }),
  };
}

function progressOf(row: Readonly<Record<string, unknown>>): ReplicationProgress {
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  return {
    isStreaming: row['streaming'] === true,
    isCaughtUp: row['caught_up'] === true,
    transitMs: number(row['transit_ms']),
    replayedAgeMs: number(row['replayed_age_ms']),
  };
}
