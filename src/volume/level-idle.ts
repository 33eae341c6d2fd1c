/**
 * Makes every zone hold the logs of volumes that nobody has open.
 *
 * What a writer acknowledged is on a write quorum of zones. When it dies, its log stays so until the
 * volume is opened again, and a zone that catches up meanwhile is not given it, because only an opening
 * can tell what of it counts. If then the other zones were lost, one after the other and each only after
 * the one before had caught up, so would be what was acknowledged. So a volume that was not closed in
 * order is opened and closed, by the process that keeps the store.
 *
 * Whoever knows that a volume is in use leaves it alone: a writer whose zones failed holds its lock in too
 * few of them to keep its volume.
 */
import type {VolumeNumber} from '../page-store/ids.ts';
import type {Zone} from '../page-store/zone.ts';
import {openVolumeIn, type OpenVolumeOptions} from './open-volume.ts';
import {readVolumeRecord} from './volume-record.ts';

type LevelOptions = Omit<OpenVolumeOptions, 'create' | 'ownsZone'>;

/** Volumes whose log may hold more than their record vouches for: one is open, or was not closed in order. */
export function uncleanVolumes(zone: Zone): VolumeNumber[] {
  return zone
    .listVolumes()
    .filter(volume => readVolumeRecord(zone, volume)?.record.clean === false);
}

/**
 * Opens the volume and closes it in order. One that is open is not waited for: there may be many.
 * @throws BorealisError conflict while somebody has it open.
 */
export function levelVolume(options: LevelOptions): void {
  openVolumeIn({...options, create: false, isPatient: false}).close();
}
