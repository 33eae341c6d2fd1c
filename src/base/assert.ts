/**
 * Asserts what only a bug of Borealis could break. A failed assertion is never caught to go on: the
 * process that sees it stops, and the crash-recovery path (always tested) takes over.
 */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new AssertionError(why);
}

/** For the branch that cannot be reached. */
export function unreachable(value: never, why: string): never {
  throw new AssertionError(`${why}: ${String(value)}`);
}

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}
