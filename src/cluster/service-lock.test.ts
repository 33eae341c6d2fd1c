import {spawn, type ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {entryPoint} from '../base/entry-point.ts';
import {BorealisError} from '../base/errors.ts';
import {isRunning, ownIdentity, processIdentity} from '../base/process-identity.ts';
import {endLeftover} from './leftover.ts';
import {acquireServiceLock, serviceLockHolder} from './service-lock.ts';

const CHILD = entryPoint('cluster/testing/lock-child');
let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-lock-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) await killed(child);
  rmSync(directory, {recursive: true});
});

async function starter(): Promise<{child: ChildProcess; said: string}> {
  const child = spawn(process.execPath, [CHILD, directory]);
  children.push(child);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return {child, said: chunk.toString().trim()};
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function writeLock(generation: number, holder: object | string): void {
  const text = typeof holder === 'string' ? holder : JSON.stringify(holder);
  writeFileSync(join(directory, `service.lock.${generation}`), text);
}

describe('the service lock', () => {
  test('is held once, and names its holder', () => {
    const lock = acquireServiceLock(directory);
    const second = (): unknown => acquireServiceLock(directory);
    expect(second).toThrow(BorealisError);
    expect(second).toThrow(new RegExp(`${directory}.*process id ${process.pid}`));
    expect(serviceLockHolder(directory)?.pid).toBe(process.pid);
    lock.release();
    lock.release();
    expect(serviceLockHolder(directory)).toBeUndefined();
    acquireServiceLock(directory).release();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('goes to exactly one of several starters, and on from one that was killed', async () => {
    writeLock(3, {...ownIdentity(), pid: 4_194_303});
    const first = await Promise.all(Array.from({length: 4}, starter));
    expect(first.map(each => each.said).sort()).toEqual([
      'data-directory-in-use',
      'data-directory-in-use',
      'data-directory-in-use',
      'held',
    ]);
    for (const {child} of first) await killed(child);
    const second = await Promise.all([starter(), starter()]);
    expect(second.map(each => each.said).sort()).toEqual(['data-directory-in-use', 'held']);
    expect(readdirSync(directory)).toHaveLength(1);
  });

  test.each([
    ['a process that is gone', {pid: 4_194_303, startTicks: '1'}],
    ['a process whose number went to another one', {startTicks: '1'}],
    ['a machine that was restarted', {bootId: 'another boot'}],
  ])('of %s is stale', (_, difference) => {
    writeLock(7, {...ownIdentity(), ...difference});
    acquireServiceLock(directory).release();
  });

  test('that a power cut left empty is stale', () => {
    writeLock(1, '');
    acquireServiceLock(directory).release();
  });

  test('of a process in another container is not taken: it cannot be looked at', () => {
    writeLock(7, {...ownIdentity(), pid: 1, startTicks: '1', initTicks: '1'});
    expect(() => acquireServiceLock(directory)).toThrow(/in use/);
  });

  test('refuses when the holder lives', () => {
    writeLock(7, ownIdentity());
    expect(() => acquireServiceLock(directory)).toThrow(/in use/);
  });
});

describe('a process identity', () => {
  test('tells a running process from one that ended, and ends a leftover', async () => {
    const child = spawn('sleep', ['600']);
    children.push(child);
    const identity = processIdentity(child.pid ?? 0);
    if (identity === undefined) throw new Error('it runs');
    expect(isRunning(identity)).toBe(true);
    expect(isRunning({...identity, startTicks: '1'})).toBe(false);
    expect(await endLeftover({...identity, startTicks: '1'})).toBe('gone');
    expect(isRunning(identity)).toBe(true);
    expect(await endLeftover(identity)).toBe('killed');
    expect(isRunning(identity)).toBe(false);
    expect(await endLeftover(identity)).toBe('gone');
  });

  test('of a process whose name has spaces and parentheses is read right', () => {
    const identity = ownIdentity();
    const title = process.title;
    process.title = 'a) R 1 (b';
    expect(isRunning(identity)).toBe(true);
    process.title = title;
  });
});
