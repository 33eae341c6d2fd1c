/** What the control plane does otherwise for an aurora-mysql cluster: no certificate, no gate, no tokens. */
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {createConnection} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {AUTHORITY_IDENTIFIER} from './certificates.ts';
import {ask, askAt} from './testing/fakes.ts';
import {
  CREATE,
  createInstance,
  faultOf,
  openTestService,
  settle,
  type TestService,
} from './testing/test-service.ts';

const SHOP = {DBClusterIdentifier: 'shop'} as const;
const MYSQL = {...CREATE, Engine: 'aurora-mysql'} as const;
const IAM = {EnableIAMDatabaseAuthentication: true} as const;
const AUTHORITY = {CACertificateIdentifier: AUTHORITY_IDENTIFIER} as const;
const INSTANCE = {DBInstanceClass: 'db.r6g.large', Engine: 'aurora-mysql'} as const;

let directory: string;
let service: TestService;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-mysql-'));
  service = await openTestService(directory, undefined, '123456980000', {
    offers: {
      available: [
        {
          engine: 'aurora-mysql',
          engineVersion: '10.11.19',
          runtime: 'native',
          bin: '/fake/bin',
          binary: 'fake',
          description: 'a fake MariaDB',
        },
      ],
      others: [],
      obstacles: {},
    },
  });
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

async function createShop(): Promise<number> {
  const {DBCluster} = await service.plane.createDBCluster({...MYSQL, ...SHOP});
  return DBCluster?.Port ?? 0;
}

test('its engine gets no certificate, and its DB instances show none', async () => {
  const port = await createShop();
  await createInstance(service, 'shop', 'shop-writer', INSTANCE);
  await settle(service);
  expect(await ask(port, 'who')).toContain('shop-writer');
  expect(service.instances.launched.map(({engine, tls}) => ({engine, tls}))).toEqual(
    service.instances.launched.map(() => ({engine: 'aurora-mysql', tls: null})),
  );
  const {DBInstances} = await service.plane.describeDBInstances({});
  expect(DBInstances?.[0]?.CACertificateIdentifier).toBeUndefined();
  expect(DBInstances?.[0]?.CertificateDetails).toBeUndefined();
});

test('without an instance both endpoints say so at once, to clients that wait for the greeting', async () => {
  const port = await createShop();
  await settle(service);
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const client = createConnection({host, port});
    const [answer] = (await once(client, 'data')) as [Buffer];
    client.destroy();
    expect(answer.readUInt8(4)).toBe(0xff);
    expect(answer.toString('utf8', 7)).toMatch(/^#08S01.*"?shop/);
  }
});

test('its reader endpoint, which has no gate either, leads to its reader', async () => {
  const port = await createShop();
  await createInstance(service, 'shop', 'shop-writer', INSTANCE);
  await createInstance(service, 'shop', 'shop-reader', INSTANCE);
  await settle(service);
  expect(await askAt('127.0.0.2', port, 'who')).toContain('shop-reader');
});

test('tokens and certificates are refused with the reason', async () => {
  await createShop();
  await createInstance(service, 'shop', 'shop-writer', INSTANCE);
  await settle(service);
  const {plane} = service;
  const second = {...INSTANCE, DBInstanceIdentifier: 'second'};
  const clone = {
    SourceDBClusterIdentifier: 'shop',
    DBClusterIdentifier: 'copy',
    RestoreType: 'copy-on-write',
    UseLatestRestorableTime: true,
  } as const;
  const calls: Promise<unknown>[] = [
    plane.createDBCluster({...MYSQL, ...IAM, DBClusterIdentifier: 'other'}),
    plane.modifyDBCluster({...SHOP, ...IAM}),
    plane.modifyDBCluster({...SHOP, ...AUTHORITY}),
    plane.restoreDBClusterToPointInTime({...clone, ...IAM}),
    plane.createDBInstance({...SHOP, ...second, ...AUTHORITY}),
    plane.modifyDBInstance({DBInstanceIdentifier: 'shop-writer', ...AUTHORITY}),
  ];
  for (const call of calls) {
    const fault = await faultOf(call);
    expect.soft(fault.code, fault.message).toBe('InvalidParameterCombination');
    expect.soft(fault.message).toContain('DB clusters of aurora-mysql have no TLS yet');
  }
  await plane.modifyDBCluster({...SHOP, EnableIAMDatabaseAuthentication: false});
});

test('its classes and licence are told for it', async () => {
  const {OrderableDBInstanceOptions: options} =
    await service.plane.describeOrderableDBInstanceOptions({Engine: 'aurora-mysql'});
  expect(options?.[0]).toMatchObject({
    Engine: 'aurora-mysql',
    EngineVersion: '10.11.19',
    LicenseModel: 'general-public-license',
  });
  const none = await service.plane.describeOrderableDBInstanceOptions({
    Engine: 'aurora-postgresql',
  });
  expect(none.OrderableDBInstanceOptions).toEqual([]);
});
