/** What segments ask of their mirror: appends go to the stream, reads to some zone, copies to one. */
import {BorealisError, errorMessage} from '../base/errors.ts';
import type {Member} from './mirror-member.ts';
import type {Members} from './mirror-members.ts';
import type {MirrorQuorums} from './mirror-quorums.ts';
import type {MirrorReads} from './mirror-reads.ts';
import type {MirrorStream} from './mirror-stream.ts';
import type {SegmentHost, SegmentPlace} from './mirrored-segment.ts';

type Parts = {
  readonly members: Members;
  readonly stream: MirrorStream;
  readonly reads: MirrorReads;
  readonly quorums: MirrorQuorums;
  /** A volume is being opened. */
  readonly isOpening: () => boolean;
};

export function segmentHost(parts: Parts): SegmentHost {
  const {members, stream, reads} = parts;
  return {
    zoneNames: () => members.all.map(({name}) => name),
    append: ({volume, segment}, position, buffers) =>
      stream.append(volume, segment, position, buffers),
    truncate: ({volume, segment}, sizeBytes) => stream.truncate(volume, segment, sizeBytes),
    sync: ({volume, segment}) => stream.sync(volume, [segment]),
    read: (place, position, into) => reads.read(place, position, into),
    readParts: wanted => reads.readParts(wanted),
    readCopy: (place, copy, position, into) => {
      return parts.isOpening()
        ? readWhileOpening(parts, place, copy, position, into)
        : reads.readCopy(place, copy, position, into);
    },
    writeCopy: (place, copy, position, bytes) => {
      const member = members.all[copy] as Member;
      if (member.standing !== 'current') return;
      stream.writeTo(member, place.volume, place.segment, {position, bytes});
    },
    repair: (place, copy, fix) => reads.repair(place, copy, fix),
  };
}

/**
 * No zone that counts may be left out: it may hold what no other one does. So it is given the time of
 * one that hangs, where a read would have gone to another zone.
 */
function readWhileOpening(
  {members, reads, quorums}: Parts,
  place: SegmentPlace,
  copy: number,
  position: number,
  into: Uint8Array,
): number {
  const member = members.all[copy] as Member;
  if (member.standing !== 'current') {
    const text = `zone ${member.name} is left out: ${member.reason}`;
    throw new BorealisError('unavailable', 'zone-degraded', text);
  }
  try {
    return reads.readCopy(place, copy, position, into, members.settings.hangMs);
  } catch (error) {
    const isGone = error instanceof BorealisError && error.kind === 'not-found';
    if (!isGone) {
      members.break(member, errorMessage(error));
      quorums.demandAll(members.current(), 'read the log');
    }
    throw error;
  }
}
