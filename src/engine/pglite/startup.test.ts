import {expect, test} from 'vitest';
import {parseOptions, readStartup} from './startup.ts';
import {ProtocolViolation, cString, int32} from './wire.ts';

function packet(code: number, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map(part => (typeof part === 'string' ? cString(part) : part)));
  return Buffer.concat([int32(body.length + 8), int32(code), body]);
}
const VERSION_3_0 = 0x30000;

test('a startup message names user, database and settings', () => {
  const words = [
    'user',
    'ann',
    'database',
    'shop',
    'application_name',
    'psql',
    'options',
    '-c a.b=1',
  ];
  const request = readStartup(packet(VERSION_3_0, ...words, Buffer.alloc(1)));
  expect(request).toEqual({
    type: 'start',
    start: {
      minor: 0,
      user: 'ann',
      database: 'shop',
      isReplication: false,
      settings: new Map([
        ['a.b', '1'],
        ['application_name', 'psql'],
      ]),
      protocolOptions: [],
    },
  });
});

test('without a database it is the one named as the user', () => {
  expect(readStartup(packet(VERSION_3_0, 'user', 'ann', Buffer.alloc(1)))).toMatchObject({
    start: {database: 'ann'},
  });
});

test('encryption, cancel requests and other versions are told apart', () => {
  expect(readStartup(packet(80_877_103))).toEqual({type: 'encryption', isTls: true});
  expect(readStartup(packet(80_877_104))).toEqual({type: 'encryption', isTls: false});
  expect(readStartup(packet(80_877_102, int32(7), int32(9)))).toEqual({
    type: 'cancel',
    processId: 7,
    secret: int32(9),
  });
  expect(readStartup(packet(0x20000))).toEqual({type: 'unsupported-version', major: 2, minor: 0});
  expect(() => readStartup(packet(80_877_102))).toThrow(ProtocolViolation);
});

test.each([
  ['-c a=b', [['a', 'b']]],
  [
    '-ca=b  --c-d=e\\ f',
    [
      ['a', 'b'],
      ['c_d', 'e f'],
    ],
  ],
  ['-c search_path=x,\\"y\\"', [['search_path', 'x,"y"']]],
  ['', []],
])('options %j are %j', (options, settings) => {
  expect(parseOptions(options)).toEqual(settings);
});

test('an option that is no setting breaks the protocol', () => {
  expect(() => parseOptions('-x 1')).toThrow(ProtocolViolation);
  expect(() => parseOptions('-c a')).toThrow(ProtocolViolation);
});
