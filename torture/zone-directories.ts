/**
 * The zones of the store under torture: directories, the last of them on a disk of its own where the
 * machine lets us mount one, so that it can hang.
 *
 * One zone is out of order at a time, which is what a store of three promises to survive. `mend` puts it
 * right as far as an operator would: the rest is for the store to do.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {assert} from '../src/base/assert.ts';
import {BorealisError, systemErrorCode} from '../src/base/errors.ts';
import type {SeededRandom} from '../src/base/testing/seeded-random.ts';
import type {ZoneOption} from '../src/cluster/zone-list.ts';
import {canMountLoops, LoopDisk} from '../test/support/loop-disk.ts';

const LETTERS = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
/** Sparse: it takes what is written to it. */
const DISK_BYTES = 4 * 2 ** 30;
const ROTTEN_BYTES = 8192;
const ROTTEN_PLACES_PER_SEGMENT = 4;
/** What is removed may still be written to. */
const REMOVAL = {recursive: true, force: true, maxRetries: 5, retryDelay: 100} as const;

export class ZoneDirectories {
  readonly #root: string;
  readonly #disk: LoopDisk | null;
  readonly #zones: readonly ZoneOption[];
  #undo: (() => void) | null = null;
  #isClosed = false;

  /** With one zone, which is the service's own matter, there is nothing here. */
  constructor(count: number) {
    assert(count >= 1 && count <= LETTERS.length, 'a store has one to six zones');
    this.#root = mkdtempSync(join(tmpdir(), 'borealis-torture-'));
    try {
      const canHang = count > 1 && canMountLoops();
      this.#disk = canHang ? new LoopDisk(join(this.#root, 'disk'), DISK_BYTES) : null;
    } catch (error) {
      rmSync(this.#root, {recursive: true});
      throw error;
    }
    const letters = count === 1 ? [] : LETTERS.slice(0, count);
    this.#zones = letters.map(letter => {
      const parent = letter === letters.at(-1) ? this.#disk?.directory : undefined;
      return {letter, directory: join(parent ?? this.#root, `zone-${letter}`)};
    });
  }

  get all(): readonly ZoneOption[] {
    return this.#zones;
  }

  get canHang(): boolean {
    return this.#disk !== null;
  }

  /** The directory is gone until `mend`; files in it that are open are not. */
  takeAway(random: SeededRandom): void {
    const {directory} = this.#pick(random);
    const away = `${directory}.away`;
    const begun = `${directory}.begun`;
    renameSync(directory, away);
    this.#undo = () => {
      // A service that was started meanwhile has begun to fill a new one.
      if (existsSync(directory)) renameSync(directory, begun);
      renameSync(away, directory);
      rmSync(begun, REMOVAL);
    };
  }

  /** A new directory in place of the zone's. The old one goes at `mend`: until then its files can be written to. */
  replace(random: SeededRandom): void {
    const {directory} = this.#pick(random);
    const lost = `${directory}.lost`;
    renameSync(directory, lost);
    mkdirSync(directory, {mode: 0o700});
    this.#undo = () => rmSync(lost, REMOVAL);
  }

  /** Some places of every segment, the one that is written to included. */
  rot(random: SeededRandom): void {
    const volumes = join(this.#pick(random).directory, 'volumes');
    this.#undo = () => undefined;
    for (const volume of readdirSync(volumes).sort()) {
      for (const name of readdirSync(join(volumes, volume)).sort()) {
        if (name.endsWith('.seg')) rotFile(join(volumes, volume, name), random);
      }
    }
  }

  /** Whoever writes to the zone waits, in the kernel, until `mend`. */
  hang(): void {
    this.#demandWhole();
    const disk = this.#disk;
    assert(disk !== null, 'a zone has a disk of its own');
    this.#undo = () => disk.thaw();
    disk.freeze();
  }

  mend(): void {
    const undo = this.#undo;
    this.#undo = null;
    undo?.();
  }

  /** Nothing is struck any more, so that all that waits can end. */
  close(): void {
    this.#isClosed = true;
    this.mend();
  }

  /** Once nothing runs on them any more. */
  remove(): void {
    this.close();
    this.#disk?.remove();
    rmSync(this.#root, REMOVAL);
  }

  #pick(random: SeededRandom): ZoneOption {
    this.#demandWhole();
    const zone = this.#zones[random.below(this.#zones.length)];
    assert(zone !== undefined, 'there are several zones');
    return zone;
  }

  #demandWhole(): void {
    assert(this.#undo === null, 'one zone is out of order at a time');
    if (this.#isClosed) throw new BorealisError('closed', 'torture-closed', 'the run is ending');
  }
}

/** One that the sweep takes away meanwhile is none. */
function rotFile(file: string, random: SeededRandom): void {
  try {
    const sizeBytes = statSync(file).size;
    const descriptor = openSync(file, 'r+');
    try {
      for (let place = 0; place < ROTTEN_PLACES_PER_SEGMENT; place++) {
        const bytes = Buffer.alloc(ROTTEN_BYTES);
        const position = random.below(Math.max(1, sizeBytes - ROTTEN_BYTES));
        const length = readSync(descriptor, bytes, 0, ROTTEN_BYTES, position);
        writeSync(
          descriptor,
          bytes.map(byte => byte ^ 0x55),
          0,
          length,
          position,
        );
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}
