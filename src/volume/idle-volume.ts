/**
 * What is done to a volume that nobody has open, by whoever holds its lock: fork, backtrack, and changes
 * of its history. Also what anybody may read of the history of a volume that is open elsewhere.
 */
import {systemClock, type Clock} from '../base/clock.ts';
import type {VolumeNumber} from '../page-store/ids.ts';
import type {Zone} from '../page-store/zone.ts';
import {checkRetention, openHistory, type History, type RestorableRange} from './history.ts';
import {noSuchVolume, openVolumeIn, type OpenVolumeOptions} from './open-volume.ts';
import {nodeSource, PageReader} from './page-reader.ts';
import type {Volume} from './volume.ts';
import type {BacktrackReport, ForkOptions, ForkReport} from './volume-head.ts';
import {
  encodeVolumeRecord,
  newVolumeRecord,
  readVolumeRecord,
  volumeExists,
} from './volume-record.ts';

export type IdleVolumeOptions = Omit<OpenVolumeOptions, 'create'>;

/** Of a volume that was closed cleanly the present is forked without even opening it. */
export function forkIdleVolume(
  options: IdleVolumeOptions,
  child: VolumeNumber,
  fork: ForkOptions = {},
): ForkReport {
  const {zone, volume, clock = systemClock} = options;
  const startMs = clock.monotonicMs();
  const found = readVolumeRecord(zone, volume);
  if (found === null) throw noSuchVolume(zone, volume);
  const {clean, checkpoint} = found.record;
  const retentionSeconds = fork.retentionSeconds ?? found.record.retentionSeconds;
  // A history that the child is to have and that is not written yet is written by opening the volume.
  const isWritten = found.record.retentionSeconds === 0 || checkpoint.history !== null;
  if (!clean || fork.atMs !== undefined || !isWritten) {
    return withVolume(options, source => source.fork(child, fork));
  }
  checkRetention(retentionSeconds);
  const {lsn, root, timestampMs} = checkpoint;
  const history = retentionSeconds > 0 ? checkpoint.history : null;
  const createdMs = clock.nowMs();
  const record = newVolumeRecord(child, createdMs, {
    source: {volume, lsn},
    retentionSeconds,
    timestampMs: history === null ? createdMs : timestampMs,
    root,
    history,
  });
  const bytes = encodeVolumeRecord(record);
  const exists = volumeExists(zone, child);
  if (!exists) zone.writeVolumeRecord(child, bytes, null);
  return {
    lsn,
    atMs: null,
    bytesWritten: exists ? 0 : bytes.length,
    bytesCopied: 0,
    durationMs: clock.monotonicMs() - startMs,
  };
}

/** The head goes to what the volume was at `atMs`; see `Volume.backtrack`. */
export function backtrackVolume(options: IdleVolumeOptions, atMs: number): BacktrackReport {
  return withVolume(options, volume => volume.backtrack(atMs));
}

export function setRetention(options: IdleVolumeOptions, seconds: number): void {
  const {zone, volume} = options;
  checkRetention(seconds);
  const found = readVolumeRecord(zone, volume);
  if (found === null) throw noSuchVolume(zone, volume);
  if (found.record.retentionSeconds === seconds) return;
  withVolume(options, open => open.setRetention(seconds));
}

/** Thins the history and lets go of what is older than the retention, if there is enough of it. */
export function trimHistory(options: IdleVolumeOptions): void {
  const {zone, volume, clock = systemClock} = options;
  if (!readHistory(zone, volume, history => history.wantsTrim(clock.nowMs()))) return;
  withVolume(options, open => open.checkpoint());
}

/**
 * The times that a volume can be had as of; null while no history is kept. It may be open elsewhere, and
 * is left alone.
 */
export function restorableRange(
  zone: Zone,
  volume: VolumeNumber,
  clock: Clock = systemClock,
): RestorableRange | null {
  return readHistory(zone, volume, history => history.range(clock.nowMs()));
}

function readHistory<T>(zone: Zone, volume: VolumeNumber, read: (history: History) => T): T {
  const found = readVolumeRecord(zone, volume);
  if (found === null) throw noSuchVolume(zone, volume);
  const reader = new PageReader(zone);
  try {
    return read(openHistory(found.record, nodeSource(reader, volume)));
  } finally {
    reader.close();
  }
}

function withVolume<T>(options: IdleVolumeOptions, run: (volume: Volume) => T): T {
  const volume = openVolumeIn({...options, create: false});
  try {
    return run(volume);
  } finally {
    volume.close();
  }
}
