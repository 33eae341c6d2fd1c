import {mkdir, mkdtemp, rm, symlink} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {choosePrivateRoot} from './private-root.ts';

let base: string;
let candidates: string[];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'borealis-root-'));
  candidates = ['none', 'one', 'two'].map(name => join(base, name));
  await mkdir(join(base, 'one', 'data'), {recursive: true});
  await mkdir(join(base, 'two'));
});
afterEach(() => rm(base, {recursive: true, force: true}));

test('the first directory that exists is the private root', () => {
  expect(choosePrivateRoot(['/somewhere'], candidates)).toBe(join(base, 'one'));
});

test('a directory that holds what the instance needs is passed over', () => {
  expect(choosePrivateRoot([join(base, 'one', 'data')], candidates)).toBe(join(base, 'two'));
  expect(choosePrivateRoot([join(base, 'one')], candidates)).toBe(join(base, 'two'));
  expect(choosePrivateRoot([join(base, 'one-more')], candidates)).toBe(join(base, 'one'));
});

test('what it needs is looked for where links lead', async () => {
  await symlink(join(base, 'one', 'data'), join(base, 'link'));
  expect(choosePrivateRoot([join(base, 'link')], candidates)).toBe(join(base, 'two'));
});

test('none left is said with the names tried', () => {
  expect(() => choosePrivateRoot([join(base, 'one'), join(base, 'two')], candidates)).toThrow(
    /none of .*two is there and free/,
  );
});
