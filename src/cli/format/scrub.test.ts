import {createColors} from 'picocolors';
import {expect, test} from 'vitest';
import type {ScrubResult} from '../../cluster/records.ts';
import {parseScrubEvery} from '../commands/up.ts';
import {progressText, renderScrub, scrubText} from './scrub.ts';

const plain = createColors(false);
const MIB = 2 ** 20;

const ZONE = {zone: 'us-east-1a', units: 1280, bytes: 10 * MIB, repaired: 2, unread: 0};
const RESULT: ScrubResult = {
  id: '1f',
  cluster: null,
  trigger: 'request',
  startedAtMs: 0,
  endedAtMs: 2000,
  durationMs: 2000,
  outcome: 'damaged',
  reason: null,
  report: {
    volumes: 3,
    zones: [ZONE, {...ZONE, zone: 'us-east-1b', repaired: 0, unread: 7}],
    repaired: [
      {
        what: 'page 3 of file 7 in volume 2 and 1 more beside it',
        ...{readBy: [], volume: 1 as never, segment: 4 as never, offset: 8704},
        zones: ['us-east-1a'],
      },
    ],
    damaged: [
      {
        what: 'page 9 of file 7 in volume 2',
        ...{readBy: [], volume: 1 as never, segment: 5 as never, offset: 512},
        zones: ['us-east-1a', 'us-east-1b'],
      },
    ],
    repairedMore: 0,
    damagedMore: 3,
  },
};

test('a scrub says what was read in each zone, how fast, what is repaired and what is damaged', () => {
  const text = renderScrub(RESULT, plain);
  expect(text).toContain('some pages are good in no zone');
  expect(text).toMatch(/zone us-east-1a +1,280 pages, 10 MiB, 2 repaired/);
  expect(text).toMatch(/zone us-east-1b +1,280 pages, 10 MiB, 7 not read: the zone was away/);
  expect(text).toContain('2.00 s, 10 MiB/s');
  expect(text).toContain(
    'repaired in us-east-1a: page 3 of file 7 in volume 2 and 1 more beside it (volume 1, segment 4, offset 8704)',
  );
  expect(text).toContain(
    'DAMAGED, tried us-east-1a, us-east-1b: page 9 of file 7 in volume 2 (volume 1, segment 5, offset 512)',
  );
  expect(text).toContain('DAMAGED, tried …: 3 more');
});

test('one that failed says why', () => {
  const failed = {...RESULT, outcome: 'failed', reason: 'no quorum', report: null} as const;
  expect(renderScrub(failed, plain)).toContain('it failed: no quorum');
});

test('status tells of the last one, the next one and the one that runs', () => {
  const status = {running: null, ended: null, last: RESULT, everyHours: 1, nextAtMs: 3_602_000};
  expect(scrubText(status, plain)).toBe(
    '1970-01-01T00:00:02.000Z: some pages are good in no zone; next one due 1970-01-01T01:00:02.000Z',
  );
  const running = {
    ...({id: '1f', cluster: null, trigger: 'schedule', startedAtMs: 0} as const),
    ...{bytesDone: MIB, bytesTotal: 4 * MIB},
  };
  expect(progressText(running)).toBe('25 % of 4 MiB');
  expect(progressText({...running, cluster: 'orders', bytesTotal: 0})).toBe(
    'cluster orders, looking what there is',
  );
});

test.each([
  ['off', null],
  ['168', 604_800_000],
  ['0.5', 1_800_000],
])('--scrub-every %s', (text, ms) => {
  expect(parseScrubEvery(text)).toBe(ms);
});

test.each(['0', '-1', 'weekly', ''])('--scrub-every %j is refused by name', text => {
  expect(() => parseScrubEvery(text)).toThrow('--scrub-every');
});
