/**
 * Opens a volume for writing: claims it, recovers the log, and begins a new epoch.
 *
 *     lock ─▶ read record ─▶ follow the log ─▶ sync what was found ─▶ delete garbage
 *          ─▶ record with epoch + 1 ─▶ apply the batches ─▶ open
 *
 * What recovery found may lie in the host's cache only: it is synced before anything that builds on
 * it can be acknowledged.
 */
import {systemClock, type Clock} from '../base/clock.ts';
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import {openDirectoryZone} from '../page-store/directory-zone.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {Zone} from '../page-store/zone.ts';
import type {BatchHeader} from './batch.ts';
import {FileTable} from './file-table.ts';
import {LogWriter, SEGMENT_BYTES} from './log-writer.ts';
import {PageReader} from './page-reader.ts';
import type {NodeSource} from './page-tree.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES} from './pointer.ts';
import {recoverLog} from './recovery.ts';
import {SEGMENT_HEADER_BYTES} from './segment-header.ts';
import {VolumeHead, type ForkReport} from './volume-head.ts';
import {
  encodeVolumeRecord,
  newVolumeRecord,
  readVolumeRecord,
  type VolumeRecord,
} from './volume-record.ts';
import {FILE_PAGES_MAX, Volume} from './volume.ts';

export type OpenVolumeOptions = {
  readonly zone: Zone;
  readonly volume: VolumeNumber;
  /** The volume does not exist: make an empty one. */
  readonly create: boolean;
  readonly nodeCacheBytes: number;
  readonly clock?: Clock;
  readonly segmentBytes?: number;
};

/** @throws BorealisError conflict while another process has it open; not-found when it does not exist. */
export function openVolumeIn(options: OpenVolumeOptions): Volume {
  const {zone, volume, clock = systemClock} = options;
  if (options.create) createVolume(zone, volume, clock);
  if (zone.readVolumeRecord(volume) === null) throw noSuchVolume(zone, volume);
  const unlock = zone.lockVolume(volume);
  try {
    return recoverAndOpen(options, clock, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/** What an attachment's configuration says; see `AttachmentConfig`. */
export function openVolume(config: {
  readonly zones: readonly {readonly name: string; readonly directory: string}[];
  readonly volume: VolumeNumber;
  readonly format: boolean;
  readonly nodeCacheBytes: number;
}): Volume {
  const [zone] = config.zones;
  assert(zone !== undefined && config.zones.length === 1, 'a store has one zone');
  return openVolumeIn({
    zone: openDirectoryZone(zone.name, zone.directory),
    volume: config.volume,
    create: config.format,
    nodeCacheBytes: config.nodeCacheBytes,
  });
}

/** Forks a volume that nobody has open. One that was closed cleanly is not even opened. */
export function forkIdleVolume(
  options: Omit<OpenVolumeOptions, 'create'>,
  child: VolumeNumber,
): ForkReport {
  const {zone, volume, clock = systemClock} = options;
  const startMs = clock.monotonicMs();
  const found = readVolumeRecord(zone, volume);
  if (found === null) throw noSuchVolume(zone, volume);
  if (!found.record.clean) {
    const source = openVolumeIn({...options, create: false});
    try {
      return source.fork(child);
    } finally {
      source.close();
    }
  }
  const {lsn, root} = found.record.checkpoint;
  const record = newVolumeRecord(child, {volume, lsn}, root, clock.nowMs());
  const bytes = encodeVolumeRecord(record);
  const exists = zone.readVolumeRecord(child) !== null;
  if (!exists) zone.writeVolumeRecord(child, bytes, null);
  return {
    lsn,
    bytesWritten: exists ? 0 : bytes.length,
    bytesCopied: 0,
    durationMs: clock.monotonicMs() - startMs,
  };
}

function createVolume(zone: Zone, volume: VolumeNumber, clock: Clock): void {
  if (zone.readVolumeRecord(volume) !== null) {
    throw new BorealisError('conflict', 'volume-exists', `volume ${volume} exists already`);
  }
  const record = newVolumeRecord(volume, null, null, clock.nowMs());
  zone.writeVolumeRecord(volume, encodeVolumeRecord(record), null);
}

function recoverAndOpen(options: OpenVolumeOptions, clock: Clock, unlock: () => void): Volume {
  const {zone, volume, nodeCacheBytes, segmentBytes = SEGMENT_BYTES} = options;
  const found = readVolumeRecord(zone, volume);
  if (found === null) throw noSuchVolume(zone, volume);
  const recovered = recoverLog(zone, found.record);
  rewriteTail(zone, recovered.undurable);
  syncSegments(zone, volume, recovered.toSync);
  for (const segment of recovered.garbage) zone.deleteSegment(volume, segment);
  const epoch = found.record.epoch + 1;
  const fence = {epoch, lsn: recovered.lsn};
  const record: VolumeRecord = {...found.record, epoch, fence, clean: false};
  const recordBytes = encodeVolumeRecord(record);
  zone.writeVolumeRecord(volume, recordBytes, found.bytes);

  const reader = new PageReader(zone);
  const source: NodeSource = {
    load: pointer =>
      reader.loadNode(
        pointer,
        () => `page-table node at ${pointer.segment}:${pointer.sector} of volume ${pointer.volume}`,
      ),
    nodesLoaded: 0,
    nodesDirty: 0,
  };
  const files = new FileTable(source, record.checkpoint.root, nodeCacheBytes);
  for (const batch of recovered.batches) apply(batch, files);
  const log = new LogWriter({
    zone,
    volume,
    epoch: record.epoch,
    lsn: recovered.lsn,
    segment: recovered.nextSegment,
    segmentBytes,
  });
  const {timestampMs} = recovered;
  const recoveredBytes = recovered.batches.reduce((sum, batch) => sum + batch.batchBytes, 0);
  const head = new VolumeHead(zone, record, recordBytes);
  return new Volume({zone, clock, reader, log, files, head, timestampMs, recoveredBytes, unlock});
}

function apply(batch: BatchHeader, files: FileTable): void {
  if (batch.nodes) return;
  for (const {file, from, to} of batch.drops) {
    if (from === 0 && to === FILE_PAGES_MAX) files.change(file).dropAll();
    else files.change(file).drop(from, to);
  }
  const {volume, segment} = batch;
  let sector = (batch.offset + batch.headerBytes) / SECTOR_SIZE_BYTES;
  for (const {file, page, crc} of batch.entries) {
    files.change(file).set(page, {volume, segment, sector, height: 0, crc});
    sector += PAGE_SIZE_BYTES / SECTOR_SIZE_BYTES;
  }
  files.trim();
}

/**
 * Writes what was not known to be durable once more, in place. After a sync that failed, the host may
 * take its cached pages for written: to sync them again would succeed and write nothing.
 */
function rewriteTail(zone: Zone, batches: readonly BatchHeader[]): void {
  for (const {volume, segment, offset, batchBytes} of batches) {
    const file = zone.openSegment(volume, segment);
    try {
      const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
      file.read(0, header, 0, header.length);
      file.write([header], 0);
      const bytes = Buffer.alloc(batchBytes);
      file.read(offset, bytes, 0, batchBytes);
      file.write([bytes], offset);
    } finally {
      file.close();
    }
  }
}

function syncSegments(zone: Zone, volume: VolumeNumber, segments: readonly SegmentNumber[]): void {
  for (const segment of segments) {
    const file = zone.openSegment(volume, segment);
    try {
      file.sync();
    } finally {
      file.close();
    }
  }
}

function noSuchVolume(zone: Zone, volume: VolumeNumber): BorealisError {
  return new BorealisError(
    'not-found',
    'no-such-volume',
    `volume ${volume} does not exist in zone ${zone.name}`,
  );
}
