/**
 * Opens a volume for writing: claims it, begins a new epoch, and recovers the log.
 *
 *     lock ─▶ read record ─▶ record with epoch + 1 ─▶ follow the log ─▶ every copy holds what was found
 *          ─▶ record with the end of the log ─▶ delete garbage ─▶ apply the batches ─▶ open
 *
 * The epoch comes first: a writer that still runs can acknowledge nothing after it, so what the log
 * holds then is all that was acknowledged. The end is recorded before anything builds on it: a later
 * opening, which may see other zones, then comes to the same one. What recovery found may lie in the
 * host's cache only: it is synced before that.
 */
import {systemClock, type Clock} from '../base/clock.ts';
import {BorealisError} from '../base/errors.ts';
import {openZones, type StoreConfig} from '../page-store/open-zones.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {ZoneBoard} from '../page-store/zone-board.ts';
import type {Damage, VolumeClaim, Zone, ZoneEvent} from '../page-store/zone.ts';
import type {BatchHeader} from './batch.ts';
import {FileTable} from './file-table.ts';
import {LogWriter, SEGMENT_BYTES} from './log-writer.ts';
import {PageReader} from './page-reader.ts';
import type {NodeSource} from './page-tree.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES} from './pointer.ts';
import {levelLog, recoverLog, type RecoveredLog} from './recovery.ts';
import {VolumeHead, type ForkReport} from './volume-head.ts';
import {encodeVolumeRecord, newVolumeRecord, readVolumeRecord} from './volume-record.ts';
import {FILE_PAGES_MAX, Volume} from './volume.ts';

export type OpenVolumeOptions = {
  readonly zone: Zone;
  readonly volume: VolumeNumber;
  /** The volume does not exist: make an empty one. */
  readonly create: boolean;
  readonly nodeCacheBytes: number;
  readonly clock?: Clock;
  readonly segmentBytes?: number;
  /** Closes the zone with the volume, or when it cannot be opened. */
  readonly ownsZone?: boolean;
  /** Hears of pages that no copy holds. */
  readonly onDamage?: (damage: Damage) => void;
};

export type ZoneHooks = {
  /** Where several zones publish what they hold, if another thread is to wait for it. */
  readonly board?: ZoneBoard;
  /** Hears how several zones fare, what was repaired, and what is damaged. */
  readonly onZoneEvent?: (event: ZoneEvent) => void;
};

/** @throws BorealisError conflict while another process has it open; not-found when it does not exist. */
export function openVolumeIn(options: OpenVolumeOptions): Volume {
  const {zone, volume, clock = systemClock} = options;
  let claim: VolumeClaim | null = null;
  try {
    if (options.create) createVolume(zone, volume, clock);
    if (zone.readVolumeRecord(volume) === null) throw noSuchVolume(zone, volume);
    claim = zone.lockVolume(volume);
    return recoverAndOpen(options, clock, claim);
  } catch (error) {
    claim?.release();
    if (options.ownsZone === true) zone.close();
    throw error;
  }
}

/** What an attachment's configuration says; see `AttachmentConfig`. */
export function openVolume(
  config: StoreConfig & {
    readonly volume: VolumeNumber;
    readonly format: boolean;
    readonly nodeCacheBytes: number;
  },
  hooks: ZoneHooks = {},
): Volume {
  return openVolumeIn({
    zone: openZones(config, {...hooks, role: 'writer'}),
    volume: config.volume,
    create: config.format,
    nodeCacheBytes: config.nodeCacheBytes,
    ownsZone: true,
    onDamage: damage =>
      hooks.onZoneEvent?.({type: 'damaged', atMs: systemClock.nowMs(), ...damage}),
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

function recoverAndOpen(options: OpenVolumeOptions, clock: Clock, claim: VolumeClaim): Volume {
  const {zone, volume, nodeCacheBytes, segmentBytes = SEGMENT_BYTES} = options;
  const found = readVolumeRecord(zone, volume);
  if (found === null) throw noSuchVolume(zone, volume);
  const head = new VolumeHead(zone, found.record, found.bytes);
  let recovered: RecoveredLog;
  try {
    recovered = recover(zone, head);
  } catch (error) {
    head.close();
    throw error;
  }
  claim.recovered();

  const {onDamage} = options;
  const reader = new PageReader(zone, {volume, ...(onDamage === undefined ? {} : {onDamage})});
  const source: NodeSource = {
    load: pointer =>
      reader.loadNode(
        pointer,
        () =>
          `page-table node of volume ${volume}, at sector ${pointer.sector} of segment ${pointer.segment} of volume ${pointer.volume}`,
      ),
    nodesLoaded: 0,
    nodesDirty: 0,
  };
  const files = new FileTable(source, head.record.checkpoint.root, nodeCacheBytes);
  for (const batch of recovered.batches) apply(batch, files);
  const log = new LogWriter({
    zone,
    volume,
    epoch: head.record.epoch,
    lsn: recovered.lsn,
    segment: recovered.nextSegment,
    segmentBytes,
    checkWriter: () => head.checkWriter(),
  });
  const {timestampMs} = recovered;
  const recoveredBytes = recovered.batches.reduce((sum, batch) => sum + batch.batchBytes, 0);
  return new Volume({
    ...{zone, clock, reader, log, files, head, timestampMs, recoveredBytes, claim},
    ownsZone: options.ownsZone ?? false,
  });
}

function recover(zone: Zone, head: VolumeHead): RecoveredLog {
  head.beginEpoch();
  const {volume} = head.record;
  const recovered = recoverLog(zone, head.record);
  levelLog(zone, volume, recovered);
  head.decideEnd(recovered.lsn);
  for (const segment of recovered.garbage) zone.deleteSegment(volume, segment);
  return recovered;
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

function noSuchVolume(zone: Zone, volume: VolumeNumber): BorealisError {
  return new BorealisError(
    'not-found',
    'no-such-volume',
    `volume ${volume} does not exist in zone ${zone.name}`,
  );
}
