/**
 * A strict reader of Prometheus's text format 0.0.4, for tests: what the specification forbids, or a
 * scraper only tolerates, is an error. Histograms are checked to be whole.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import {assert} from '../../base/assert.ts';

export type ParsedSample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};
export type ParsedFamily = {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: ParsedSample[];
};

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|[+-]?Inf|NaN|Nan)$/;

export function parsePage(text: string): Map<string, ParsedFamily> {
  assert(text.endsWith('\n'), 'the last line ends too');
  const families = new Map<string, ParsedFamily>();
  let family: ParsedFamily | null = null;
  let help: {name: string; text: string} | null = null;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [mark, word, name = '', ...rest] = line.split(' ');
    if (mark === '#' && word === 'HELP') {
      assert(help === null, `two HELP lines before a TYPE: ${line}`);
      help = {name, text: unescapeHelp(rest.join(' '))};
    } else if (mark === '#' && word === 'TYPE') {
      assert(
        NAME.test(name) && help?.name === name,
        `TYPE follows the HELP of its metric: ${line}`,
      );
      assert(!families.has(name), `a metric is told once: ${line}`);
      family = {name, help: help.text, type: rest.join(' '), samples: []};
      assert(/^(?:counter|gauge|histogram|summary)$/.test(family.type), `a known type: ${line}`);
      families.set(name, family);
      help = null;
    } else {
      assert(family !== null && help === null, `a sample follows its TYPE: ${line}`);
      family.samples.push(parseSample(line, family));
    }
  }
  for (const each of families.values()) checkFamily(each);
  return families;
}

/** The one sample with these labels; undefined when there is none. */
export function valueOf(
  page: ReadonlyMap<string, ParsedFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = page.get(name) ?? page.get(name.replace(/_(?:bucket|sum|count)$/, ''));
  return family?.samples.find(
    sample =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value;
}

function parseSample(line: string, {name: family, type}: ParsedFamily): ParsedSample {
  const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? [];
  assert(NUMBER.test(number), `a sample with a value: ${line}`);
  const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
  assert(
    suffixes.some(suffix => name === family + suffix),
    `a sample of ${family}: ${line}`,
  );
  const value = Number(number.replace('Inf', 'Infinity').replace('Nan', 'NaN'));
  return {name, labels: parseLabels(labelText, line), value};
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const match = LABEL.exec(text);
    assert(match !== null, `labels as they are written: ${line}`);
    const [, name = '', value = ''] = match;
    assert(!(name in labels), `each label once: ${line}`);
    labels[name] = value.replace(/\\(["\\n])/g, (_, code) => (code === 'n' ? '\n' : String(code)));
  }
  return labels;
}

function unescapeHelp(text: string): string {
  return text.replace(/\\([\\n])/g, (_, code) => (code === 'n' ? '\n' : '\\'));
}

function checkFamily({name, type, samples}: ParsedFamily): void {
  const keys = samples.map(sample => `${sample.name}${keyOf(sample.labels)}`);
  assert(new Set(keys).size === keys.length, `each time series of ${name} once`);
  if (type === 'counter') {
    assert(
      name.endsWith('_total') || !name.startsWith('borealis_'),
      `${name} is named as a counter`,
    );
    assert(
      samples.every(({value}) => value >= 0),
      `counters of ${name} are not negative`,
    );
  }
  if (type === 'histogram') checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly ParsedSample[]): void {
  const series = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const {le: _, ...labels} = sample.labels;
    const key = keyOf(labels);
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  for (const [key, parts] of series) {
    const buckets = parts.filter(part => part.name.endsWith('_bucket'));
    const bounds = buckets.map(({labels}) =>
      Number((labels['le'] ?? '').replace('Inf', 'Infinity')),
    );
    const counts = buckets.map(({value}) => value);
    const count = parts.find(part => part.name.endsWith('_count'))?.value;
    assert(
      isAscending(bounds) && bounds.at(-1) === Infinity,
      `bounds of ${name}${key} ascend to +Inf`,
    );
    assert(
      isAscending(counts) && counts.at(-1) === count,
      `buckets of ${name}${key} are cumulative`,
    );
    assert(
      parts.filter(part => part.name.endsWith('_sum')).length === 1,
      `${name}${key} has a sum`,
    );
  }
}

function isAscending(values: readonly number[]): boolean {
  return values.every((value, index) => value >= (values[index - 1] ?? -Infinity));
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
