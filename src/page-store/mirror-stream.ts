/**
 * What a writer appends, on its way to all zones of a mirror.
 *
 *     append ──▶ line of zone a ──▶ written ──▶ synced ──▶ published
 *            ├─▶ line of zone b ──▶ …
 *            └─▶ line of zone c: full ──▶ waited for, within its credit; then it has missed something
 *
 * Rules:  every zone that is current is given everything in one order. The writer waits for none of
 *         them as long as there is room, and with a full line only for the slowest of a write quorum.
 *         A zone that hangs is not given up while fewer than a quorum would be left, unless another
 *         one goes on: reads must not wait for it.
 * Recent: what not every good zone has written yet is kept here, for reads.
 */
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {ZoneOperation} from './zone-operation.ts';

/** The longest piece of an append. A line has room for several. */
const PIECE_BYTES = 2 ** 20;

type Recent = {
  readonly volume: VolumeNumber;
  readonly segment: SegmentNumber;
  readonly position: number;
  readonly bytes: Buffer;
  readonly asked: Asked;
};

/** What was put into the lines, and as which of all operations of the stream. */
type Asked = {readonly at: number; readonly tickets: ReadonlyMap<Member, number>};

type Piece = {readonly position: number; readonly bytes: Uint8Array};

export type Waiting = {
  /** Called while something is waited for: zones may return. Throws when it is no use. */
  readonly onWait: (what: string, sinceMs: number) => void;
};

export class MirrorStream {
  readonly #members: Members;
  readonly #waiting: Waiting;
  /** Zones that catch up and are given what is appended meanwhile. */
  readonly #alsoFed = new Set<Member>();
  #recent: Recent[] = [];
  /** Where each segment that this writer appended to ends, zeros ahead included. */
  readonly #ends = new Map<SegmentNumber, number>();
  /** Counts what was appended or asked. */
  #count = 0;
  #mark = 0;

  constructor(members: Members, waiting: Waiting) {
    this.#members = members;
    this.#waiting = waiting;
  }

  /** A writer begins: nothing of another one concerns it. */
  begin(): void {
    this.#recent = [];
    this.#ends.clear();
    this.#alsoFed.clear();
    this.#mark = 0;
  }

  /** Up to where it was asked to sync. */
  get mark(): number {
    return this.#mark;
  }

  /** Where each segment that this writer appended to ends. */
  get ends(): ReadonlyMap<SegmentNumber, number> {
    return this.#ends;
  }

  /** The first segment that some good zone may not have written whole: null while there is none. */
  get firstUnwritten(): SegmentNumber | null {
    const segments = [
      ...this.#recent.map(({segment}) => segment),
      ...[...this.#ends.keys()].slice(-1),
    ];
    return segments.length === 0 ? null : (Math.min(...segments) as SegmentNumber);
  }

  /**
   * From now on a zone that catches up is given what is appended; and before that once more what
   * others may not have written yet, for it copies from them.
   */
  alsoFeed(member: Member): void {
    for (const {volume, segment, position, bytes} of this.#recent) {
      const operation = {kind: 'write', volume, segment, position, make: true} as const;
      this.#feed(() => operation, bytes, [member]);
    }
    this.#alsoFed.add(member);
  }

  /** A zone has caught up: all that was ever asked for is asked of it in one sync. */
  join(member: Member, volume: VolumeNumber, segments: readonly SegmentNumber[]): void {
    this.#alsoFed.delete(member);
    const operation = {kind: 'sync', volume, segments, mark: this.#mark} as const;
    const ticket = this.#feed(() => operation, null, [member]).tickets.get(member);
    if (ticket !== undefined) this.#members.join(member, this.#count, ticket);
  }

  stopFeeding(member: Member): void {
    this.#alsoFed.delete(member);
  }

  append(
    volume: VolumeNumber,
    segment: SegmentNumber,
    position: number,
    buffers: readonly Uint8Array[],
  ): void {
    const bytes = Buffer.concat(buffers);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      const where = {kind: 'write', volume, segment, position: position + at} as const;
      const asked = this.#feed(member => ({...where, make: member.standing !== 'current'}), piece);
      this.#recent.push({volume, segment, position: position + at, bytes: piece, asked});
    }
    this.#ends.set(segment, Math.max(this.#ends.get(segment) ?? 0, position + bytes.length));
    this.#forgetWritten();
  }

  /** Into one zone's line alone. */
  writeTo(member: Member, volume: VolumeNumber, segment: SegmentNumber, fix: Piece): void {
    const {position, bytes} = fix;
    const operation = {kind: 'write', volume, segment, position, make: true} as const;
    this.#feed(() => operation, Buffer.from(bytes), [member]);
  }

  truncate(volume: VolumeNumber, segment: SegmentNumber, sizeBytes: number): void {
    this.#feed(() => ({kind: 'truncate', volume, segment, sizeBytes}), null);
    this.#ends.set(segment, sizeBytes);
  }

  /** Asks for a sync that publishes `mark` in every zone that has all of the log. */
  requestSync(volume: VolumeNumber, segments: readonly SegmentNumber[], mark: number): void {
    this.#mark = mark;
    this.#feedSync(volume, segments, mark);
  }

  /** Returns once a write quorum has synced. */
  sync(volume: VolumeNumber, segments: readonly SegmentNumber[]): void {
    const asked = this.#feedSync(volume, segments, 0);
    const sinceMs = this.#members.nowMs();
    for (;;) {
      const seen = this.#members.board.bell();
      this.#members.refresh();
      // Throws once another writer took over.
      this.#members.board.quorumLsn();
      const done = this.#members.current().filter(member => isDone(member, asked));
      if (this.#members.isWriteQuorum(done)) return;
      this.#waiting.onWait('sync', sinceMs);
      this.#members.waitForBell(seen, Infinity);
    }
  }

  /** True when all of the range was given to the zones only lately: then it is in `into`. */
  readRecent(
    volume: VolumeNumber,
    segment: SegmentNumber,
    position: number,
    into: Uint8Array,
  ): boolean {
    for (let index = this.#recent.length - 1; index >= 0; index--) {
      const recent = this.#recent[index] as Recent;
      if (recent.volume !== volume || recent.segment !== segment) continue;
      const from = position - recent.position;
      if (from >= recent.bytes.length || from + into.length <= 0) continue;
      if (from < 0 || from + into.length > recent.bytes.length) return false;
      into.set(recent.bytes.subarray(from, from + into.length));
      return true;
    }
    return false;
  }

  /** Puts what is recent over what a zone gave; returns how many bytes of `into` are then known. */
  overlay(
    volume: VolumeNumber,
    segment: SegmentNumber,
    position: number,
    into: Uint8Array,
    known: number,
  ): number {
    let end = known;
    for (const recent of this.#recent) {
      if (recent.volume !== volume || recent.segment !== segment) continue;
      const from = Math.max(position, recent.position);
      const to = Math.min(position + into.length, recent.position + recent.bytes.length);
      if (from >= to) continue;
      into.set(
        recent.bytes.subarray(from - recent.position, to - recent.position),
        from - position,
      );
      end = Math.max(end, to - position);
    }
    return end;
  }

  #feedSync(volume: VolumeNumber, segments: readonly SegmentNumber[], mark: number): Asked {
    const operation = (member: Member): ZoneOperation => {
      // One that catches up lacks what came before: it may not say that it holds everything.
      const own = member.standing === 'current' ? {segments, mark} : {segments: [], mark: 0};
      return {kind: 'sync', volume, ...own};
    };
    return this.#feed(operation, null);
  }

  /** Of all zones that are fed, or of `only`. */
  #feed(
    operation: (member: Member) => ZoneOperation,
    bytes: Buffer | null,
    only?: readonly Member[],
  ): Asked {
    const members = this.#members;
    members.refresh();
    const at = ++this.#count;
    const sinceMs = members.nowMs();
    const tickets = new Map<Member, number>();
    const fed = members.all.filter(m => m.standing === 'current' || this.#isFed(m));
    const left = new Set(only ?? fed);
    for (;;) {
      const seen = members.board.bell();
      for (const member of left) {
        if (member.standing === 'broken') {
          left.delete(member);
          continue;
        }
        const ticket = member.channel?.submit(operation(member), bytes === null ? [] : [bytes]);
        if (ticket === null || ticket === undefined) continue;
        tickets.set(member, ticket);
        left.delete(member);
      }
      if (members.current().length === 0) throw members.quorumLost('append');
      if (left.size === 0) return {at, tickets};
      const beganMs = members.nowMs();
      this.#waiting.onWait('append', sinceMs);
      members.waitForBell(seen, Infinity);
      members.refresh();
      const waitedMs = members.nowMs() - beganMs;
      if (only === undefined) this.#giveUpSlow(left, tickets, waitedMs);
      else for (const m of left) if (m.isHung) members.break(m, 'it does not answer');
    }
  }

  #giveUpSlow(
    left: Iterable<Member>,
    tickets: ReadonlyMap<Member, number>,
    waitedMs: number,
  ): void {
    const placed = [...tickets.keys()].filter(member => member.standing === 'current');
    const enough = this.#members.isWriteQuorum(placed);
    for (const member of left) {
      if (!enough && !(placed.length > 0 && member.isHung)) continue;
      const mayWait = member.standing === 'current' && this.#members.spendCredit(member, waitedMs);
      if (!mayWait) this.#members.break(member, 'it is too slow for what is written');
    }
  }

  #isFed(member: Member): boolean {
    return member.standing === 'catching-up' && this.#alsoFed.has(member);
  }

  #forgetWritten(): void {
    const good = this.#members.good();
    if (good.length === 0) return;
    const kept = this.#recent.findIndex(({asked}) => !good.every(m => isDone(m, asked)));
    if (kept !== 0) this.#recent = kept < 0 ? [] : this.#recent.slice(kept);
  }
}

function isDone(member: Member, {at, tickets}: Asked): boolean {
  // Who joined later has in that one operation all that was before.
  const ticket = member.joinedAt >= at ? member.joinTicket : tickets.get(member);
  return ticket !== undefined && (member.channel?.done('append') ?? 0) >= ticket;
}
