/** What a benchmark says. */
import Table from 'cli-table3';

export type Metric = {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** E.g. `<= 0.5`; null for what is only reported. */
  readonly target: string | null;
  readonly met: boolean | null;
};

export type Report = {readonly name: string; readonly metrics: readonly Metric[]};

export type BenchOptions = {
  readonly scale: number | null;
  readonly rounds: number | null;
  readonly seconds: number | null;
  readonly postgresBin: string | null;
  readonly log: (line: string) => void;
};

export function atMost(metric: string, value: number, unit: string, limit: number): Metric {
  return {metric, value: round(value), unit, target: `<= ${limit}`, met: value <= limit};
}

export function atLeast(metric: string, value: number, unit: string, limit: number): Metric {
  return {metric, value: round(value), unit, target: `>= ${limit}`, met: value >= limit};
}

export function reported(metric: string, value: number, unit: string): Metric {
  return {metric, value: round(value), unit, target: null, met: null};
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

export function printReport(report: Report): void {
  const table = new Table({head: [report.name, 'value', 'unit', 'target', ''], style: {head: []}});
  for (const {metric, value, unit, target, met} of report.metrics) {
    table.push([metric, value, unit, target ?? '', met === null ? '' : met ? 'met' : 'MISSED']);
  }
  console.log(table.toString());
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
