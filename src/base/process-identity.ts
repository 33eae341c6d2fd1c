/**
 * Tells a process from another one that was later given the same number: number, ticks since boot at
 * which it began (field 22 of /proc/PID/stat), the boot, and whose /proc that is. Where there is no
 * /proc the number alone must do.
 *
 * Numbers are those of the mounted /proc, which in a PID namespace of its own may still be the host's.
 */
import {readFileSync, readlinkSync} from 'node:fs';
import {assert} from './assert.ts';
import {systemErrorCode} from './errors.ts';

export type ProcessIdentity = {
  readonly pid: number;
  /** Ticks since boot at which it began; empty where there is no /proc. */
  readonly startTicks: string;
  readonly bootId: string;
  /** The same of process 1 of that /proc: containers on one machine differ in it. */
  readonly initTicks: string;
};

/** The identity of a process that runs now, or undefined if it does not. */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (stat === 'gone') return undefined;
  if (stat === 'unknown' && !signalReaches(pid)) return undefined;
  return {pid, startTicks: ticksOf(stat), bootId: bootId(), initTicks: ticksOf(readStat(1))};
}

/** Who this process is to others. */
export function ownIdentity(): ProcessIdentity {
  const identity = processIdentity(hostPid());
  assert(identity !== undefined, 'this process runs');
  return identity;
}

/**
 * Whether that very process still runs. A zombie does not. One of another container cannot be looked
 * at, and counts as running: that is for a person to decide.
 */
export function isRunning(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false;
  if (identity.initTicks !== ticksOf(readStat(1))) return true;
  return processIdentity(identity.pid)?.startTicks === identity.startTicks;
}

/** Undefined when `value` is not a whole identity, as in a file that a power cut left short. */
export function parseProcessIdentity(value: unknown): ProcessIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const {pid, startTicks, bootId: boot, initTicks} = value as Record<string, unknown>;
  const isWhole =
    typeof pid === 'number' &&
    typeof startTicks === 'string' &&
    typeof boot === 'string' &&
    typeof initTicks === 'string';
  return isWhole ? {pid, startTicks, bootId: boot, initTicks} : undefined;
}

type Stat = {readonly startTicks: string} | 'gone' | 'unknown';

function ticksOf(stat: Stat): string {
  return typeof stat === 'object' ? stat.startTicks : '';
}

function readStat(pid: number): Stat {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ESRCH') return 'gone';
    return code === 'ENOENT' && process.platform === 'linux' ? 'gone' : 'unknown';
  }
  // The second field is the program's name in parentheses and may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return 'gone';
  return {startTicks: fields[19] ?? ''};
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

function hostPid(): number {
  try {
    return Number(readlinkSync('/proc/self'));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return process.pid;
    throw error;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  }
}
