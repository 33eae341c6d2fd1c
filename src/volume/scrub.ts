/**
 * Scrub: reads everything that the roots of a store reach, in every zone, verifies it against the
 * checksums of its parents, and puts right what some other zone holds as it should be.
 *
 *     roots ─▶ count by segment ─▶ some segments at a time: what lives in them, with checksums
 *                                  ─▶ each copy read from front to back ─▶ bad ones settled
 *           ─▶ at last the logs behind the checkpoints, as far as barriers cover them
 *
 * Each page is read once however many volumes share it, and in the order in which it lies on disk.
 * It runs beside writers, forks, deletions and sweeps, excludes nobody, and keeps nothing on disk: one
 * that is cut off anywhere leaves a sound store and is simply run again. What is appended after it
 * began is left to the next one.
 *
 * Memory: pointers to UNITS_MAX pages at a time, and what the census remembers of subtrees.
 * Nodes:  are read from any good copy to find out what lives, and verified in all copies as pages are. What
 *         a node that is lost in all zones led to is not known, and is not read.
 */
import type {SegmentNumber, VolumeNumber} from '../page-store/ids.ts';
import {BorealisError} from '../base/errors.ts';
import type {Damage, SegmentFile, Zone} from '../page-store/zone.ts';
import {Census} from './census.ts';
import {PAGE_SIZE_BYTES, SECTOR_SIZE_BYTES} from './pointer.ts';
import {readRoots} from './root-snapshot.ts';
import {badHeader, durableBatches, logUnits} from './scrub-log.ts';
import {settle, type Confirmed} from './scrub-repair.ts';
import {ScrubTally, type ScrubReport} from './scrub-report.ts';
import {verifyUnits, type Suspect, type Unit} from './scrub-units.ts';
import {unitName} from './unit-names.ts';
import {readVolumeRecord, type VolumeRecord} from './volume-record.ts';

export type ScrubOptions = {
  /** Volumes whose roots are followed; all of the store's when left out. */
  readonly volumes?: readonly VolumeNumber[];
  /** Hears of each thing that no copy holds, as it is found. */
  readonly onDamage?: (damage: Damage) => void;
};

export type ScrubStep = {
  /** Read since the last step, in all zones. */
  readonly bytesRead: number;
  /** Nothing is to be done before so long. */
  readonly pauseMs: number;
  /** Of `bytesTotal`, which is known once the first step is done. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
};

type SegmentPlace = {readonly volume: VolumeNumber; readonly segment: SegmentNumber};
type Planned = SegmentPlace & {readonly units: number};

/** Located at a time: 2 GiB of pages, some 20 MiB of memory. At least one segment, whatever it holds. */
const UNITS_MAX = 2 ** 18;

/** In steps of a mebibyte or less for each zone, so that the caller may wait in between. */
export function* scrubSteps(
  zone: Zone,
  options: ScrubOptions = {},
): Generator<ScrubStep, ScrubReport> {
  const run = new Scrub(zone, options);
  try {
    return yield* run.steps();
  } finally {
    run.close();
  }
}

class Scrub {
  readonly #zone: Zone;
  readonly #options: ScrubOptions;
  readonly #census: Census;
  readonly #tally: ScrubTally;
  #bytesDone = 0;
  #bytesTotal = 0;

  constructor(zone: Zone, options: ScrubOptions) {
    this.#zone = zone;
    this.#options = options;
    // A node that no copy holds is found once more among the units, and told then.
    this.#census = new Census(zone, {repairs: false, toleratesLoss: true});
    const names = zone.mirror?.states().map(state => state.zone) ?? [zone.name];
    this.#tally = new ScrubTally(names, damage => options.onDamage?.(damage));
  }

  close(): void {
    this.#census.close();
  }

  *steps(): Generator<ScrubStep, ScrubReport> {
    const records = this.#roots();
    this.#tally.volumes = records.length;
    const nodesBefore = this.#census.nodesLoaded;
    const {live} = this.#census.count(records);
    const planned = plannedOf(live.toArray());
    this.#bytesTotal = live.total * PAGE_SIZE_BYTES * this.#tally.names.length;
    yield this.#step((this.#census.nodesLoaded - nodesBefore) * PAGE_SIZE_BYTES);
    for (const round of roundsOf(planned)) yield* this.#round(round);
    for (const {volume} of records) yield* this.#log(volume);
    return this.#tally.report();
  }

  *#round(round: readonly Planned[]): Generator<ScrubStep, void> {
    const wanted = new Map<number, Map<number, Unit[]>>();
    for (const {volume, segment} of round) {
      const segments = wanted.get(volume) ?? new Map<number, Unit[]>();
      segments.set(segment, []);
      wanted.set(volume, segments);
    }
    const nodesBefore = this.#census.nodesLoaded;
    // Anew in each round: what is not reached any more may be gone.
    this.#census.visit(this.#roots(), wanted, ({volume, segment, sector, crc}) => {
      const unit = {position: sector * SECTOR_SIZE_BYTES, length: PAGE_SIZE_BYTES, crc};
      wanted.get(volume)?.get(segment)?.push(unit);
    });
    yield this.#step((this.#census.nodesLoaded - nodesBefore) * PAGE_SIZE_BYTES);
    for (const {volume, segment, units} of round) {
      const doneBefore = this.#bytesDone;
      const found = wanted.get(volume)?.get(segment) ?? [];
      wanted.get(volume)?.delete(segment);
      found.sort((a, b) => a.position - b.position);
      if (found.length > 0) yield* this.#segment({volume, segment}, found);
      this.#bytesDone = doneBefore + units * PAGE_SIZE_BYTES * this.#tally.names.length;
    }
  }

  *#segment(place: SegmentPlace, units: readonly Unit[]): Generator<ScrubStep, void> {
    const file = this.#open(place);
    if (file === null) {
      this.#lost(place, units);
      return;
    }
    const parts = {file, place, tally: this.#tally, isRecent: this.#isRecent(place)};
    try {
      const suspects = yield* this.#verify(file, units);
      if (suspects.length > 0) {
        const confirm = (left: readonly Suspect[]): Map<number, Confirmed> =>
          this.#confirm(place, left);
        yield* this.#paused(settle({...parts, confirm}, suspects));
      }
      const header = badHeader(file, place);
      if (header === null) return;
      yield* this.#paused(
        settle({...parts, confirm: () => this.#header(file, place, units)}, [header]),
      );
    } finally {
      file.close();
    }
  }

  /** What a barrier covered of a log that no writer is checkpointing. */
  *#log(volume: VolumeNumber): Generator<ScrubStep, void> {
    const found = readVolumeRecord(this.#zone, volume);
    if (found === null || found.record.clean) return;
    const {record, bytes} = found;
    const isAsItWas = (): boolean => this.#zone.readVolumeRecord(volume)?.equals(bytes) === true;
    const batches = yield* this.#paused(durableBatches(this.#zone, record));
    if (batches === null || !isAsItWas()) return;
    if ('message' in batches) {
      const {segment, offset} = record.checkpoint;
      const what = `log of volume ${volume} (${batches.message})`;
      const copies = [...this.#tally.names.keys()];
      this.#tally.damaged({what, volume, segment, offset, readBy: [volume]}, copies);
      return;
    }
    for (const segment of new Set(batches.map(batch => batch.segment))) {
      const place = {volume, segment};
      const file = this.#open(place);
      if (file === null) continue;
      try {
        const own = batches.filter(batch => batch.segment === segment);
        const units = logUnits(record, segment, file, own);
        const suspects = yield* this.#verify(file, units);
        const confirm = (): Map<number, Confirmed> =>
          new Map(
            (isAsItWas() ? units : []).map(({position, crc, what}) => [
              position,
              {crc, what, readBy: [volume]},
            ]),
          );
        const parts = {file, place, tally: this.#tally, isRecent: true, confirm};
        yield* this.#paused(settle(parts, suspects));
      } finally {
        file.close();
      }
    }
  }

  /** Null when the only copy is gone, or cannot be read. */
  #open({volume, segment}: SegmentPlace): SegmentFile | null {
    try {
      return this.#zone.openSegment(volume, segment);
    } catch (error) {
      const isLost =
        error instanceof BorealisError && (error.kind === 'not-found' || error.kind === 'corrupt');
      if (isLost) return null;
      throw error;
    }
  }

  *#verify(file: SegmentFile, units: readonly Unit[]): Generator<ScrubStep, Suspect[]> {
    const verification = verifyUnits(this.#zone, file, units, this.#tally.copies);
    for (;;) {
      const step = verification.next();
      if (step.done === true) return step.value;
      this.#bytesDone += step.value;
      yield this.#step(step.value);
    }
  }

  /** A segment's header, if it is still bad and something in the segment is still reached. */
  #header(file: SegmentFile, place: SegmentPlace, units: readonly Unit[]): Map<number, Confirmed> {
    const header = badHeader(file, place);
    const isReached =
      this.#confirm(
        place,
        units.map(unit => ({unit, bad: []})),
      ).size > 0;
    if (header === null || !isReached) return new Map();
    const {crc, what} = header.unit;
    return new Map([[0, {crc, what, readBy: []}]]);
  }

  /** The only copy of a segment is gone, or cannot be read. */
  #lost(place: SegmentPlace, units: readonly Unit[]): void {
    const suspects = units.map(unit => ({unit, bad: [0]}));
    for (const [offset, {what, readBy}] of this.#confirm(place, suspects)) {
      this.#tally.damaged({...place, offset, what, readBy}, [0]);
    }
  }

  /** Which of the suspects the roots reach now, and what they are. */
  #confirm(place: SegmentPlace, suspects: readonly Suspect[]): Map<number, Confirmed> {
    const records = this.#roots();
    const wanted = new Map([[place.volume as number, new Set<number>([place.segment])]]);
    const positions = new Set(suspects.map(({unit}) => unit.position));
    const confirmed = new Map<number, Confirmed>();
    /** One head that reaches each, which knows its name. */
    const readers = new Map<number, Set<number>>();
    this.#census.visit(records, wanted, ({sector, crc}, holders) => {
      const position = sector * SECTOR_SIZE_BYTES;
      if (!positions.has(position)) return;
      const readBy = holders.volumes.map(holder => (records[holder] as VolumeRecord).volume);
      const [reader] = holders.heads;
      confirmed.set(position, {
        crc,
        what: reader === undefined ? 'a page of the past' : 'a page',
        readBy,
      });
      if (reader !== undefined)
        readers.set(reader, (readers.get(reader) ?? new Set()).add(position));
    });
    for (const [reader, named] of readers) {
      const record = records[reader] as VolumeRecord;
      this.#census.visitNamed(record, wanted, ({sector}, unit) => {
        const position = sector * SECTOR_SIZE_BYTES;
        const found = confirmed.get(position);
        if (found === undefined || !named.has(position)) return;
        confirmed.set(position, {...found, what: unitName(record.volume, unit)});
      });
    }
    return confirmed;
  }

  /** A writer may be appending to it, and one zone be behind the others. */
  #isRecent({volume, segment}: SegmentPlace): boolean {
    const found = readVolumeRecord(this.#zone, volume);
    return found !== null && !found.record.clean && segment >= found.record.checkpoint.segment;
  }

  #roots(): VolumeRecord[] {
    const {volumes} = this.#options;
    const records = readRoots(this.#zone);
    return volumes === undefined ? records : records.filter(({volume}) => volumes.includes(volume));
  }

  *#paused<T>(waits: Generator<number, T>): Generator<ScrubStep, T> {
    for (;;) {
      const wait = waits.next();
      if (wait.done === true) return wait.value;
      yield {...this.#step(0), pauseMs: wait.value};
    }
  }

  #step(bytesRead: number): ScrubStep {
    return {bytesRead, pauseMs: 0, bytesDone: this.#bytesDone, bytesTotal: this.#bytesTotal};
  }
}

function plannedOf(triples: Uint32Array): Planned[] {
  const planned: Planned[] = [];
  for (let at = 0; at < triples.length; at += 3) {
    planned.push({
      volume: triples[at] as VolumeNumber,
      segment: triples[at + 1] as SegmentNumber,
      units: triples[at + 2] as number,
    });
  }
  return planned.sort((a, b) => a.volume - b.volume || a.segment - b.segment);
}

function* roundsOf(planned: readonly Planned[]): Generator<readonly Planned[]> {
  let round: Planned[] = [];
  let units = 0;
  for (const one of planned) {
    if (round.length > 0 && units + one.units > UNITS_MAX) {
      yield round;
      round = [];
      units = 0;
    }
    round.push(one);
    units += one.units;
  }
  if (round.length > 0) yield round;
}
