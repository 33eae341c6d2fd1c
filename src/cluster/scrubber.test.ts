import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pino} from 'pino';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {sleep} from '../base/clock.ts';
import type {Damage} from '../page-store/zone.ts';
import {Catalog} from './catalog.ts';
import {DamageList} from './damage.ts';
import type {ClusterRecord} from './records.ts';
import {ServiceCounts} from './metrics/service-counts.ts';
import {ZoneHealth} from './zone-health.ts';
import {Scrubber} from './scrubber.ts';
import {FakeStorage} from './testing/fake-storage.ts';

const HOUR_MS = 3_600_000;
const WEEK_MS = 168 * HOUR_MS;

let directory: string;
let catalog: Catalog;
let storage: FakeStorage;
let nowMs: number;
const damage = new DamageList();
const opened: Scrubber[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-scrubber-'));
  nowMs = 1_000_000;
  damage.replace([]);
  storage = new FakeStorage(directory);
  openCatalog();
});

afterEach(async () => {
  for (const scrubber of opened.splice(0)) await scrubber.close();
  await catalog.close();
  rmSync(directory, {recursive: true});
});

function openCatalog(): void {
  catalog = Catalog.open({
    directory,
    region: 'local-1',
    newIdentity: () => ({accountId: '1', region: 'local-1', createdAtMs: nowMs}),
  });
}

/** `scrubEveryMs` is so short in some tests that its timers tick at once; `nowMs` is the time that it sees. */
function open(scrubEveryMs: number | null): Scrubber {
  const scrubber = new Scrubber({
    ...{catalog, storage, damage, scrubEveryMs},
    // oxlint-disable-next-line no-unsafe-type-assertion -- no cluster has a writer here
    supervisor: {writer: () => 'none'} as never,
    clock: {nowMs: () => nowMs, monotonicMs: () => nowMs},
    logger: pino({level: 'silent'}),
    counts: new ServiceCounts(),
    zoneHealth: new ZoneHealth(),
  });
  opened.push(scrubber);
  scrubber.start();
  return scrubber;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await sleep(10);
  expect(condition()).toBe(true);
}

const ALL = {cluster: null, bytesPerSecond: null};
const DAMAGE: Damage = {
  ...{what: 'page 1 of file 7 in volume 1', readBy: [], zones: ['local-1a']},
  ...{volume: 1 as never, segment: 1 as never, offset: 512},
};

function putCluster(identifier: string, volume: number): void {
  const seen: Partial<ClusterRecord> = {identifier, volume: volume as never, status: 'available'};
  // oxlint-disable-next-line no-unsafe-type-assertion -- the rest is of no concern here
  catalog.transaction(() => catalog.clusters.put(identifier, seen as ClusterRecord));
}

test('a scrub ends with a result, an event, and a memory that outlives the service', async () => {
  const scrubber = open(WEEK_MS);
  const {id, joined} = scrubber.begin(ALL);
  expect(joined).toBe(false);
  await until(() => scrubber.status().running === null);
  expect(scrubber.status()).toMatchObject({
    ended: {id, outcome: 'clean', trigger: 'request'},
    last: {id},
    everyHours: 168,
    nextAtMs: nowMs + WEEK_MS,
  });
  expect(catalog.events().at(-1)?.event.message).toContain('A scrub of the store ended');
  await scrubber.close();
  await catalog.close();
  openCatalog();
  expect(open(WEEK_MS).status().last?.id).toBe(id);
});

test('who asks while one runs joins it where it covers that, and is refused where it does not', async () => {
  putCluster('orders', 5);
  storage.holdsScrubs = true;
  const scrubber = open(null);
  const first = scrubber.begin(ALL);
  expect(scrubber.begin({...ALL, cluster: 'orders'})).toEqual({id: first.id, joined: true});
  await until(() => storage.scrubs.length === 1);
  storage.scrubs[0]?.onProgress({bytesDone: 3, bytesTotal: 12});
  expect(scrubber.status().running).toMatchObject({bytesDone: 3, bytesTotal: 12});
  storage.endScrub();
  await until(() => scrubber.status().running === null);

  const second = scrubber.begin({...ALL, cluster: 'orders'});
  await until(() => storage.scrubs.length === 2);
  expect(storage.scrubs[1]?.volumes).toEqual([5]);
  expect(() => scrubber.begin(ALL)).toThrow('A scrub of DB cluster orders is running');
  expect(scrubber.begin({...ALL, cluster: 'orders'})).toEqual({id: second.id, joined: true});
  await scrubber.stop(second.id);
  expect(scrubber.status().ended).toMatchObject({id: second.id, outcome: 'stopped'});
});

test('one is begun by schedule once it is due, slowly, and not before', async () => {
  const scrubber = open(200);
  await sleep(500);
  expect(storage.scrubs).toEqual([]);
  nowMs += 200;
  await until(() => storage.scrubs.length === 1);
  await until(() => scrubber.status().running === null);
  expect(storage.scrubs[0]?.bytesPerSecond).toBe(64 * 2 ** 20);
  expect(scrubber.status().last?.trigger).toBe('schedule');
  await sleep(500);
  expect(storage.scrubs.length).toBe(1);
});

test('one that the end of the service cut off is begun again, one that was stopped is not', async () => {
  storage.holdsScrubs = true;
  const first = open(200);
  nowMs += 200;
  await until(() => storage.scrubs.length === 1);
  await first.close();
  expect(catalog.events()).toEqual([]);

  // As after kill -9: only what the catalog holds is left.
  const second = open(200);
  await until(() => storage.scrubs.length === 2);
  const id = second.status().running?.id ?? '';
  await second.stop(id);
  expect(second.status().nextAtMs).toBe(nowMs + 200);
  await sleep(500);
  expect(storage.scrubs.length).toBe(2);
});

test('one that fails is tried again after an hour, and told', async () => {
  storage.holdsScrubs = true;
  const scrubber = open(200);
  nowMs += 200;
  await until(() => storage.scrubs.length === 1);
  // Its thread ends by itself.
  await storage.stopScrub();
  await until(() => scrubber.status().running === null);
  expect(scrubber.status().ended).toMatchObject({outcome: 'failed'});
  expect(catalog.events().at(-1)?.event.message).toContain('A scrub of the store failed');
  await sleep(500);
  expect(storage.scrubs.length).toBe(1);
  nowMs += HOUR_MS;
  await until(() => storage.scrubs.length === 2);
});

test('what a scrub of the store finds damaged is all that is known to be, from then on', async () => {
  putCluster('orders', 5);
  damage.add({...DAMAGE, offset: 1024});
  const scrubber = open(null);
  storage.scrubReport = {...storage.scrubReport, damaged: [{...DAMAGE, readBy: [5 as never]}]};
  storage.holdsScrubs = true;
  scrubber.begin(ALL);
  await until(() => storage.scrubs.length === 1);
  const found = {type: 'damaged', atMs: 1, ...DAMAGE, readBy: [5 as never]} as const;
  storage.scrubs[0]?.onZoneEvent(found);
  storage.scrubs[0]?.onZoneEvent(found);
  storage.endScrub();
  await until(() => scrubber.status().running === null);
  expect(damage.list().map(({offset}) => offset)).toEqual([512]);
  const told = catalog
    .events()
    .map(({event}) => event)
    .filter(({message}) => message.includes('page 1 of file 7'));
  expect(told).toMatchObject([{sourceType: 'db-cluster', source: 'orders'}]);
});
