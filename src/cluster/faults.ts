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

/** `others`: states besides `available` in which it can be done. */
export function refuseUnlessAvailable(
  {identifier, status}: {readonly identifier: string; readonly status: string},
  ...others: readonly string[]
): void {
  if (status === 'available' || others.includes(status)) return;
  throw invalidClusterState(
    `DB cluster ${identifier} is not in the available state: it is ${status}.`,
  );
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

export function groupNotFound(name: string): BorealisError {
  return new BorealisError(
    'not-found',
    'DBParameterGroupNotFoundFault',
    `DBParameterGroup not found: ${name}`,
  );
}

export function clusterGroupNotFound(name: string): BorealisError {
  return new BorealisError(
    'not-found',
    'DBClusterParameterGroupNotFoundFault',
    `DBClusterParameterGroup not found: ${name}`,
  );
}

export function groupAlreadyExists(name: string): BorealisError {
  return new BorealisError(
    'conflict',
    'DBParameterGroupAlreadyExistsFault',
    `Parameter group ${name} already exists`,
  );
}

export function groupInUse(name: string, scope: 'cluster' | 'instance'): BorealisError {
  const users = scope === 'cluster' ? 'DB clusters' : 'database instances';
  return new BorealisError(
    'conflict',
    'InvalidDBParameterGroupStateFault',
    `One or more ${users} are still members of this parameter group ${name}, so the group cannot be deleted`,
  );
}

export function storageFull(
  code: 'InsufficientStorageClusterCapacityFault' | 'InsufficientDBInstanceCapacityFault',
  message: string,
): BorealisError {
  return new BorealisError('quota', code, message);
}

export function subscriptionNotFound(name: string): BorealisError {
  return new BorealisError(
    'not-found',
    'SubscriptionNotFoundFault',
    `Subscription ${name} does not exist.`,
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
