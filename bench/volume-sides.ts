/**
 * Pages of 8 KiB on a cluster volume and in a file of the host's file system: the same work, so that
 * each figure has its peer from the same run.
 */
import fs from 'node:fs';
import {join} from 'node:path';
import type {VolumeNumber} from '../src/page-store/ids.ts';
import {openZones, type StoreConfig} from '../src/page-store/open-zones.ts';
import {openStore} from '../src/page-store/store.ts';
import type {Zone} from '../src/page-store/zone.ts';
import {openVolume} from '../src/volume/open-volume.ts';
import {PAGE_SIZE_BYTES} from '../src/volume/pointer.ts';
import {Census} from '../src/volume/census.ts';
import {scrubSteps} from '../src/volume/scrub.ts';
import {sweep} from '../src/volume/sweeper.ts';
import type {Volume} from '../src/volume/volume.ts';
import {dropFile, dropSegments} from './bench-store.ts';

const FILE = 1;
const FIRST_VOLUME = 1 as VolumeNumber;
const NODE_CACHE_BYTES = 64 * 2 ** 20;

export type Side = {
  /** Writes `data`, whole pages, from page `first` on. Not durable yet. */
  write(first: number, data: Buffer): void;
  /** What was written is durable when it returns. */
  barrier(): void;
  read(first: number, into: Buffer): void;
  /** The machine's page cache forgets what is on disk. */
  dropCache(): void;
  /** A private copy of all pages: a fork, or a copied file. Removed again by `removeCopies`. */
  copy(): void;
  /** Gives back what the copies took: a sweep, or unlinked files. */
  removeCopies(): void;
  close(): void;
};

export class VolumeSide implements Side {
  readonly #directories: readonly string[];
  /** As the thread that sweeps and scrubs has it open, beside the writer. */
  readonly #zone: Zone;
  #volume: Volume;
  #last: number = FIRST_VOLUME;
  readonly #copies: VolumeNumber[] = [];

  /** `directories`: one for each zone. */
  constructor(directories: readonly string[]) {
    this.#directories = directories;
    const keeper = openZones(this.#config(), {role: 'keeper'});
    openStore(keeper);
    keeper.close();
    this.#zone = openZones(this.#config(), {role: 'sweeper'});
    this.#volume = this.#open(FIRST_VOLUME, true);
  }

  write(first: number, data: Buffer): void {
    for (let at = 0; at < data.length; at += PAGE_SIZE_BYTES) {
      const page = this.#volume.changePage(FILE, first + at / PAGE_SIZE_BYTES, false);
      data.copy(page, 0, at, at + PAGE_SIZE_BYTES);
    }
    this.#volume.endOperation();
  }

  barrier(): void {
    this.#volume.barrier();
  }

  read(first: number, into: Buffer): void {
    this.#volume.readPages(FILE, first, into.length / PAGE_SIZE_BYTES, into, 0);
  }

  dropCache(): void {
    this.#volume.checkpoint();
    for (const directory of this.#directories) dropSegments(directory);
  }

  copy(): void {
    // A number is handed out once.
    const copy = ++this.#last as VolumeNumber;
    this.#volume.fork(copy);
    this.#copies.push(copy);
  }

  removeCopies(): void {
    for (const copy of this.#copies.splice(0)) this.#zone.deleteVolumeRecord(copy);
    this.sweep();
  }

  /** Deletes what nothing reaches; returns bytes. The checkpoint lets go of what was overwritten. */
  sweep(): number {
    this.#volume.checkpoint();
    const census = new Census(this.#zone);
    try {
      return sweep(this.#zone, census).bytesFreed;
    } finally {
      census.close();
    }
  }

  /** Reads and verifies everything in all zones; returns bytes, those of each zone. */
  scrub(): number {
    this.#volume.checkpoint();
    const steps = scrubSteps(this.#zone);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value.zones.reduce((sum, {bytes}) => sum + bytes, 0);
    }
  }

  /** As an instance that starts does, after one that ended in order. */
  reopen(): void {
    this.#volume.close();
    this.#volume = this.#open(FIRST_VOLUME, false);
  }

  close(): void {
    this.#volume.close();
    this.#zone.close();
  }

  #open(volume: VolumeNumber, format: boolean): Volume {
    return openVolume({...this.#config(), volume, format, nodeCacheBytes: NODE_CACHE_BYTES});
  }

  #config(): StoreConfig {
    const zones = this.#directories.map((directory, index) => ({
      name: 'abcdef'.charAt(index),
      directory,
    }));
    return {zones};
  }
}

export class HostSide implements Side {
  readonly #path: string;
  readonly #copies: string[] = [];
  readonly #fd: number;

  constructor(directory: string) {
    this.#path = join(directory, 'pages');
    this.#fd = fs.openSync(this.#path, 'w+');
  }

  write(first: number, data: Buffer): void {
    fs.writeSync(this.#fd, data, 0, data.length, first * PAGE_SIZE_BYTES);
  }

  barrier(): void {
    fs.fdatasyncSync(this.#fd);
  }

  read(first: number, into: Buffer): void {
    fs.readSync(this.#fd, into, 0, into.length, first * PAGE_SIZE_BYTES);
  }

  dropCache(): void {
    fs.fdatasyncSync(this.#fd);
    dropFile(this.#path);
  }

  copy(): void {
    const copy = `${this.#path}-${this.#copies.length}`;
    fs.copyFileSync(this.#path, copy);
    const fd = fs.openSync(copy, 'r+');
    fs.fdatasyncSync(fd);
    fs.closeSync(fd);
    this.#copies.push(copy);
  }

  removeCopies(): void {
    for (const copy of this.#copies.splice(0)) fs.unlinkSync(copy);
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
