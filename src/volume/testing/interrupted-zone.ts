/**
 * A zone in memory whose every call may be used to do something else first, as another process would
 * in between, or to end: `onCall` is called before each, and again after what changes the zone.
 */
import type {SegmentNumber, VolumeNumber} from '../../page-store/ids.ts';
import {MemoryZone} from '../../page-store/testing/memory-zone.ts';
import type {SegmentFile, SegmentListing, SegmentRange} from '../../page-store/zone.ts';

export class InterruptionError extends Error {}

export class InterruptedZone extends MemoryZone {
  onCall: ((method: string) => void) | null = null;

  override listVolumes(): VolumeNumber[] {
    this.onCall?.('listVolumes');
    return super.listVolumes();
  }

  override readVolumeRecord(volume: VolumeNumber): Buffer | null {
    this.onCall?.('readVolumeRecord');
    return super.readVolumeRecord(volume);
  }

  override listSegments(volume: VolumeNumber): SegmentListing[] {
    this.onCall?.('listSegments');
    return super.listSegments(volume);
  }

  override openSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    this.onCall?.('openSegment');
    return super.openSegment(volume, segment);
  }

  override deleteSegment(volume: VolumeNumber, segment: SegmentNumber): void {
    this.onCall?.('deleteSegment');
    super.deleteSegment(volume, segment);
    this.onCall?.('deleteSegment');
  }

  override compactSegment(
    volume: VolumeNumber,
    segment: SegmentNumber,
    live: readonly SegmentRange[],
  ): number {
    this.onCall?.('compactSegment');
    const bytes = super.compactSegment(volume, segment, live);
    this.onCall?.('compactSegment');
    return bytes;
  }
}
