/**
 * Parameters: the engine's settings as RDS shows them, and the rules for values.
 *
 *     Source      user (the group sets it) · system (Borealis does) · engine-default
 *     ApplyType   dynamic (a reload is enough) · static (from the next start on)
 *
 * Source of types and limits: the engine's own catalogue, read when its golden volume was filled.
 */
import type {ApplyMethod, Parameter} from '@aws-sdk/client-rds';
import type {EngineSetting} from '../engine/engine.ts';
import {invalidCombination, invalidValue} from './faults.ts';
import {evaluate, isFormula} from './formula.ts';
import {quoted} from './identifiers.ts';
import type {ParameterRules} from './parameter-rules.ts';

export type GroupScope = 'cluster' | 'instance';
export type ParameterValue = {readonly value: string; readonly method: ApplyMethod};

/** Contexts of settings that a server takes only as it starts. */
const STATIC_CONTEXTS: ReadonlySet<string> = new Set(['internal', 'postmaster']);
/** Settings for those who work on PostgreSQL itself; some of them destroy data. */
const DEVELOPER_CATEGORY = 'Developer Options';
const BOOLEANS: ReadonlySet<string> = new Set([
  '0',
  '1',
  'on',
  'off',
  'true',
  'false',
  'yes',
  'no',
]);
const TEXT_LENGTH_MAX = 1_000;
/** Any size will do to see whether a formula is one. */
const SOME_MEMORY_BYTES = 2 ** 34;
const DATA_TYPES: Readonly<Record<EngineSetting['type'], string>> = {
  bool: 'boolean',
  integer: 'integer',
  real: 'float',
  string: 'string',
  enum: 'list',
};

/** The settings that a group of that scope has. */
export function settingsInScope(
  rules: ParameterRules,
  settings: readonly EngineSetting[],
  scope: GroupScope,
): EngineSetting[] {
  return settings
    .filter(({name}) => scope === 'cluster' || !rules.clusterWide.has(name))
    .map(setting => ({...setting, ...rules.narrowed[setting.name]}));
}

export function isDynamic({context}: EngineSetting): boolean {
  return !STATIC_CONTEXTS.has(context);
}

/** Why a group may not set it, or null when it may. */
export function managedReason(
  {managed}: ParameterRules,
  {name, context, category}: EngineSetting,
): string | null {
  const reason = Object.hasOwn(managed, name) ? managed[name] : undefined;
  if (reason !== undefined) return `Borealis manages it, because ${reason}`;
  if (context === 'internal') return 'it tells how the engine was built or its files were made';
  if (category === DEVELOPER_CATEGORY) return 'it is for those who work on the engine itself';
  return null;
}

/** What a group is to hold for the parameter; throws for what the engine would not take. */
export function parseParameter(
  rules: ParameterRules,
  settings: readonly EngineSetting[],
  {ParameterName: name = '', ParameterValue: value, ApplyMethod: method}: Parameter,
): {name: string; entry: ParameterValue} {
  const setting = findSetting(settings, name);
  const reason = managedReason(rules, setting);
  if (reason !== null) {
    throw invalidCombination(`The parameter ${setting.name} cannot be modified: ${reason}.`);
  }
  if (value === undefined) {
    throw invalidValue(`The parameter ${setting.name} must be given with a ParameterValue.`);
  }
  return {
    name: setting.name,
    entry: {value: parseValue(setting, value), method: parseMethod(setting, method)},
  };
}

export function findSetting(settings: readonly EngineSetting[], name: string): EngineSetting {
  const found = settings.find(each => each.name.toLowerCase() === name.toLowerCase());
  if (found === undefined)
    throw invalidValue(`Could not find parameter with name: ${quoted(name)}`);
  return found;
}

export function parseMethod(setting: EngineSetting, method: string | undefined): ApplyMethod {
  const absent = isDynamic(setting) ? 'immediate' : 'pending-reboot';
  if (method !== undefined && method !== 'immediate' && method !== 'pending-reboot') {
    throw invalidValue(
      `The ApplyMethod ${quoted(method)} is not valid: it is immediate or pending-reboot.`,
    );
  }
  if (method === 'immediate' && !isDynamic(setting)) {
    throw invalidCombination(
      `cannot use immediate apply method for static parameter ${setting.name}`,
    );
  }
  return method ?? absent;
}

function parseValue(setting: EngineSetting, value: string): string {
  const isGood = value.length <= TEXT_LENGTH_MAX && isAllowed(setting, value);
  if (isGood) return value;
  const allowed = allowedValues(setting);
  const hint = allowed === undefined ? 'one line of text' : allowed;
  const unit = setting.unit === null ? '' : ` (in ${setting.unit})`;
  throw invalidValue(
    `Invalid parameter value: ${quoted(value)} for: ${setting.name} allowed values are: ${hint}${unit}`,
  );
}

function isAllowed(setting: EngineSetting, value: string): boolean {
  switch (setting.type) {
    case 'bool':
      return BOOLEANS.has(value.toLowerCase());
    case 'enum':
      return setting.values?.includes(value.toLowerCase()) ?? false;
    case 'integer':
      if (isFormula(value)) return evaluate(value, SOME_MEMORY_BYTES) !== null;
      return /^-?\d{1,16}$/.test(value) && isWithin(setting, Number(value));
    case 'real':
      return /^-?\d{1,16}(?:\.\d{1,16})?$/.test(value) && isWithin(setting, Number(value));
    case 'string': {
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      if (/[\u0000-\u001f\u007f]/.test(value)) return false;
      const parts = value.split(',').map(part => part.trim());
      return (
        setting.values === null ||
        parts.every(part => part === '' || setting.values?.includes(part))
      );
    }
  }
}

function isWithin({min, max}: EngineSetting, value: number): boolean {
  return value >= Number(min ?? -Infinity) && value <= Number(max ?? Infinity);
}

function allowedValues({type, values, min, max}: EngineSetting): string | undefined {
  if (type === 'bool') return '0,1';
  if (values !== null) return values.join(',');
  return min === null || max === null ? undefined : `${min}-${max}`;
}

/** The text for the engine: a formula's result, within the limits of the setting. */
export function effectiveValue(
  setting: EngineSetting | undefined,
  value: string,
  memoryBytes: number,
): string {
  if (!isFormula(value)) return value;
  const result = evaluate(value, memoryBytes) ?? Number(setting?.absent ?? 0);
  const min = Number(setting?.min ?? result);
  const max = Number(setting?.max ?? result);
  return String(Math.min(Math.max(result, min), max));
}

export function parameterShape(
  rules: ParameterRules,
  setting: EngineSetting,
  entry: ParameterValue | undefined,
): Parameter {
  const system = rules.classSettings[setting.name] ?? rules.own[setting.name];
  const isModifiable = managedReason(rules, setting) === null;
  const source = entry !== undefined ? 'user' : system === undefined ? 'engine-default' : 'system';
  return {
    ParameterName: setting.name,
    ParameterValue: entry?.value ?? system ?? setting.absent ?? undefined,
    Description: `${setting.unit === null ? '' : `(${setting.unit}) `}${setting.description}`,
    Source: isModifiable ? source : 'system',
    ApplyType: isDynamic(setting) ? 'dynamic' : 'static',
    DataType: DATA_TYPES[setting.type],
    AllowedValues: allowedValues(setting),
    IsModifiable: isModifiable,
    ApplyMethod: entry?.method ?? 'pending-reboot',
    SupportedEngineModes: ['provisioned'],
  };
}
