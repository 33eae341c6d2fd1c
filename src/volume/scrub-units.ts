/**
 * Reads parts of one segment in every copy, and says which copies do not hold them as they should.
 *
 *     units ──▶ runs that lie side by side ──▶ one read of each copy ──▶ checksum of each unit
 *
 * A copy that cannot be asked (a zone that hangs or is away) is passed over for the rest of the
 * segment: that says nothing of what it holds.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';
import type {SegmentFile} from '../page-store/zone.ts';

/** Bytes of a segment with a checksum of their own: a page, a node, a header. */
export type Unit = {readonly position: number; readonly length: number; readonly crc: number};

/** What was read of one copy. */
export type CopyTally = {units: number; bytes: number; unread: number};

/** A unit that some copy does not hold. */
export type Suspect = {readonly unit: Unit; readonly bad: readonly number[]};

/** `lacking`: the copy of the segment is not there, or cannot be read as a whole. */
export type UnitState = 'good' | 'bad' | 'lacking' | 'unread';

/** The longest read, in bytes. */
export const RUN_BYTES_MAX: number = 2 ** 20;

/** Yields the bytes that it read. `units` are in ascending order and do not overlap. */
export function* verifyUnits(
  file: SegmentFile,
  units: readonly Unit[],
  tallies: readonly CopyTally[],
): Generator<number, Suspect[]> {
  const suspects = new Map<Unit, number[]>();
  const away = new Set<number>();
  for (const run of runsOf(units)) {
    let bytes = 0;
    for (const [copy, tally] of tallies.entries()) {
      const states = away.has(copy) ? run.map((): UnitState => 'unread') : look(file, copy, run);
      for (const [index, state] of states.entries()) {
        const unit = run[index] as Unit;
        if (state === 'unread') {
          away.add(copy);
          tally.unread++;
          continue;
        }
        tally.units++;
        tally.bytes += unit.length;
        bytes += unit.length;
        if (state === 'good') continue;
        const bad = suspects.get(unit);
        if (bad === undefined) suspects.set(unit, [copy]);
        else bad.push(copy);
      }
    }
    yield bytes;
  }
  return Array.from(suspects, ([unit, bad]) => ({unit, bad}));
}

/** How one copy holds one unit; `into` gets its bytes. */
export function lookAt(file: SegmentFile, copy: number, unit: Unit, into: Buffer): UnitState {
  try {
    const got = file.readCopy(copy, unit.position, into, 0, unit.length);
    const bytes = into.subarray(0, unit.length);
    return got === unit.length && crc32(bytes) === unit.crc ? 'good' : 'bad';
  } catch (error) {
    return stateOf(error);
  }
}

/** Units that follow each other without a gap, up to RUN_BYTES_MAX: a compact segment holds them side by side too. */
export function* runsOf(units: readonly Unit[]): Generator<readonly Unit[]> {
  let run: Unit[] = [];
  let bytes = 0;
  for (const unit of units) {
    const last = run.at(-1);
    const follows = last !== undefined && last.position + last.length === unit.position;
    if (run.length > 0 && (!follows || bytes + unit.length > RUN_BYTES_MAX)) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(unit);
    bytes += unit.length;
  }
  if (run.length > 0) yield run;
}

const runBytes: Buffer = Buffer.allocUnsafe(RUN_BYTES_MAX);

function look(file: SegmentFile, copy: number, run: readonly Unit[]): readonly UnitState[] {
  const [first, second] = run;
  if (first === undefined) return [];
  if (second === undefined) return [lookAt(file, copy, first, runBytes)];
  const length = run.reduce((sum, unit) => sum + unit.length, 0);
  let got: number;
  try {
    got = file.readCopy(copy, first.position, runBytes, 0, length);
  } catch (error) {
    // One sector that the disk cannot read must not be held against the units beside it.
    const isIo = error instanceof BorealisError && error.code === 'zone-io';
    if (isIo) return run.map(unit => lookAt(file, copy, unit, runBytes));
    const state = stateOf(error);
    return run.map(() => state);
  }
  let at = 0;
  return run.map(unit => {
    const bytes = runBytes.subarray(at, at + unit.length);
    at += unit.length;
    return at <= got && crc32(bytes) === unit.crc ? 'good' : 'bad';
  });
}

/** What an error of reading a copy says of what it holds. */
function stateOf(error: unknown): UnitState {
  if (!(error instanceof BorealisError)) throw error;
  if (error.kind === 'not-found' || error.kind === 'corrupt') return 'lacking';
  if (error.kind !== 'unavailable') throw error;
  return error.code === 'zone-io' ? 'bad' : 'unread';
}
