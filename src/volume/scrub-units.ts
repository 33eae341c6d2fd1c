/**
 * Reads parts of one segment in every copy, and says which copies do not hold them as they should.
 *
 *     units ──▶ runs that lie side by side ──▶ some runs at once, of all copies ──▶ checksum of each unit
 *
 * A copy that cannot be asked (a zone that hangs or is away) is passed over for the rest of the
 * segment: that says nothing of what it holds.
 */
import {crc32} from 'node:zlib';
import {BorealisError} from '../base/errors.ts';
import type {SegmentFile, SegmentPart, Zone} from '../page-store/zone.ts';

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
  zone: Zone,
  file: SegmentFile,
  units: readonly Unit[],
  tallies: readonly CopyTally[],
): Generator<number, Suspect[]> {
  const suspects = new Map<Unit, number[]>();
  const away = new Set<number>();
  const room = tallies.map(() => Buffer.allocUnsafeSlow(RUN_BYTES_MAX));
  for (const group of groupsOf(units)) {
    const asked = [...tallies.keys()].filter(copy => !away.has(copy));
    const reads = new Map(
      asked.map(copy => [copy, partsOf(file, copy, group, room[copy] as Buffer)]),
    );
    zone.readParts([...reads.values()].flat());
    let bytes = 0;
    for (const [copy, tally] of tallies.entries()) {
      for (const [index, run] of group.entries()) {
        const part = reads.get(copy)?.[index];
        const states =
          part === undefined || away.has(copy)
            ? run.map((): UnitState => 'unread')
            : statesOf(file, copy, run, part);
        for (const [at, state] of states.entries()) {
          const unit = run[at] as Unit;
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

/** Runs that are read at once: RUN_BYTES_MAX of each copy. */
function* groupsOf(units: readonly Unit[]): Generator<readonly (readonly Unit[])[]> {
  let group: (readonly Unit[])[] = [];
  let bytes = 0;
  for (const run of runsOf(units)) {
    const length = lengthOf(run);
    if (group.length > 0 && bytes + length > RUN_BYTES_MAX) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(run);
    bytes += length;
  }
  if (group.length > 0) yield group;
}

function partsOf(
  file: SegmentFile,
  copy: number,
  group: readonly (readonly Unit[])[],
  room: Buffer,
): SegmentPart[] {
  let at = 0;
  return group.map(run => {
    const into = room.subarray(at, (at += lengthOf(run)));
    return {file, copy, position: (run[0] as Unit).position, into, got: 0};
  });
}

/** How one copy holds the units of a run that was read, or is read now, unit by unit. */
function statesOf(
  file: SegmentFile,
  copy: number,
  run: readonly Unit[],
  {into, got}: SegmentPart,
): readonly UnitState[] {
  // One sector that the disk cannot read must not be held against the units beside it.
  if (got < into.length) return lookAtEach(file, copy, run);
  let at = 0;
  return run.map(unit =>
    crc32(into.subarray(at, (at += unit.length))) === unit.crc ? 'good' : 'bad',
  );
}

const unitBytes: Buffer = Buffer.allocUnsafe(RUN_BYTES_MAX);

/** What lacks the segment, or does not answer, is asked only once. */
function lookAtEach(file: SegmentFile, copy: number, run: readonly Unit[]): readonly UnitState[] {
  let settled: UnitState | null = null;
  return run.map(unit => {
    const state = settled ?? lookAt(file, copy, unit, unitBytes);
    if (state === 'lacking' || state === 'unread') settled = state;
    return state;
  });
}

function lengthOf(run: readonly Unit[]): number {
  return run.reduce((sum, unit) => sum + unit.length, 0);
}

/** What an error of reading a copy says of what it holds. */
function stateOf(error: unknown): UnitState {
  if (!(error instanceof BorealisError)) throw error;
  if (error.kind === 'not-found' || error.kind === 'corrupt') return 'lacking';
  if (error.kind !== 'unavailable') throw error;
  return error.code === 'zone-io' ? 'bad' : 'unread';
}
