/**
 * The one table from what was thrown to what a client is told.
 *
 *     BorealisError.code   an RDS shape name ──▶ the model's wire code and status
 *                          a common AWS code ──▶ COMMON_FAULTS
 *                          anything else     ──▶ KIND_FAULTS, by kind
 *     any other error      InternalFailure, 500: the client gets the request id, the log the details
 *
 * Source: "Common Errors" of the RDS API reference; codes as the service's answers have them.
 */
import {BorealisError, type ErrorKind} from '../base/errors.ts';
import {FAULTS, type WireFault} from './protocol/model.ts';

export type Fault = WireFault & {readonly message: string};

/** Codes of the protocol itself, which the model does not list. Code to status. */
const COMMON_FAULTS: ReadonlyMap<string, number> = new Map([
  ['IncompleteBody', 400],
  ['IncompleteSignature', 400],
  ['InvalidAction', 400],
  ['InvalidBearerToken', 401],
  ['InvalidClientTokenId', 403],
  ['InvalidParameterCombination', 400],
  ['InvalidParameterValue', 400],
  ['MalformedInput', 400],
  ['MethodNotAllowed', 405],
  ['MissingAction', 400],
  ['MissingAuthenticationToken', 403],
  ['MissingParameter', 400],
  ['NotFound', 404],
  ['RequestEntityTooLarge', 413],
  ['RequestExpired', 400],
  ['ServiceUnavailable', 503],
  ['SignatureDoesNotMatch', 403],
  // A client waits and tries again on this code, whatever its status.
  ['Throttling', 400],
  ['ValidationError', 400],
]);

const INTERNAL_FAULT: WireFault = {code: 'InternalFailure', status: 500};

const KIND_FAULTS: Readonly<Record<ErrorKind, WireFault>> = {
  invalid: {code: 'InvalidParameterValue', status: 400},
  'not-found': {code: 'ResourceNotFoundFault', status: 404},
  conflict: {code: 'InvalidResourceStateFault', status: 400},
  quota: {code: 'QuotaExceeded', status: 400},
  unavailable: {code: 'ServiceUnavailable', status: 503},
  closed: {code: 'ServiceUnavailable', status: 503},
  corrupt: INTERNAL_FAULT,
  internal: INTERNAL_FAULT,
};

/** The model's own name for a disk that is full, whoever found it so. */
const STORAGE_FULL: WireFault = {code: 'StorageQuotaExceeded', status: 400};
const CAUSES_MAX = 8;

export function faultOf(error: unknown, requestId: string): Fault {
  if (isDiskFull(error)) {
    const message =
      'The disk that holds the data directory is full. Make room on it, then try again.';
    return {...STORAGE_FULL, message};
  }
  const wire = error instanceof BorealisError ? wireFaultOf(error) : INTERNAL_FAULT;
  if (wire === INTERNAL_FAULT) {
    const message = `An internal error occurred. Its details are in the service's log under request id ${requestId}.`;
    return {...wire, message};
  }
  return {...wire, message: error instanceof Error ? error.message : String(error)};
}

function isDiskFull(error: unknown): boolean {
  let at = error;
  for (let depth = 0; at instanceof Error && depth < CAUSES_MAX; depth++) {
    // The catalog's library gives no code but the system's words.
    if (/ENOSPC|[Nn]o space left on device|the disk is full/.test(at.message)) return true;
    at = at.cause;
  }
  return false;
}

function wireFaultOf({code, kind}: BorealisError): WireFault {
  const status = COMMON_FAULTS.get(code);
  if (status !== undefined) return {code, status};
  return FAULTS.get(code) ?? KIND_FAULTS[kind];
}
