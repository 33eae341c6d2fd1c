import {PassThrough} from 'node:stream';
import {pino} from 'pino';
import {expect, test} from 'vitest';
import {relayLog} from './relay-log.ts';

async function relayed(chunks: readonly string[]): Promise<{lines: object[]; tail: string}> {
  const lines: object[] = [];
  const logger = pino(
    {level: 'trace', base: {instance: 'orders'}, timestamp: false},
    {write: (line: string) => void lines.push(JSON.parse(line) as object)},
  );
  const stream = new PassThrough();
  const tail = relayLog(stream, logger);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await new Promise(resolve => stream.once('end', resolve));
  return {lines, tail: tail()};
}

test("an instance's own log lines keep their level and fields", async () => {
  const line = '{"level":30,"time":1,"component":"fuse","requests":3,"msg":"attached"}\n';
  expect(await relayed([line.slice(0, 20), line.slice(20)])).toEqual({
    lines: [{level: 30, instance: 'orders', component: 'fuse', requests: 3, msg: 'attached'}],
    tail: '',
  });
});

test('anything else is a warning, and kept to explain a sudden death', async () => {
  expect(await relayed(['unshare: not permitted\n', '{"level":broken\n', 'no newline'])).toEqual({
    lines: [
      {level: 40, instance: 'orders', msg: 'unshare: not permitted'},
      {level: 40, instance: 'orders', msg: '{"level":broken'},
      {level: 40, instance: 'orders', msg: 'no newline'},
    ],
    tail: 'unshare: not permitted\n{"level":broken\nno newline',
  });
});
