/**
 * The command's edge: every error becomes an exit status and one helpful sentence. This is the one
 * table from kind to status; `borealis --help` prints it.
 */
import {BorealisError, errorMessage, type ErrorKind} from '../base/errors.ts';

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_NOT_RUNNING = 5;

const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  internal: EXIT_FAILED,
  corrupt: EXIT_FAILED,
  invalid: EXIT_USAGE,
  'not-found': 3,
  conflict: 4,
  closed: EXIT_NOT_RUNNING,
  quota: 6,
  unavailable: 7,
};

export const EXIT_STATUS_HELP = `Exit status:
  0  done
  1  failed, or a check did not hold
  2  bad usage or a value that is not allowed
  3  no such cluster (or no psql to run)
  4  not in the present state: taken name, wrong status, protected, data directory in use
  5  no service runs on the data directory: start one with \`borealis up\`
  6  a limit is reached, e.g. the disk is full
  7  not available now or not in time: try again
`;

export function exitStatus(error: unknown): number {
  return error instanceof BorealisError ? STATUS_OF_KIND[error.kind] : EXIT_FAILED;
}

/** What `--json` prints instead of a result. */
export function errorDocument(error: unknown): {
  error: {kind: string; code: string; message: string};
} {
  const known = error instanceof BorealisError;
  return {
    error: {
      kind: known ? error.kind : 'internal',
      code: known ? error.code : 'InternalFailure',
      message: errorMessage(error),
    },
  };
}

/**
 * The kind of a fault that the service answered, from its name and HTTP status.
 *
 *     DBClusterNotFoundFault 404 → not-found     DBClusterAlreadyExistsFault 400 → conflict
 *     InvalidDBClusterStateFault 400 → conflict  StorageQuotaExceededFault 400 → quota
 *     InvalidParameterValue 400 → invalid        anything 500 → internal, 503 → unavailable
 */
export function faultKind(name: string, httpStatus: number | undefined): ErrorKind {
  if (/NotFound(Fault)?$/.test(name)) return 'not-found';
  if (/AlreadyExists(Fault)?$/.test(name) || /^Invalid.*State(Fault)?$/.test(name)) {
    return 'conflict';
  }
  if (/(QuotaExceeded|LimitExceeded)(Fault)?$/.test(name) || name.startsWith('Insufficient')) {
    return 'quota';
  }
  if (httpStatus === 404) return 'not-found';
  if (httpStatus === 409) return 'conflict';
  if (httpStatus === 503 || httpStatus === 429) return 'unavailable';
  return httpStatus !== undefined && httpStatus >= 400 && httpStatus < 500 ? 'invalid' : 'internal';
}
