/** A short `npm run torture`, and that it leaves nothing behind, also on Ctrl-C. Needs `npm run build`. */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readdir, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import type {Subject, Totals} from '../conformance/outcome.ts';
import {DISK_FAULTS, PROCESS_FAULTS, ZONE_FAULTS, type Fault} from './faults.ts';

const fuse = await probeFuse();
const missing = fuse.available ? '' : ` (SKIPPED: ${fuse.reason ?? ''})`;
const RUN = fileURLToPath(new URL('run.ts', import.meta.url));
const TIMEOUT_MS = 240_000;

let temporary = '';
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'borealis-torture-test-'));
});
afterEach(async () => {
  // tsx keeps its cache there.
  expect((await readdir(temporary)).filter(name => !name.startsWith('tsx-'))).toEqual([]);
  expect(await processesBelow(temporary)).toEqual([]);
  await rm(temporary, {recursive: true});
});

function start(...args: string[]): {child: ChildProcess; out: () => string; err: () => string} {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), RUN, ...args], {
    env: {...process.env, TMPDIR: temporary},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', chunk => (out += String(chunk)));
  child.stderr.on('data', chunk => (err += String(chunk)));
  return {child, out: () => out, err: () => err};
}

/** Those that have the directory in their environment, as all have that the run started. */
async function processesBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (environment.split('\0').includes(`TMPDIR=${directory}`)) found.push(pid);
  }
  return found;
}

test.skipIf(!fuse.available)(
  `no fault, of a process or of a zone, loses an acknowledged commit, and clones are what they were${missing}`,
  {timeout: TIMEOUT_MS},
  async () => {
    const {child, out, err} = start('--rounds', '3', '--minutes', '5', '--seed', '98', '--json');
    await once(child, 'close');
    const {subjects, failed} = JSON.parse(out()) as Totals & {subjects: Subject[]};
    const outcomes = subjects.flatMap(subject => subject.outcomes);
    expect(
      outcomes.filter(({outcome}) => outcome === 'failed'),
      err(),
    ).toEqual([]);
    expect(failed).toBe(0);
    expect(child.exitCode, err()).toBe(0);
    const names = outcomes.map(({name}) => name).join('\n');
    const seen = (faults: readonly Fault[]): number =>
      faults.filter(({name}) => names.includes(`, ${name}:`)).length;
    expect(seen(PROCESS_FAULTS)).toBe(1);
    expect(seen([...ZONE_FAULTS, ...DISK_FAULTS])).toBe(2);
    expect(names).toContain('every zone by itself is sound');
  },
);

test.skipIf(!fuse.available)(
  `on one zone, Ctrl-C leaves no process, mount or file, and ends with 130${missing}`,
  {timeout: TIMEOUT_MS},
  async () => {
    const {child, err} = start('--minutes', '5', '--seed', '3', '--zones', '1');
    const closed = once(child, 'close');
    let interrupted = false;
    child.stderr?.on('data', () => {
      if (interrupted || !err().includes('round 1:')) return;
      interrupted = true;
      child.kill('SIGINT');
    });
    await closed;
    expect(child.exitCode, err()).toBe(130);
  },
);
