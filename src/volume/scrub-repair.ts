/**
 * What becomes of units that some copy of a segment does not hold:
 *
 *     suspects ─▶ still reached? ─no─▶ given back or rewritten meanwhile: nothing is wrong
 *                     │ yes
 *                     ├─▶ no copy is good ─▶ damaged
 *                     └─▶ put over the bad copies, and read again ─▶ repaired
 *
 * A unit that nothing reaches any more will never be reached again, and one that is reached now was
 * all the time: so a sweep that deletes or compacts beside a scrub is never taken for damage.
 */
import type {VolumeNumber} from '../page-store/ids.ts';
import type {SegmentFile} from '../page-store/zone.ts';
import type {ScrubPlace, ScrubTally} from './scrub-report.ts';
import {lookAt, RUN_BYTES_MAX, runsOf, type Suspect, type Unit} from './scrub-units.ts';

/** What a suspect is, as of now. */
export type Confirmed = {
  readonly crc: number;
  readonly what: string;
  readonly readBy: readonly VolumeNumber[];
};

export type SettleParts = {
  readonly file: SegmentFile;
  readonly place: Omit<ScrubPlace, 'offset'>;
  readonly tally: ScrubTally;
  /** The part of the log that is written now: a zone may be behind the others. */
  readonly isRecent: boolean;
  /** Those of the suspects that are still reached, by position. */
  readonly confirm: (suspects: readonly Suspect[]) => ReadonlyMap<number, Confirmed>;
};

/** How long a zone may take to have what the others have, and to do a repair. */
const LAG_LOOKS = 5;
const LAG_MS = 1_000;
const REPAIR_LOOKS = 200;
const REPAIR_MS = 50;

/** Yields how many milliseconds to wait. */
export function* settle(parts: SettleParts, suspects: readonly Suspect[]): Generator<number, void> {
  let left = suspects;
  const looks = parts.isRecent && parts.file.copies.length > 1 ? LAG_LOOKS : 0;
  for (let look = 0; look < looks && left.length > 0; look++) {
    yield LAG_MS;
    left = lookAgain(parts.file, left);
  }
  if (left.length === 0) return;
  const confirmed = parts.confirm(left);
  const real = new Map<Unit, readonly number[]>();
  for (const {unit, bad} of left) {
    if (confirmed.get(unit.position)?.crc === unit.crc) real.set(unit, bad);
  }
  for (const run of runsOf([...real.keys()])) {
    for (const group of alike(run, real)) yield* settleGroup(parts, group, confirmed);
  }
}

type Group = {readonly units: readonly Unit[]; readonly bad: readonly number[]};

const groupBytes: Buffer = Buffer.allocUnsafe(RUN_BYTES_MAX);
const unitBytes: Buffer = Buffer.allocUnsafe(RUN_BYTES_MAX);

function* settleGroup(
  {file, place, tally, isRecent}: SettleParts,
  {units, bad}: Group,
  confirmed: ReadonlyMap<number, Confirmed>,
): Generator<number, void> {
  const found = (
    unit: Unit,
    more: number,
  ): {what: string} & ScrubPlace & Pick<Confirmed, 'readBy'> => {
    const {what, readBy} = confirmed.get(unit.position) as Confirmed;
    const beside = more === 0 ? '' : ` and ${more} more beside it`;
    return {...place, offset: unit.position, what: what + beside, readBy};
  };
  const rescued: Unit[] = [];
  let length = 0;
  for (const unit of units) {
    const {good, unread} = findGood(file, unit);
    if (!good) {
      const {what, ...finding} = found(unit, 0);
      const asked = unread.map(copy => ` (zone ${file.copies[copy]} did not answer)`);
      tally.damaged({...finding, what: what + asked.join('')}, bad);
      continue;
    }
    unitBytes.copy(groupBytes, length, 0, unit.length);
    rescued.push(unit);
    length += unit.length;
  }
  // What is lost may lie between what is not: each part goes to its own place.
  let at = 0;
  for (const run of runsOf(rescued)) {
    const [first] = run as readonly [Unit, ...Unit[]];
    const bytes = run.reduce((sum, unit) => sum + unit.length, 0);
    const good = groupBytes.subarray(at, at + bytes);
    at += bytes;
    for (const copy of bad) {
      const finding = found(first, run.length - 1);
      if (isGood(file, copy, run)) {
        // By a repair of more than was asked for, such as of a whole segment.
        if (tally.wasRepaired(copy, place)) tally.repaired(finding, copy, run.length);
        continue;
      }
      // A segment that is being written is not copied whole: its writer, or the next opening, does that.
      const isLeft = isRecent && lookAt(file, copy, first, unitBytes) === 'lacking';
      if (!isLeft) file.repairCopy(copy, first.position, good, finding.what);
      let isRepaired = false;
      const looks = isLeft ? 0 : REPAIR_LOOKS;
      for (let look = 0; look < looks && !isRepaired; look++) {
        isRepaired = isGood(file, copy, run);
        if (!isRepaired) yield REPAIR_MS;
      }
      if (isRepaired) tally.repaired(finding, copy, run.length);
      else tally.damaged({...finding, what: `${finding.what} (good in another zone)`}, [copy]);
    }
  }
}

/** Whether some copy is good, whose bytes `unitBytes` then holds, and which could not be asked. */
function findGood(file: SegmentFile, unit: Unit): {good: boolean; unread: readonly number[]} {
  const unread: number[] = [];
  for (const copy of file.copies.keys()) {
    const state = lookAt(file, copy, unit, unitBytes);
    if (state === 'good') return {good: true, unread};
    if (state === 'unread') unread.push(copy);
  }
  return {good: false, unread};
}

function isGood(file: SegmentFile, copy: number, units: readonly Unit[]): boolean {
  return units.every(unit => lookAt(file, copy, unit, unitBytes) === 'good');
}

function lookAgain(file: SegmentFile, suspects: readonly Suspect[]): Suspect[] {
  return suspects.flatMap(({unit, bad}) => {
    const still = bad.filter(copy => lookAt(file, copy, unit, unitBytes) !== 'good');
    return still.length === 0 ? [] : [{unit, bad: still}];
  });
}

/** Parts of a run that are bad in the same copies. */
function* alike(
  run: readonly Unit[],
  real: ReadonlyMap<Unit, readonly number[]>,
): Generator<Group> {
  let units: Unit[] = [];
  let bad: readonly number[] = [];
  for (const unit of run) {
    const own = real.get(unit) ?? [];
    if (units.length > 0 && own.join() !== bad.join()) {
      yield {units, bad};
      units = [];
    }
    units.push(unit);
    bad = own;
  }
  if (units.length > 0) yield {units, bad};
}
