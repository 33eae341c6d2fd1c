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
import {crashPoint} from '../base/crash-point.ts';
import {BorealisError, systemErrorCode} from '../base/errors.ts';
import {acquireProcessLock} from '../base/process-lock.ts';
import {recognizeSegment, writeCompact} from './compact-segment.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import type {SegmentFile, SegmentListing, SegmentRange, Zone} from './zone.ts';

const SEGMENT_SUFFIX = '.seg';
const TEMPORARY_SUFFIX = '.tmp';
const COMPACTING_SUFFIX: string = SEGMENT_SUFFIX + TEMPORARY_SUFFIX;
const REMOVED_MARKER = 'removed';
const DISK_BLOCK_BYTES = 512;

export function openDirectoryZone(name: string, directory: string): Zone {
  attempt(`create zone directory ${directory}`, () =>
    fs.mkdirSync(path.join(directory, 'volumes'), {recursive: true, mode: 0o700}),
  );
  return new DirectoryZone(name, directory);
}

class DirectoryZone implements Zone {
  readonly name: string;
  readonly #directory: string;

  constructor(name: string, directory: string) {
    this.name = name;
    this.#directory = directory;
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

  createSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    const file = this.#segmentPath(volume, segment);
    return attempt(`create segment ${file}`, () => {
      const descriptor = fs.openSync(file, 'wx+', 0o600);
      syncDirectory(path.dirname(file));
      return new DirectorySegment(file, descriptor);
    });
  }

  openSegment(volume: VolumeNumber, segment: SegmentNumber): SegmentFile {
    const file = this.#segmentPath(volume, segment);
    const raw = attempt(
      `open segment ${file}`,
      () => new DirectorySegment(file, fs.openSync(file, 'r+')),
    );
    try {
      return recognizeSegment({volume, segment}, raw);
    } catch (error) {
      raw.close();
      throw error;
    }
  }

  listSegments(volume: VolumeNumber): SegmentListing[] {
    const directory = this.#volumeDirectory(volume);
    if (!fs.existsSync(directory)) return [];
    return attempt(`list segments of ${directory}`, () => fs.readdirSync(directory))
      .filter(name => name.endsWith(SEGMENT_SUFFIX))
      .sort()
      .flatMap(name => {
        const status = fs.statSync(path.join(directory, name), {throwIfNoEntry: false});
        // Deleted by the sweeper since the directory was read.
        if (status === undefined) return [];
        const segment = Number.parseInt(name.slice(0, 8), 16) as SegmentNumber;
        return [{segment, bytesOnDisk: status.blocks * DISK_BLOCK_BYTES}];
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
    const temporary = file + TEMPORARY_SUFFIX;
    try {
      this.#writeCompact(volume, segment, live, temporary);
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
    return attempt(`look at ${file}`, () => fs.statSync(file)).blocks * DISK_BLOCK_BYTES;
  }

  #writeCompact(
    volume: VolumeNumber,
    segment: SegmentNumber,
    live: readonly SegmentRange[],
    temporary: string,
  ): void {
    const source = this.openSegment(volume, segment);
    try {
      const target = attempt(
        `create ${temporary}`,
        () => new DirectorySegment(temporary, fs.openSync(temporary, 'w+', 0o600)),
      );
      try {
        writeCompact({volume, segment}, source, target, live);
        crashPoint('compact.before-sync');
        target.sync();
      } finally {
        target.close();
      }
    } finally {
      source.close();
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

  lockVolume(volume: VolumeNumber): () => void {
    const lock = acquireProcessLock(this.#volumeDirectory(volume), 'lock');
    if ('release' in lock) return () => lock.release();
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

  #volumeDirectory(volume: VolumeNumber): string {
    return path.join(this.#directory, 'volumes', hex8(volume));
  }

  #segmentPath(volume: VolumeNumber, segment: SegmentNumber): string {
    return path.join(this.#volumeDirectory(volume), hex8(segment) + SEGMENT_SUFFIX);
  }
}

class DirectorySegment implements SegmentFile {
  readonly syncDescriptor: number;
  readonly ranges = null;
  readonly #file: string;

  constructor(file: string, descriptor: number) {
    this.#file = file;
    this.syncDescriptor = descriptor;
  }

  read(position: number, into: Uint8Array, intoOffset: number, length: number): number {
    let done = 0;
    try {
      while (done < length) {
        const count = fs.readSync(
          this.syncDescriptor,
          into,
          intoOffset + done,
          length - done,
          position + done,
        );
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      throw ioError(`read ${this.#file}`, error);
    }
    return done;
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    try {
      let rest = buffers;
      let at = position;
      while (rest.length > 0) {
        let written = fs.writevSync(this.syncDescriptor, rest, at);
        at += written;
        rest = rest.flatMap(buffer => {
          const skipped = Math.min(written, buffer.length);
          written -= skipped;
          return skipped === buffer.length ? [] : [buffer.subarray(skipped)];
        });
      }
    } catch (error) {
      throw ioError(`write ${this.#file}`, error);
    }
  }

  sync(): void {
    attempt(`sync ${this.#file}`, () => fs.fdatasyncSync(this.syncDescriptor));
  }

  truncate(sizeBytes: number): void {
    attempt(`truncate ${this.#file}`, () => fs.ftruncateSync(this.syncDescriptor, sizeBytes));
  }

  isDeleted(): boolean {
    return fs.fstatSync(this.syncDescriptor).nlink === 0;
  }

  close(): void {
    fs.closeSync(this.syncDescriptor);
  }
}

function meansSomething(name: string): boolean {
  return name === 'record' || name === REMOVED_MARKER || name.endsWith(SEGMENT_SUFFIX);
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
  if (!same) {
    throw new BorealisError('conflict', 'record-changed', `${file} was changed by someone else`);
  }
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

function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw ioError(what, error);
  }
}

function ioError(what: string, cause: unknown): BorealisError {
  const code = systemErrorCode(cause);
  if (code === 'EEXIST') {
    return new BorealisError('conflict', 'already-exists', `cannot ${what}: it exists`, cause);
  }
  if (code === 'ENOENT') {
    return new BorealisError('not-found', 'no-such-file', `cannot ${what}: it is gone`, cause);
  }
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new BorealisError(
    'unavailable',
    full ? 'zone-full' : 'zone-io',
    `cannot ${what}: ${full ? 'the disk is full' : (code ?? 'I/O failed')}`,
    cause,
  );
}
