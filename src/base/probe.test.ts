import {expect, test} from 'vitest';
import {sleep} from './clock.ts';
import {Probe, Probes} from './probe.ts';

test('many who ask at once are one question', async () => {
  let asked = 0;
  const probe = new Probe(async () => {
    asked++;
    await sleep(5);
    return asked;
  });
  expect(await Promise.all([probe.answer(5_000), probe.answer(5_000)])).toEqual([1, 1]);
  expect(await probe.answer(5_000)).toBe(2);
});

test('what hangs holds up nobody, and is not asked again before it has answered', async () => {
  let asked = 0;
  let answer: (text: string) => void = () => undefined;
  const probe = new Probe(() => {
    asked++;
    return new Promise<string>(resolve => {
      answer = resolve;
    });
  });
  expect(await Promise.all([probe.answer(1), probe.answer(2)])).toEqual([null, null]);
  expect(await probe.answer(1)).toBeNull();
  expect(asked).toBe(1);
  const late = probe.answer(5_000);
  answer('at last');
  expect(await late).toBe('at last');
  expect(await probe.answer(1)).toBeNull();
  expect(asked).toBe(2);
});

test('a failure is no answer, and the next one who asks tries again', async () => {
  const outcomes = [Promise.reject(new Error('broken')), Promise.resolve('mended')];
  const probe = new Probe(() => outcomes.shift() ?? Promise.resolve('more'));
  expect(await probe.answer(5_000)).toBeNull();
  expect(await probe.answer(5_000)).toBe('mended');
});

test('of several that are asked, the one that hangs does not keep the answers of the others', async () => {
  const probes = new Probes((key: string) =>
    key === 'hangs' ? new Promise<string>(() => undefined) : Promise.resolve(`${key}!`),
  );
  expect(await probes.answers(['a', 'hangs', 'b'], 20)).toEqual(['a!', null, 'b!']);
});
