/** Compacts segment 1 of volume 1 in the zone `argv[2]` to its second and fourth sector; for crash tests. */
import {openDirectoryZone} from '../directory-zone.ts';
import type {SegmentNumber, VolumeNumber} from '../ids.ts';

const [directory = ''] = process.argv.slice(2);
openDirectoryZone('a', directory).compactSegment(1 as VolumeNumber, 1 as SegmentNumber, [
  {start: 512, end: 1024},
  {start: 1536, end: 2048},
]);
