/**
 * Reads of many parts at once in a mirror: zones are asked with one operation for what is wanted of them, and
 * nobody is asked twice. What does not come so is left to be read alone, which asks the other zones.
 *
 * Late:  a zone whose reads do not come back is asked only when no other one can be, until they do.
 */
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {MirrorStream} from './mirror-stream.ts';
import {MirroredSegment} from './mirrored-segment.ts';
import {partNumbers, takeParts, type PlacedPart} from './part-reads.ts';
import {READ_BYTES_MAX} from './thread-line.ts';
import type {ZoneChannel} from './zone-channel.ts';
import type {SegmentPart} from './zone.ts';

type Ask = {
  readonly member: Member;
  readonly channel: ZoneChannel;
  readonly ticket: number;
  readonly parts: readonly PlacedPart[];
};

export class MirrorPartReads {
  readonly #members: Members;
  readonly #stream: MirrorStream;
  /** What was not answered in time, up to which operation of the zone's line. */
  readonly #late = new Map<Member, {readonly channel: ZoneChannel; readonly ticket: number}>();

  constructor(members: Members, stream: MirrorStream) {
    this.#members = members;
    this.#stream = stream;
  }

  read(parts: readonly SegmentPart[]): void {
    const first = this.inOrder()[0];
    const wanted = new Map<Member, PlacedPart[]>();
    for (const part of parts) {
      const {place} = part.file as MirroredSegment;
      const {volume, segment} = place;
      const member = part.copy === undefined ? first : this.#members.all[part.copy];
      part.got = 0;
      if (part.copy === undefined) {
        const {position, into} = part;
        const isRecent = this.#stream.readRecent(volume, segment, position, into);
        if (isRecent) part.got = into.length;
        if (isRecent) continue;
      }
      if (member === undefined || member.standing === 'broken') continue;
      const own = wanted.get(member);
      if (own === undefined) wanted.set(member, [{place, part}]);
      else own.push({place, part});
    }
    const asks = [...wanted].flatMap(([member, own]) => this.#ask(member, own));
    this.#takeAnswers(asks);
  }

  /** Good zones first, those that may lack something last. */
  inOrder(): Member[] {
    const rank = (member: Member): number => {
      if (member.standing !== 'current') return 3;
      if (!member.isGood) return 2;
      return this.#isLate(member) ? 1 : 0;
    };
    return this.#members.all
      .filter(member => member.standing !== 'broken')
      .sort((a, b) => rank(a) - rank(b));
  }

  /** A read that this zone was asked for last did not come back in time. */
  noteLate(member: Member): void {
    const {channel} = member;
    if (channel !== null) this.#late.set(member, {channel, ticket: channel.submitted('read')});
  }

  #isLate(member: Member): boolean {
    const late = this.#late.get(member);
    if (late === undefined) return false;
    if (late.channel === member.channel && late.channel.done('read') < late.ticket) return true;
    this.#late.delete(member);
    return false;
  }

  #ask(member: Member, parts: readonly PlacedPart[]): Ask[] {
    const {channel} = member;
    if (channel === null) return [];
    return messagesOf(parts).flatMap(own => {
      const operation = {kind: 'read-parts', parts: partNumbers(own)} as const;
      const ticket = channel.submit(operation, []);
      return ticket === null ? [] : [{member, channel, ticket, parts: own}];
    });
  }

  #takeAnswers(asks: readonly Ask[]): void {
    const members = this.#members;
    const untilMs = members.nowMs() + members.settings.readMs;
    let open = asks;
    while (open.length > 0) {
      const seen = members.board.bell();
      members.refresh();
      open = open.filter(ask => !this.#take(ask));
      if (open.length === 0) return;
      const leftMs = untilMs - members.nowMs();
      if (leftMs <= 0) break;
      members.waitForBell(seen, leftMs);
    }
    for (const {member, channel, ticket} of open) {
      channel.forget('read', ticket);
      if (member.channel === channel) this.noteLate(member);
    }
  }

  /** True once there is nothing to wait for any more. */
  #take({member, channel, ticket, parts}: Ask): boolean {
    if (member.channel !== channel || member.standing === 'broken') return true;
    const outcome = channel.take('read', ticket);
    if (outcome === null) return false;
    if (!outcome.ok) return true;
    takeParts(parts, outcome);
    for (const {place, part} of parts) {
      // One copy is wanted as that zone has it.
      if ((part as SegmentPart).copy !== undefined) continue;
      const {position, into, got} = part;
      part.got = this.#stream.overlay(place.volume, place.segment, position, into, got);
    }
    return true;
  }
}

/** Parts by operation. One that is longer than an answer is left to be read alone. */
function messagesOf(parts: readonly PlacedPart[]): PlacedPart[][] {
  const messages: PlacedPart[][] = [];
  let bytes = Infinity;
  for (const one of parts) {
    const {length} = one.part.into;
    if (length > READ_BYTES_MAX) continue;
    if (bytes + length > READ_BYTES_MAX) {
      messages.push([]);
      bytes = 0;
    }
    messages.at(-1)?.push(one);
    bytes += length;
  }
  return messages;
}
