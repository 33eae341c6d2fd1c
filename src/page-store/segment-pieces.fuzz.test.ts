import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {DirectorySegment} from './directory-files.ts';
import {spansOf} from './segment-pieces.ts';
import type {SegmentPiece} from './zone.ts';

const FILE_BYTES = 3 * 2 ** 20;
const content = Buffer.from(Uint8Array.from({length: FILE_BYTES}, (_, at) => (at * 7919) >>> 8));
let directory: string;
let segment: DirectorySegment;

beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'borealis-pieces-'));
  const file = path.join(directory, 'segment');
  fs.writeFileSync(file, content);
  segment = new DirectorySegment('a', file, fs.openSync(file, 'r'));
});

afterAll(() => {
  segment.close();
  fs.rmSync(directory, {recursive: true});
});

/** Beyond the end as well, and here and there over each other. */
const piece = fc.record({
  position: fc.integer({min: 0, max: FILE_BYTES / 512 + 8}).map(sector => sector * 512),
  length: fc.constantFrom(512, 4096, 8192, 65_536),
});

test('pieces in any order hold what the file does at their places', () => {
  const property = fc.property(fc.array(piece, {maxLength: 150}), wanted => {
    const pieces = wanted.map(({position, length}): SegmentPiece => {
      return {position, into: Buffer.alloc(length, 0xee), got: -1};
    });
    segment.readPieces(pieces);
    for (const {position, into, got} of pieces) {
      const there = content.subarray(position, position + into.length);
      expect(got).toBe(there.length);
      expect(there.equals(into.subarray(0, got))).toBe(true);
    }
  });
  fc.assert(property, {numRuns: 100});
});

test('a span is at most a mebibyte, holds no long gap, and every piece is in one', () => {
  const property = fc.property(fc.array(piece, {maxLength: 150}), wanted => {
    const pieces = wanted.map(({position, length}): SegmentPiece => {
      return {position, into: Buffer.alloc(length), got: 0};
    });
    const spans = spansOf(pieces);
    expect(spans.reduce((sum, span) => sum + span.pieces.length, 0)).toBe(pieces.length);
    for (const {start, end, pieces: own} of spans) {
      expect(end - start).toBeLessThanOrEqual(2 ** 20);
      let at = start;
      for (const {position, into} of own) {
        expect(position).toBeGreaterThanOrEqual(at);
        expect(position - at).toBeLessThanOrEqual(32 * 2 ** 10);
        at = position + into.length;
      }
      expect(at).toBe(end);
    }
  });
  fc.assert(property, {numRuns: 200});
});

test('pieces of a file that cannot be read are left unread', () => {
  const closed = new DirectorySegment('a', 'gone', fs.openSync(directory, 'r'));
  const pieces = [0, 512, 2 ** 20].map((position): SegmentPiece => {
    return {position, into: Buffer.alloc(512), got: 7};
  });
  closed.readPieces(pieces);
  expect(pieces.map(({got}) => got)).toEqual([0, 0, 0]);
  closed.close();
});
