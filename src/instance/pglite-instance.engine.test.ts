import {existsSync} from 'node:fs';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {entryPoint} from '../base/entry-point.ts';
import {createInstanceBench, volumeNumber, type InstanceBench} from './testing/instance-bench.ts';

const PGLITE = {runtime: 'pglite', bin: null} as const;
const isBuilt = existsSync(entryPoint('instance/main'));

describe.skipIf(!isBuilt)(
  `a PGlite instance${isBuilt ? '' : ' (skipped: needs `npm run build` first)'}`,
  () => {
    let bench: InstanceBench;

    beforeAll(async () => {
      bench = await createInstanceBench();
      const golden = await bench.start(1, {...PGLITE, role: 'golden', master: null});
      expect(await golden.instance.exited).toEqual({
        description: 'its process ended with status 0',
      });
    });
    afterAll(() => bench.end());

    test('serves, forks while it serves, and its fork goes its own way', async () => {
      const source = await bench.start(1, PGLITE);
      expect(source.ready.serverVersion).toMatch(/PGlite/);
      await bench.query(source, 'CREATE TABLE t (i int); INSERT INTO t VALUES (1)');
      const fork = await source.instance.request('fork', {child: volumeNumber(2)});
      expect(fork.bytesCopied).toBe(0);
      const clone = await bench.start(2, {...PGLITE, firstStart: true});
      await bench.query(clone, 'INSERT INTO t VALUES (2)');
      expect(await bench.query(source, 'SELECT i FROM t')).toEqual([{i: 1}]);
      source.instance.kill();
      await source.instance.exited;
      const again = await bench.start(1, PGLITE);
      expect(await bench.query(again, 'SELECT i FROM t')).toEqual([{i: 1}]);
      for (const {instance} of [clone, again]) {
        await instance.request('stop', {mode: 'fast'});
        expect(await instance.exited).toEqual({description: 'its process ended with status 0'});
      }
    });
  },
);
