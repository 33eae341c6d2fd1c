import {expect, test} from 'vitest';
import {
  arnOf,
  newAccountId,
  newResourceId,
  parseIdentifier,
  parseReference,
} from './identifiers.ts';
import {parseDatabaseName, parseMasterUserPassword, parseMasterUsername} from './master-user.ts';
import {parseTags} from './settings.ts';
import {refuseMembers, CLUSTER_REFUSALS} from './members.ts';

const IDENTITY = {accountId: '123456789012', region: 'local-1', createdAtMs: 0};

function outcome(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    return (error as {code: string}).code;
  }
}

test.each([
  ['a', 'a'],
  ['Orders-1', 'orders-1'],
  ['a1-b2-c3', 'a1-b2-c3'],
  ['x'.repeat(63), 'x'.repeat(63)],
  ['x'.repeat(64), 'InvalidParameterValue'],
  ['1a', 'InvalidParameterValue'],
  ['-a', 'InvalidParameterValue'],
  ['a-', 'InvalidParameterValue'],
  ['a--b', 'InvalidParameterValue'],
  ['a_b', 'InvalidParameterValue'],
  ['a b', 'InvalidParameterValue'],
  ['ä', 'InvalidParameterValue'],
  ['a\n', 'InvalidParameterValue'],
  ['../etc', 'InvalidParameterValue'],
  ['', 'MissingParameter'],
  [undefined, 'MissingParameter'],
])('the identifier %j is %j', (value, expected) => {
  expect(outcome(() => parseIdentifier('DBClusterIdentifier', value))).toBe(expected);
});

test.each([
  ['orders', 'orders'],
  ['arn:aws:rds:local-1:123456789012:cluster:Orders', 'orders'],
  ['ARN:aws:rds:local-1:123456789012:cluster:orders', 'InvalidParameterValue'],
  ['arn:aws:rds:mars-1:123456789012:cluster:orders', 'InvalidParameterValue'],
  ['arn:aws:rds:local-1:123456789012:db:orders', 'InvalidParameterValue'],
  ['arn:aws:rds:local-1:123456789012:cluster:', 'MissingParameter'],
])('the reference %j is %j', (value, expected) => {
  const parse = (): string => parseReference('X', value, 'cluster', IDENTITY);
  expect(outcome(parse)).toBe(expected);
});

test.each([
  ['owner', 'owner'],
  ['postgres', 'postgres'],
  ['Owner_1', 'Owner_1'],
  ['a'.repeat(63), 'a'.repeat(63)],
  ['a'.repeat(64), 'InvalidParameterValue'],
  ['1owner', 'InvalidParameterValue'],
  ['_owner', 'InvalidParameterValue'],
  ['own-er', 'InvalidParameterValue'],
  ['admin', 'InvalidParameterValue'],
  ['RdsAdmin', 'InvalidParameterValue'],
  ['rds_superuser', 'InvalidParameterValue'],
  ['pg_owner', 'InvalidParameterValue'],
  ['PG_owner', 'InvalidParameterValue'],
  ['public', 'InvalidParameterValue'],
  ['', 'MissingParameter'],
  [undefined, 'MissingParameter'],
])('the master user name %j is %j', (value, expected) => {
  expect(outcome(() => parseMasterUsername('aurora-postgresql', value))).toBe(expected);
});

test.each([
  ['12345678', true],
  ["p'w;$(x)\\`!", true],
  ['x'.repeat(128), true],
  ['1234567', 'InvalidParameterValue'],
  ['x'.repeat(129), 'InvalidParameterValue'],
  ['with space', 'InvalidParameterValue'],
  ['with/slash', 'InvalidParameterValue'],
  ['with@sign', 'InvalidParameterValue'],
  ['with"quote', 'InvalidParameterValue'],
  ['with\ttab', 'InvalidParameterValue'],
  ['with-ünicode', 'InvalidParameterValue'],
  ['', 'MissingParameter'],
  [undefined, 'MissingParameter'],
])('the password %j is %j', (value, expected) => {
  const result = outcome(() => parseMasterUserPassword('aurora-postgresql', value) === value);
  expect(result).toBe(expected);
});

test('no message about a password repeats it', () => {
  for (const password of ['sesame', 'open sesame!', 'x'.repeat(200)]) {
    expect(() => parseMasterUserPassword('aurora-postgresql', password)).not.toThrow(password);
  }
});

test.each([
  ['shop', 'shop'],
  ['postgres', 'postgres'],
  [undefined, null],
  ['', null],
  ['template1', 'InvalidParameterValue'],
  ['rdsadmin', 'InvalidParameterValue'],
  ['a-b', 'InvalidParameterValue'],
  ['x'.repeat(64), 'InvalidParameterValue'],
])('the database name %j is %j', (value, expected) => {
  expect(outcome(() => parseDatabaseName('aurora-postgresql', value))).toBe(expected);
});

test.each([
  ['admin', 'admin'],
  ['a'.repeat(16), 'a'.repeat(16)],
  ['a'.repeat(17), 'InvalidParameterValue'],
  ['RdsAdmin', 'InvalidParameterValue'],
  ['rdsrepladmin', 'InvalidParameterValue'],
  ["o'brien", 'InvalidParameterValue'],
  [undefined, 'MissingParameter'],
])('the master user name %j of aurora-mysql is %j', (value, expected) => {
  expect(outcome(() => parseMasterUsername('aurora-mysql', value))).toBe(expected);
});

test.each([
  ['x'.repeat(41), true],
  ['x'.repeat(42), 'InvalidParameterValue'],
  ['with@sign', 'InvalidParameterValue'],
])('the password %j of aurora-mysql is %j', (value, expected) => {
  expect(outcome(() => parseMasterUserPassword('aurora-mysql', value) === value)).toBe(expected);
});

test.each([
  ['postgres', 'postgres'],
  ['x'.repeat(64), 'x'.repeat(64)],
  [undefined, null],
  ['mysql', 'InvalidParameterValue'],
  ['Information_Schema', 'InvalidParameterValue'],
  ['a`b', 'InvalidParameterValue'],
])('the database name %j of aurora-mysql is %j', (value, expected) => {
  expect(outcome(() => parseDatabaseName('aurora-mysql', value))).toBe(expected);
});

test('tags have keys, each once, none reserved, at most fifty', () => {
  expect(parseTags([{Key: 'a', Value: '1'}, {Key: 'b'}])).toEqual([
    {Key: 'a', Value: '1'},
    {Key: 'b', Value: ''},
  ]);
  const many = Array.from({length: 51}, (_, index) => ({Key: `k${index}`}));
  for (const tags of [
    [{Key: 'a'}, {Key: 'a'}],
    [{Key: 'aws:x'}],
    [{Key: ''}],
    [{Value: 'x'}],
    many,
  ]) {
    expect(outcome(() => parseTags(tags))).toBe('InvalidParameterValue');
  }
});

test('a member that cannot be honoured is refused by name; one that asks for nothing passes', () => {
  const refuse = (input: object): unknown => outcome(() => refuseMembers(input, CLUSTER_REFUSALS));
  const harmless = {
    StorageEncrypted: false,
    EngineMode: 'provisioned',
    KmsKeyId: '',
    AssociatedRoles: [],
    Domain: undefined,
    PubliclyAccessible: false,
  };
  expect(refuse(harmless)).toBeUndefined();
  for (const member of [
    {StorageEncrypted: true},
    {EngineMode: 'serverless'},
    {KmsKeyId: 'k'},
    {ServerlessV2ScalingConfiguration: {MinCapacity: 1}},
    {ManageMasterUserPassword: true},
  ]) {
    expect(refuse(member)).toBe('InvalidParameterCombination');
  }
});

test('names that the service gives have the form of RDS', () => {
  expect(arnOf('db', IDENTITY, 'a')).toBe('arn:aws:rds:local-1:123456789012:db:a');
  expect(newResourceId('cluster')).toMatch(/^cluster-[A-Z2-7]{26}$/);
  for (let i = 0; i < 100; i++) expect(newAccountId()).toMatch(/^[1-9][0-9]{11}$/);
});
