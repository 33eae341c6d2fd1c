/**
 * Data directories on which an engine has been used before: initdb runs once in a run of the tests for each
 * runtime and set of zones, and whoever does not test the first start begins with a copy.
 *
 *     ROOT/native-a/       data/, zone-a/: left by a service that was stopped in order
 *     ROOT/native-a.lock.N taken by the test that makes it; others wait
 *     ROOT/native-a/ready  it is whole
 *
 * A copy has no secrets of the one it was made from: the service makes its own, as at a first start.
 * Catalog and store keep their identities, which nothing compares with those of another directory.
 */
import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {RDS} from '@aws-sdk/client-rds';
import {pino} from 'pino';
import {inject} from 'vitest';
import {sleep} from '../../src/base/clock.ts';
import {acquireProcessLock} from '../../src/base/process-lock.ts';
import {writeZonePlan, zoneConfig, type ZoneOption} from '../../src/cluster/zone-list.ts';
import {startService} from '../../src/server.ts';

const REGION = 'us-east-1';
const SECRETS = ['credentials.json', 'ca.pem', 'ca.key', 'metrics-token'];
const LOOK_EVERY_MS = 50;

/**
 * Makes `dataDirectory`, in which `runtime` has been used before. Without `zones` its one zone lies below it;
 * else they are where they say.
 */
export async function prepareData(
  dataDirectory: string,
  runtime: 'native' | 'pglite',
  zones: readonly ZoneOption[] = [],
): Promise<void> {
  const standard = {letter: 'a', directory: join(dataDirectory, 'store', `${REGION}a`)};
  const placed = zones.length === 0 ? [standard] : zones;
  const source = await made(
    runtime,
    placed.map(({letter}) => letter),
  );
  copy(join(source, 'data'), dataDirectory);
  for (const {letter, directory} of placed) copy(join(source, `zone-${letter}`), directory);
  if (zones.length === 0) rmSync(join(dataDirectory, 'zones.json'));
  else {
    const plan = zones.map(zone => zoneConfig(REGION, zone));
    writeZonePlan(dataDirectory, {number: 0, zones: plan, change: null});
  }
}

/** With holes as they are. The target may be there, empty, and a mount. */
function copy(from: string, to: string): void {
  mkdirSync(to, {recursive: true, mode: 0o700});
  execFileSync('cp', ['-a', `${from}/.`, to]);
}

/** What is copied, made by the first that asks. */
async function made(runtime: 'native' | 'pglite', letters: readonly string[]): Promise<string> {
  const root = inject('preparedRoot');
  const name = `${runtime}-${letters.join('')}`;
  const directory = join(root, name);
  const ready = join(directory, 'ready');
  while (!existsSync(ready)) {
    const lock = acquireProcessLock(root, `${name}.lock`);
    if ('heldBy' in lock) await sleep(LOOK_EVERY_MS);
    else {
      try {
        if (!existsSync(ready)) await make(directory, runtime, letters);
      } finally {
        lock.release();
      }
    }
  }
  return directory;
}

async function make(
  directory: string,
  runtime: 'native' | 'pglite',
  letters: readonly string[],
): Promise<void> {
  // Whoever began it before did not end it.
  rmSync(directory, {recursive: true, force: true});
  const data = join(directory, 'data');
  const service = await startService({
    ...{dataDirectory: data, port: 0, region: REGION, engineRuntime: runtime, postgresBin: null},
    zones: letters.map(letter => ({letter, directory: join(directory, `zone-${letter}`)})),
    logger: pino({level: 'silent'}),
  });
  try {
    const {url: endpoint, region, credentials} = service;
    const rds = new RDS({endpoint, region, credentials});
    // The first that wants to know what the engine can be set to has it prepared.
    const {DBEngineVersions = []} = await rds.describeDBEngineVersions({DefaultOnly: true});
    await rds.describeEngineDefaultClusterParameters({
      DBParameterGroupFamily: DBEngineVersions[0]?.DBParameterGroupFamily,
    });
    rds.destroy();
  } finally {
    await service.close();
  }
  for (const secret of SECRETS) rmSync(join(data, secret));
  writeFileSync(join(directory, 'ready'), '');
}
