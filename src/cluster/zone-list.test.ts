import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {openZonePlan, parseZoneOption, readZonePlan, writeZonePlan} from './zone-list.ts';

let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'borealis-zones-'));
});

afterEach(() => rmSync(data, {recursive: true}));

const plan = (...zones: string[]) => openZonePlan(data, 'local-1', zones.map(parseZoneOption));
const open = (...zones: string[]) => plan(...zones).zones;

test('without a word there is one zone below the data directory', () => {
  const standard = [{name: 'local-1a', directory: join(data, 'store', 'local-1a')}];
  expect(open()).toEqual(standard);
  mkdirSync(join(data, 'store', 'local-1a'), {recursive: true});
  expect(open()).toEqual(standard);
  expect(() => open('a=/disks/one')).toThrow(/The store has the zones local-1a/);
});

test('named zones are remembered, in any order, and not silently changed', () => {
  const zones = open('a=/disks/one', 'b=/disks/two', 'c=/disks/three');
  expect(zones.map(zone => zone.name)).toEqual(['local-1a', 'local-1b', 'local-1c']);
  expect(open()).toEqual(zones);
  expect(open('c=/disks/three', 'a=/disks/one', 'b=/disks/two')).toEqual(zones);
  expect(() => open('a=/disks/one')).toThrow(/The store has the zones/);
  expect(() => open('a=/disks/one', 'b=/disks/two', 'c=/disks/other')).toThrow(
    /The store has the zones/,
  );
  writeZonePlan(data, {number: 3, zones: zones.slice(0, 2), change: null});
  expect(open()).toEqual(zones.slice(0, 2));
});

test.each([
  ['us=/disks/one', /letter from a to f/],
  ['g=/disks/one', /letter from a to f/],
  ['a=', /LETTER=DIR/],
  ['/disks/one', /LETTER=DIR/],
])('refuses %s', (text, message) => {
  expect(() => parseZoneOption(text)).toThrow(message);
});

test('refuses a name twice, one directory twice or in another', () => {
  expect(() => open('a=/disks/one', 'a=/disks/two')).toThrow(/named twice/);
  expect(() => open('a=/disks/one', 'b=/disks/one')).toThrow(/in one another/);
  expect(() => open('a=/disks/one', 'b=/disks/one/two')).toThrow(/in one another/);
  expect(open('a=/disks/one', 'b=/disks/one-two')).toHaveLength(2);
});

test('refuses a file that says nothing sensible', () => {
  for (const text of [
    '',
    '{}',
    '{"formatVersion":1,"zones":[]}',
    '{"formatVersion":2,"zones":[{}]}',
    '{"formatVersion":2,"number":1,"zones":[{"name":"a","directory":"/a"}],"change":{"kind":"add"}}',
    '{"formatVersion":3,"number":1,"zones":[{"name":"a","directory":"/a"}],"change":null}',
  ]) {
    writeFileSync(join(data, 'zones.json'), text);
    expect(() => open()).toThrow(/zones/);
  }
});

test('a change that is under way is remembered, and a file from before there were changes is read', () => {
  const zones = open('a=/disks/one', 'b=/disks/two');
  const change = {kind: 'add', zone: {name: 'local-1c', directory: '/c'}, phase: 'joint'} as const;
  writeZonePlan(data, {number: 7, zones, change});
  expect(plan()).toEqual({number: 7, zones, change});
  writeFileSync(join(data, 'zones.json'), JSON.stringify({formatVersion: 1, zones}));
  expect(readZonePlan(data)).toEqual({number: 0, zones, change: null});
});
