/**
 * Scalars as the Query protocol writes them. Each parser takes the parameter's full name (for the
 * message) and its text, and throws `InvalidParameterValue` naming both and what is allowed.
 *
 *     parseBoolean  true, FALSE                   parseInteger  35, -1
 *     parseNumber   0.5, 128                      parseTimestamp  2026-11-22T19:45:00Z, …T21:45:00.5+02:00
 */
import {BorealisError} from '../../base/errors.ts';
import {quoted} from './form.ts';

const TIMESTAMP =
  /^(?<day>\d{4}-\d{2}-\d{2})T(?<time>\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
/** What XML 1.0 cannot carry, so what no answer could ever show again. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const NOT_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;

export function parseString(name: string, text: string): string {
  const found = NOT_XML.exec(text);
  if (found === null) return text;
  const point = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  throw invalidParameterValue(
    `The parameter ${name} contains the character U+${point}, which is not allowed.`,
  );
}

export function parseBoolean(name: string, text: string): boolean {
  const lower = text.toLowerCase();
  if (lower === 'true') return true;
  if (lower === 'false') return false;
  throw invalidValue(name, text, 'true or false');
}

export function parseInteger(name: string, text: string): number {
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalidValue(name, text, 'an integer');
  return value === 0 ? 0 : value;
}

export function parseNumber(name: string, text: string): number {
  const value = /^-?\d{1,32}(?:\.\d{1,32})?(?:[eE][+-]?\d{1,3})?$/.test(text)
    ? Number(text)
    : Number.NaN;
  if (!Number.isFinite(value)) throw invalidValue(name, text, 'a number');
  return value === 0 ? 0 : value;
}

export function parseTimestamp(name: string, text: string): Date {
  const wanted = 'a timestamp such as 2026-11-22T19:45:00Z';
  const parts = TIMESTAMP.exec(text)?.groups;
  if (parts === undefined) throw invalidValue(name, text, wanted);
  // Date.parse takes the 30th of February for the 1st of March; reading it back shows that.
  const wall = new Date(`${parts['day']}T${parts['time']}Z`);
  const date = new Date(text);
  if (Number.isNaN(date.getTime()) || !sameWallTime(wall, `${parts['day']}T${parts['time']}`)) {
    throw invalidValue(name, text, wanted);
  }
  return date;
}

export function invalidParameterValue(message: string): BorealisError {
  return new BorealisError('invalid', 'InvalidParameterValue', message);
}

function sameWallTime(date: Date, text: string): boolean {
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, text.length) === text;
}

function invalidValue(name: string, text: string, allowed: string): BorealisError {
  return invalidParameterValue(`Invalid value ${quoted(text)} for ${name}. Must be ${allowed}.`);
}
