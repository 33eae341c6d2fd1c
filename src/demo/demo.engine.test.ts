/** The compiled demo, small, on every runtime that this machine has. */
import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {probeFuse} from '../attachment/fuse/probe.ts';
import {entryPoint} from '../base/entry-point.ts';

const fuse = await probeFuse();
const DEMO_TIMEOUT_MS = 120_000;

let temporary = '';
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'borealis-demo-test-'));
});
afterEach(async () => {
  await rm(temporary, {recursive: true});
});

function start(...args: string[]): {child: ChildProcess; out: () => string; err: () => string} {
  const child = spawn(process.execPath, [entryPoint('demo/demo'), ...args], {
    env: {...process.env, TMPDIR: temporary},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', chunk => (out += String(chunk)));
  child.stderr.on('data', chunk => (err += String(chunk)));
  return {child, out: () => out, err: () => err};
}

describe.each(['native', 'pglite'] as const)('the demo on the %s runtime', runtime => {
  const skipped = runtime === 'native' && !fuse.available;
  const why = skipped ? ` (skipped: no FUSE mounts here: ${fuse.reason})` : '';

  test.skipIf(skipped)(
    `holds every proof and leaves its temporary directory empty${why}`,
    {timeout: DEMO_TIMEOUT_MS},
    async () => {
      const {child, out, err} = start('--scale', '1', '--engine-runtime', runtime, '--json');
      await once(child, 'close');
      expect(child.exitCode, err()).toBe(0);
      const report: unknown = JSON.parse(out());
      expect(report).toMatchObject({held: true, runtime, scale: 1, bytesCopiedAtBirth: 0});
      expect(await readdir(temporary)).toEqual([]);
    },
  );
});

/** What ends it does not look at the runtime, so the best one that there is will do. */
test(
  'the demo stops in order on Ctrl-C, exits with 130 and leaves nothing',
  {timeout: DEMO_TIMEOUT_MS},
  async () => {
    const {child, err} = start('--scale', '1');
    const closed = once(child, 'close');
    child.stderr?.on('data', () => {
      if (err().includes('4. Its clone')) child.kill('SIGINT');
    });
    await closed;
    expect(err()).toContain('✔ stop everything and clean up');
    expect(child.exitCode, err()).toBe(130);
    expect(await readdir(temporary)).toEqual([]);
  },
);

test('the demo refuses a scale that is none, exit status 2', async () => {
  const {child, err} = start('--scale', 'big');
  await once(child, 'close');
  expect(err()).toContain('--scale "big" is not allowed; a whole number from 1 to');
  expect(child.exitCode).toBe(2);
});
