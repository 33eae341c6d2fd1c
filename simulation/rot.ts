/** Bits that rot, where it hurts. */
import type {MemoryZone} from '../src/page-store/testing/memory-zone.ts';
import type {Random} from '../src/page-store/testing/zone-faults.ts';
import {looksLikeHeader} from '../src/volume/batch.ts';
import {SECTOR_SIZE_BYTES} from '../src/volume/pointer.ts';

/** The part of a batch's header that most have: its fields and the first entries. */
const HEADER_BYTES = 160;
const RECENT_BATCHES = 3;

/** Returns where, or null when there is nothing. */
export function rotSegment(zone: MemoryZone, random: Random): string | null {
  const filled = zone
    .contents()
    .flatMap(({volume, segments}) =>
      // The end of the log has its share too: it is what recovery reads.
      (random(2) === 0 ? segments : segments.slice(-1)).map(listing => ({volume, ...listing})),
    )
    .filter(({bytesOnDisk}) => bytesOnDisk > 0);
  const target = filled[random(Math.max(1, filled.length))];
  if (target === undefined) return null;
  const {volume, segment, bytesOnDisk} = target;
  // Headers of batches are a small part of the bytes, and most that can go wrong: they get their share.
  const header = random(2) === 0 ? recentHeader(zone.bytesOf(volume, segment), random) : null;
  const position = header === null ? random(bytesOnDisk) : header + random(HEADER_BYTES);
  zone.corrupt(volume, segment, position);
  return `volume ${volume}, segment ${segment}, byte ${position}`;
}

/** Where one of the last batches begins; null when there is none. */
function recentHeader(bytes: Buffer, random: Random): number | null {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += SECTOR_SIZE_BYTES) {
    if (looksLikeHeader(bytes, at)) found.push(at);
  }
  return found.at(-1 - random(Math.min(RECENT_BATCHES, Math.max(1, found.length)))) ?? null;
}

export function rotRecord(zone: MemoryZone, random: Random): string | null {
  const volumes = zone.contents().filter(({hasRecord}) => hasRecord);
  const target = volumes[random(Math.max(1, volumes.length))];
  if (target === undefined) return null;
  zone.corruptRecord(target.volume, random(1024));
  return `record of volume ${target.volume}`;
}
