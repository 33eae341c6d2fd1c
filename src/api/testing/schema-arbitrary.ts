/** fast-check arbitraries for whatever a schema of the service model describes. */
import * as fc from 'fast-check';
import {NormalizedSchema} from '@smithy/core/schema';
import {FRACTIONAL_MEMBERS} from '../protocol/decode.ts';
import type {SchemaReference} from '../protocol/model.ts';

/**
 * Values of `schema` that have one form on the wire: required members present and not blank, no
 * structure without a member (it leaves no trace in a form).
 */
export function schemaArbitrary(
  schema: SchemaReference,
  {blankText}: {blankText: boolean},
): fc.Arbitrary<Record<string, unknown>> {
  const normalized = NormalizedSchema.of(schema);
  if (normalized.isUnitSchema()) return fc.constant({});
  // The SDK reads text of nothing but white space as empty, so results have none.
  return structureArbitrary(normalized, blankText ? text : text.map(value => `t${value}t`));
}

/** Text that XML can carry: any scalar value but control characters and the two non-characters. */
const text = fc
  .string({unit: 'binary', maxLength: 12})
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  .map(value => value.replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '·'));
const timestamp = fc
  .date({min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true})
  .filter(date => !Number.isNaN(date.getTime()));

function structureArbitrary(
  schema: NormalizedSchema,
  strings: fc.Arbitrary<string>,
): fc.Arbitrary<Record<string, unknown>> {
  const members = [...schema.structIterator()];
  const definition = schema.getSchema();
  const requiredCount = Array.isArray(definition) ? (definition[6] ?? 0) : 0;
  const model = Object.fromEntries(
    members.map(([name, member], index) => {
      const fractional = FRACTIONAL_MEMBERS.has(`${schema.getName()}.${name}`);
      return [name, valueArbitrary(member, strings, {fractional, required: index < requiredCount})];
    }),
  );
  const names = members.map(([name]) => name);
  return fc
    .record(model, {requiredKeys: names.slice(0, Math.max(requiredCount, 0))})
    .filter(value => Object.keys(value).length > 0 || names.length === 0);
}

function valueArbitrary(
  schema: NormalizedSchema,
  strings: fc.Arbitrary<string>,
  {fractional = false, required = false}: {fractional?: boolean; required?: boolean} = {},
): fc.Arbitrary<unknown> {
  if (schema.isStructSchema()) return structureArbitrary(schema, strings);
  if (schema.isListSchema())
    return fc.array(valueArbitrary(schema.getValueSchema(), strings), {maxLength: 3});
  if (schema.isMapSchema()) {
    return fc.dictionary(strings, valueArbitrary(schema.getValueSchema(), strings), {
      minKeys: 1,
      maxKeys: 3,
      noNullPrototype: true,
    });
  }
  if (schema.isBooleanSchema()) return fc.boolean();
  if (schema.isTimestampSchema()) return timestamp;
  if (schema.isNumericSchema()) {
    return fractional
      ? fc.double({noNaN: true, noDefaultInfinity: true}).map(v => v || 0)
      : fc.maxSafeInteger();
  }
  return required ? strings.map(value => `r${value}`) : strings;
}
