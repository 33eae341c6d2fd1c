import {expect, test} from 'vitest';
import {StatementNames} from './statement-names.ts';
import {FrontendType, HEADER_BYTES, MessageReader, message, readCString} from './wire.ts';
import type {Message} from './wire.ts';

const PARSE_TAIL = Buffer.alloc(2);

function whole(bytes: Buffer): Message {
  const [read] = new MessageReader({bytesMax: 10_000, startsUntyped: false}).push(bytes);
  if (read === undefined) throw new Error('a whole message');
  return read;
}

function parse(name: string, sql: string): Message {
  return whole(message(FrontendType.parse, name, sql, PARSE_TAIL));
}

function nameIn(bytes: Buffer): string {
  return readCString(bytes, HEADER_BYTES).text;
}

test('two clients have different names for one name, and Bind, Describe and Close follow', () => {
  const first = new StatementNames(1);
  const second = new StatementNames(2);
  const alias = nameIn(first.rewrite(parse('s', 'SELECT 1')));
  expect(nameIn(second.rewrite(parse('s', 'SELECT 2')))).not.toBe(alias);
  const bind = first.rewrite(whole(message(FrontendType.bind, 'portal', 's', Buffer.alloc(6))));
  expect(nameIn(bind)).toBe('portal');
  expect(readCString(bind, HEADER_BYTES + 'portal'.length + 1).text).toBe(alias);
  for (const type of [FrontendType.describe, FrontendType.close]) {
    const rewritten = first.rewrite(whole(message(type, Buffer.from('S'), 's')));
    expect(readCString(rewritten, HEADER_BYTES + 1).text).toBe(alias);
  }
});

test('portals and unnamed statements pass unchanged', () => {
  const names = new StatementNames(1);
  for (const passed of [
    message(FrontendType.describe, Buffer.from('P'), 'p'),
    message(FrontendType.close, Buffer.from('P'), 'p'),
    message(FrontendType.bind, '', '', Buffer.alloc(6)),
    message(FrontendType.parse, '', 'SELECT 1', PARSE_TAIL),
  ]) {
    expect(names.rewrite(whole(passed))).toEqual(passed);
  }
});

test('long names that differ late stay different', () => {
  const names = new StatementNames(1);
  const long = 'x'.repeat(70);
  const first = nameIn(names.rewrite(parse(`${long}1`, 'SELECT 1')));
  expect(nameIn(names.rewrite(parse(`${long}2`, 'SELECT 2')))).not.toBe(first);
  expect(first.length).toBeLessThan(64);
});

test('lost statements are prepared again once, in the words last sent', () => {
  const names = new StatementNames(1);
  names.rewrite(parse('s', 'SELEC 1'));
  const last = names.rewrite(parse('s', 'SELECT 1'));
  expect(names.replay(FrontendType.bind, true)).toEqual([]);
  names.lose();
  expect(names.replay(FrontendType.bind, true)).toEqual([last]);
  expect(names.replay(FrontendType.bind, true)).toEqual([]);
});

test('the unnamed statement comes back when the next message needs it', () => {
  const names = new StatementNames(1);
  const unnamed = names.rewrite(parse('', 'SELECT 1'));
  expect(names.replay(FrontendType.bind, true)).toEqual([unnamed]);
  expect(names.replay(FrontendType.bind, false)).toEqual([]);
  expect(names.replay(FrontendType.parse, true)).toEqual([]);
  names.rewrite(whole(message(FrontendType.query, 'SELECT 2')));
  expect(names.replay(FrontendType.bind, true)).toEqual([]);
});

test('errors name statements as the client does, and what is left can be closed', () => {
  const names = new StatementNames(1);
  const alias = nameIn(names.rewrite(parse('mine', 'SELECT 1')));
  expect(names.restoreNames(`prepared statement "${alias}" already exists`)).toBe(
    'prepared statement "mine" already exists',
  );
  expect(names.closeAll()).toEqual([message(FrontendType.close, Buffer.from('S'), alias)]);
  names.clear();
  expect(names.closeAll()).toEqual([]);
});
