/** One volume of a simulation: the real one while a process has it open, and its history. */
import type {VolumeNumber} from '../src/page-store/ids.ts';
import type {Volume} from '../src/volume/volume.ts';
import type {Content, ContentKind, State} from './content.ts';
import type {History} from './history.ts';

/** A barrier whose sync is on its way, on another thread. */
export type Barrier = {
  readonly descriptors: readonly number[];
  readonly lsn: number;
  /** What a write quorum of zones must reach first; 0 when there is nothing to wait for. */
  readonly awaitedLsn: number;
  readonly index: number;
};

export type Opened = {readonly volume: Volume; readonly content: Content<State>};

export type Member = {
  readonly number: VolumeNumber;
  readonly kind: ContentKind<State>;
  /** A volume that is there to be forked, and that nobody ever opens. */
  readonly isSnapshot: boolean;
  history: History<State>;
  opened: Opened | null;
  /** Oldest first. */
  barriers: Barrier[];
  /** A writer that was taken for dead, and goes on. */
  stale: Opened | null;
  /** Another one has opened the volume since: until then the stale writer is the writer, and what it does may stay. */
  isTakenOver: boolean;
  /** True once there was one: a segment may be there that it created. */
  hadStale: boolean;
  /** Pages changed since the last flush, at most. */
  unflushedPages: number;
  /** What was found to be corrupt: the volume is left alone from then on. */
  corrupt: string | null;
};
