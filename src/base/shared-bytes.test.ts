import {expect, test} from 'vitest';
import {copyShared} from './shared-bytes.ts';

test('bytes of shared memory are copied whole, wherever they and their place begin', () => {
  const shared = Buffer.from(new SharedArrayBuffer(100));
  for (let at = 0; at < 100; at++) shared[at] = at;
  for (const from of [0, 3, 8]) {
    for (const at of [0, 1, 16]) {
      const into = Buffer.alloc(100, 0xee);
      copyShared(shared.subarray(from, from + 20), into.subarray(at));
      expect([...into.subarray(at, at + 20)]).toEqual([...shared.subarray(from, from + 20)]);
      expect(into[at + 20]).toBe(0xee);
    }
  }
});

test('nothing is copied as nothing', () => {
  const into = Buffer.alloc(4, 1);
  copyShared(Buffer.from(new SharedArrayBuffer(0)), into);
  expect([...into]).toEqual([1, 1, 1, 1]);
});
