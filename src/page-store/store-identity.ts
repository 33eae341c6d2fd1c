/** Which store a zone belongs to. */
import {BorealisError} from '../base/errors.ts';
import {decodeRecord, recordVersion} from './record.ts';

/** A zone without a store record is empty, and may join any store; so may one whose record rotted. */
export function checkSameStore(found: Uint8Array | null, expected: Uint8Array | null): void {
  const own = storeIdOf(found);
  if (own === null || expected === null || own === storeIdOf(expected)) return;
  throw foreignZone();
}

/** The store that most of the zones belong to; null for none. @throws BorealisError when none has most. */
export function commonStore(records: readonly (Uint8Array | null)[]): string | null {
  const counts = new Map<string, number>();
  for (const record of records) {
    const id = storeIdOf(record);
    if (id !== null) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const [first, second] = [...counts].sort(([, a], [, b]) => b - a);
  if (first !== undefined && first[1] === second?.[1]) throw foreignZone();
  return first?.[0] ?? null;
}

/** Null where there is no record that can be read. */
export function storeIdOf(record: Uint8Array | null): string | null {
  if (record === null) return null;
  const bytes = Buffer.from(record);
  if (recordVersion(bytes) === null) return null;
  return (decodeRecord(bytes, 'store record') as {storeId: string}).storeId;
}

/** Of a store that never handed out the number of a volume: there is nothing in it. */
export function isUnused(record: Uint8Array): boolean {
  if (storeIdOf(record) === null) return false;
  const {nextVolume} = decodeRecord(Buffer.from(record), 'store record') as {nextVolume: number};
  return nextVolume === 1;
}

export function foreignZone(): BorealisError {
  return new BorealisError('invalid', 'zone-foreign', 'it belongs to another store');
}
