import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {entryPoint} from '../base/entry-point.ts';
import {openDirectoryZone} from './directory-zone.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';

const CHILD = entryPoint('page-store/testing/compact-child');
const VOLUME = 1 as VolumeNumber;
const SEGMENT = 1 as SegmentNumber;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-compact-crash-'));
});

afterEach(() => rmSync(directory, {recursive: true}));

test.each([
  ['compact.before-sync', false],
  ['compact.before-rename', false],
  ['compact.after-rename', true],
])('a compaction that is killed at %s is whole or was not begun', (crashAt, isDone) => {
  const zone = openDirectoryZone('a', directory);
  zone.writeVolumeRecord(VOLUME, Buffer.from('record'), null);
  const written = zone.createSegment(VOLUME, SEGMENT);
  written.write(
    [0, 1, 2, 3, 4].map(sector => Buffer.alloc(512, sector)),
    0,
  );
  written.close();
  const child = spawnSync(process.execPath, [CHILD, directory], {
    encoding: 'utf8',
    timeout: 30_000,
    env: {...process.env, BOREALIS_CRASH_AT: crashAt},
  });
  expect(child.signal, child.stderr).toBe('SIGKILL');
  const file = zone.openSegment(VOLUME, SEGMENT);
  expect(file.ranges !== null).toBe(isDone);
  const into = Buffer.alloc(512);
  for (const [sector, isKept] of [false, true, false, true].entries()) {
    expect(file.read(sector * 512, into, 0, 512)).toBe(isKept || !isDone ? 512 : 0);
    if (isKept) expect(into[0]).toBe(sector);
  }
  file.close();
  expect(zone.leftovers()).toHaveLength(isDone ? 0 : 1);
  expect(zone.listSegments(VOLUME)).toHaveLength(1);
  zone.discardUnfinished(VOLUME);
  expect(zone.leftovers()).toEqual([]);
});
