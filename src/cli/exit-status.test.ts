import {describe, expect, test} from 'vitest';
import {BorealisError, type ErrorKind} from '../base/errors.ts';
import {errorDocument, exitStatus, EXIT_STATUS_HELP, faultKind} from './exit-status.ts';

describe('the exit status of an error', () => {
  test.each<[ErrorKind, number]>([
    ['internal', 1],
    ['corrupt', 1],
    ['invalid', 2],
    ['not-found', 3],
    ['conflict', 4],
    ['closed', 5],
    ['quota', 6],
    ['unavailable', 7],
  ])('of kind %s is %d, and the help names it', (kind, status) => {
    expect(exitStatus(new BorealisError(kind, 'code', 'message'))).toBe(status);
    expect(EXIT_STATUS_HELP).toMatch(new RegExp(`^  ${status}  \\S`, 'm'));
  });

  test('of anything else is 1', () => {
    expect(exitStatus(new TypeError('x'))).toBe(1);
    expect(exitStatus('x')).toBe(1);
  });
});

describe('a fault of the service', () => {
  test.each<[string, number | undefined, ErrorKind]>([
    ['DBClusterNotFoundFault', 404, 'not-found'],
    ['DBInstanceNotFoundFault', 404, 'not-found'],
    ['DBClusterAlreadyExistsFault', 400, 'conflict'],
    ['DBInstanceAlreadyExistsFault', 400, 'conflict'],
    ['InvalidDBClusterStateFault', 400, 'conflict'],
    ['InvalidDBInstanceStateFault', 400, 'conflict'],
    ['DBClusterQuotaExceededFault', 403, 'quota'],
    ['InsufficientStorageClusterCapacityFault', 400, 'quota'],
    ['InvalidParameterValue', 400, 'invalid'],
    ['InvalidParameterCombination', 400, 'invalid'],
    ['MissingParameter', 400, 'invalid'],
    ['InternalFailure', 500, 'internal'],
    ['ServiceUnavailable', 503, 'unavailable'],
    ['Unknown', undefined, 'internal'],
  ])('%s with HTTP %s is %s', (name, status, kind) => expect(faultKind(name, status)).toBe(kind));
});

test('the JSON of an error carries kind, code and message', () => {
  expect(errorDocument(new BorealisError('conflict', 'x-taken', 'x is taken'))).toEqual({
    error: {kind: 'conflict', code: 'x-taken', message: 'x is taken'},
  });
});
