/**
 * The RDS faults of the control plane, each with the code that the API maps to the wire and the
 * wording that users of RDS know.
 */
import {BorealisError} from '../base/errors.ts';

export function missingParameter(name: string): BorealisError {
  return new BorealisError(
    'invalid',
    'MissingParameter',
    `The request must contain the parameter ${name}.`,
  );
}

export function invalidValue(message: string): BorealisError {
  return new BorealisError('invalid', 'InvalidParameterValue', message);
}

export function invalidCombination(message: string): BorealisError {
  return new BorealisError('invalid', 'InvalidParameterCombination', message);
}

export function clusterNotFound(identifier: string): BorealisError {
  return new BorealisError(
    'not-found',
    'DBClusterNotFoundFault',
    `DBCluster ${identifier} not found.`,
  );
}

export function clusterAlreadyExists(identifier: string): BorealisError {
  return new BorealisError(
    'conflict',
    'DBClusterAlreadyExistsFault',
    `DB Cluster already exists: ${identifier}`,
  );
}

export function certificateNotFound(identifier: string): BorealisError {
  return new BorealisError(
    'not-found',
    'CertificateNotFoundFault',
    `Certificate ${identifier} not found.`,
  );
}

export function invalidClusterState(message: string): BorealisError {
  return new BorealisError('conflict', 'InvalidDBClusterStateFault', message);
}

export function instanceNotFound(identifier: string): BorealisError {
  return new BorealisError(
    'not-found',
    'DBInstanceNotFoundFault',
    `DBInstance ${identifier} not found.`,
  );
}

export function instanceAlreadyExists(identifier: string): BorealisError {
  return new BorealisError(
    'conflict',
    'DBInstanceAlreadyExistsFault',
    `DB instance already exists: ${identifier}`,
  );
}

export function invalidInstanceState(message: string): BorealisError {
  return new BorealisError('conflict', 'InvalidDBInstanceStateFault', message);
}

export function storageFull(
  code: 'InsufficientStorageClusterCapacityFault' | 'InsufficientDBInstanceCapacityFault',
  message: string,
): BorealisError {
  return new BorealisError('quota', code, message);
}

export function quotaExceeded(resource: 'DBCluster' | 'Instance', max: number): BorealisError {
  return new BorealisError(
    'quota',
    `${resource}QuotaExceededFault`,
    `This service holds at most ${max} ${resource === 'DBCluster' ? 'DB clusters' : 'DB instances'}. Delete one first.`,
  );
}

export function endpointNotFound(identifier: string): BorealisError {
  return new BorealisError(
    'not-found',
    'DBClusterEndpointNotFoundFault',
    `DB cluster endpoint ${identifier} not found.`,
  );
}

export function endpointAlreadyExists(identifier: string): BorealisError {
  return new BorealisError(
    'conflict',
    'DBClusterEndpointAlreadyExistsFault',
    `DB cluster endpoint already exists: ${identifier}`,
  );
}

export function endpointQuotaExceeded(cluster: string, max: number): BorealisError {
  return new BorealisError(
    'quota',
    'DBClusterEndpointQuotaExceededFault',
    `DB cluster ${cluster} has at most ${max} custom endpoints. Delete one first.`,
  );
}
