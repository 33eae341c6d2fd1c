/**
 * How a mirror has one of its zones read several parts of segments with one operation.
 *
 *     asked     volume, segment, position, length │ of the next part │ …
 *     answered  bytes read of each, or LACKING, and room for all parts, one after the other
 */
import {BorealisError} from '../base/errors.ts';
import {copyShared} from '../base/shared-bytes.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import type {SegmentPlace} from './mirrored-segment.ts';
import type {SegmentCache} from './segment-cache.ts';
import type {SegmentPart, SegmentPiece} from './zone.ts';

const PART_NUMBERS = 4;
/** Its segment is not there, or cannot be read as a whole. */
const LACKING = -1;

export type PlacedPart = {readonly place: SegmentPlace; readonly part: SegmentPart};

export function partNumbers(parts: readonly PlacedPart[]): number[] {
  const numbers: number[] = [];
  for (const {place, part} of parts) {
    numbers.push(place.volume, place.segment, part.position, part.into.length);
  }
  return numbers;
}

export function bytesOfParts(numbers: readonly number[]): number {
  let total = 0;
  for (let at = PART_NUMBERS - 1; at < numbers.length; at += PART_NUMBERS) {
    total += numbers[at] as number;
  }
  return total;
}

/** Hands out what a zone answered; returns the parts of segments that it lacks. */
export function takeParts(
  parts: readonly PlacedPart[],
  {value, bytes}: {readonly value: unknown; readonly bytes: Buffer | null},
): PlacedPart[] {
  const counts = value as readonly number[];
  let at = 0;
  for (const [index, {part}] of parts.entries()) {
    const got = Math.max(0, counts[index] ?? 0);
    if (got > 0 && bytes !== null) copyShared(bytes.subarray(at, at + got), part.into);
    part.got = got;
    at += part.into.length;
  }
  return parts.filter((_, index) => counts[index] === LACKING);
}

/** In the zone's thread. A segment that cannot be opened is left unread: to read it alone tells why. */
export function performPartReads(
  segments: SegmentCache,
  numbers: readonly number[],
  room: (length: number) => Buffer,
): {value: readonly number[]; bytes: Buffer} {
  const bytes = room(bytesOfParts(numbers));
  const pieces: SegmentPiece[] = [];
  const bySegment = new Map<string, SegmentPiece[]>();
  let from = 0;
  for (let at = 0; at < numbers.length; at += PART_NUMBERS) {
    const [volume, segment, position, length] = numbers.slice(at, at + PART_NUMBERS);
    const into = bytes.subarray(from, (from += length as number));
    const piece = {position: position as number, into, got: 0};
    pieces.push(piece);
    const key = `${volume}:${segment}`;
    const own = bySegment.get(key);
    if (own === undefined) bySegment.set(key, [piece]);
    else own.push(piece);
  }
  for (const [key, own] of bySegment) {
    const [volume, segment] = key.split(':').map(Number);
    try {
      segments.get(volume as VolumeNumber, segment as SegmentNumber).readPieces(own);
    } catch (error) {
      if (!(error instanceof BorealisError)) throw error;
      const isLacking = error.kind === 'not-found' || error.kind === 'corrupt';
      for (const piece of own) piece.got = isLacking ? LACKING : 0;
    }
  }
  return {value: pieces.map(({got}) => got), bytes};
}
