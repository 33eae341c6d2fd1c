import picocolors from 'picocolors';
import {expect, test} from 'vitest';
import {createLogger} from '../../base/log.ts';
import {prettyLogLine} from './log-line.ts';

const plain = picocolors.createColors(false);

test.each([
  [
    '{"level":40,"time":250,"component":"service","zone":"b","msg":"gone"}',
    '00:00:00.250 WARN  service  gone  zone=b\n',
  ],
  [
    '{"level":30,"time":1000,"component":"fuse","n":1,"what":"two words","list":[1]}',
    '00:00:01.000 INFO  fuse  n=1 what="two words" list=[1]\n',
  ],
  ['{"level":60,"time":0,"component":"c","msg":""}', '00:00:00.000 FATAL c  \n'],
  ['{"level":5,"time":0,"component":"c","msg":"odd"}', '00:00:00.000 TRACE c  odd\n'],
])('%s', (line, shown) => {
  expect(prettyLogLine(line, plain)).toBe(shown);
});

test('a line has level, time and one component, and no password', () => {
  const lines: string[] = [];
  const logger = createLogger('service', {write: line => void lines.push(line)});
  logger.warn({password: 'hunter22', deep: {masterUserPassword: 'hunter23'}}, 'hello');
  logger.child({instance: 'orders'}).warn({component: 'fuse'}, 'passed on');
  expect(lines.join('')).not.toMatch(/hunter2/);
  expect(lines.map(line => line.split('"component"').length)).toEqual([2, 2]);
  expect(lines.map(line => JSON.parse(line) as object)).toEqual([
    expect.objectContaining({level: 40, time: expect.any(Number), component: 'service'}),
    {level: 40, time: expect.any(Number), component: 'fuse', instance: 'orders', msg: 'passed on'},
  ]);
});
