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
import {openHistory} from './history.ts';
import {LogWriter, SEGMENT_BYTES} from './log-writer.ts';
import {nodeSource, PageReader} from './page-reader.ts';
import type {NodeSource} from './page-tree.ts';
import {levelLog, recoverLog, type RecoveredLog} from './recovery.ts';
import {RootWriter} from './root-writer.ts';
import {VolumeHead} from './volume-head.ts';
import {
  EMPTY_BEGINNING,
  encodeVolumeRecord,
  newVolumeRecord,
  readVolumeRecord,
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
  /** Closes the zone with the volume, or when it cannot be opened. */
  readonly ownsZone?: boolean;
  /** False: one that is open elsewhere is not waited for, not even for a moment. */
  readonly isPatient?: boolean;
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
    claim = zone.lockVolume(volume, options.isPatient);
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

function createVolume(zone: Zone, volume: VolumeNumber, clock: Clock): void {
  if (zone.readVolumeRecord(volume) !== null) {
    throw new BorealisError('conflict', 'volume-exists', `volume ${volume} exists already`);
  }
  const createdMs = clock.nowMs();
  const record = newVolumeRecord(volume, createdMs, {...EMPTY_BEGINNING, timestampMs: createdMs});
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
  const {checkpoint} = head.record;
  const indexSource = (): NodeSource => nodeSource(reader, volume);
  const files = new FileTable(nodeSource(reader, volume), checkpoint.root, nodeCacheBytes);
  const history = openHistory(head.record, indexSource());
  for (const batch of recovered.batches) {
    apply(batch, files);
    if (batch.root !== null) history.enter(volume, batch.timestampMs, batch.root.pointer);
  }
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
  const roots = new RootWriter({
    ...{clock, log, files, head, history, indexSource, timestampMs, recoveredBytes},
  });
  return new Volume({
    ...{zone, clock, reader, log, files, head, roots, claim},
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
  files.setPages(batch, batch.headerBytes, batch.entries);
  files.trim();
}

export function noSuchVolume(zone: Zone, volume: VolumeNumber): BorealisError {
  return new BorealisError(
    'not-found',
    'no-such-volume',
    `volume ${volume} does not exist in zone ${zone.name}`,
  );
}
