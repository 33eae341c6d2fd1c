import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pino} from 'pino';
import {afterEach, beforeEach, expect, test, vi} from 'vitest';
import {systemClock} from '../../base/clock.ts';
import type {SegmentNumber, VolumeNumber} from '../../page-store/ids.ts';
import type {ZoneState} from '../../page-store/zone.ts';
import {
  createCluster,
  createInstance,
  createWriter,
  openTestService,
  settle,
  type TestService,
} from '../testing/test-service.ts';
import {recordZoneEvent} from '../zone-events.ts';
import {ZoneHealth} from '../zone-health.ts';
import {hasAnswered, isHealthy, readinessOf} from './measurer.ts';
import type {ZoneMeasurement} from './measurements.ts';

let directory: string;
let service: TestService;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-measurer-'));
  mkdirSync(join(directory, 'store', 'local-1a'), {recursive: true});
  service = await openTestService(directory);
});

afterEach(async () => {
  await service.close();
  rmSync(directory, {recursive: true});
});

test('what there is, is measured: clusters, instances in their roles, endpoints, zones', async () => {
  await createCluster(service, 'orders');
  await createWriter(service, 'orders');
  await createInstance(service, 'orders', 'orders-reader');
  await settle(service);
  const measured = await service.monitor.measure();
  expect(measured).toMatchObject({
    isReady: true,
    isStorageFull: false,
    missing: {instances: 0, zones: 0, storage: 0},
    clusters: [{identifier: 'orders', status: 'available'}],
    instances: [
      {cluster: 'orders', instance: 'orders-reader', role: 'reader', isUp: true},
      {cluster: 'orders', instance: 'orders-writer', role: 'writer', isUp: true},
    ],
    zones: [{zone: 'local-1a', state: {state: 'healthy'}, freeBytes: expect.any(Number)}],
    storage: {report: {clusters: [{identifier: 'orders'}]}},
  });
  expect(measured.endpoints.map(({cluster, endpoint}) => `${cluster} ${endpoint}`)).toEqual([
    'orders cluster',
    'orders reader',
  ]);
  expect(measured.events.get('creation')).toBeGreaterThanOrEqual(3);
  expect(measured.counts.sweep.turns).toBeGreaterThan(0);
});

test('an instance that does not answer is left out, and the others are not kept waiting for long', async () => {
  await createCluster(service, 'orders');
  await createWriter(service, 'orders');
  await createCluster(service, 'other');
  await createWriter(service, 'other');
  await settle(service);
  const {launched, handles} = service.instances;
  // Its latest life: a port that another program took costs it one.
  const hanging = handles[launched.findLastIndex(({name}) => name === 'orders-writer')];
  const request = vi
    .spyOn(hanging!, 'request')
    .mockImplementation(() => new Promise(() => undefined));
  const beganMs = systemClock.monotonicMs();
  const [measured] = await Promise.all([service.monitor.measure(), service.monitor.measure()]);
  expect(systemClock.monotonicMs() - beganMs).toBeLessThan(4_000);
  expect(measured.missing.instances).toBe(1);
  const answered = measured.instances.filter(one => hasAnswered(one));
  expect(answered.map(({instance}) => instance)).toEqual(['other-writer']);
  await service.monitor.measure();
  expect(request).toHaveBeenCalledTimes(1);
  // Else it would not stop either.
  request.mockRestore();
});

test('the store is not counted anew for each scrape, nor for who asks whether it is ready', async () => {
  const usage = vi.spyOn(service.storage, 'usage');
  for (let n = 0; n < 5; n++) await service.monitor.measure();
  expect(await service.monitor.readiness()).toEqual({isReady: true, reason: null});
  expect(usage).toHaveBeenCalledTimes(1);
});

test('a store that does not count is missing, and holds up nothing', async () => {
  vi.spyOn(service.storage, 'usage').mockRejectedValue(new Error('no'));
  const measured = await service.monitor.measure();
  expect(measured.storage).toBeNull();
  expect(measured.missing.storage).toBe(1);
});

test('failed attempts of the reconciler are counted by kind', async () => {
  vi.spyOn(service.storage, 'allocateVolume').mockRejectedValueOnce(new Error('once'));
  await createCluster(service, 'orders');
  await settle(service);
  const {reconcileFailures} = await service.monitor.measure();
  expect([...reconcileFailures]).toEqual([['cluster', 1]]);
});

test('repairs are counted by zone, whoever made them', async () => {
  const {catalog, monitor} = service;
  const {counts} = await monitor.measure();
  const zoneHealth = new ZoneHealth();
  const world = {catalog, counts, zoneHealth, clock: systemClock, logger: pino({level: 'silent'})};
  const place = {volume: 1 as VolumeNumber, segment: 1 as SegmentNumber, offset: 0, bytes: 8192};
  const repaired = {type: 'repaired', atMs: 0, zone: 'local-1a', what: 'page 1', ...place} as const;
  recordZoneEvent(world, repaired, 'orders-writer');
  recordZoneEvent(world, repaired, null);
  recordZoneEvent(world, {type: 'state', atMs: 0, state: DEGRADED}, null);
  expect([...(await monitor.measure()).counts.repairs]).toEqual([['local-1a', 2]]);
});

const HEALTHY: ZoneState = {zone: 'z', state: 'healthy'};
const CATCHING_UP: ZoneState = {zone: 'z', state: 'catching-up', bytesDone: 1, bytesTotal: 2};
const DEGRADED: ZoneState = {zone: 'z', state: 'degraded', reason: 'gone', sinceMs: 0};

function zones(...states: (ZoneState | null | 'unreadable')[]): ZoneMeasurement[] {
  return states.map(state =>
    state === 'unreadable'
      ? {zone: 'z', state: HEALTHY, freeBytes: null}
      : {zone: 'z', state, freeBytes: 1},
  );
}

test.each<[boolean, ZoneMeasurement[], string | null]>([
  [true, zones(HEALTHY), null],
  [false, zones(HEALTHY), 'The service is recovering.'],
  [true, zones('unreadable'), 'Of 1 zones 1 must be healthy for a write, and 0 are.'],
  [true, zones(HEALTHY, HEALTHY, DEGRADED), null],
  [true, zones(HEALTHY, CATCHING_UP, HEALTHY), null],
  [
    true,
    zones(HEALTHY, CATCHING_UP, DEGRADED),
    'Of 3 zones 2 must be healthy for a write, and 1 are.',
  ],
  [true, zones(null, null, null), 'The store does not answer.'],
])('recovered %s, with %j: %s', (isRecovered, measured, reason) => {
  expect(readinessOf(isRecovered, measured)).toEqual({isReady: reason === null, reason});
  expect(measured.filter(isHealthy).length >= Math.floor(measured.length / 2) + 1).toBe(
    reason === null || reason.includes('recovering'),
  );
});
