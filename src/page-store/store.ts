/**
 * A store: its identity, and the numbers of its volumes.
 *
 * The store record is `{"format":1,"storeId":"…","nextVolume":7,"revision":6}`. A volume number is handed out
 * once, durably, before anything is written under it, so an address is never ambiguous. Once the zones were
 * changed it says which they are: an old list of zones, or a zone that was removed, is found out by that.
 */
import {BorealisError} from '../base/errors.ts';
import {randomHex} from '../base/random.ts';
import type {VolumeNumber} from './ids.ts';
import {refuseStaleMembership, type Membership} from './membership.ts';
import {decodeRecord, encodeRecord} from './record.ts';
import type {Zone} from './zone.ts';

export const STORE_FORMAT = 1;

type StoreRecord = {
  format: number;
  storeId: string;
  nextVolume: number;
  revision?: number;
  /** Of a store whose zones were changed: the zones that it has since. */
  membership?: Membership;
  /** In a zone that was removed from the store: its name there. */
  removed?: string;
};

/**
 * Makes a store in a zone that has none; checks the format of one that is there, and that its zones were not
 * changed since `membership`.
 */
export function openStore(zone: Zone, membership?: Membership): {readonly storeId: string} {
  const bytes = zone.readStoreRecord();
  if (bytes !== null) {
    const found = decodeStore(zone, bytes);
    refuseStaleMembership(found.membership, membership);
    return {storeId: found.storeId};
  }
  const record: StoreRecord = {
    format: STORE_FORMAT,
    storeId: randomHex(16),
    nextVolume: 1,
    revision: 0,
  };
  zone.writeStoreRecord(encodeRecord(record), null);
  return {storeId: record.storeId};
}

/** The highest volume number that was handed out; 0 for none. */
export function highestVolume(zone: Zone): number {
  return decodeStore(zone, readStoreRecord(zone)).nextVolume - 1;
}

/** Hands out the next volume number. Durable on return. */
export function allocateVolume(zone: Zone): VolumeNumber {
  const bytes = readStoreRecord(zone);
  const record = decodeStore(zone, bytes);
  const revision = (record.revision ?? 0) + 1;
  const next: StoreRecord = {...record, nextVolume: record.nextVolume + 1, revision};
  zone.writeStoreRecord(encodeRecord(next), bytes);
  return record.nextVolume as VolumeNumber;
}

/**
 * Removes a volume; its segments stay for the sweep. Idempotent. A store of several zones counts that as a
 * change: the marks of a removal are forgotten one day, and a zone that is then as it was before is found out.
 */
export function removeVolume(zone: Zone, volume: VolumeNumber): void {
  zone.deleteVolumeRecord(volume);
  if (zone.mirror === null) return;
  const bytes = readStoreRecord(zone);
  const record = decodeStore(zone, bytes);
  const revision = (record.revision ?? 0) + 1;
  zone.writeStoreRecord(encodeRecord({...record, revision}), bytes);
}

/** The store remembers which zones it has. Durable on a write quorum of every set of voters on return. */
export function recordMembership(zone: Zone, membership: Membership): void {
  const bytes = readStoreRecord(zone);
  const record = decodeStore(zone, bytes);
  if ((record.membership?.number ?? 0) >= membership.number) return;
  const revision = (record.revision ?? 0) + 1;
  zone.writeStoreRecord(encodeRecord({...record, revision, membership}), bytes);
}

/** Tells a zone that does not count any more that it is no part of the store. False when it cannot be told. */
export function markRemoved(zone: Zone, name: string): boolean {
  const record = decodeStore(zone, readStoreRecord(zone));
  const revision = (record.revision ?? 0) + 1;
  return (
    zone.mirror?.writeStoreRecordTo(name, encodeRecord({...record, revision, removed: name})) ??
    false
  );
}

function readStoreRecord(zone: Zone): Buffer {
  const bytes = zone.readStoreRecord();
  if (bytes !== null) return bytes;
  throw new BorealisError('not-found', 'no-store', `zone ${zone.name} holds no store`);
}

function decodeStore(zone: Zone, bytes: Buffer): StoreRecord {
  const record = decodeRecord(bytes, `store record of zone ${zone.name}`) as StoreRecord;
  if (record.format !== STORE_FORMAT) {
    throw new BorealisError(
      'invalid',
      'store-format',
      `zone ${zone.name} holds a store of format ${record.format}; this Borealis reads format ${STORE_FORMAT}`,
    );
  }
  return record;
}
