/** What the service does from time to time (cluster/level-volumes.ts), without its processes and locks. */
import {BorealisError} from '../../base/errors.ts';
import {levelVolume, uncleanVolumes} from '../level-idle.ts';
import type {OpenVolumeOptions} from '../open-volume.ts';

/** Levels all idle volumes. Returns how many were opened. One that is in use is left to its writer, and not waited for: there may be many. */
export function levelIdleVolumes(
  options: Omit<OpenVolumeOptions, 'volume' | 'create' | 'ownsZone'>,
): number {
  const {zone} = options;
  if (zone.mirror === null) return 0;
  let count = 0;
  for (const volume of uncleanVolumes(zone)) {
    try {
      levelVolume({...options, volume});
      count++;
    } catch (error) {
      const isPassing =
        error instanceof BorealisError && ['conflict', 'not-found'].includes(error.kind);
      if (!isPassing) throw error;
    }
  }
  return count;
}
