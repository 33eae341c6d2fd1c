/**
 * What makes a clone act as its source, dropped before a client gets in:
 *
 *     replication slots    would hold back WAL for ever, and name consumers that follow the source.
 *                          Removed as files before the server starts, which only then reads them.
 *     subscriptions        would take the changes that the source's publisher keeps for the source.
 *                          Dropped by SQL while the settings keep every replication worker from
 *                          loading its library, and without a word to the publisher.
 */
import {readdir, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {quoteName, withSession, type Session, type SocketAddress} from './session.ts';

/** Call it before the server starts. */
export async function removeReplicationSlots(dataDirectory: string): Promise<void> {
  const directory = join(dataDirectory, 'pg_replslot');
  for (const name of await readdir(directory)) {
    await rm(join(directory, name), {recursive: true, force: true});
  }
}

/** Returns how many it dropped. Safe to run again after a crash between any two statements. */
export async function dropSubscriptions(session: Session, address: SocketAddress): Promise<number> {
  const subscriptions = await session.query(
    `SELECT s.oid::text AS oid, s.subname, d.datname
       FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid`,
  );
  for (const {oid, subname, datname} of subscriptions) {
    const name = quoteName(String(subname));
    await withSession(
      address,
      async inside => {
        await inside.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
        await inside.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
        // For a table whose first copy is not done, DROP would call the publisher.
        await inside.query(`DELETE FROM pg_subscription_rel WHERE srsubid = $1::oid`, [oid]);
        await inside.query(`DROP SUBSCRIPTION ${name}`);
      },
      String(datname),
    );
  }
  return subscriptions.length;
}
