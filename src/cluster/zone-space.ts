/**
 * The room of the file systems that the zones lie on. A disk that hangs holds up nobody: it is asked
 * once at a time, and counts as one that is not there.
 */
import {statfs} from 'node:fs/promises';
import type {ZoneConfig} from '../attachment/attachment.ts';
import {BorealisError} from '../base/errors.ts';
import {Probes} from '../base/probe.ts';
import {majority} from '../page-store/membership.ts';

const ANSWER_MS_MAX = 2_000;

export type ZoneSpace = {
  readonly zone: string;
  /** Null of a zone that is not there. */
  readonly bytesTotal: number | null;
  /** For a writer without privileges. */
  readonly bytesFree: number | null;
};

type Space = {readonly bytesTotal: number; readonly bytesFree: number};

export class ZoneSpaces {
  readonly #probes: Probes<string, Space>;

  readonly #answerMsMax: number;

  /** `ask` is of a directory. */
  constructor(
    ask: (directory: string) => Promise<Space> = spaceOf,
    answerMsMax: number = ANSWER_MS_MAX,
  ) {
    this.#probes = new Probes(ask);
    this.#answerMsMax = answerMsMax;
  }

  async of(zones: readonly ZoneConfig[]): Promise<readonly ZoneSpace[]> {
    const answers = await this.#probes.answers(
      zones.map(({directory}) => directory),
      this.#answerMsMax,
    );
    return zones.map(({name}, index) => ({
      zone: name,
      bytesTotal: answers[index]?.bytesTotal ?? null,
      bytesFree: answers[index]?.bytesFree ?? null,
    }));
  }

  /** What a write quorum of the zones has; `unavailable` when the only one does not answer. */
  async quorumBytesFree(zones: readonly ZoneConfig[]): Promise<number> {
    const spaces = await this.of(zones);
    const [only] = spaces;
    if (spaces.length === 1 && only?.bytesFree === null) {
      const message = `The disk of zone ${only.zone} does not answer.`;
      throw new BorealisError('unavailable', 'zone-unavailable', message);
    }
    const free = spaces.map(({bytesFree}) => bytesFree ?? 0).sort((a, b) => b - a);
    return free[majority(zones.length) - 1] ?? 0;
  }
}

async function spaceOf(directory: string): Promise<Space> {
  const {blocks, bavail, bsize} = await statfs(directory);
  return {bytesTotal: blocks * bsize, bytesFree: bavail * bsize};
}
