/** A fast part of `npm run conformance`, and that the commands leave nothing behind. Needs `npm run build`. */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import type {Subject, Totals} from './outcome.ts';

const fuse = await probeFuse();
const RUN = fileURLToPath(new URL('run.ts', import.meta.url));
const missing = fuse.available ? '' : ` (SKIPPED on FUSE: ${fuse.reason ?? ''})`;

let temporary = '';
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'borealis-conformance-test-'));
});
afterEach(async () => {
  // tsx keeps its cache there.
  expect((await readdir(temporary)).filter(name => !name.startsWith('tsx-'))).toEqual([]);
  await rm(temporary, {recursive: true});
});

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, ['--import', import.meta.resolve('tsx'), RUN, ...args], {
    env: {...process.env, TMPDIR: temporary},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function run(...args: string[]): Promise<Totals & {subjects: Subject[]; status: number}> {
  const child = start('--json', ...args);
  let out = '';
  child.stdout?.on('data', chunk => (out += String(chunk)));
  await once(child, 'close');
  const report = JSON.parse(out) as Totals & {subjects: Subject[]};
  return {...report, status: child.exitCode ?? -1};
}

function failuresOf(subjects: readonly Subject[]): unknown[] {
  return subjects.flatMap(({name, outcomes}) =>
    outcomes.filter(({outcome}) => outcome === 'failed').map(outcome => ({...outcome, on: name})),
  );
}

test(`the fast checks hold on FUSE, on PGlite’s file system and on the host’s${missing}`, async () => {
  const {status, subjects, passed} = await run('--fast');
  expect(failuresOf(subjects)).toEqual([]);
  expect(subjects.map(({name}) => name)).toEqual(['FUSE', 'PGlite', 'host']);
  expect(passed).toBeGreaterThan(20);
  expect(status).toBe(0);
});

test('on a directory alone, a file system that lacks something fails with status 1', async () => {
  // procfs takes no directories.
  const child = start('--mount', '/proc/self');
  await once(child, 'close');
  expect(child.exitCode).not.toBe(0);
});

test.skipIf(!fuse.available).each([1, 2])(
  `random operations with clones answer as the host does (seed %i)${missing}`,
  async seed => {
    const {subjects, status} = await run(...['--fsx', '--operations', '2000', '--seed', `${seed}`]);
    expect(failuresOf(subjects)).toEqual([]);
    expect(status).toBe(0);
  },
  180_000,
);

test.skipIf(!fuse.available)(
  `Ctrl-C leaves no mount, process or file, and ends with 130${missing}`,
  async () => {
    const child = start('--fsx', '--operations', '1000000');
    const [chunk] = (await once(child.stderr ?? child, 'data')) as [Buffer];
    expect(chunk.toString()).toContain('--seed');
    child.kill('SIGINT');
    await once(child, 'close');
    expect(child.exitCode).toBe(130);
  },
);
