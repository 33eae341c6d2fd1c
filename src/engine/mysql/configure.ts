/** Changes variables of a server that runs. What they are at its next start, its option file says. */
import type {EngineStartOptions} from '../engine.ts';
import type {Session} from './session.ts';
import {OWN_SETTINGS} from './settings.ts';
import {quoteText} from './statements.ts';

type Values = EngineStartOptions['parameters'];

/**
 * Sets what differs between `before` and `after`, but for the names in `fixed`. Goes through all of it, and
 * then throws what the server said of the first one that it did not take.
 */
export async function configure(
  session: Session,
  before: Values,
  after: Values,
  fixed: ReadonlySet<string>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (before[name] === after[name] || fixed.has(name)) continue;
    try {
      await session.query(`SET GLOBAL ${name} = ${literal(after[name] ?? OWN_SETTINGS[name])}`);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** A number with the suffix that option files know (`128M`) becomes its bytes; no value, the server's own. */
export function literal(value: string | undefined): string {
  if (value === undefined) return 'DEFAULT';
  const [, digits, suffix] = /^(-?\d+(?:\.\d+)?)([KMG]?)$/.exec(value) ?? [];
  if (digits === undefined) return quoteText(value);
  const exponent = ['', 'K', 'M', 'G'].indexOf(suffix ?? '');
  return exponent === 0 ? digits : String(Number(digits) * 1024 ** exponent);
}
