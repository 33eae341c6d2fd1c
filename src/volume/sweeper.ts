/**
 * Gives back the space of segments that nothing reaches any more.
 *
 * A segment goes when no root reaches it and no writer can still need it: all segments of a volume
 * without a record, and those before the checkpoint of a volume with one. What a writer appended
 * since its checkpoint is never looked at, so the sweep may run beside open writers: everything that
 * they reach was reachable at the checkpoint or lies behind it. The same holds for a fork that begins
 * after the records were read; one that is in flight before must be waited for by the caller.
 */
import type {Zone} from '../page-store/zone.ts';
import type {Reachability} from './reachability.ts';

export type SweepReport = {readonly segmentsDeleted: number; readonly bytesFreed: number};

export function sweep(zone: Zone, reachability: Reachability): SweepReport {
  // Segments first, records after: a volume gets its record before its first segment, so a segment
  // found here whose volume has no record then belongs to a volume that was removed, not to a new one.
  const volumes = zone.listVolumes();
  const candidates = volumes.flatMap(volume =>
    zone.listSegments(volume).map(listing => ({volume, ...listing})),
  );
  const records = new Map(reachability.records().map(record => [record.volume, record]));
  const live = reachability.liveSegments([...records.values()]);
  let segmentsDeleted = 0;
  let bytesFreed = 0;
  for (const {volume, segment, bytesOnDisk} of candidates) {
    const record = records.get(volume);
    if (record !== undefined && segment >= record.checkpoint.segment) continue;
    if (live.has(volume, segment)) continue;
    zone.deleteSegment(volume, segment);
    segmentsDeleted++;
    bytesFreed += bytesOnDisk;
  }
  for (const volume of volumes) {
    if (!records.has(volume)) zone.deleteEmptyVolume(volume);
  }
  return {segmentsDeleted, bytesFreed};
}
