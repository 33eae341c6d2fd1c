import picocolors from 'picocolors';
import {expect, test} from 'vitest';
import type {ClusterReport} from '../../cluster/control-plane.ts';
import type {VolumeNumber} from '../../page-store/ids.ts';
import {renderReports} from './list.ts';
import {renderReport} from './show.ts';

const plain = picocolors.createColors(false);

function cluster(identifier: string, changes: Partial<ClusterReport> = {}): ClusterReport {
  return {
    identifier,
    status: 'available',
    statusReason: null,
    engine: 'aurora-postgresql',
    engineVersion: '18.4',
    runtime: 'native',
    serverVersion: 'PostgreSQL 18.4',
    masterUsername: 'postgres',
    databaseName: null,
    endpoint: '127.0.0.1',
    readerEndpoint: '127.0.0.2',
    port: 15432,
    instances: [],
    createdAt: '2026-11-22T20:00:00.000Z',
    clonedFrom: null,
    cloneSteps: [],
    bytesCopiedAtBirth: 0,
    usage: {
      volume: 1 as VolumeNumber,
      source: null,
      logicalPages: 196608,
      sharedPages: 196480,
      ownedPages: 128,
      logicalNodes: 400,
      sharedNodes: 390,
      ownedNodes: 10,
      historyPages: 0,
      historyNodes: 0,
      ownedHistoryPages: 0,
      ownedHistoryNodes: 0,
    },
    ...changes,
  };
}

function reader(replicaLagMs: number): ClusterReport['instances'][number] {
  return {
    identifier: 'orders-reader-1',
    role: 'reader',
    status: 'available',
    statusReason: null,
    endpoint: '127.0.0.1',
    port: 15433,
    promotionTier: 1,
    replicaLagMs,
    startSteps: [],
    memoryBytes: null,
  };
}

test('show tells the role of an instance, and of a reader how far it is behind', () => {
  const text = renderReport(cluster('orders', {instances: [reader(12)]}), plain);
  expect(text).toMatch(/^reader endpoint +127\.0\.0\.2:15432$/m);
  expect(text).toMatch(/^ {2}role +reader$/m);
  expect(text).toMatch(/^ {2}replica lag +12 ms$/m);
});

const NO_SCRUB = {running: null, ended: null, last: null, everyHours: null, nextAtMs: null};

test('list shows sizes in bytes, clones below their sources and what is not there yet as –', () => {
  const text = renderReports(
    {
      clusters: [
        cluster('orders', {instances: [reader(0.4), reader(12)]}),
        cluster('dev', {clonedFrom: 'orders', port: 15433, createdAt: '2026-11-22T20:00:01.000Z'}),
        cluster('new', {
          clonedFrom: 'gone',
          createdAt: '2026-11-22T20:00:02.000Z',
          status: 'creating',
          serverVersion: null,
          usage: null,
        }),
      ],
      store: {
        bytesOnDisk: 1610612736,
        bytesFree: 3 * 2 ** 30,
        zones: [],
        scrub: NO_SCRUB,
        damage: [],
      },
    },
    plain,
  );
  expect(text).toBe(`\
CLUSTER         STATUS        SIZE   SHARED  OWNED  READERS       ENDPOINT         SERVER
orders          available  1.5 GiB  1.5 GiB  1 MiB  2, lag 12 ms  127.0.0.1:15432  PostgreSQL 18.4
└─ dev          available  1.5 GiB  1.5 GiB  1 MiB  –             127.0.0.1:15433  PostgreSQL 18.4
gone (deleted)
└─ new          creating         –        –      –  –             127.0.0.1:15432  aurora-postgresql 18.4

1.5 GiB on disk, 3 GiB free
`);
});

test('show tells why a cluster failed, and each step of a start', () => {
  const instance = {
    identifier: 'orders-writer',
    role: 'writer' as const,
    promotionTier: 1,
    replicaLagMs: null,
    status: 'failed',
    statusReason: 'out of memory',
    endpoint: '127.0.0.1',
    port: 15433,
    startSteps: [
      {name: 'attach-volume', durationMs: 41.4},
      {name: 'recover', durationMs: 1200},
    ],
    memoryBytes: null,
  };
  const text = renderReport(cluster('orders', {instances: [instance]}), plain);
  expect(text).toMatch(/^ {2}reason +out of memory$/m);
  expect(text).toMatch(/^ {2}last start +attach-volume 41 ms, recover 1\.20 s$/m);
  expect(text).toMatch(/^owned +1 MiB \(128 pages\), freed if it is deleted$/m);
});
