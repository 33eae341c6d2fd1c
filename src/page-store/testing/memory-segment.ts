/**
 * A segment in memory, as a disk behind a cache keeps it.
 *
 *     current   what a read sees: the host's cache
 *     pending   changes since the last sync, in order
 *     durable   what a power cut leaves for sure
 *
 * A power cut lets each pending write survive whole, vanish, or survive in part, sector by sector,
 * independently of the others: so writes are lost, torn and reordered. A sync that fails forgets what
 * was pending, as Linux does: the next sync succeeds and makes nothing durable.
 */
import type {Random} from './zone-faults.ts';

const SECTOR_BYTES = 512;
const CAPACITY_MIN_BYTES = 2 ** 16;

type Change = {readonly position: number; readonly bytes: Buffer} | {readonly truncateTo: number};

/** Bytes that grow; what was never written is zero. */
class Image {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(from: number, to: number): Buffer {
    return this.#bytes.subarray(Math.min(from, this.#length), Math.min(to, this.#length));
  }

  apply(change: Change): void {
    if ('truncateTo' in change) {
      this.#bytes.fill(0, Math.min(change.truncateTo, this.#length), this.#length);
      this.#length = Math.min(this.#length, change.truncateTo);
      return;
    }
    const end = change.position + change.bytes.length;
    if (end > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(CAPACITY_MIN_BYTES, 2 * end));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    change.bytes.copy(this.#bytes, change.position);
    this.#length = Math.max(this.#length, end);
  }

  become(other: Image): void {
    this.#bytes = Buffer.from(other.bytes(0, other.length));
    this.#length = other.length;
  }

  flipBit(position: number): void {
    if (position >= this.#length) return;
    this.#bytes.writeUInt8(this.#bytes.readUInt8(position) ^ 1, position);
  }
}

export class MemorySegmentData {
  readonly #durable = new Image();
  readonly #current = new Image();
  #pending: Change[] = [];
  deleted = false;

  get length(): number {
    return this.#current.length;
  }

  read(from: number, to: number): Buffer {
    return this.#current.bytes(from, to);
  }

  /** `bytes` must not change any more. */
  write(bytes: Buffer, position: number): void {
    this.#change({position, bytes});
  }

  truncate(sizeBytes: number): void {
    this.#change({truncateTo: sizeBytes});
  }

  sync(): void {
    for (const change of this.#pending) this.#durable.apply(change);
    this.#pending = [];
  }

  /** What a power cut leaves for sure, as a segment of its own. */
  durableCopy(): MemorySegmentData {
    const copy = new MemorySegmentData();
    copy.#durable.become(this.#durable);
    copy.#current.become(this.#durable);
    return copy;
  }

  /** With `evicted` the cache has let go of the pages that it could not write, too. */
  failSync(evicted: boolean): void {
    this.#pending = [];
    if (evicted) this.#current.become(this.#durable);
  }

  crash(random: Random): void {
    this.#current.become(this.#durable);
    const pending = this.#pending;
    // What survives may still lie in the cache of the host: only a sync makes it durable.
    this.#pending = [];
    for (const change of pending) {
      const fate = random(3);
      if (fate === 0) continue;
      if (fate === 1 || 'truncateTo' in change) {
        this.#change(change);
        continue;
      }
      for (let at = 0; at < change.bytes.length; at += SECTOR_BYTES) {
        if (random(2) === 0) continue;
        const bytes = change.bytes.subarray(at, at + SECTOR_BYTES);
        this.#change({position: change.position + at, bytes});
      }
    }
  }

  /** The medium forgets a bit: in the cache as well, for a cache is read in again. */
  flipBit(position: number): void {
    this.#current.flipBit(position);
    this.#durable.flipBit(position);
  }

  #change(change: Change): void {
    this.#current.apply(change);
    this.#pending.push(change);
  }
}
