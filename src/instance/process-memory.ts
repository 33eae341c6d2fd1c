/**
 * Memory of a process and all that it started, as /proc tells it: the proportional set size, in
 * which a page that several processes share counts once among them.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {systemErrorCode} from '../base/errors.ts';

/** An instance has about twenty processes; a server with every connection in use, a few hundred. */
const PROCESS_COUNT_MAX = 4_096;

/** Bytes, or null when the process is gone or /proc does not say. */
export function processTreeMemoryBytes(pid: number): number | null {
  let kilobytes: number | null = null;
  const pids = [pid];
  for (let index = 0; index < pids.length && index < PROCESS_COUNT_MAX; index++) {
    const at = pids[index] ?? 0;
    pids.push(...childrenOf(at));
    const match = /^Pss:\s+(\d+) kB$/m.exec(readProc(`${at}/smaps_rollup`));
    if (match !== null) kilobytes = (kilobytes ?? 0) + Number(match[1]);
  }
  return kilobytes === null ? null : kilobytes * 1024;
}

function childrenOf(pid: number): number[] {
  let tasks: string[];
  try {
    tasks = readdirSync(`/proc/${pid}/task`);
  } catch (error) {
    if (systemErrorCode(error) !== undefined) return [];
    throw error;
  }
  return tasks
    .flatMap(task => readProc(`${pid}/task/${task}/children`).split(' '))
    .map(Number)
    .filter(child => child > 0);
}

/** Empty when the process has ended meanwhile, or is another user's. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'latin1');
  } catch (error) {
    if (systemErrorCode(error) !== undefined) return '';
    throw error;
  }
}
