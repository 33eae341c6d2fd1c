/** What a writer's line does in a zone whose directory is not the one that it began in. */
import {cpSync, mkdirSync, mkdtempSync, renameSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {openDirectoryZone} from './directory-zone.ts';
import type {SegmentNumber, VolumeNumber} from './ids.ts';
import {encodeRecord} from './record.ts';
import {ZoneExecutor} from './zone-executor.ts';
import {expectedText} from './zone-operation.ts';

const VOLUME = 1 as VolumeNumber;
const SEGMENT = 1 as SegmentNumber;
const NOTHING = Buffer.alloc(0);
const RECORD = encodeRecord({epoch: 1, revision: 1});
const PAGE = Buffer.alloc(8192, 7);

let root: string;
let directory: string;
let executor: ZoneExecutor;
let published: number[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-zone-executor-'));
  directory = join(root, 'zone');
  published = [];
  const zone = openDirectoryZone('a', directory);
  executor = new ZoneExecutor({
    zone,
    peer: () => zone,
    away: call => call(),
    publish: lsn => published.push(lsn),
  });
  writeRecord(RECORD, null);
  executor.run({kind: 'create-segment', volume: VOLUME, segment: SEGMENT}, NOTHING);
  append(1);
});

afterEach(() => {
  executor.close();
  rmSync(root, {recursive: true});
});

describe('a sync', () => {
  it('is published while the directory is where it was', () => {
    append(2);
    const second = encodeRecord({epoch: 1, revision: 2});
    writeRecord(second, RECORD);
    append(3);
    expect(published).toEqual([1, 2, 3]);
  });

  it('is not published once the directory was moved away', () => {
    renameSync(directory, `${directory}.away`);
    expect(() => append(2)).toThrow('the directory of zone a was moved away');
    expect(published).toEqual([1]);
  });

  it('is not published once another directory, filled as far as can be, stands in its place', () => {
    renameSync(directory, `${directory}.away`);
    mkdirSync(directory);
    cpSync(`${directory}.away`, directory, {recursive: true});
    expect(() => append(2)).toThrow('the directory of zone a was moved away');
    expect(published).toEqual([1]);
    expect(() => executor.run({kind: 'tidy'}, NOTHING)).toThrow('was moved away');
    expect(() => executor.run({kind: 'list-volumes'}, NOTHING)).toThrow('was moved away');
  });

  it('is not published once another writer took over', () => {
    openDirectoryZone('a', directory).writeVolumeRecord(
      VOLUME,
      encodeRecord({epoch: 2, revision: 0}),
      RECORD,
    );
    expect(() => append(2)).toThrow('volume 1 was taken over by another writer (zone a)');
    expect(published).toEqual([1]);
  });
});

function writeRecord(bytes: Buffer, before: Buffer | null): void {
  const how = {expected: expectedText(before), force: false, hold: true} as const;
  executor.run({kind: 'write-volume-record', volume: VOLUME, ...how}, bytes);
}

function append(mark: number): void {
  const at = {volume: VOLUME, segment: SEGMENT};
  executor.run({kind: 'write', ...at, position: mark * PAGE.length, make: false}, PAGE);
  executor.sync([{kind: 'sync', volume: VOLUME, segments: [SEGMENT], mark}]);
}
