/**
 * The records of all volumes, read beside running writers, forks and deletions, such that whatever a
 * volume reaches from then on was either reached by one of these records when it was read, or lies in
 * its writer's log behind the checkpoint that the record names.
 *
 * Volumes are listed, and those whose record was not yet seen are read, until a round finds no new
 * record. Why that is enough, with T the moment of the last listing:
 *
 *     a volume that exists at T was read at some r ≤ T. Its writer reaches what its record reached at
 *     r, or what it appended since: behind the checkpoint of r.
 *
 *     a child that exists at T was read itself. One that does not was forked, or is being forked, from
 *     a volume that exists at T, and begins with that volume's root as it is at T or later: for while a
 *     fork is under way its source can be neither removed nor written by anybody else.
 *
 * A directory without a record is read again in each round: its record may be about to come.
 * Of several zones one may be as it once was, and hold records of volumes that were removed since: the store
 * record tells, and is read first.
 */
import {assert} from '../base/assert.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {Zone} from '../page-store/zone.ts';
import {decodeVolumeRecord, readVolumeRecord, type VolumeRecord} from './volume-record.ts';

/** A round beyond the second one means that a volume came into being meanwhile. */
const ROUNDS_MAX = 10_000;

/** As whoever asks sees them, in ascending order of their numbers. */
export function readRoots(zone: Zone): VolumeRecord[] {
  return snapshot(zone, volume => {
    const found = readVolumeRecord(zone, volume);
    return found === null ? [] : [found.record];
  });
}

/**
 * For whoever deletes: of each volume every record that somebody may begin with later, the newest first. Of
 * several zones one alone may have been told of the newest, and the next opening not ask that one.
 */
export function readPossibleRoots(zone: Zone): VolumeRecord[] {
  const {mirror} = zone;
  if (mirror === null) return readRoots(zone);
  return snapshot(zone, volume =>
    mirror.possibleRecords(volume).map(bytes => decodeVolumeRecord(bytes, volume)),
  );
}

function snapshot(
  zone: Zone,
  read: (volume: VolumeNumber) => readonly VolumeRecord[],
): VolumeRecord[] {
  if (zone.mirror !== null) zone.readStoreRecord();
  const seen = new Map<VolumeNumber, readonly VolumeRecord[]>();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let isNew = false;
    for (const volume of zone.listVolumes()) {
      if (seen.has(volume)) continue;
      const found = read(volume);
      if (found.length === 0) continue;
      seen.set(volume, found);
      isNew = true;
    }
    if (!isNew) return [...seen].sort(([a], [b]) => a - b).flatMap(([, records]) => records);
  }
  assert(false, `volumes do not come into being faster than ${ROUNDS_MAX} records are read`);
}
