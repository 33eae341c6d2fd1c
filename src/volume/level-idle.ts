/**
 * Makes every zone hold the logs of volumes that nobody has open.
 *
 * What a writer acknowledged is on a write quorum of zones. When it dies, its log stays so until the
 * volume is opened again, and a zone that catches up meanwhile is not given it, because only an opening
 * can tell what of it counts. If then the other zones were lost, one after the other and each only after
 * the one before had caught up, so would be what was acknowledged. So a volume that was not closed in
 * order is opened and closed, by the process that keeps the store.
 */
import {BorealisError} from '../base/errors.ts';
import {openVolumeIn, type OpenVolumeOptions} from './open-volume.ts';
import {readVolumeRecord} from './volume-record.ts';

/** Returns how many were opened. One that is in use is left to its writer, and not waited for: there may be many. */
export function levelIdleVolumes(
  options: Omit<OpenVolumeOptions, 'volume' | 'create' | 'ownsZone'>,
): number {
  const {zone} = options;
  if (zone.mirror === null) return 0;
  let count = 0;
  for (const volume of zone.listVolumes()) {
    if (readVolumeRecord(zone, volume)?.record.clean !== false) continue;
    try {
      openVolumeIn({...options, volume, create: false, isPatient: false}).close();
      count++;
    } catch (error) {
      const isPassing =
        error instanceof BorealisError && ['conflict', 'not-found'].includes(error.kind);
      if (!isPassing) throw error;
    }
  }
  return count;
}
