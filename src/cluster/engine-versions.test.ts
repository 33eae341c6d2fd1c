import {describe, expect, test} from 'vitest';
import {parseEngine} from './engine-kinds.ts';
import {
  offerFor,
  parameterGroupFamily,
  resolveEngineVersion,
  type EngineOffer,
  type EngineOffers,
} from './engine-versions.ts';

function offer(engine: EngineOffer['engine'], engineVersion: string): EngineOffer {
  return {engine, engineVersion, runtime: 'native', bin: '/bin', binary: '/bin', description: ''};
}

const OFFERS: EngineOffers = {
  available: [
    offer('aurora-postgresql', '18.4'),
    offer('aurora-postgresql', '15.18'),
    offer('aurora-mysql', '10.11.19'),
    offer('aurora-mysql', '10.6.20'),
  ],
  others: [],
  obstacles: {},
};

describe('an engine version', () => {
  test.each([
    ['aurora-postgresql', undefined, '18.4'],
    ['aurora-postgresql', '15', '15.18'],
    ['aurora-mysql', '', '10.11.19'],
    ['aurora-mysql', '10.6', '10.6.20'],
    ['aurora-mysql', '10.11.19', '10.11.19'],
  ] as const)('of %s asked for as %j is %s', (engine, wanted, version) => {
    expect(resolveEngineVersion(OFFERS, engine, wanted).engineVersion).toBe(version);
  });

  test.each([
    ['aurora-mysql', '18.4'],
    ['aurora-mysql', '10'],
    ['aurora-mysql', '8.0.mysql_aurora.3.04.0'],
    ['aurora-postgresql', '10.11.19'],
  ] as const)('of %s that is not there, %s, is refused with those that are', (engine, wanted) => {
    expect(() => resolveEngineVersion(OFFERS, engine, wanted)).toThrow(
      expect.objectContaining({code: 'InvalidParameterCombination'}),
    );
  });

  test('of an engine that cannot run here is refused with the reason', () => {
    const offers = {...OFFERS, obstacles: {'aurora-mysql': 'No MariaDB server is installed.'}};
    expect(() => resolveEngineVersion(offers, 'aurora-mysql', undefined)).toThrow(
      'The engine aurora-mysql cannot run here. No MariaDB server is installed.',
    );
  });
});

test('a cluster is run by a server of its own engine and series', () => {
  const cluster = {engine: 'aurora-mysql', engineVersion: '10.11.4', runtime: 'native'} as const;
  expect(offerFor(OFFERS, cluster)?.engineVersion).toBe('10.11.19');
  expect(offerFor(OFFERS, {...cluster, engineVersion: '11.4.2'})).toBeUndefined();
  expect(offerFor(OFFERS, {...cluster, engine: 'aurora-postgresql'})).toBeUndefined();
});

test('a family is the engine and the series', () => {
  expect(OFFERS.available.map(parameterGroupFamily)).toEqual([
    'aurora-postgresql18',
    'aurora-postgresql15',
    'aurora-mysql10.11',
    'aurora-mysql10.6',
  ]);
});

test('engines are named as RDS names them', () => {
  expect(() => parseEngine('mysql')).toThrow(/aurora-postgresql and aurora-mysql/);
  expect(() => parseEngine('')).toThrow(/Engine/);
});
