import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {ownIdentity} from './process-identity.ts';
import {acquireProcessLock, takeGeneration} from './process-lock.ts';

/** Above the highest process number of Linux. */
const NO_PROCESS = 4_194_305;
const self = ownIdentity();
const gone = {...self, pid: NO_PROCESS};
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-lock-'));
});

afterEach(() => rmSync(directory, {recursive: true}));

function write(generation: number, holder: object): void {
  writeFileSync(join(directory, `lock.${generation}`), JSON.stringify(holder));
}

const files = (): string[] => readdirSync(directory).sort();

// What a taker finds that looked before others won, and comes to link its own only now.
test('a late taker gives way to one that runs with a higher or a lower number', () => {
  write(1, self);
  expect(takeGeneration(directory, 'lock', 4, self)).toBeUndefined();
  write(5, self);
  expect(takeGeneration(directory, 'lock', 4, self)).toBeUndefined();
  expect(takeGeneration(directory, 'lock', 5, self)).toBeUndefined();
  expect(files()).toEqual(['lock.1', 'lock.5']);
});

test('a taker removes what the dead left, and its own on release', () => {
  write(1, gone);
  write(3, gone);
  const lock = takeGeneration(directory, 'lock', 4, self);
  expect(files()).toEqual(['lock.4']);
  expect(acquireProcessLock(directory, 'lock')).toEqual({heldBy: self});
  lock?.release();
  expect(files()).toEqual([]);
});
