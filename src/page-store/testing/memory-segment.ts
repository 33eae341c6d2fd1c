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
const CHUNK_BYTES = 8192;

type Change = {readonly position: number; readonly bytes: Buffer} | {readonly truncateTo: number};

/**
 * Bytes that grow; what was never written is zero. They lie in chunks that images share: one is copied before
 * a part of it is changed, unless it is this image's own.
 */
class Image {
  #chunks: (Buffer | undefined)[] = [];
  /** Chunks that no other image has. */
  #own = new Set<number>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A copy of what is there of a range. */
  bytes(from: number, to: number): Buffer {
    const end = Math.min(to, this.#length);
    const bytes = Buffer.alloc(Math.max(0, end - from));
    for (const {index, start, offset, length} of piecesOf(from, bytes.length)) {
      this.#chunks[index]?.copy(bytes, offset, start, start + length);
    }
    return bytes;
  }

  apply(change: Change): void {
    if ('truncateTo' in change) {
      this.#truncate(change.truncateTo);
      return;
    }
    const {position, bytes} = change;
    for (const {index, start, offset, length} of piecesOf(position, bytes.length)) {
      if (length === CHUNK_BYTES) this.#take(index, bytes.subarray(offset, offset + length));
      else bytes.copy(this.#ownChunk(index), start, offset, offset + length);
    }
    this.#length = Math.max(this.#length, position + bytes.length);
  }

  become(other: Image): void {
    this.#chunks = [...other.#chunks];
    this.#length = other.#length;
    this.#own = new Set();
    other.#own = new Set();
  }

  /** As `become`, of the chunks that a change concerns. */
  follow(other: Image, change: Change): void {
    if ('truncateTo' in change) {
      this.become(other);
      return;
    }
    for (const {index} of piecesOf(change.position, change.bytes.length)) {
      const chunk = other.#chunks[index];
      if (chunk === undefined) continue;
      this.#take(index, chunk);
      other.#own.delete(index);
    }
    this.#length = other.#length;
  }

  flipBit(position: number): void {
    if (position >= this.#length) return;
    const chunk = this.#ownChunk(Math.floor(position / CHUNK_BYTES));
    const at = position % CHUNK_BYTES;
    chunk.writeUInt8(chunk.readUInt8(at) ^ 1, at);
  }

  #truncate(sizeBytes: number): void {
    if (sizeBytes >= this.#length) return;
    const last = Math.floor(sizeBytes / CHUNK_BYTES);
    this.#chunks.length = Math.min(this.#chunks.length, last + 1);
    if (this.#chunks[last] !== undefined) this.#ownChunk(last).fill(0, sizeBytes % CHUNK_BYTES);
    this.#length = sizeBytes;
  }

  #take(index: number, chunk: Buffer): void {
    this.#chunks[index] = chunk;
    this.#own.delete(index);
  }

  #ownChunk(index: number): Buffer {
    const chunk = this.#chunks[index];
    if (chunk !== undefined && this.#own.has(index)) return chunk;
    const copy = chunk === undefined ? Buffer.alloc(CHUNK_BYTES) : Buffer.from(chunk);
    this.#chunks[index] = copy;
    this.#own.add(index);
    return copy;
  }
}

type ChunkPiece = {
  readonly index: number;
  /** In the chunk, and in the range. */
  readonly start: number;
  readonly offset: number;
  readonly length: number;
};

function piecesOf(position: number, length: number): ChunkPiece[] {
  const pieces: ChunkPiece[] = [];
  for (let offset = 0; offset < length;) {
    const index = Math.floor((position + offset) / CHUNK_BYTES);
    const start = (position + offset) % CHUNK_BYTES;
    const piece = Math.min(CHUNK_BYTES - start, length - offset);
    pieces.push({index, start, offset, length: piece});
    offset += piece;
  }
  return pieces;
}

export class MemorySegmentData {
  readonly #durable = new Image();
  readonly #current = new Image();
  #pending: Change[] = [];
  /** Something that was written was forgotten, and is still seen: what is seen is not what a sync makes durable. */
  #isForgetful = false;
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
    for (const change of this.#pending) {
      if (this.#isForgetful) this.#durable.apply(change);
      else this.#durable.follow(this.#current, change);
    }
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
    this.#isForgetful = !evicted;
    if (evicted) this.#current.become(this.#durable);
  }

  crash(random: Random): void {
    this.#current.become(this.#durable);
    this.#isForgetful = false;
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
