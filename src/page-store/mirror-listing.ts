/** The segments of a volume as the zones of a mirror have them, asked for page by page. */
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import type {MirrorQuorums} from './mirror-quorums.ts';
import {LISTING_PAGE} from './zone-operation.ts';
import type {SegmentListing} from './zone.ts';

/** Each segment once, with what it takes where it takes most. */
export function listInZones(quorums: MirrorQuorums, volume: VolumeNumber): SegmentListing[] {
  const found = new Map<SegmentNumber, SegmentListing>();
  for (let after = 0; ;) {
    const operation = {kind: 'list-segments', volume, after} as const;
    const answers = quorums.read(operation, `list volume ${volume}`);
    const pages = [...answers.values()].map(({value}) => value as readonly SegmentListing[]);
    for (const listing of pages.flat()) merge(found, listing);
    const full = pages.filter(page => page.length === LISTING_PAGE);
    if (full.length === 0) break;
    // As far as every zone has told: what comes twice is the same.
    after = Math.min(...full.map(page => page.at(-1)?.segment ?? 0));
  }
  return [...found.values()].sort((a, b) => a.segment - b.segment);
}

function merge(found: Map<SegmentNumber, SegmentListing>, listing: SegmentListing): void {
  const {segment} = listing;
  const other = found.get(segment) ?? listing;
  const bytesOnDisk = Math.max(other.bytesOnDisk, listing.bytesOnDisk);
  const sizeBytes = Math.max(other.sizeBytes, listing.sizeBytes);
  found.set(segment, {segment, bytesOnDisk, sizeBytes});
}
