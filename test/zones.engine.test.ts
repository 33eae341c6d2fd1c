/** A service on three zones that loses one, gets it back, and reads rotten pages. Needs the compiled program. */
import {existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {entryPoint} from '../src/base/entry-point.ts';
import {connect} from './support/load.ts';
import {ZoneService} from './support/zone-service.ts';

const fuse = await probeFuse();
const built = existsSync(entryPoint('instance/main'));

let root: string;
let service: ZoneService;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'borealis-zones-'));
});

afterEach(async () => {
  await service.stop();
  rmSync(root, {recursive: true});
});

describe.skipIf(!built).each(['native', 'pglite'] as const)('three zones, on %s', runtime => {
  test.skipIf(runtime === 'native' && !fuse.available)(
    'go on without one, bring it up to date, and lose nothing when another is lost',
    {timeout: 180_000},
    async () => {
      service = new ZoneService(root, runtime);
      await service.startPrepared(['a', 'b', 'c']);
      const port = await service.createCluster();
      expect(await service.zoneNames()).toEqual(['us-east-1a', 'us-east-1b', 'us-east-1c']);
      await query(port, 'CREATE TABLE t AS SELECT generate_series(1, 100000) AS a');

      renameSync(service.zone('c'), `${service.zone('c')}-gone`);
      for (let commit = 1; commit <= 20; commit++)
        await query(port, `INSERT INTO t VALUES (${-commit})`);
      await service.untilZone('c', 'degraded');
      await query(port, 'INSERT INTO t VALUES (0)');

      rmSync(`${service.zone('c')}-gone`, {recursive: true});
      mkdirSync(service.zone('c'));
      await service.untilZone('c', 'healthy');
      await query(port, 'INSERT INTO t VALUES (1)');
      await service.stop();

      // What a and b held alone, c holds now: without a, b and c are a quorum.
      rmSync(service.zone('a'), {recursive: true});
      await service.start([]);
      const again = await service.port();
      expect(await query(again, 'SELECT count(*)::int AS n, sum(a)::int8 AS s FROM t')).toEqual([
        {n: 100_022, s: String(5_000_050_000 - 210 + 1)},
      ]);
      await service.untilZone('a', 'healthy');
      await service.stop();
      const segments = ['a', 'b', 'c'].map(letter => volumesIn(letter));
      expect(segments[0]).toEqual(segments[1]);
    },
  );
});

function volumesIn(letter: string): string[] {
  const directory = join(service.zone(letter), 'volumes');
  return readdirSync(directory).filter(name => existsSync(join(directory, name, 'record')));
}

async function query(port: number, sql: string): Promise<unknown[]> {
  const client = await connect(port);
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
