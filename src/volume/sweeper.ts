/**
 * Gives back the space of what nothing reaches any more: deletes segments that are dead, and rewrites
 * those that are dead in part so that only their live pages are left, at the positions that they had.
 *
 *     list segments ─▶ read roots ─▶ count ─▶ delete the dead ─▶ locate what lives ─▶ compact the worst
 *
 * It runs beside open writers, forks and deletions, and excludes nobody. Why that is safe:
 *
 *  1. A *candidate* is a segment before the checkpoint of its volume, or one of a volume without a
 *     record. No writer appends to it, no recovery follows it: recovery begins at the checkpoint.
 *  2. What a volume reaches, now or later, was reached by a root that was read, or was appended behind
 *     a checkpoint that was read, so lies in no candidate. That is what `readPossibleRoots`
 *     gives: every root that a volume may be opened with, so a volume may have several records here.
 *  3. So what the roots did not reach in a candidate stays unreachable for ever, however long the turn
 *     takes and whatever is forked, written and removed meanwhile.
 *  4. Segments are listed before the roots are read: a volume has its record before its first segment,
 *     so one that is listed and then has no record belongs to a volume that was removed.
 *  5. A compacted segment takes the place of the old one in one step, and whoever has the old file
 *     open goes on reading it. A turn that is cut off anywhere leaves a store that is right and a
 *     temporary file at most, which the next turn removes.
 *
 * A turn reads and writes at most the policy's `turnBytesMax` for compaction, so space comes back over several.
 */
import {assert} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import type {SegmentRange, Zone} from '../page-store/zone.ts';
import type {Census, LiveSectors} from './census.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES} from './pointer.ts';
import {readPossibleRoots} from './root-snapshot.ts';
import type {UnitCount} from './subtree.ts';
import type {VolumeRecord} from './volume-record.ts';

export type SweepPolicy = {
  /** Bytes on disk for each reachable byte above which segments are compacted. */
  readonly amplificationTarget: number;
  /** A segment with a smaller share that is dead costs more to rewrite than it gives back. */
  readonly deadShareMin: number;
  /** Below that a rewrite is not worth its syncs. */
  readonly deadBytesMin: number;
  /** Bytes that compaction reads and writes in one turn; a turn compacts at least one segment. */
  readonly turnBytesMax: number;
};

/**
 * 1.5 is what is promised, and between two turns the store grows. With a fifth dead at most, what is
 * compacted takes 1.25 times its live bytes: so the target can be reached.
 */
export const SWEEP_POLICY: SweepPolicy = {
  amplificationTarget: 1.25,
  deadShareMin: 0.2,
  deadBytesMin: 64 * 2 ** 10,
  turnBytesMax: 256 * 2 ** 20,
};
/** Free bytes that a compaction leaves on the disk while the old file and the new one are there. */
const FREE_BYTES_MIN: number = 64 * 2 ** 20;
/** Bounds the memory of a turn: a segment has at most some 8,000 pages to be located. */
const COMPACTED_PER_TURN_MAX = 256;

export type SweepReport = {
  readonly segmentsDeleted: number;
  readonly segmentsCompacted: number;
  readonly bytesFreed: number;
  /** As the turn left the store. */
  readonly bytesOnDisk: number;
  readonly bytesReachable: number;
  /** There is more to compact than one turn may. */
  readonly more: boolean;
};

type Candidate = {
  readonly volume: VolumeNumber;
  readonly segment: SegmentNumber;
  readonly bytesOnDisk: number;
};
type Victim = Candidate & {readonly liveBytes: number; readonly deadBytes: number};

/** Runs a whole turn at once. */
export function sweep(zone: Zone, census: Census, policy: SweepPolicy = SWEEP_POLICY): SweepReport {
  const steps = sweepSteps(zone, census, policy);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** A turn in steps: each yields the bytes that it read and wrote, so that the caller may wait in between. */
export function* sweepSteps(
  zone: Zone,
  census: Census,
  policy: SweepPolicy = SWEEP_POLICY,
): Generator<number, SweepReport> {
  const volumes = zone.listVolumes();
  const listed = volumes.flatMap(volume =>
    zone.listSegments(volume).map(listing => ({volume, ...listing})),
  );
  const records = readPossibleRoots(zone);
  for (const volume of volumes) zone.discardUnfinished(volume);
  const nodesBefore = census.nodesLoaded;
  const {live} = census.count(records);
  yield (census.nodesLoaded - nodesBefore) * PAGE_SIZE_BYTES;
  if (census.nodesLost > 0) throw unknownReach(census.nodesLost);

  const candidates = candidatesOf(listed, records);
  const dead = candidates.filter(({volume, segment}) => live.get(volume, segment) === 0);
  for (const {volume, segment} of dead) {
    zone.deleteSegment(volume, segment);
  }
  const existing = new Set(records.map(record => record.volume));
  for (const volume of volumes) if (!existing.has(volume)) zone.deleteEmptyVolume(volume);

  const bytesReachable = live.total * PAGE_SIZE_BYTES;
  const deadBytes = sum(dead.map(({bytesOnDisk}) => bytesOnDisk));
  const bytesLeft = sum(listed.map(({bytesOnDisk}) => bytesOnDisk)) - deadBytes;
  const chosen = choose(candidates, live, bytesLeft, bytesReachable, policy);
  let compactedBytes = 0;
  let segmentsCompacted = 0;
  if (chosen.victims.length > 0) {
    const located = locate(census, records, chosen.victims);
    if (census.nodesLost > 0) throw unknownReach(census.nodesLost);
    for (const victim of chosen.victims) {
      const {volume, segment, bytesOnDisk, liveBytes} = victim;
      // The worst take the least room and give back the most: so on a full disk it begins with them.
      if (zone.freeBytes() < liveBytes + FREE_BYTES_MIN) break;
      const sectors = located.get(volume)?.get(segment) ?? [];
      assert(sectors.length * PAGE_SIZE_BYTES === liveBytes, 'what was counted was located');
      compactedBytes += bytesOnDisk - zone.compactSegment(volume, segment, rangesOf(sectors));
      segmentsCompacted++;
      yield 2 * liveBytes;
    }
  }
  return {
    segmentsDeleted: dead.length,
    segmentsCompacted,
    bytesFreed: deadBytes + compactedBytes,
    bytesOnDisk: bytesLeft - compactedBytes,
    bytesReachable,
    more: chosen.more && segmentsCompacted === chosen.victims.length,
  };
}

function unknownReach(nodes: number): BorealisError {
  return new BorealisError(
    'corrupt',
    'nodes-lost',
    `no space is given back: ${nodes} page-table nodes cannot be read in any zone, and what they led to must be kept; \`borealis scrub\` names them`,
  );
}

/** Segments that neither a writer nor a recovery will look at but to read pages of old. */
function candidatesOf(
  listed: readonly Candidate[],
  records: readonly VolumeRecord[],
): readonly Candidate[] {
  const followed = new Map<VolumeNumber, SegmentNumber>();
  for (const {volume, checkpoint} of records) {
    const other = followed.get(volume) ?? checkpoint.segment;
    followed.set(volume, other < checkpoint.segment ? other : checkpoint.segment);
  }
  return listed.filter(({volume, segment}) => segment < (followed.get(volume) ?? Infinity));
}

/** The segments with the largest dead share first, until the store is small enough. */
function choose(
  candidates: readonly Candidate[],
  live: UnitCount,
  bytesLeft: number,
  bytesReachable: number,
  policy: SweepPolicy,
): {victims: readonly Victim[]; more: boolean} {
  const worst = candidates
    .map(candidate => {
      const liveBytes = live.get(candidate.volume, candidate.segment) * PAGE_SIZE_BYTES;
      return {...candidate, liveBytes, deadBytes: candidate.bytesOnDisk - liveBytes};
    })
    .filter(({liveBytes}) => liveBytes > 0)
    .filter(({deadBytes}) => deadBytes >= policy.deadBytesMin)
    .filter(({deadBytes, bytesOnDisk}) => deadBytes >= bytesOnDisk * policy.deadShareMin)
    .sort((a, b) => b.deadBytes / b.bytesOnDisk - a.deadBytes / a.bytesOnDisk);
  const victims: Victim[] = [];
  const bytesMax = bytesReachable * policy.amplificationTarget;
  let bytes = bytesLeft;
  let turnBytes = 0;
  for (const victim of worst) {
    if (bytes <= bytesMax) break;
    turnBytes += 2 * victim.liveBytes;
    const isFull = victims.length === COMPACTED_PER_TURN_MAX || turnBytes > policy.turnBytesMax;
    if (victims.length > 0 && isFull) return {victims, more: true};
    victims.push(victim);
    bytes -= victim.deadBytes;
  }
  return {victims, more: false};
}

function locate(
  census: Census,
  records: readonly VolumeRecord[],
  victims: readonly Victim[],
): LiveSectors {
  const wanted: LiveSectors = new Map();
  for (const {volume, segment} of victims) {
    const segments = wanted.get(volume) ?? new Map<number, number[]>();
    segments.set(segment, []);
    wanted.set(volume, segments);
  }
  census.locate(records, wanted);
  return wanted;
}

const UNIT_SECTORS: number = PAGE_SIZE_BYTES / SECTOR_SIZE_BYTES;

/** [1, 17, 50] → sectors 1 to 33, and 50 to 66. */
function rangesOf(sectors: number[]): SegmentRange[] {
  const ranges: {start: number; end: number}[] = [];
  for (const sector of sectors.sort((a, b) => a - b)) {
    const start = sector * SECTOR_SIZE_BYTES;
    const end = (sector + UNIT_SECTORS) * SECTOR_SIZE_BYTES;
    const last = ranges.at(-1);
    if (last?.end === start) last.end = end;
    else ranges.push({start, end});
  }
  return ranges;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
