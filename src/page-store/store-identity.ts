/** Whether two zones belong to one store. */
import {BorealisError} from '../base/errors.ts';
import {decodeRecord} from './record.ts';

/** A zone without a store record is empty, and may join any store. */
export function checkSameStore(found: Uint8Array | null, expected: Uint8Array | null): void {
  if (found === null || expected === null) return;
  if (storeIdOf(found) === storeIdOf(expected)) return;
  throw new BorealisError('invalid', 'zone-foreign', 'it belongs to another store');
}

function storeIdOf(bytes: Uint8Array): string | undefined {
  return (decodeRecord(Buffer.from(bytes), 'store record') as {storeId?: string}).storeId;
}
