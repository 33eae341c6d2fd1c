/**
 * Data directories on which an engine has been used before: initdb runs once in a run of the tests for each
 * runtime and set of zones, and whoever does not test the first start begins with a copy.
 *
 * A copy has no secrets of the one it was made from: the service makes its own, as at a first start. It is of an
 * account of its own, for the ports that a service chooses follow from that. The store keeps its identity, which
 * nothing compares with that of another directory.
 */
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {RDS} from '@aws-sdk/client-rds';
import {open} from 'lmdb';
import {pino} from 'pino';
import {assert} from '../../src/base/assert.ts';
import {copyTree, prepared} from '../../src/base/testing/prepared.ts';
import {STORES_MAX} from '../../src/cluster/catalog.ts';
import {newAccountId} from '../../src/cluster/identifiers.ts';
import type {ServiceIdentity} from '../../src/cluster/records.ts';
import {writeZonePlan, zoneConfig, type ZoneOption} from '../../src/cluster/zone-list.ts';
import {startService} from '../../src/server.ts';

type Runtime = 'native' | 'pglite';

const REGION = 'us-east-1';
const SECRETS = ['credentials.json', 'ca.pem', 'ca.key', 'metrics-token'];

/**
 * Makes `dataDirectory`, in which `runtime` has been used before. Without `zones` its one zone lies below it;
 * else they are where they say.
 */
export async function prepareData(
  dataDirectory: string,
  runtime: Runtime,
  zones: readonly ZoneOption[] = [],
): Promise<void> {
  const standard = {letter: 'a', directory: join(dataDirectory, 'store', `${REGION}a`)};
  const placed = zones.length === 0 ? [standard] : zones;
  const letters = placed.map(({letter}) => letter);
  const source = await prepared(`${runtime}-${letters.join('')}`, directory =>
    make(directory, runtime, letters),
  );
  copyTree(join(source, 'data'), dataDirectory);
  await changeAccount(dataDirectory);
  for (const {letter, directory} of placed) copyTree(join(source, `zone-${letter}`), directory);
  if (zones.length === 0) rmSync(join(dataDirectory, 'zones.json'));
  else {
    const plan = zones.map(zone => zoneConfig(REGION, zone));
    writeZonePlan(dataDirectory, {number: 0, zones: plan, change: null});
  }
}

async function changeAccount(dataDirectory: string): Promise<void> {
  const root = open({
    path: join(dataDirectory, 'catalog.mdb'),
    encoding: 'json',
    maxDbs: STORES_MAX,
  });
  try {
    const store = root.openDB<ServiceIdentity, string>({name: 'identity', encoding: 'json'});
    const identity = store.get('service');
    assert(identity !== undefined, 'the catalog has an identity');
    await store.put('service', {...identity, accountId: newAccountId()});
  } finally {
    await root.close();
  }
}

/** Leaves `data` and a directory for each zone, of a service that was stopped in order. */
async function make(
  directory: string,
  engineRuntime: Runtime,
  letters: readonly string[],
): Promise<void> {
  const dataDirectory = join(directory, 'data');
  const service = await startService({
    ...{dataDirectory, port: 0, region: REGION, engineRuntime, postgresBin: null},
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
  for (const secret of SECRETS) rmSync(join(dataDirectory, secret));
}
