import {mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import fc from 'fast-check';
import {open} from 'lmdb';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {Catalog, EVENT_AGE_MS_MAX} from './catalog.ts';
import type {EventRecord, GoldenVolumeRecord} from './records.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'borealis-catalog-'));
});

afterEach(() => rmSync(directory, {recursive: true}));

function openCatalog(eventsMax = 5): Catalog {
  return Catalog.open({
    directory,
    region: 'local-1',
    eventsMax,
    newIdentity: () => ({accountId: '123456789012', region: 'local-1', createdAtMs: 42}),
  });
}

/** Any small record: what is in it is not the catalog's business. */
function record(value: number): GoldenVolumeRecord {
  return {
    engineVersion: `${value}`,
    runtime: 'native',
    binary: 'ü "quoted" \u0000',
    volume: value as GoldenVolumeRecord['volume'],
    ready: value % 2 === 0,
    process: null,
  };
}

function event(timeMs: number): EventRecord {
  return {timeMs, sourceType: 'service', source: 's', message: 'm', categories: ['notification']};
}

type Step =
  | {type: 'put' | 'update'; name: string; value: number}
  | {type: 'remove'; name: string}
  | {type: 'abort'; name: string; value: number}
  | {type: 'event'; value: number}
  | {type: 'reopen'};

const name = fc.constantFrom('a', 'B', 'a-1', 'z|native|/usr/lib', 'zz');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({type: fc.constantFrom('put' as const, 'update' as const), name, value: fc.nat(99)}),
  fc.record({type: fc.constant('remove' as const), name}),
  fc.record({type: fc.constant('abort' as const), name, value: fc.nat(99)}),
  fc.record({type: fc.constant('event' as const), value: fc.nat(99)}),
  fc.record({type: fc.constant('reopen' as const)}),
);

describe('the catalog', () => {
  test('holds what a Map holds, across aborted transactions and reopening', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, {maxLength: 25}), async steps => {
        rmSync(join(directory, 'catalog.mdb'), {force: true});
        rmSync(join(directory, 'catalog.mdb-lock'), {force: true});
        let catalog = openCatalog();
        const model = new Map<string, GoldenVolumeRecord>();
        let events: number[] = [];
        for (const each of steps) {
          if (each.type === 'reopen') {
            await catalog.close();
            catalog = openCatalog();
          } else {
            events = apply(catalog, model, events, each);
          }
          expect(catalog.goldenVolumes.list()).toEqual(
            [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value),
          );
          expect(catalog.events().map(found => found.event.timeMs)).toEqual(events);
        }
        await catalog.close();
      }),
      {numRuns: 40},
    );
  });

  test('keeps its identity and is for its owner alone', async () => {
    const first = openCatalog();
    await first.close();
    expect(statSync(join(directory, 'catalog.mdb')).mode & 0o077).toBe(0);
    const second = Catalog.open({
      directory,
      region: 'local-1',
      newIdentity: () => {
        throw new Error('a catalog that exists has its identity');
      },
    });
    expect(second.identity).toEqual({
      accountId: '123456789012',
      region: 'local-1',
      createdAtMs: 42,
    });
    await second.close();
  });

  test('of a later format is refused by name', async () => {
    await openCatalog().close();
    const root = open({path: join(directory, 'catalog.mdb'), encoding: 'json', maxDbs: 32});
    const format = root.openDB<object>({name: 'format', encoding: 'json'});
    await format.put('catalog', {product: 'borealis-catalog', version: 4});
    await root.close();
    expect(openCatalog).toThrow(/format version 4; this Borealis reads version 1 to 3/);
  });

  test('of the first format is brought up, once', async () => {
    const catalog = openCatalog();
    catalog.transaction(() => {
      catalog.addEvent(event(7));
      catalog.goldenVolumes.put('a', record(1));
    });
    await catalog.close();
    const root = open({path: join(directory, 'catalog.mdb'), encoding: 'json', maxDbs: 32});
    const events = root.openDB<object>({name: 'events', encoding: 'json'});
    const {categories: _, ...old} = event(7);
    await events.put(['local-1', 1], old);
    const format = root.openDB<object>({name: 'format', encoding: 'json'});
    await format.put('catalog', {product: 'borealis-catalog', version: 1});
    await root.close();
    for (let opening = 0; opening < 2; opening++) {
      const upgraded = openCatalog();
      expect(upgraded.events()).toEqual([{number: 1, event: event(7)}]);
      expect(upgraded.goldenVolumes.list()).toEqual([record(1)]);
      await upgraded.close();
    }
  });

  test('that is not one is refused and left as it is', () => {
    writeFileSync(join(directory, 'catalog.mdb'), 'x'.repeat(10_000));
    expect(openCatalog).toThrow(/cannot be opened as an LMDB file/);
  });

  test('counts the events of transactions that were done', async () => {
    const catalog = openCatalog();
    const note = (...categories: EventRecord['categories']): void =>
      catalog.addEvent({...event(1), categories});
    catalog.transaction(() => {
      note('failure', 'recovery');
      note('creation');
    });
    const undone = (): void =>
      catalog.transaction(() => {
        note('failure');
        throw new Error('changed our mind');
      });
    expect(undone).toThrow('changed our mind');
    catalog.transaction(() => note('failure'));
    expect([...catalog.eventCounts]).toEqual([
      ['failure', 2],
      ['recovery', 1],
      ['creation', 1],
    ]);
    await catalog.close();
  });

  test('keeps events for fourteen days, under numbers that only grow', async () => {
    let catalog = openCatalog(100);
    const add = (timeMs: number): void =>
      catalog.transaction(() => catalog.addEvent(event(timeMs)));
    for (const timeMs of [0, 1, 2]) add(timeMs);
    add(EVENT_AGE_MS_MAX + 1);
    expect(catalog.events().map(each => each.event.timeMs)).toEqual([1, 2, EVENT_AGE_MS_MAX + 1]);
    await catalog.close();
    catalog = openCatalog(100);
    add(EVENT_AGE_MS_MAX * 3);
    expect(catalog.events().map(each => each.number)).toEqual([5]);
    await catalog.close();
  });

  test('is not written outside a transaction', async () => {
    const catalog = openCatalog();
    expect(() => catalog.goldenVolumes.put('a', record(1))).toThrow(/inside a transaction/);
    await catalog.close();
  });
});

function apply(
  catalog: Catalog,
  model: Map<string, GoldenVolumeRecord>,
  events: number[],
  each: Exclude<Step, {type: 'reopen'}>,
): number[] {
  if (each.type === 'event') {
    catalog.transaction(() => catalog.addEvent(event(each.value)));
    return [...events, each.value].slice(-5);
  }
  const key = each.name.toLowerCase();
  if (each.type === 'remove') {
    catalog.transaction(() => catalog.goldenVolumes.remove(each.name));
    model.delete(key);
  } else if (each.type === 'put') {
    catalog.transaction(() => catalog.goldenVolumes.put(each.name, record(each.value)));
    model.set(key, record(each.value));
  } else if (each.type === 'update') {
    const change = (): GoldenVolumeRecord => record(each.value);
    catalog.transaction(() => catalog.goldenVolumes.update(each.name, change));
    if (model.has(key)) model.set(key, record(each.value));
  } else {
    const abort = (): void =>
      catalog.transaction(() => {
        catalog.goldenVolumes.put(each.name, record(each.value));
        throw new Error('changed our mind');
      });
    expect(abort).toThrow('changed our mind');
  }
  return events;
}
