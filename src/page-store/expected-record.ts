/** Compare-and-swap of a record in one zone of a mirror. */
import {BorealisError} from '../base/errors.ts';
import {compareVersions, isSoundRecord, recordVersion} from './record.ts';

/** What the driver is to find in place of `bytes`; `there` when it has them already. */
export function expectedRecord(
  found: Buffer | null,
  bytes: Buffer,
  expected: string | null,
  force: boolean,
): Buffer | null | 'there' {
  if (found?.equals(bytes) === true) return 'there';
  if (!force && !isSoundRecord(found)) {
    // It does not say whose it is. A zone that catches up is given the right one.
    throw new BorealisError('corrupt', 'record-corrupt', 'a record: its checksum does not hold');
  }
  if (force) {
    const older = compareVersions(versionOf(found), versionOf(bytes)) < 0;
    if (older) return found;
  } else if ((found?.toString('latin1') ?? null) === expected) {
    return found;
  }
  throw recordChanged('a record was changed by someone else');
}

function versionOf(bytes: Buffer | null): ReturnType<typeof recordVersion> {
  return bytes === null ? null : recordVersion(bytes);
}

export function recordChanged(text: string): BorealisError {
  return new BorealisError('conflict', 'record-changed', text);
}
