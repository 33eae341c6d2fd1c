/**
 * Reads of a mirror, and repairs: a read goes to one good zone, and to another one if that does not
 * answer in time, fails, or lacks the segment.
 *
 * Errors: not-found only when every zone says that it lacks the segment. A zone that fails or is away may
 *         have it: then the error is unavailable; one that fails has `hangMs` to answer better.
 */
import {BorealisError} from '../base/errors.ts';
import {copyShared} from '../base/shared-bytes.ts';
import {MirrorPartReads} from './mirror-part-reads.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {MirrorStream} from './mirror-stream.ts';
import type {Repair, SegmentPlace} from './mirrored-segment.ts';
import {READ_BYTES_MAX} from './thread-line.ts';
import {outcomeError, type Outcome} from './zone-operation.ts';
import type {SegmentPart} from './zone.ts';

/** Copies of whole segments that are under way for zones which lack them. */
const HEALS_MAX = 4;
/** Any length: as far as the source goes. */
const WHOLE = 2 ** 33;

export class MirrorReads {
  readonly #members: Members;
  readonly #stream: MirrorStream;
  readonly #parts: MirrorPartReads;
  readonly #healing = new Set<string>();

  constructor(members: Members, stream: MirrorStream) {
    this.#members = members;
    this.#stream = stream;
    this.#parts = new MirrorPartReads(members, stream, (member, place) => {
      const source = members.good().find(other => other !== member);
      if (source !== undefined) this.#heal(place, [member], source);
    });
  }

  readParts(parts: readonly SegmentPart[]): void {
    this.#parts.read(parts);
  }

  read(place: SegmentPlace, position: number, into: Uint8Array): number {
    let got = 0;
    while (got < into.length) {
      const piece = into.subarray(got, got + READ_BYTES_MAX);
      const count = this.#readPiece(place, position + got, piece);
      got += count;
      if (count < piece.length) break;
    }
    return got;
  }

  #readPiece(place: SegmentPlace, position: number, into: Uint8Array): number {
    const {volume, segment} = place;
    if (this.#stream.readRecent(volume, segment, position, into)) return into.length;
    const members = this.#members;
    const lacking: Member[] = [];
    const sinceMs = members.nowMs();
    for (;;) {
      const failures = new Map<Member, string>();
      for (const member of this.#parts.inOrder()) {
        if (lacking.includes(member)) continue;
        const {readMs} = this.#members.settings;
        const outcome = this.#ask(member, place, position, into.length, readMs);
        if (outcome === null) continue;
        if (outcome.ok) {
          if (outcome.bytes !== null) copyShared(outcome.bytes, into);
          const known = outcome.bytes?.length ?? 0;
          if (lacking.length > 0) this.#heal(place, lacking, member);
          return this.#stream.overlay(volume, segment, position, into, known);
        }
        if (isLacking(outcome)) lacking.push(member);
        else failures.set(member, outcome.message);
      }
      const known = this.#stream.overlay(volume, segment, position, into, 0);
      if (known > 0) return known;
      if (members.all.every(member => lacking.includes(member))) throw noCopy(place, lacking);
      const able = members.all.filter(member => member.standing !== 'broken');
      const isHopeless = able.every(member => lacking.includes(member));
      if (isHopeless || members.nowMs() - sinceMs > members.settings.hangMs) {
        throw notReadable(place, members.all, lacking, failures);
      }
      // Only now: what was asked has rung it.
      members.waitForBell(members.board.bell(), members.settings.readMs);
    }
  }

  /** One zone's copy alone. Throws not-found or unavailable when it cannot be read. */
  readCopy(
    place: SegmentPlace,
    copy: number,
    position: number,
    into: Uint8Array,
    limitMs: number = this.#members.settings.readMs,
  ): number {
    const member = this.#members.all[copy] as Member;
    let got = 0;
    while (got < into.length) {
      const piece = into.subarray(got, got + READ_BYTES_MAX);
      const outcome = this.#ask(member, place, position + got, piece.length, limitMs);
      if (outcome === null) {
        const text = `zone ${member.name} does not answer (${member.reason})`;
        throw new BorealisError('unavailable', 'zone-timeout', text);
      }
      if (!outcome.ok) throw outcomeError(outcome);
      if (outcome.bytes !== null) copyShared(outcome.bytes, piece);
      const count = outcome.bytes?.length ?? 0;
      got += count;
      if (count < piece.length) break;
    }
    return got;
  }

  /** Goes into the zone's line; it is reported once it is durable. */
  repair(place: SegmentPlace, copy: number, {position, bytes, what}: Repair): void {
    const member = this.#members.all[copy] as Member;
    const {volume, segment} = place;
    const ticket = member.channel?.submit({kind: 'repair', ...place, position}, [bytes]) ?? null;
    // No room, or no zone: whoever reads the page next finds it bad again.
    if (ticket === null || member.standing === 'broken') return;
    this.#members.watch(member, 'append', ticket, outcome => {
      if (outcome.ok) {
        const {name: zone} = member;
        const where = {volume, segment, offset: position, bytes: bytes.length};
        this.#members.report({type: 'repaired', zone, ...where, what});
      } else if (outcome.kind === 'not-found' || outcome.kind === 'corrupt') {
        const source = this.#members.good().find(other => other !== member);
        if (source !== undefined) this.#heal(place, [member], source);
      }
    });
  }

  /** Copies a whole segment to zones that should have it, in the background. */
  #heal(place: SegmentPlace, lacking: readonly Member[], source: Member): void {
    const {volume, segment} = place;
    for (const member of lacking) {
      const key = `${member.name}:${volume}:${segment}`;
      if (member.standing !== 'current' || this.#stream.ends.has(segment)) continue;
      if (this.#healing.has(key) || this.#healing.size >= HEALS_MAX) continue;
      const range = {source: source.name, from: 0, to: WHOLE, inOrder: false, rewrite: false};
      const ticket = member.channel?.submit({kind: 'copy', ...place, ...range}, []) ?? null;
      if (ticket === null) continue;
      this.#healing.add(key);
      this.#members.watch(member, 'read', ticket, outcome => {
        this.#healing.delete(key);
        const copied = outcome.ok ? (outcome.value as number) : 0;
        if (copied === 0) return;
        const where = {volume, segment, offset: 0, bytes: copied};
        this.#members.report({type: 'repaired', zone: member.name, ...where, what: 'lost segment'});
      });
    }
  }

  #ask(
    member: Member,
    place: SegmentPlace,
    position: number,
    length: number,
    limitMs: number,
  ): Outcome | null {
    if (member.standing === 'broken') return null;
    const operation = {kind: 'read', ...place, position, length} as const;
    const outcome = this.#members.askOne(member, operation, limitMs);
    if (outcome === null) this.#parts.noteLate(member);
    return outcome;
  }
}

/** What the zone says of the segment, and not of itself. */
function isLacking({kind}: Outcome & {ok: false}): boolean {
  return kind === 'not-found' || kind === 'corrupt';
}

function notReadable(
  {volume, segment}: SegmentPlace,
  all: readonly Member[],
  lacking: readonly Member[],
  failures: ReadonlyMap<Member, string>,
): BorealisError {
  const how = all.map(member => {
    const reason = member.standing === 'broken' ? member.reason : 'it does not answer';
    const what = lacking.includes(member) ? 'it lacks it' : (failures.get(member) ?? reason);
    return `${member.name}: ${what}`;
  });
  const text = `cannot read segment ${segment} of volume ${volume} from any zone (${how.join('; ')})`;
  return new BorealisError('unavailable', 'zone-quorum', text);
}

function noCopy({volume, segment}: SegmentPlace, tried: readonly Member[]): BorealisError {
  const zones = tried.map(({name}) => name).join(', ');
  const text = `segment ${segment} of volume ${volume} is in none of the zones tried (${zones})`;
  return new BorealisError('not-found', 'no-such-file', text);
}
