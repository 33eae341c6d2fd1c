import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import type {VolumeNumber} from '../../page-store/ids.ts';
import {ROOT_INO} from '../../volume-fs/types.ts';
import {openStorage} from './open-storage.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-storage-'));
});
afterEach(() => rmSync(directory, {recursive: true, force: true}));

function config(format: boolean): Parameters<typeof openStorage>[0] {
  const zones = [{name: 'a', directory}];
  return {zones, volume: 1 as VolumeNumber, format, nodeCacheBytes: 1024 * 1024, reserveBytes: 0};
}

test('the cluster directory is made once and found again', () => {
  const made = openStorage(config(true), true);
  const root = made.root;
  made.volume.close();
  const found = openStorage(config(false), false);
  expect(found.root).toBe(root);
  found.volume.close();
});

test('a volume of native PostgreSQL is refused with that reason, and let go', () => {
  const made = openStorage(config(true), true);
  made.fileSystem.rename(ROOT_INO, 'pglite', ROOT_INO, 'pgdata', 0);
  made.volume.close();
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(() => openStorage(config(false), false)).toThrow(
      expect.objectContaining({code: 'volume-engine', kind: 'conflict'}),
    );
  }
});

test('an empty volume is no cluster', () => {
  const made = openStorage(config(true), true);
  made.fileSystem.removeDirectory(ROOT_INO, 'pglite');
  made.volume.close();
  expect(() => openStorage(config(false), false)).toThrow(
    expect.objectContaining({code: 'volume-empty', kind: 'corrupt'}),
  );
});
