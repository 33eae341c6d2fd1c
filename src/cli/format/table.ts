import Table from 'cli-table3';
import type {Colors} from 'picocolors/types.js';

/** `right`: numbers. */
export type Column = {readonly head: string; readonly align?: 'left' | 'right'};

const NO_BORDER = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Aligned columns without lines between them, ending in a newline. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  colors: Colors,
): string {
  const table = new Table({
    chars: NO_BORDER,
    style: {'padding-left': 0, 'padding-right': 0, head: [], border: []},
    colAligns: columns.map(column => column.align ?? 'left'),
  });
  if (columns.some(column => column.head !== '')) {
    table.push(columns.map(column => colors.dim(column.head)));
  }
  table.push(...rows.map(row => [...row]));
  return `${withoutTrailingSpace(table.toString())}\n`;
}

/** `name   value` lines. */
export function renderFields(
  fields: readonly (readonly [string, string])[],
  colors: Colors,
): string {
  return renderTable(
    [{head: ''}, {head: ''}],
    fields.map(([name, value]) => [colors.dim(name), value]),
    colors,
  );
}

function withoutTrailingSpace(text: string): string {
  return text.replaceAll(/ +$/gm, '');
}
