import {describe, expect, it} from 'vitest';
import {parseOptions} from './options.ts';

describe('options of npm run torture', () => {
  it('are a minute on three zones from a seed of its own, unless said otherwise', () => {
    const {seed, ...rest} = parseOptions([]);
    expect(rest).toEqual({
      ...{minutes: 1, rounds: Infinity, zones: 3, postgresBin: undefined, json: false},
    });
    expect(seed).toBeGreaterThan(0);
    const given = ['--minutes=0.2', '--rounds=4', '--seed=7', '--zones=1', '--json'];
    expect(parseOptions(given)).toEqual({
      ...{minutes: 0.2, rounds: 4, seed: 7, zones: 1, postgresBin: undefined, json: true},
    });
  });

  it.each([
    ['--minutes', '0', '--minutes "0" is not a number above 0'],
    ['--minutes', 'ten', '--minutes "ten" is not a number above 0'],
    ['--rounds', '0', '--rounds "0" is not a whole number from 1 to 999999999'],
    ['--seed', '-1', '--seed "-1" is not a whole number from 0 to 2147483647'],
    ['--seed', '2147483648', '--seed "2147483648" is not a whole number from 0 to 2147483647'],
    ['--zones', '0', '--zones "0" is not 1 or from 3 to 6'],
    ['--zones', '2', '--zones "2" is not 1 or from 3 to 6: of two zones none can be lost'],
    ['--zones', '7', '--zones "7" is not 1 or from 3 to 6'],
    ['--zones', 'three', '--zones "three" is not 1 or from 3 to 6'],
  ])('%s %s is refused, with what is allowed', (option, value, message) => {
    expect(() => parseOptions([`${option}=${value}`])).toThrow(message);
  });

  it('of another name are refused', () => {
    expect(() => parseOptions(['--zone', '3'])).toThrow(/Unknown option '--zone'/);
  });
});
