/**
 * A lock on a directory that dies with the process that holds it.
 *
 *     NAME.7   {pid, startTicks, bootId, initTicks}      the highest number is the holder
 *
 * To take the lock is to link(2) a complete file to the number after the highest one, whose process
 * must be gone. link fails where the name exists, so one of several takers wins; a file is never seen
 * half-written; and a stale file is passed by instead of deleted first, so that nobody can delete a
 * lock that was taken a moment ago. The winner then deletes lower numbers. Who finds after linking that
 * somebody else has won since it looked takes its own back and tries again.
 */
import {linkSync, readdirSync, readFileSync, unlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {BorealisError, systemErrorCode} from './errors.ts';
import {
  isRunning,
  ownIdentity,
  parseProcessIdentity,
  type ProcessIdentity,
} from './process-identity.ts';
import {randomHex} from './random.ts';

/** Each round is lost to a taker that won; more than a few in a row means that something else is wrong. */
const ROUNDS_MAX = 100;

export type ProcessLock = {release(): void};

/** Takes the lock `name` of `directory`, or tells who has it. */
export function acquireProcessLock(
  directory: string,
  name: string,
): ProcessLock | {readonly heldBy: ProcessIdentity} {
  const self = ownIdentity();
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const highest = generations(directory, name).at(-1) ?? 0;
    const heldBy = runningHolder(directory, name, highest);
    if (heldBy !== undefined) return {heldBy};
    // The number after the one that was looked at: a later look may find one of a taker that won meanwhile.
    const lock = takeGeneration(directory, name, highest + 1, self);
    if (lock !== undefined) return lock;
  }
  throw new BorealisError(
    'unavailable',
    'lock-contended',
    `The lock ${join(directory, name)} could not be taken: others keep taking and leaving it.`,
  );
}

/**
 * Links `own` and keeps it unless another taker won: one with a higher number, or one that runs with a
 * lower number, which began anew after the files that the caller saw had gone.
 */
export function takeGeneration(
  directory: string,
  name: string,
  own: number,
  self: ProcessIdentity,
): ProcessLock | undefined {
  if (!linkLock(directory, name, own, self)) return undefined;
  const others = generations(directory, name).filter(each => each !== own);
  const isLost = others.some(
    each => each > own || runningHolder(directory, name, each) !== undefined,
  );
  if (isLost) {
    removeLock(directory, name, own);
    return undefined;
  }
  for (const lower of others) removeLock(directory, name, lower);
  return releaseOnce(directory, name, own);
}

/** The process that holds the lock now, or undefined. */
export function processLockHolder(directory: string, name: string): ProcessIdentity | undefined {
  return runningHolder(directory, name, generations(directory, name).at(-1) ?? 0);
}

function runningHolder(
  directory: string,
  name: string,
  generation: number,
): ProcessIdentity | undefined {
  const holder = readLock(directory, name, generation);
  return holder !== undefined && isRunning(holder) ? holder : undefined;
}

function linkLock(
  directory: string,
  name: string,
  generation: number,
  self: ProcessIdentity,
): boolean {
  const temporary = join(directory, `${name}.new-${randomHex(8)}`);
  writeFileSync(temporary, JSON.stringify(self), {mode: 0o600, flag: 'wx', flush: true});
  try {
    linkSync(temporary, lockPath(directory, name, generation));
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}

function releaseOnce(directory: string, name: string, generation: number): ProcessLock {
  let held = true;
  return {
    release() {
      if (held) removeLock(directory, name, generation);
      held = false;
    },
  };
}

function removeLock(directory: string, name: string, generation: number): void {
  try {
    unlinkSync(lockPath(directory, name, generation));
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

function readLock(
  directory: string,
  name: string,
  generation: number,
): ProcessIdentity | undefined {
  try {
    const text = readFileSync(lockPath(directory, name, generation), 'utf8');
    return parseProcessIdentity(JSON.parse(text));
  } catch (error) {
    // Released between the listing and now, or cut short by a crash of the whole machine.
    if (systemErrorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function generations(directory: string, name: string): number[] {
  const prefix = `${name}.`;
  return readdirSync(directory)
    .filter(file => file.startsWith(prefix) && /^[1-9][0-9]{0,14}$/.test(file.slice(prefix.length)))
    .map(file => Number(file.slice(prefix.length)))
    .sort((a, b) => a - b);
}

function lockPath(directory: string, name: string, generation: number): string {
  return join(directory, `${name}.${generation}`);
}
