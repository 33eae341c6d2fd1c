/**
 * The zone driver for a directory of the host's file system.
 *
 *     DIR/store                     store record
 *     DIR/volumes/0000002a/record   volume record
 *     DIR/volumes/0000002a/00000001.seg
 *     DIR/volumes/0000002a/lock.1   which process writes to it
 *     DIR/volumes/0000002a/removed  its last record, once the volume was removed
 *
 * Records are replaced by writing a temporary file, syncing it, renaming it over the old one and
 * syncing the directory. Volume and segment numbers are 8 hexadecimal digits in file names.
 * Source: docs/formats/zone.md.
 */
import fs from 'node:fs';
import path from 'node:path';
import {assert} from '../base/assert.ts';
import {crashPoint} from '../base/crash-point.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import {acquireProcessLock} from '../base/process-lock.ts';
import {attempt, DirectoryHold, DirectorySegment, ioError} from './directory-files.ts';
import {recognizeSegment, writeCompact} from './compact-segment.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import {readByFile} from './segment-pieces.ts';
import type {
  ListingPart,
  RecordHold,
  SegmentFile,
  SegmentListing,
  SegmentPart,
  SegmentRange,
  SegmentSource,
  VolumeClaim,
  Zone,
} from './zone.ts';

const SEGMENT_SUFFIX = '.seg';
const TEMPORARY_SUFFIX = '.tmp';
const ADOPTING_SUFFIX: string = `.copy${TEMPORARY_SUFFIX}`;
const COMPACTING_SUFFIX: string = SEGMENT_SUFFIX + TEMPORARY_SUFFIX;
const REMOVED_MARKER = 'removed';
const DISK_BLOCK_BYTES = 512;

export function openDirectoryZone(name: string, directory: string): Zone {
  const volumes = path.join(directory, 'volumes');
  // To make what is there already is a write: a disk that takes none may still be read.
  if (!fs.existsSync(volumes)) {
    attempt(`create zone directory ${directory}`, () =>
      fs.mkdirSync(volumes, {recursive: true, mode: 0o700}),
    );
  }
  return new DirectoryZone(name, directory);
}

class DirectoryZone implements Zone {
  readonly name: string;
  readonly mirror = null;
  readonly #directory: string;
  readonly #identity: string | null;

  constructor(name: string, directory: string) {
    this.name = name;
    this.#directory = directory;
    this.#identity = identityOf(directory);
  }

  isInPlace(): boolean {
    return this.#identity !== null && identityOf(this.#directory) === this.#identity;
  }

  readStoreRecord(): Buffer | null {
    return readIfExists(path.join(this.#directory, 'store'));
  }

  writeStoreRecord(bytes: Uint8Array, expected: Uint8Array | null): void {
    replaceFile(path.join(this.#directory, 'store'), bytes, expected);
  }

  listVolumes(): VolumeNumber[] {
    return attempt('list volumes', () => fs.readdirSync(path.join(this.#directory, 'volumes')))
      .filter(name => /^[0-9a-f]{8}$/.test(name))
      .map(name => Number.parseInt(name, 16) as VolumeNumber)
      .sort((a, b) => a - b);
  }

  readVolumeRecord(volume: VolumeNumber): Buffer | null {
    return readIfExists(path.join(this.#volumeDirectory(volume), 'record'));
  }

  writeVolumeRecord(volume: VolumeNumber, bytes: Uint8Array, expected: Uint8Array | null): void {
    const directory = this.#volumeDirectory(volume);
    if (expected === null) {
      // Also when the directory is there: whoever made it may not have lived to sync its parent.
      attempt(`create ${directory}`, () => {
        fs.mkdirSync(directory, {recursive: true, mode: 0o700});
        syncDirectory(path.dirname(directory));
      });
    }
    replaceFile(path.join(directory, 'record'), bytes, expected);
  }

  deleteVolumeRecord(volume: VolumeNumber): void {
    const directory = this.#volumeDirectory(volume);
    if (!fs.existsSync(path.join(directory, 'record'))) return;
    // A marker, so that a directory whose first record is still to come is not taken for an empty one.
    attempt(`remove the record in ${directory}`, () => {
      fs.renameSync(path.join(directory, 'record'), path.join(directory, REMOVED_MARKER));
      syncDirectory(directory);
    });
  }

  isRemoved(volume: VolumeNumber): boolean {
    const directory = this.#volumeDirectory(volume);
    return (
      fs.existsSync(path.join(directory, REMOVED_MARKER)) &&
      !fs.existsSync(path.join(directory, 'record'))
    );
  }

  holdRecord(volume: VolumeNumber, expected: Uint8Array): RecordHold {
    const file = path.join(this.#volumeDirectory(volume), 'record');
    return attempt(`hold ${file}`, () => {
      const descriptor = fs.openSync(file, 'r');
      if (fs.readFileSync(descriptor).equals(expected)) return new DirectoryHold(descriptor);
      fs.closeSync(descriptor);
      throw recordChanged(file);
    });
  }

  createSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    const file = this.#segmentPath(volume, segment);
    return attempt(`create segment ${file}`, () => {
      const descriptor = fs.openSync(file, 'wx+', 0o600);
      syncDirectory(path.dirname(file));
      return new DirectorySegment(this.name, file, descriptor);
    });
  }

  openSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    const file = this.#segmentPath(volume, segment);
    const raw = attempt(
      `open segment ${file}`,
      () => new DirectorySegment(this.name, file, fs.openSync(file, 'r+')),
    );
    try {
      return recognizeSegment({volume, segment}, raw);
    } catch (error) {
      raw.close();
      throw error;
    }
  }

  readParts(parts: readonly SegmentPart[]): void {
    readByFile(parts);
  }

  ensureSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    const file = this.#segmentPath(volume, segment);
    attempt(`make segment ${file}`, () => {
      const directory = path.dirname(file);
      if (fs.mkdirSync(directory, {recursive: true, mode: 0o700}) !== undefined) {
        syncDirectory(path.dirname(directory));
      }
      const {O_RDWR, O_CREAT} = fs.constants;
      fs.closeSync(fs.openSync(file, O_RDWR | O_CREAT, 0o600));
      syncDirectory(directory);
    });
    return this.openSegment(volume, segment);
  }

  listSegments(volume: VolumeNumber, part?: ListingPart): SegmentListing[] {
    const directory = this.#volumeDirectory(volume);
    if (!fs.existsSync(directory)) return [];
    return attempt(`list segments of ${directory}`, () => fs.readdirSync(directory))
      .filter(name => name.endsWith(SEGMENT_SUFFIX))
      .filter(name => segmentOf(name) > (part?.after ?? 0))
      .sort()
      .slice(0, part?.limit)
      .flatMap(name => {
        const status = fs.statSync(path.join(directory, name), {throwIfNoEntry: false});
        // Deleted by the sweeper since the directory was read.
        if (status === undefined) return [];
        const bytesOnDisk = status.blocks * DISK_BLOCK_BYTES;
        return [{segment: segmentOf(name), bytesOnDisk, sizeBytes: status.size}];
      });
  }

  deleteSegment(volume: VolumeNumber, segment: SegmentNumber): void {
    removeFile(this.#segmentPath(volume, segment));
  }

  compactSegment(
    volume: VolumeNumber,
    segment: SegmentNumber,
    live: readonly SegmentRange[],
  ): number {
    const file = this.#segmentPath(volume, segment);
    const source = this.openSegment(volume, segment);
    try {
      this.#replaceCompact({volume, segment}, source, live, file + TEMPORARY_SUFFIX);
    } finally {
      source.close();
    }
    return attempt(`look at ${file}`, () => fs.statSync(file)).blocks * DISK_BLOCK_BYTES;
  }

  adoptSegment(volume: VolumeNumber, segment: SegmentNumber, source: SegmentSource): void {
    const {ranges} = source;
    assert(ranges !== null, 'a segment as it was written is copied in place');
    const file = this.#segmentPath(volume, segment);
    // Not the name that a compaction uses: this may run beside one.
    this.#replaceCompact({volume, segment}, source, ranges, file + ADOPTING_SUFFIX);
  }

  #replaceCompact(
    {volume, segment}: {volume: VolumeNumber; segment: SegmentNumber},
    source: SegmentSource,
    live: readonly SegmentRange[],
    temporary: string,
  ): void {
    const file = this.#segmentPath(volume, segment);
    try {
      const target = attempt(
        `create ${temporary}`,
        () => new DirectorySegment(this.name, temporary, fs.openSync(temporary, 'w+', 0o600)),
      );
      try {
        writeCompact({volume, segment}, source, target, live);
        crashPoint('compact.before-sync');
        target.sync();
      } finally {
        target.close();
      }
      crashPoint('compact.before-rename');
      attempt(`replace ${file}`, () => {
        fs.renameSync(temporary, file);
        crashPoint('compact.after-rename');
        syncDirectory(path.dirname(file));
      });
    } finally {
      // After a failure, above all on a full disk.
      fs.rmSync(temporary, {force: true});
    }
  }

  discardUnfinished(volume: VolumeNumber): void {
    const directory = this.#volumeDirectory(volume);
    for (const name of listIfExists(directory)) {
      if (name.endsWith(COMPACTING_SUFFIX)) removeFile(path.join(directory, name));
    }
  }

  leftovers(): string[] {
    const volumes = this.listVolumes().map(volume => path.join('volumes', hex8(volume)));
    return ['', ...volumes].flatMap(folder => {
      const names = listIfExists(path.join(this.#directory, folder));
      // Its number was taken, and then the process died before there was a record.
      const isBare = folder !== '' && !names.some(name => meansSomething(name));
      if (isBare) return [folder];
      return names
        .filter(name => name.endsWith(TEMPORARY_SUFFIX) || name.startsWith('lock.new-'))
        .map(name => path.join(folder, name));
    });
  }

  removeLeftover(name: string): void {
    const file = path.join(this.#directory, name);
    attempt(`remove ${file}`, () => {
      fs.rmSync(file, {recursive: true, force: true});
      syncDirectory(path.dirname(file));
    });
  }

  lockVolume(volume: VolumeNumber): VolumeClaim {
    const lock = acquireProcessLock(this.#volumeDirectory(volume), 'lock');
    if ('release' in lock) return {recovered: () => undefined, release: () => lock.release()};
    throw new BorealisError(
      'conflict',
      'volume-locked',
      `volume ${volume} is open for writing in process ${lock.heldBy.pid}`,
    );
  }

  deleteEmptyVolume(volume: VolumeNumber): void {
    const directory = this.#volumeDirectory(volume);
    if (!fs.existsSync(path.join(directory, REMOVED_MARKER))) return;
    const names = fs.readdirSync(directory);
    if (names.some(name => name !== REMOVED_MARKER && meansSomething(name))) return;
    attempt(`remove ${directory}`, () => fs.rmSync(directory, {recursive: true, force: true}));
  }

  freeBytes(): number {
    const status = attempt('statfs', () => fs.statfsSync(this.#directory));
    return status.bavail * status.bsize;
  }

  close(): void {
    // Nothing is kept open between two calls.
  }

  #volumeDirectory(volume: VolumeNumber): string {
    return path.join(this.#directory, 'volumes', hex8(volume));
  }

  #segmentPath(volume: VolumeNumber, segment: SegmentNumber): string {
    return path.join(this.#volumeDirectory(volume), hex8(segment) + SEGMENT_SUFFIX);
  }
}

function meansSomething(name: string): boolean {
  return name === 'record' || name === REMOVED_MARKER || name.endsWith(SEGMENT_SUFFIX);
}

function segmentOf(name: string): SegmentNumber {
  return Number.parseInt(name.slice(0, 8), 16) as SegmentNumber;
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function listIfExists(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw ioError(`list ${directory}`, error);
  }
}

/** Of the file system and the directory in it; null when it is not there. */
function identityOf(directory: string): string | null {
  const found = attempt(`look at ${directory}`, () =>
    fs.statSync(directory, {throwIfNoEntry: false}),
  );
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}

function readIfExists(file: string): Buffer | null {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return null;
    throw ioError(`read ${file}`, error);
  }
}

function replaceFile(file: string, bytes: Uint8Array, expected: Uint8Array | null): void {
  const found = readIfExists(file);
  const same = found === null ? expected === null : expected !== null && found.equals(expected);
  if (!same) throw recordChanged(file);
  attempt(`replace ${file}`, () => {
    const temporary = `${file}.${process.pid}${TEMPORARY_SUFFIX}`;
    const descriptor = fs.openSync(temporary, 'w', 0o600);
    try {
      fs.writeFileSync(descriptor, bytes);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, file);
    syncDirectory(path.dirname(file));
  });
}

function recordChanged(file: string): BorealisError {
  return new BorealisError('conflict', 'record-changed', `${file} was changed by someone else`);
}

function removeFile(file: string): void {
  attempt(`remove ${file}`, () => {
    fs.rmSync(file, {force: true});
    if (fs.existsSync(path.dirname(file))) syncDirectory(path.dirname(file));
  });
}

function syncDirectory(directory: string): void {
  const descriptor = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
