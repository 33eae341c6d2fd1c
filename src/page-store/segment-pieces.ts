/**
 * Reads many pieces of segments with few calls: those that lie close together are read in one span.
 *
 *     pieces   ▐█▌▐█▌ · ▐█▌ · · · · · · · ▐█▌
 *     spans    └────────────┘             └─┘
 *
 * What fails is left unread, and with it what else its span holds: whoever wanted a piece reads it alone then,
 * so that one bad sector is told of by itself.
 */
import {BorealisError} from '../base/errors.ts';
import type {SegmentFile, SegmentPart, SegmentPiece} from './zone.ts';

/** Bytes between two pieces that cost less to read as well than another call does. */
const GAP_BYTES_MAX = 32 * 2 ** 10;
const SPAN_BYTES_MAX = 2 ** 20;
/** With the gaps between them, fewer than the 1,024 buffers that one call takes. */
const SPAN_PIECES_MAX = 500;

export type Span<P extends SegmentPiece = SegmentPiece> = {
  readonly start: number;
  end: number;
  readonly pieces: P[];
};

/** The spans that `pieces`, in whatever order, are to be read in. */
export function spansOf<P extends SegmentPiece>(pieces: readonly P[]): Span<P>[] {
  const spans: Span<P>[] = [];
  let last: Span<P> | undefined;
  for (const piece of [...pieces].sort((a, b) => a.position - b.position)) {
    const start = piece.position;
    const end = start + piece.into.length;
    const joins =
      last !== undefined &&
      start >= last.end &&
      start - last.end <= GAP_BYTES_MAX &&
      end - last.start <= SPAN_BYTES_MAX &&
      last.pieces.length < SPAN_PIECES_MAX;
    if (last === undefined || !joins) {
      last = {start, end, pieces: [piece]};
      spans.push(last);
    } else {
      last.end = end;
      last.pieces.push(piece);
    }
  }
  return spans;
}

/** Fills the buffers one after the other from `position`; returns the bytes read, fewer at the end. */
export type ReadVector = (position: number, buffers: readonly Uint8Array[]) => number;

/** Reads pieces of one file: one call for each span. */
export function readPieces(readVector: ReadVector, pieces: readonly SegmentPiece[]): void {
  for (const span of spansOf(pieces)) readSpan(readVector, span);
}

/** What lies between two pieces goes here; nobody looks at it. */
const gapBytes: Buffer = Buffer.allocUnsafeSlow(GAP_BYTES_MAX);

function readSpan(readVector: ReadVector, {start, pieces}: Span): void {
  const buffers: Uint8Array[] = [];
  let at = start;
  for (const {position, into} of pieces) {
    if (position > at) buffers.push(gapBytes.subarray(0, position - at));
    buffers.push(into);
    at = position + into.length;
  }
  let known = 0;
  try {
    known = readVector(start, buffers);
  } catch (error) {
    if (!(error instanceof BorealisError)) throw error;
  }
  for (const piece of pieces) {
    piece.got = Math.max(0, Math.min(start + known - piece.position, piece.into.length));
  }
}

/** Reads parts of files that have one copy each: file by file. */
export function readByFile(parts: readonly SegmentPart[]): void {
  const files = new Map<SegmentFile, SegmentPart[]>();
  for (const part of parts) {
    const own = files.get(part.file);
    if (own === undefined) files.set(part.file, [part]);
    else own.push(part);
  }
  for (const [file, own] of files) file.readPieces(own);
}
