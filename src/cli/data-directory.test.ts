import {mkdtemp, readdir, rm, stat, writeFile} from 'node:fs/promises';
import {homedir, tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';
import {
  forgetPassword,
  readCredentials,
  readPassword,
  readServiceFile,
  resolveDataDirectory,
  storePassword,
} from './data-directory.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'borealis-cli-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, {recursive: true});
});

test('the data directory is --data, else BOREALIS_DATA, else ~/.borealis', () => {
  vi.stubEnv('BOREALIS_DATA', undefined);
  expect(resolveDataDirectory(undefined)).toBe(join(homedir(), '.borealis'));
  vi.stubEnv('BOREALIS_DATA', '/srv/b');
  expect(resolveDataDirectory(undefined)).toBe('/srv/b');
  expect(resolveDataDirectory('/srv/c')).toBe('/srv/c');
  expect(() => resolveDataDirectory('')).toThrow('--data names no directory');
});

describe('passwords', () => {
  test('are read back, in files that only the owner reads', async () => {
    await storePassword(directory, 'cluster-ABC', 'first');
    await storePassword(directory, 'cluster-ABC', 'p@ss "1"');
    expect(await readPassword(directory, 'cluster-ABC')).toBe('p@ss "1"');
    expect((await stat(join(directory, 'passwords'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, 'passwords/cluster-ABC.json'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(directory, 'passwords'))).toEqual(['cluster-ABC.json']);
  });

  test('are null when unknown or forgotten', async () => {
    expect(await readPassword(directory, 'cluster-X')).toBeNull();
    await storePassword(directory, 'cluster-X', 'pw');
    await forgetPassword(directory, 'cluster-X');
    await forgetPassword(directory, 'cluster-X');
    expect(await readPassword(directory, 'cluster-X')).toBeNull();
  });

  test('never leave the data directory through a resource id', async () => {
    await expect(storePassword(directory, '../x', 'pw')).rejects.toThrow('resource id "../x"');
  });
});

describe('what the service wrote', () => {
  test('is null when it is not there, also below a missing directory', async () => {
    expect(await readServiceFile(directory)).toBeNull();
    expect(await readCredentials(join(directory, 'missing'))).toBeNull();
  });

  test('is refused with the file’s name when it is something else', async () => {
    await writeFile(join(directory, 'service.json'), '{"url": 1}');
    await expect(readServiceFile(directory)).rejects.toThrow(/service\.json does not hold url/);
    await writeFile(join(directory, 'credentials.json'), 'not json');
    await expect(readCredentials(directory)).rejects.toMatchObject({
      kind: 'invalid',
      code: 'data-directory-foreign',
    });
  });
});
