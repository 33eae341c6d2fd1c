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
import {readVolumeRecord, type VolumeRecord} from './volume-record.ts';

/** A round beyond the second one means that a volume came into being meanwhile. */
const ROUNDS_MAX = 10_000;

/** In ascending order of their numbers. */
export function readRoots(zone: Zone): VolumeRecord[] {
  if (zone.mirror !== null) zone.readStoreRecord();
  const seen = new Map<VolumeNumber, VolumeRecord>();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let isNew = false;
    for (const volume of zone.listVolumes()) {
      if (seen.has(volume)) continue;
      const found = readVolumeRecord(zone, volume);
      if (found === null) continue;
      seen.set(volume, found.record);
      isNew = true;
    }
    if (!isNew) return [...seen.values()].sort((a, b) => a.volume - b.volume);
  }
  assert(false, `volumes do not come into being faster than ${ROUNDS_MAX} records are read`);
}
