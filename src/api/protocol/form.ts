/**
 * Form fields (`application/x-www-form-urlencoded`) and the tree that their dotted names make:
 *
 *     Action=CreateDBCluster & Tags.Tag.1.Key=team & Tags.Tag.1.Value=red
 *       ──▶  Action ─ "CreateDBCluster"
 *            Tags ─ Tag ─ 1 ┬ Key ─ "team"
 *                           └ Value ─ "red"
 *
 * Errors: BorealisError `MalformedInput` for text that is no form, for a name given twice, and past a
 *         limit. Values never appear in the message: one of them may be a password.
 */
import {BorealisError} from '../../base/errors.ts';

export type FormNode = {value: string | undefined; readonly children: Map<string, FormNode>};

/** The longest call of a real client (50 tags, 20 filters of 100 values) has about 2,200. */
export const FIELD_COUNT_MAX = 4_096;
/** The deepest name of the service model has 9 parts. */
export const NAME_DEPTH_MAX = 16;
/** How much of a name or value an error message repeats. */
const QUOTED_LENGTH_MAX = 80;

const utf8 = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});

/** Adds the fields of `text` (one latin1 character a byte) to `root`; names are unique over all calls. */
export function addFields(root: FormNode, text: string): void {
  if (text === '') return;
  const pairs = text.split('&', FIELD_COUNT_MAX + 1);
  if (pairs.length > FIELD_COUNT_MAX) {
    throw malformedInput(`The request has more than ${FIELD_COUNT_MAX} parameters.`);
  }
  for (const pair of pairs) {
    if (pair === '') continue;
    const split = pair.indexOf('=');
    const name = decodeText(split < 0 ? pair : pair.slice(0, split), 'name');
    const value = split < 0 ? '' : decodeText(pair.slice(split + 1), `value of ${quoted(name)}`);
    addField(root, name, value);
  }
}

export function emptyNode(): FormNode {
  return {value: undefined, children: new Map()};
}

/** Takes a field such as `Action` out of the tree; undefined when it is absent. */
export function takeField(root: FormNode, name: string): string | undefined {
  const node = root.children.get(name);
  if (node === undefined || node.children.size > 0) return undefined;
  root.children.delete(name);
  return node.value;
}

export function malformedInput(message: string): BorealisError {
  return new BorealisError('invalid', 'MalformedInput', message);
}

/** A name or a value that is no secret, cut to a length that fits a message. */
export function quoted(text: string): string {
  return text.length > QUOTED_LENGTH_MAX ? `'${text.slice(0, QUOTED_LENGTH_MAX)}…'` : `'${text}'`;
}

function addField(root: FormNode, name: string, value: string): void {
  const parts = name.split('.', NAME_DEPTH_MAX + 1);
  if (parts.length > NAME_DEPTH_MAX) {
    throw malformedInput(`The parameter ${quoted(name)} has more than ${NAME_DEPTH_MAX} parts.`);
  }
  let node = root;
  for (const part of parts) {
    if (part === '') throw malformedInput(`The parameter name ${quoted(name)} has an empty part.`);
    let child = node.children.get(part);
    if (child === undefined) {
      child = emptyNode();
      node.children.set(part, child);
    }
    node = child;
  }
  if (node.value !== undefined) {
    throw malformedInput(`The parameter ${quoted(name)} is given more than once.`);
  }
  node.value = value;
}

/** `+` is a blank; a percent sign must begin an escape; the bytes must be UTF-8. */
function decodeText(text: string, what: string): string {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) {
    throw malformedInput(`The ${what} has a percent sign that no two hexadecimal digits follow.`);
  }
  const bytes = text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'));
  } catch (error) {
    throw new BorealisError('invalid', 'MalformedInput', `The ${what} is not UTF-8.`, error);
  }
}
