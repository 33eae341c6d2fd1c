/**
 * Filters and pages of the Describe actions.
 *
 *     Filters   [{Name: 'engine', Values: ['aurora-postgresql']}]: all names must fit, any value of each
 *     Marker    opaque: the name of the last record that was shown
 */
import type {Filter} from '@aws-sdk/client-rds';
import {invalidValue, missingParameter} from './faults.ts';
import {quoted} from './identifiers.ts';
import {parseInteger} from './members.ts';

const RECORDS_MIN = 20;
const RECORDS_MAX = 100;

/** Filter name to a test of one record against one value. */
export type FilterTests<T> = Readonly<Record<string, (record: T, value: string) => boolean>>;

export function applyFilters<T>(
  records: readonly T[],
  filters: readonly Filter[] | undefined,
  tests: FilterTests<T>,
): T[] {
  const parsed = (filters ?? []).map(filter => parseFilter(filter, tests));
  return records.filter(record =>
    parsed.every(({test, values}) => values.some(value => test(record, value))),
  );
}

function parseFilter<T>(
  {Name: name, Values: values}: Filter,
  tests: FilterTests<T>,
): {test: (record: T, value: string) => boolean; values: readonly string[]} {
  if (name === undefined || name === '') throw missingParameter('Filters.Filter.N.Name');
  const test = Object.hasOwn(tests, name) ? tests[name] : undefined;
  if (test === undefined) {
    const known = Object.keys(tests);
    const here = known.length === 0 ? 'There are none here' : `Known here: ${known.join(', ')}`;
    throw invalidValue(`Unrecognized filter name: ${quoted(name)}. ${here}.`);
  }
  if (values === undefined || values.length === 0) {
    throw invalidValue(`The filter ${name} must have at least one value.`);
  }
  return {test, values};
}

export type Page<T> = {readonly records: readonly T[]; readonly Marker: string | undefined};

/** `records` are in the order of `nameOf`. */
export function page<T>(
  records: readonly T[],
  nameOf: (record: T) => string,
  input: {readonly MaxRecords?: number | undefined; readonly Marker?: string | undefined},
  max: number = RECORDS_MAX,
): Page<T> {
  const countMax = parseInteger('MaxRecords', input.MaxRecords, {
    min: RECORDS_MIN,
    max,
    absent: RECORDS_MAX,
  });
  const last = parseMarker(input.Marker);
  const rest = last === undefined ? records : records.filter(record => nameOf(record) > last);
  const shown = rest.slice(0, countMax);
  const end = shown.at(-1);
  const more = rest.length > shown.length && end !== undefined;
  return {records: shown, Marker: more ? toMarker(nameOf(end)) : undefined};
}

const MARKER_PREFIX = 'after:';

function toMarker(name: string): string {
  return Buffer.from(MARKER_PREFIX + name).toString('base64url');
}

function parseMarker(marker: string | undefined): string | undefined {
  if (marker === undefined || marker === '') return undefined;
  const text = Buffer.from(marker, 'base64url').toString();
  if (!text.startsWith(MARKER_PREFIX)) {
    throw invalidValue('The parameter Marker is not one that an earlier page returned.');
  }
  return text.slice(MARKER_PREFIX.length);
}
