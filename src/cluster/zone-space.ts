/** The room of the file systems that the zones lie on. */
import {statfs} from 'node:fs/promises';
import type {ZoneConfig} from '../attachment/attachment.ts';

export type ZoneSpace = {
  readonly zone: string;
  /** Null of a zone that is not there. */
  readonly bytesTotal: number | null;
  /** For a writer without privileges. */
  readonly bytesFree: number | null;
};

export async function spaceOfZones(zones: readonly ZoneConfig[]): Promise<readonly ZoneSpace[]> {
  return await Promise.all(
    zones.map(async ({name: zone, directory}) => {
      try {
        const {blocks, bavail, bsize} = await statfs(directory);
        return {zone, bytesTotal: blocks * bsize, bytesFree: bavail * bsize};
      } catch {
        return {zone, bytesTotal: null, bytesFree: null};
      }
    }),
  );
}
