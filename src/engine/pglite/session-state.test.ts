import {expect, test} from 'vitest';
import {SessionState, listenSql} from './session-state.ts';

function state(settings: readonly (readonly [string, string])[] = []): SessionState {
  return new SessionState(new Map(settings));
}

test('plain work leaves nothing to look at', () => {
  const session = state();
  for (const [text, tag] of [
    ['BEGIN', 'BEGIN'],
    ['UPDATE t SET a = 1', 'UPDATE 1'],
    ['SELECT 1', 'SELECT 1'],
    ['COMMIT', 'COMMIT'],
  ] as const) {
    session.noteText(text, false);
    session.noteTag(tag);
  }
  expect(session.needsInspection).toBe(false);
});

test.each([
  ['SET work_mem = 1', 'SET'],
  ['PREPARE p AS SELECT 1', 'PREPARE'],
  ['DO $$BEGIN END$$', 'DO'],
  [`SELECT set_config('a.b', 'c', false)`, 'SELECT 1'],
  ['SELECT pg_advisory_lock(1)', 'SELECT 1'],
  ['CREATE TEMP TABLE t ()', 'CREATE TABLE'],
])('%s may leave state', (text, tag) => {
  const session = state();
  session.noteText(text, false);
  session.noteTag(tag);
  expect(session.needsInspection).toBe(true);
});

test('a named statement that may leave state is looked after for ever', () => {
  const session = state();
  session.noteText('SELECT pg_advisory_lock($1)', true);
  session.inspected([]);
  expect(session.needsInspection).toBe(true);
});

test('what was found is given back, quoted; role none is not', () => {
  const session = state([['DateStyle', 'ISO']]);
  expect(session.restoreSql()).toBe(`SELECT pg_catalog.set_config('DateStyle', 'ISO', false)`);
  session.inspected([
    {kind: 'setting', name: 'a.b', setting: `it's`},
    {kind: 'setting', name: 'role', setting: 'none'},
    {kind: 'pin', name: 'a temporary table', setting: ''},
  ]);
  expect(session.restoreSql()).toBe(`SELECT pg_catalog.set_config('a.b', 'it''s', false)`);
  expect(session.pin).toBe('a temporary table');
  session.inspected([]);
  expect(session.pin).toBeNull();
  expect(session.restoreSql()).toBeNull();
  expect(session.leavesStatements).toBe(true);
});

test('names of custom settings are found in text and in parameters', () => {
  const session = state();
  session.noteParameters('ignored.before');
  session.noteText('SELECT set_config($1, $2, false)', false);
  session.noteParameters('\0app.tenant\0');
  session.noteText(`SET SESSION my.flag = 'x'`, false);
  expect(session.inspectionSql()).toContain(`'app.tenant', 'my.flag'`);
  expect(session.inspectionSql()).not.toContain('ignored');
});

test('channels are folded as identifiers are, and go with UNLISTEN', () => {
  const session = state();
  for (const [text, tag] of [
    ['LISTEN News', 'LISTEN'],
    ['listen "My ""Own"""', 'LISTEN'],
  ] as const) {
    session.noteText(text, false);
    expect(session.noteTag(tag).changesChannels).toBe(true);
  }
  expect([...session.channels]).toEqual(['news', 'My "Own"']);
  expect(listenSql(session.channels)).toBe('LISTEN "news"; LISTEN "My ""Own"""');
  session.noteText('UNLISTEN news', false);
  session.noteTag('UNLISTEN');
  expect([...session.channels]).toEqual(['My "Own"']);
  expect(session.noteTag('DISCARD ALL')).toEqual({forgetsStatements: true, changesChannels: true});
  expect([...session.channels]).toEqual([]);
});
