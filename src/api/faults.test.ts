import {expect, it} from 'vitest';
import {BorealisError} from '../base/errors.ts';
import {faultOf} from './faults.ts';
import {FAULTS} from './protocol/model.ts';

it.each([
  ['not-found', 'DBClusterNotFoundFault', 'DBClusterNotFoundFault', 404],
  ['not-found', 'DBInstanceNotFoundFault', 'DBInstanceNotFound', 404],
  ['conflict', 'DBInstanceAlreadyExistsFault', 'DBInstanceAlreadyExists', 400],
  ['conflict', 'InvalidDBClusterStateFault', 'InvalidDBClusterStateFault', 400],
  ['quota', 'InstanceQuotaExceededFault', 'InstanceQuotaExceeded', 400],
  ['invalid', 'InvalidParameterCombination', 'InvalidParameterCombination', 400],
  ['invalid', 'SignatureDoesNotMatch', 'SignatureDoesNotMatch', 403],
  ['not-found', 'engine-unknown', 'ResourceNotFoundFault', 404],
  ['conflict', 'volume-locked', 'InvalidResourceStateFault', 400],
  ['unavailable', 'zone-slow', 'ServiceUnavailable', 503],
] as const)('%s %s is %s with status %i on the wire', (kind, code, wireCode, status) => {
  const fault = faultOf(new BorealisError(kind, code, 'the reason'), 'id-1');
  expect(fault).toEqual({code: wireCode, status, message: 'the reason'});
});

it.each([
  new TypeError('secret detail'),
  new BorealisError('internal', 'odd', 'secret detail'),
  new BorealisError('corrupt', 'bad-page', 'secret detail'),
  'secret detail',
])('the details of an internal failure stay in the log: %s', error => {
  const fault = faultOf(error, 'id-1');
  expect(fault).toMatchObject({code: 'InternalFailure', status: 500});
  expect(fault.message).toContain('id-1');
  expect(fault.message).not.toContain('secret');
});

it('the model has a wire code and a 4xx or 5xx status for each of its faults', () => {
  expect(FAULTS.size).toBe(150);
  for (const {code, status} of FAULTS.values()) {
    expect(code).toMatch(/^[A-Za-z0-9.]+$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
  }
});

it('a full disk is told as such, whoever noticed', () => {
  const system = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  });
  const wrapped = new BorealisError('internal', 'odd', 'it failed', system);
  expect(faultOf(wrapped, 'id-1')).toMatchObject({code: 'StorageQuotaExceeded', status: 400});
});
