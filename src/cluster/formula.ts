/**
 * Formulas of parameter values, as in RDS:
 *
 *     {DBInstanceClassMemory/9531392}                          bytes of the class divided
 *     LEAST({DBInstanceClassMemory/9531392},5000)              GREATEST and SUM alike, of any number
 *     {DBInstanceClassMemory*3/32768}                          × and ÷ from left to right
 *
 * The result is cut to a whole number. `valueOf` is null for what is not a formula in this form.
 */
const FUNCTIONS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  GREATEST: values => Math.max(...values),
  LEAST: values => Math.min(...values),
  SUM: values => values.reduce((sum, value) => sum + value, 0),
};
const VARIABLE = 'DBInstanceClassMemory';
/** Of what a text may have; nobody writes longer ones, and nesting stays shallow. */
const LENGTH_MAX = 300;

export function isFormula(value: string): boolean {
  return value.includes('{') || /^(?:GREATEST|LEAST|SUM)\s*\(/i.test(value);
}

/** What the formula comes to with so many bytes of memory; null when it is none. */
export function evaluate(formula: string, memoryBytes: number): number | null {
  const text = formula.replaceAll(/\s/g, '');
  if (text.length > LENGTH_MAX) return null;
  const value = valueOf(text, memoryBytes);
  return value === null || !Number.isFinite(value) ? null : Math.floor(value);
}

function valueOf(text: string, memoryBytes: number): number | null {
  if (/^-?\d+$/.test(text)) return Number(text);
  if (/^\{[^{}]*\}$/.test(text)) return product(text.slice(1, -1), memoryBytes);
  const call = /^([a-z]+)\((.*)\)$/i.exec(text);
  const name = call?.[1]?.toUpperCase() ?? '';
  const apply = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (apply === undefined) return null;
  const values = splitArguments(call?.[2] ?? '').map(part => valueOf(part, memoryBytes));
  return values.every(value => value !== null) ? apply(values) : null;
}

/** `DBInstanceClassMemory*3/4` and the like. */
function product(text: string, memoryBytes: number): number | null {
  const terms = text.split(/([*/])/);
  let result: number | null = null;
  let operator = '*';
  for (const term of terms) {
    if (term === '*' || term === '/') {
      operator = term;
      continue;
    }
    const value = term === VARIABLE ? memoryBytes : /^\d+$/.test(term) ? Number(term) : Number.NaN;
    if (result === null) result = value;
    else result = operator === '*' ? result * value : result / value;
  }
  return result === null || Number.isNaN(result) ? null : result;
}

/** At commas outside of parentheses. */
function splitArguments(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}
