import {chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {inspectPostgres, linkLibraries, packagedPostgresBin} from './binaries.ts';

const packaged = packagedPostgresBin();
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'borealis-binaries-'));
});
afterEach(() => rm(directory, {recursive: true, force: true}));

async function fakeBin(script: string): Promise<string> {
  const bin = join(directory, 'bin');
  await mkdir(bin);
  for (const program of ['postgres', 'initdb']) {
    await writeFile(join(bin, program), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, program), 0o755);
  }
  return bin;
}

describe('inspecting programs', () => {
  test('tells the version that they say', async () => {
    const bin = await fakeBin('echo "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"');
    expect(await inspectPostgres(bin)).toEqual({version: '15.18', major: 15});
  });

  test('refuses one that is too old', async () => {
    const bin = await fakeBin('echo "postgres (PostgreSQL) 14.12"');
    await expect(inspectPostgres(bin)).rejects.toThrow(
      'is PostgreSQL 14.12; Borealis runs PostgreSQL 15 and newer',
    );
  });

  test('knows a version that is not out yet', async () => {
    const bin = await fakeBin('echo "postgres (PostgreSQL) 19beta2"');
    expect(await inspectPostgres(bin)).toEqual({version: '19beta2', major: 19});
  });

  test('shows what programs say that do not start', async () => {
    const bin = await fakeBin(
      'echo "error while loading shared libraries: libfoo.so" >&2; exit 127',
    );
    await expect(inspectPostgres(bin)).rejects.toMatchObject({
      code: 'engine-binary',
      message: `${bin}/postgres does not start on this machine: error while loading shared libraries: libfoo.so`,
    });
  });

  test('refuses a directory without them', async () => {
    await expect(inspectPostgres(directory)).rejects.toMatchObject({
      code: 'engine-binary',
      message: expect.stringContaining(`${directory} has no program postgres`),
    });
  });

  test('refuses programs that are something else', async () => {
    const bin = await fakeBin('echo hello');
    await expect(inspectPostgres(bin)).rejects.toThrow(/it answered: hello/);
  });
});

describe.skipIf(packaged === null)(
  `the npm package${packaged === null ? ' (skipped: not installed for this platform)' : ''}`,
  () => {
    test('is there and runs', async () => {
      expect((await inspectPostgres(packaged ?? '')).major).toBe(18);
    });

    test('runs as npm unpacks it, without links, and stays as it is', async () => {
      const native = join(directory, 'package', 'native');
      await cp(dirname(packaged ?? ''), native, {recursive: true, verbatimSymlinks: true});
      const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
      for (const [, target] of list.matchAll(/"target":"([^"]+)"/g)) {
        await rm(join(native, '..', target ?? ''), {force: true});
      }
      const before = await readdir(join(native, 'lib'));
      expect((await inspectPostgres(join(native, 'bin'))).major).toBe(18);
      expect(await readdir(join(native, 'lib'))).toEqual(before);

      const links = join(directory, 'links');
      await mkdir(links);
      expect(await linkLibraries(join(native, 'bin'), links)).toBe(links);
      expect(await readdir(links)).toContain('libicui18n.so.60');
    });
  },
);
