import {expect, test} from 'vitest';
import {
  BackendType,
  FrontendType,
  MessageReader,
  ProtocolViolation,
  changeReport,
  message,
  parameterStatus,
  queryMessage,
  readCString,
  readReport,
  readyForQuery,
  reportMessage,
} from './wire.ts';

function typed(bytesMax = 1000): MessageReader {
  return new MessageReader({bytesMax, startsUntyped: false});
}

test('a message is its type, its length without the type, and its body', () => {
  expect(queryMessage('ab').toString('hex')).toBe('5100000007616200');
  expect(readyForQuery('T').toString('hex')).toBe('5a0000000554');
  expect(parameterStatus('a', 'b').toString('hex')).toBe('530000000861006200');
});

test('a stream cut at any place gives the same messages', () => {
  const sent = [
    queryMessage('SELECT 1'),
    message(FrontendType.sync),
    queryMessage('x'.repeat(300)),
  ];
  const stream = Buffer.concat(sent);
  for (let piece = 1; piece <= stream.length; piece += 7) {
    const reader = typed();
    const got: Buffer[] = [];
    for (let at = 0; at < stream.length; at += piece) {
      got.push(
        ...reader.push(stream.subarray(at, at + piece)).map(({bytes}) => Buffer.from(bytes)),
      );
    }
    expect(got).toEqual(sent);
  }
});

test('the untyped first message comes alone, and what follows it is typed', () => {
  const startup = Buffer.from('0000000804d2162f', 'hex');
  const reader = new MessageReader({bytesMax: 100, startsUntyped: true});
  const [first] = reader.push(Buffer.concat([startup, queryMessage('a')]));
  expect(first).toEqual({type: 0, bytes: startup});
  reader.expectTyped();
  expect(reader.push(Buffer.alloc(0)).map(({type}) => type)).toEqual([FrontendType.query]);
});

test('a length beyond the limit or below its own size breaks the protocol', () => {
  expect(() => typed(100).push(Buffer.from('5100000100', 'hex'))).toThrow(ProtocolViolation);
  expect(() => typed().push(Buffer.from('5100000003', 'hex'))).toThrow(ProtocolViolation);
  const raised = typed(100);
  raised.allow(1000);
  expect(raised.push(queryMessage('x'.repeat(500)))).toHaveLength(1);
});

test('a report is read and changed field by field', () => {
  const bytes = reportMessage({severity: 'ERROR', code: '42P05', message: 'no "a"', hint: 'h'});
  expect(bytes[0]).toBe(BackendType.errorResponse);
  expect(readReport(bytes)).toEqual({S: 'ERROR', V: 'ERROR', C: '42P05', M: 'no "a"', H: 'h'});
  const changed = readReport(changeReport(bytes, text => text.replace('"a"', '"b"')));
  expect(changed['M']).toBe('no "b"');
  expect(() => readCString(Buffer.from('abc'), 0)).toThrow(ProtocolViolation);
});
