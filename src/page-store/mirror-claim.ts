/**
 * Claims a volume for a writer in the zones of a mirror.
 *
 *     lock in a quorum ─▶ newest record ─▶ zones that have it are current ─▶ others are brought there
 *
 * A zone with the newest record holds all that the record vouches for; what lies behind that in the
 * log is for recovery to level. A zone with an older record is brought to the newest one if that
 * costs nothing, or if there would be no quorum without it; else it is broken, and catches up once
 * the log has been recovered.
 */
import {AssertionError} from '../base/assert.ts';
import {BorealisError} from '../base/errors.ts';
import type {VolumeNumber} from './ids.ts';
import {copyAsks, good, listSegments, planCopies, settledPart} from './copy-plan.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import {compareVersions, recordVersion, type RecordVersion} from './record.ts';
import {outcomeError, type Outcome} from './zone-operation.ts';
import type {SegmentListing} from './zone.ts';

const LOCK_RETRY_MS = 20;

type Copy = {
  readonly isRemoved: boolean;
  readonly bytes: Buffer | null;
  readonly version: RecordVersion | null;
};

/**
 * A lock that is taken is tried again for `lockWaitMs`.
 * @throws BorealisError conflict `volume-locked`; unavailable `zone-quorum`. Nothing is locked then.
 */
export function claimInZones(members: Members, volume: VolumeNumber, lockWaitMs: number): void {
  try {
    lockQuorum(members, volume, lockWaitMs);
    bringToNewest(members, volume, readRecords(members, volume));
    if (!members.isWriteQuorum(members.current())) {
      throw members.quorumLost(`open volume ${volume}`);
    }
  } catch (error) {
    releaseInZones(members, volume);
    throw error;
  }
}

/**
 * A zone with an older record than the newest may hold in its host's cache only what that vouches for, which
 * clones reach. Once the record is gone nothing tells that any more: so it is brought there first.
 * @throws BorealisError unavailable `zone-quorum`.
 */
export function bringBeforeRemoval(members: Members, volume: VolumeNumber): void {
  const copies = readRecords(members, volume);
  const newest = newestOf(copies);
  if (newest === null) return;
  const isThere = ({bytes}: Copy): boolean => bytes?.equals(newest.bytes) === true;
  const [source] = [...copies].filter(([, copy]) => isThere(copy)).map(([member]) => member);
  if (source === undefined) return;
  for (const [member, copy] of copies) {
    if (copy.isRemoved || isThere(copy)) continue;
    bring(members, volume, member, {source, settled: copy.version?.settled ?? null}, newest);
  }
}

export function releaseInZones(members: Members, volume: VolumeNumber): void {
  members.askAll({
    members: () => members.all.filter(member => member.standing !== 'broken'),
    operation: () => ({kind: 'unlock', volume}),
    limitMs: members.settings.readMs,
  });
}

type NewestCopy = {readonly bytes: Buffer; readonly version: RecordVersion | null};

function lockQuorum(members: Members, volume: VolumeNumber, waitMs: number): void {
  const untilMs = members.nowMs() + waitMs;
  for (;;) {
    try {
      lockOnce(members, volume);
      return;
    } catch (error) {
      const isTaken = error instanceof BorealisError && error.kind === 'conflict';
      if (!isTaken || members.nowMs() >= untilMs) throw error;
      releaseInZones(members, volume);
      members.waitForBell(members.board.bell(), LOCK_RETRY_MS);
    }
  }
}

function lockOnce(members: Members, volume: VolumeNumber): void {
  const answers = ask(members, () => ({kind: 'lock', volume}));
  const locked: Member[] = [];
  let conflict: (Outcome & {ok: false}) | null = null;
  for (const [member, outcome] of answers) {
    if (outcome.ok) locked.push(member);
    else if (outcome.kind === 'conflict') conflict = outcome;
    // A zone that does not know the volume yet has nowhere to put a lock.
    else if (outcome.kind === 'not-found' && member.hasStore === true) locked.push(member);
    else members.break(member, outcome.message);
  }
  if (members.isWriteQuorum(locked)) {
    for (const [member, outcome] of answers) {
      if (!outcome.ok && outcome.kind === 'conflict') members.break(member, outcome.message);
    }
    return;
  }
  throw conflict === null ? members.quorumLost(`lock volume ${volume}`) : outcomeError(conflict);
}

function readRecords(members: Members, volume: VolumeNumber): Map<Member, Copy> {
  const copies = new Map<Member, Copy>();
  for (const [member, outcome] of ask(members, () => ({kind: 'read-volume-record', volume}))) {
    if (!outcome.ok) {
      members.break(member, outcome.message);
      continue;
    }
    const bytes = outcome.bytes === null ? null : Buffer.from(outcome.bytes);
    // That it has no record says something only if it is not that it was emptied.
    if (bytes === null && member.hasStore !== true) {
      members.break(member, 'it is new or was emptied, or has not said so yet');
      continue;
    }
    const version = bytes === null ? null : recordVersion(bytes);
    copies.set(member, {isRemoved: outcome.value === 'removed', bytes, version});
  }
  // One that rotted does not tell what it was.
  const sound = [...copies].filter(([, {bytes, version}]) => bytes === null || version !== null);
  const holders = sound.map(([member]) => member);
  if (!members.isReadQuorum(holders)) throw members.quorumLost(`read volume ${volume}`);
  return copies;
}

function bringToNewest(
  members: Members,
  volume: VolumeNumber,
  copies: ReadonlyMap<Member, Copy>,
): void {
  const newest = newestOf(copies);
  if (newest === null) return;
  const isThere = ({bytes}: Copy): boolean => bytes?.equals(newest.bytes) === true;
  const [source] = [...copies].filter(([, copy]) => isThere(copy)).map(([member]) => member);
  if (source === undefined) return;
  const behind = [...copies].filter(([, copy]) => !isThere(copy));
  const isFree = ({version}: Copy): boolean => {
    const own = version?.settled;
    const there = newest.version?.settled;
    return own?.segment === there?.segment && own?.offset === there?.offset && version !== null;
  };
  for (const [member, copy] of behind)
    if (isFree(copy)) bring(members, volume, member, null, newest);
  for (const [member, copy] of behind) {
    if (isFree(copy)) continue;
    const late = costly(behind, isFree);
    const ready = members.current().filter(one => !late.includes(one));
    if (members.isWriteQuorum(ready)) members.break(member, 'it missed something');
    else bring(members, volume, member, {source, settled: copy.version?.settled ?? null}, newest);
  }
}

function newestOf(copies: ReadonlyMap<Member, Copy>): NewestCopy | null {
  let newest: NewestCopy | null = null;
  for (const {bytes, version} of copies.values()) {
    if (bytes === null) continue;
    if (newest === null || compareVersions(version, newest.version) > 0) newest = {bytes, version};
  }
  return newest;
}

/** Zones that are still counted as current and are not at the newest record. */
function costly(
  behind: readonly (readonly [Member, Copy])[],
  isFree: (copy: Copy) => boolean,
): Member[] {
  return behind
    .filter(([member, copy]) => member.standing === 'current' && !isFree(copy))
    .map(([member]) => member);
}

/** Copies what the newest record vouches for, unless the zone has it, and then gives it that record. */
function bring(
  members: Members,
  volume: VolumeNumber,
  member: Member,
  from: {source: Member; settled: RecordVersion['settled']} | null,
  newest: NewestCopy,
): void {
  const limitMs = members.settings.hangMs;
  try {
    if (from !== null) {
      const there = listNow(members, from.source, volume);
      const own = listNow(members, member, volume);
      const plan = planCopies(there, own, from.settled);
      const copies = settledPart(plan, newest.version?.settled ?? null);
      // Whether a sync of it failed, only a process that is gone may have known.
      const how = {inOrder: false, rewrite: true} as const;
      for (const {operation} of copyAsks(member, from.source, volume, copies, how)) {
        good(members.askOne(member, operation, limitMs) ?? undefined);
      }
    }
    const write = {expected: null, force: true, hold: false} as const;
    const operation = {kind: 'write-volume-record', volume, ...write} as const;
    good(members.askOne(member, operation, limitMs, [newest.bytes]) ?? undefined);
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    members.break(member, error instanceof Error ? error.message : String(error));
  }
}

/** As `listSegments`, waited for. */
function listNow(
  members: Members,
  member: Member,
  volume: VolumeNumber,
): readonly SegmentListing[] {
  const listing = listSegments(member, volume);
  let step = listing.next();
  while (step.done !== true) {
    step = listing.next(
      step.value.map(({operation}) => {
        return good(members.askOne(member, operation, members.settings.hangMs) ?? undefined);
      }),
    );
  }
  return step.value;
}

function ask(
  members: Members,
  operation: () => {kind: 'lock' | 'read-volume-record'; volume: VolumeNumber},
): Map<Member, Outcome> {
  const asked = members.current();
  const {readMs, hangMs} = members.settings;
  const beganMs = members.nowMs();
  const answers = members.askAll({
    members: () => asked,
    operation,
    limitMs: hangMs,
    enough: got => {
      const open = asked.filter(m => m.standing === 'current' && !got.has(m));
      return (
        open.length === 0 ||
        (members.isWriteQuorum(got.keys()) && members.nowMs() - beganMs > readMs)
      );
    },
  });
  for (const member of asked) if (!answers.has(member)) members.break(member, 'it does not answer');
  return answers;
}
