/** Copies between two zones' copies of one segment, neither of which is known to be the better one. */
import type {SegmentFile, SegmentSource} from './zone.ts';

/** How much of a segment is copied at a time. */
const COPY_CHUNK_BYTES = 2 ** 20;
const SECTOR_BYTES = 512;
const NO_SECTOR: Buffer = Buffer.alloc(SECTOR_BYTES);

/**
 * Fills in what `output` lacks. Syncs in any case: what was there may lie in the host's cache only.
 * Returns the bytes that were looked at.
 */
export function fillRange(
  input: SegmentSource,
  output: SegmentFile,
  {from, to, rewrite}: {from: number; to: number; rewrite: boolean},
): number {
  const bytes = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
  const held = Buffer.alloc(COPY_CHUNK_BYTES);
  // Two writers may have begun a segment of one number in different zones: then it is taken as it is.
  const isOther = !haveOneHeader(input, output);
  let at = from;
  while (at < to) {
    const wanted = Math.min(COPY_CHUNK_BYTES, to - at);
    const got = input.read(at, bytes, 0, wanted);
    const own = output.read(at, held, 0, got);
    if (!isOther) keepHeld(bytes, held, own);
    const same = own === got && bytes.compare(held, 0, got, 0, got) === 0;
    if (rewrite || !same) output.write([bytes.subarray(0, got)], at);
    at += got;
    if (got < wanted) break;
  }
  output.sync();
  return at - from;
}

/** False when both begin with something, and it is not the same. */
function haveOneHeader(input: SegmentSource, output: SegmentFile): boolean {
  const [there, own] = [input, output].map(file => {
    const header = Buffer.alloc(SECTOR_BYTES);
    file.read(0, header, 0, SECTOR_BYTES);
    return header;
  }) as [Buffer, Buffer];
  return own.equals(there) || own.equals(NO_SECTOR) || there.equals(NO_SECTOR);
}

/** Puts the sectors of `held` that are not all zeros over those of `bytes`. */
function keepHeld(bytes: Buffer, held: Buffer, length: number): void {
  for (let at = 0; at < length; at += SECTOR_BYTES) {
    const end = Math.min(length, at + SECTOR_BYTES);
    const isEmpty = held.compare(NO_SECTOR, 0, end - at, at, end) === 0;
    if (!isEmpty) held.copy(bytes, at, at, end);
  }
}
