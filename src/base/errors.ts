/**
 * Errors of the world (not bugs: those are assertions). Each kind tells the caller what to do:
 *
 *     invalid      mend the request            not-found    name something that exists
 *     conflict     wait, or change the state   quota        free something or raise the limit
 *     unavailable  try again later             corrupt      restore from another copy
 *     closed       open it again               internal     report it
 *
 * The edge that shows an error to a person or a program has one table: kind to errno for FUSE, kind
 * to RDS fault for the API, kind to exit status for the CLI.
 */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'conflict'
  | 'quota'
  | 'unavailable'
  | 'corrupt'
  | 'closed'
  | 'internal';

export class BorealisError extends Error {
  override readonly name = 'BorealisError';
  /** Stable, for programs: kebab-case, e.g. `volume-locked`, or an RDS fault name, e.g. `DBClusterNotFoundFault`. */
  readonly code: string;
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : {cause});
    this.kind = kind;
    this.code = code;
  }
}

/** The text to show a person for anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a system error (`ENOENT`, …), or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** The message with those of its causes, for a log line. */
export function errorChain(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at !== undefined && parts.length < 8;) {
    parts.push(errorMessage(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ');
}
