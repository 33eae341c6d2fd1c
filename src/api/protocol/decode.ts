/**
 * Form fields to an action's input, by walking its schema. A member's wire name is its `xmlName`
 * trait or its own name. Lists arrive in every spelling that clients use:
 *
 *     Tags.Tag.1=…   Tags.member.1=…   Tags.Member.1=…   Tags.1=…   Tags=   (the empty list)
 *
 * Items are taken in the order of their numbers; gaps are closed up. Maps are
 * `Name.entry.1.key` and `Name.entry.1.value`.
 *
 * Errors: `MalformedInput` for a parameter that the action does not have and for a shape that does not
 *         fit; `InvalidParameterValue` for a scalar that cannot be read and for a required member
 *         that is missing or blank, in the words that RDS uses. A string's value is never repeated.
 */
import {NormalizedSchema} from '@smithy/core/schema';
import {BorealisError} from '../../base/errors.ts';
import {malformedInput, quoted, type FormNode} from './form.ts';
import type {SchemaReference} from './model.ts';
import {
  invalidParameterValue,
  parseBoolean,
  parseInteger,
  parseNumber,
  parseString,
  parseTimestamp,
} from './scalars.ts';

/** The members of inputs that may have a fraction: the schemas tell numbers, but not integers, apart. */
export const FRACTIONAL_MEMBERS: ReadonlySet<string> = new Set([
  'ServerlessV2ScalingConfiguration.MinCapacity',
  'ServerlessV2ScalingConfiguration.MaxCapacity',
  'CreateDBShardGroupMessage.MinACU',
  'CreateDBShardGroupMessage.MaxACU',
  'ModifyDBShardGroupMessage.MinACU',
  'ModifyDBShardGroupMessage.MaxACU',
]);

const REQUIRED_COUNT_INDEX = 6;

export type DecodedInput = Record<string, unknown>;

/** What is left in `root` after `Action` and `Version` were taken out, as the input of an action. */
export function decodeInput(schema: SchemaReference, root: FormNode): DecodedInput {
  const input = NormalizedSchema.of(schema);
  if (!input.isUnitSchema()) return decodeStructure(input, root, '');
  const [extra] = root.children.keys();
  if (extra !== undefined) throw unexpectedParameter(extra);
  return {};
}

function decodeStructure(schema: NormalizedSchema, node: FormNode, path: string): DecodedInput {
  refuseValue(node, path);
  const members = new Map<string, [name: string, member: NormalizedSchema]>();
  for (const [name, member] of schema.structIterator())
    members.set(wireName(member, name), [name, member]);
  const decoded: DecodedInput = {};
  for (const [wire, child] of node.children) {
    const found = members.get(wire);
    if (found === undefined) throw unexpectedParameter(join(path, wire));
    const [name, member] = found;
    const fractional = FRACTIONAL_MEMBERS.has(`${schema.getName()}.${name}`);
    decoded[name] = decodeValue(member, child, join(path, wire), fractional);
  }
  for (const [wire, name] of requiredMembers(schema)) {
    if (decoded[name] === undefined || decoded[name] === '')
      throw missingParameter(join(path, wire));
  }
  return decoded;
}

function decodeValue(
  schema: NormalizedSchema,
  node: FormNode,
  path: string,
  fractional: boolean,
): unknown {
  if (schema.isStructSchema()) return decodeStructure(schema, node, path);
  if (schema.isListSchema()) return decodeList(schema, node, path);
  if (schema.isMapSchema()) return decodeMap(schema, node, path);
  const [extra] = node.children.keys();
  if (extra !== undefined) throw unexpectedParameter(join(path, extra));
  const text = node.value ?? '';
  if (schema.isStringSchema()) return parseString(path, text);
  if (schema.isBooleanSchema()) return parseBoolean(path, text);
  if (schema.isTimestampSchema()) return parseTimestamp(path, text);
  if (schema.isNumericSchema()) {
    return fractional ? parseNumber(path, text) : parseInteger(path, text);
  }
  throw new BorealisError('internal', 'unknown-schema', `no decoder for ${schema.getName(true)}`);
}

function decodeList(schema: NormalizedSchema, node: FormNode, path: string): unknown[] {
  refuseValue(node, path);
  const item = schema.getValueSchema();
  const itemNames = new Set(['member', wireName(item, 'member').toLowerCase()]);
  return numberedChildren(node, path, itemNames).map(([child, childPath]) =>
    decodeValue(item, child, childPath, false),
  );
}

function decodeMap(schema: NormalizedSchema, node: FormNode, path: string): unknown {
  refuseValue(node, path);
  const keyName = wireName(schema.getKeySchema(), 'key');
  const valueName = wireName(schema.getValueSchema(), 'value');
  const entries = numberedChildren(node, path, new Set(['entry'])).map(([child, childPath]) => {
    refuseValue(child, childPath);
    for (const name of child.children.keys()) {
      if (name !== keyName && name !== valueName) throw unexpectedParameter(join(childPath, name));
    }
    const [key, value] = [child.children.get(keyName), child.children.get(valueName)];
    if (key === undefined) throw missingParameter(join(childPath, keyName));
    if (value === undefined) throw missingParameter(join(childPath, valueName));
    // Keys are strings in every map of the model.
    const keyText = parseString(join(childPath, keyName), key.value ?? '');
    const valuePath = join(childPath, valueName);
    return [keyText, decodeValue(schema.getValueSchema(), value, valuePath, false)] as const;
  });
  return Object.fromEntries(entries);
}

/** The items below `node`, with or without one of `itemNames` (in any case) before the number. */
function numberedChildren(
  node: FormNode,
  path: string,
  itemNames: ReadonlySet<string>,
): [FormNode, string][] {
  const items = new Map<number, [FormNode, string]>();
  const add = (name: string, child: FormNode, parent: string): void => {
    if (!/^[1-9]\d{0,8}$/.test(name)) throw unexpectedParameter(join(parent, name));
    const number = Number(name);
    if (items.has(number)) {
      throw malformedInput(`Item ${number} of the list ${quoted(path)} is given more than once.`);
    }
    items.set(number, [child, join(parent, name)]);
  };
  for (const [name, child] of node.children) {
    if (!itemNames.has(name.toLowerCase())) {
      add(name, child, path);
      continue;
    }
    const parent = join(path, name);
    refuseValue(child, parent);
    for (const [number, item] of child.children) add(number, item, parent);
  }
  return [...items].sort(([a], [b]) => a - b).map(([, item]) => item);
}

function requiredMembers(schema: NormalizedSchema): [wire: string, name: string][] {
  const definition = schema.getSchema();
  const count = Array.isArray(definition) ? (definition[REQUIRED_COUNT_INDEX] ?? 0) : 0;
  return [...schema.structIterator()]
    .slice(0, count)
    .map(([name, member]) => [wireName(member, name), name]);
}

function wireName(schema: NormalizedSchema, fallback: string): string {
  return schema.getMergedTraits().xmlName ?? fallback;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** A structure, list or map has no text of its own; `Name=` stands for the empty one. */
function refuseValue(node: FormNode, path: string): void {
  if (node.value === undefined || (node.value === '' && node.children.size === 0)) return;
  throw malformedInput(`The parameter ${quoted(path)} has members and takes no value of its own.`);
}

function unexpectedParameter(path: string): BorealisError {
  return malformedInput(`The parameter ${quoted(path)} is not recognized.`);
}

function missingParameter(path: string): BorealisError {
  return invalidParameterValue(`The parameter ${path} must be provided and must not be blank.`);
}
