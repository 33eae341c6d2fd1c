import {describe, expect, test} from 'vitest';
import type {ZoneState} from '../page-store/zone.ts';
import {ZoneHealth} from './zone-health.ts';

const HEALTHY: ZoneState = {zone: 'a', state: 'healthy'};
const FILLING: ZoneState = {zone: 'a', state: 'catching-up', bytesDone: 1, bytesTotal: 2};
const CATCHING_UP: ZoneState = {zone: 'a', state: 'catching-up', bytesDone: 0, bytesTotal: 0};
const HUNG: ZoneState = {zone: 'a', state: 'degraded', reason: 'it does not answer', sinceMs: 0};
const GONE: ZoneState = {zone: 'a', state: 'degraded', reason: 'it is gone', sinceMs: 0};

describe('the health of a zone', () => {
  test('is what an instance says where the keeper finds nothing', () => {
    const health = new ZoneHealth();
    health.note('writer', HUNG);
    expect(health.shown([HEALTHY, {...HEALTHY, zone: 'b'}])).toEqual([
      {...HUNG, reason: 'it does not answer (so DB instance writer)'},
      {...HEALTHY, zone: 'b'},
    ]);
    health.note('other', CATCHING_UP);
    expect(health.shown([HEALTHY])[0]).toMatchObject({state: 'degraded'});
    health.note('writer', HEALTHY);
    expect(health.shown([HEALTHY])).toEqual([CATCHING_UP]);
  });

  test('is what the keeper says where that finds something: it knows how far a zone is filled', () => {
    const health = new ZoneHealth();
    health.note('writer', GONE);
    expect(health.shown([FILLING])).toEqual([FILLING]);
  });

  test('is not what an instance said that is gone', () => {
    const health = new ZoneHealth();
    expect(health.note('writer', HUNG)).toMatchObject({state: 'degraded'});
    expect(health.forget('other')).toEqual([]);
    expect(health.forget('writer')).toEqual([HEALTHY]);
    expect(health.shown([HEALTHY])).toEqual([HEALTHY]);
  });

  test('is told once of each time that something is wrong, whoever says so and however often', () => {
    const health = new ZoneHealth();
    const announced: (string | undefined)[] = [];
    const note = (who: string | null, state: ZoneState): void => {
      announced.push(health.note(who, state)?.state);
    };
    note('writer', HEALTHY);
    note('writer', HUNG);
    note('reader', HUNG);
    note(null, GONE);
    expect(announced).toEqual([undefined, 'degraded', undefined, undefined]);
    announced.length = 0;
    for (let round = 0; round < 3; round++) {
      note(null, CATCHING_UP);
      note(null, GONE);
    }
    expect(announced).toEqual(['catching-up', ...Array.from({length: 5}, () => undefined)]);
    announced.length = 0;
    note(null, HEALTHY);
    note('reader', HEALTHY);
    expect(announced).toEqual([undefined, undefined]);
    note('writer', HEALTHY);
    note('writer', HUNG);
    expect(announced.slice(2)).toEqual(['healthy', 'degraded']);
  });
});
