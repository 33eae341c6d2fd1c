/**
 * Reads of many parts at once in a mirror: zones are asked with one operation for what is wanted of them, and
 * nobody is asked twice. What does not come so is left to be read alone, which asks the other zones.
 *
 * Shares: many parts are shared out among all good zones, for each of them does one read after the other, and
 *         by where they lie, so that the cache of each zone's host holds a share. A zone other than the first
 *         is waited for only as long as a disk that is well may take.
 * Late:  a zone whose reads do not come back is asked only when no other one can be, until they do.
 */
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {MirrorStream} from './mirror-stream.ts';
import {MirroredSegment, type SegmentPlace} from './mirrored-segment.ts';
import {partNumbers, takeParts, type PlacedPart} from './part-reads.ts';
import {READ_BYTES_MAX} from './thread-line.ts';
import type {ZoneChannel} from './zone-channel.ts';
import type {SegmentPart} from './zone.ts';

/** Fewer parts come sooner from one zone than further threads wake up. */
const SHARED_PARTS_MIN = 8;
const STRIPE_BYTES = 2 ** 20;
/** Ten times what a disk with a long queue takes for such a share. */
const SHARE_MS = 200;

type Ask = {
  readonly untilMs: number;
  readonly member: Member;
  readonly channel: ZoneChannel;
  readonly ticket: number;
  readonly parts: readonly PlacedPart[];
};

type OnLacking = (member: Member, place: SegmentPlace) => void;

export class MirrorPartReads {
  readonly #members: Members;
  readonly #stream: MirrorStream;
  readonly #onLacking: OnLacking;
  /** What was not answered in time, up to which operation of the zone's line. */
  readonly #late = new Map<Member, {readonly channel: ZoneChannel; readonly ticket: number}>();

  /** `onLacking` hears of segments that a zone lacks. */
  constructor(members: Members, stream: MirrorStream, onLacking: OnLacking) {
    this.#members = members;
    this.#stream = stream;
    this.#onLacking = onLacking;
  }

  read(parts: readonly SegmentPart[]): void {
    const [first, ...others] = this.inOrder();
    const sharing = others.filter(member => member.isGood && !this.#isLate(member));
    if (first !== undefined) sharing.unshift(first);
    const isShared = parts.length >= SHARED_PARTS_MIN;
    const wanted = new Map<Member, PlacedPart[]>();
    for (const part of parts) {
      const {place} = part.file as MirroredSegment;
      const {volume, segment} = place;
      const stripe = Math.floor(part.position / STRIPE_BYTES) + segment;
      const sharer = isShared ? sharing[stripe % sharing.length] : first;
      const member = part.copy === undefined ? sharer : this.#members.all[part.copy];
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
    const nowMs = this.#members.nowMs();
    const {readMs} = this.#members.settings;
    const asks = [...wanted].flatMap(([member, own]) => {
      const isSharer = member !== first && own[0]?.part.copy === undefined;
      return this.#ask(member, own, nowMs + (isSharer ? Math.min(readMs, SHARE_MS) : readMs));
    });
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

  #ask(member: Member, parts: readonly PlacedPart[], untilMs: number): Ask[] {
    const {channel} = member;
    if (channel === null) return [];
    return messagesOf(parts).flatMap(own => {
      const operation = {kind: 'read-parts', parts: partNumbers(own)} as const;
      const ticket = channel.submit(operation, []);
      return ticket === null ? [] : [{untilMs, member, channel, ticket, parts: own}];
    });
  }

  #takeAnswers(asks: readonly Ask[]): void {
    const members = this.#members;
    let open = asks;
    for (;;) {
      const seen = members.board.bell();
      members.refresh();
      open = open.filter(ask => !this.#take(ask));
      const nowMs = members.nowMs();
      for (const ask of open) if (ask.untilMs <= nowMs) this.#giveUp(ask);
      open = open.filter(ask => ask.untilMs > nowMs);
      if (open.length === 0) return;
      members.waitForBell(seen, Math.min(...open.map(({untilMs}) => untilMs)) - nowMs);
    }
  }

  #giveUp({member, channel, ticket}: Ask): void {
    channel.forget('read', ticket);
    if (member.channel === channel) this.noteLate(member);
  }

  /** True once there is nothing to wait for any more. */
  #take({member, channel, ticket, parts}: Ask): boolean {
    if (member.channel !== channel || member.standing === 'broken') return true;
    const outcome = channel.take('read', ticket);
    if (outcome === null) return false;
    if (!outcome.ok) return true;
    const lacking = takeParts(parts, outcome);
    for (const {place, part} of parts) {
      // One copy is wanted as that zone has it.
      if (part.copy !== undefined) continue;
      const {position, into, got} = part;
      part.got = this.#stream.overlay(place.volume, place.segment, position, into, got);
    }
    // A copy that was wanted by itself is for who asked to judge.
    for (const {place, part} of lacking)
      if (part.copy === undefined) this.#onLacking(member, place);
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
