import {expect, test} from 'vitest';
import {nativePasswordHash} from './native-password.ts';

test.each([
  ['password', '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'],
  ['secret', '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7'],
])('the hash is what the function PASSWORD of the server gives', (password, hash) => {
  expect(nativePasswordHash(password)).toBe(hash);
});
