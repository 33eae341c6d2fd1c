import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import * as fc from 'fast-check';
import {expect, test} from 'vitest';
import type {Measurements} from '../../cluster/metrics/measurements.ts';
import {parsePage, valueOf} from '../testing/prometheus-text.ts';
import {everythingMeasured, NOTHING_MEASURED} from '../testing/stub-monitor.ts';
import {FAMILIES} from './catalogue.ts';
import {MetricsPage, renderFamilies} from './page.ts';

const DOCUMENT = join(import.meta.dirname, '../../../docs/metrics.md');

test('the page of everything is as it was', async () => {
  const text = await renderFamilies(everythingMeasured());
  parsePage(text);
  await expect(text).toMatchFileSnapshot('testing/page.txt');
});

test('what has not been measured has a name and no sample', async () => {
  const page = parsePage(await renderFamilies(NOTHING_MEASURED));
  expect([...page.keys()]).toEqual(FAMILIES.map(({name}) => name));
  expect(valueOf(page, 'borealis_ready')).toBe(0);
  expect(valueOf(page, 'borealis_scrape_missing', {part: 'storage'})).toBe(1);
  expect(page.get('borealis_volume_used_bytes')?.samples).toEqual([]);
  expect(valueOf(page, 'borealis_sweep_runs_total')).toBe(0);
});

test('each sample has the labels of its metric, and no others', () => {
  const measured = everythingMeasured();
  for (const {name, labels, type, samples} of FAMILIES) {
    const expected = type === 'histogram' ? labels.filter(label => label !== 'le') : labels;
    for (const sample of samples(measured)) {
      const own = Object.keys(sample.labels).filter(label => label !== 'le');
      expect({name, labels: own.sort()}).toEqual({name, labels: [...expected].sort()});
    }
  }
});

test('any name comes back as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.string({unit: 'grapheme'}), {maxLength: 4}), async names => {
      const clusters = names.map(identifier => ({identifier, status: 'available'}));
      const page = parsePage(await renderFamilies({...NOTHING_MEASURED, clusters}));
      const samples = page.get('borealis_cluster_status')?.samples ?? [];
      expect(samples.map(({labels}) => labels['cluster'])).toEqual(names);
    }),
  );
});

test('those who ask at the same time get the same page, measured once', async () => {
  let measured = 0;
  let answer: (value: Measurements) => void = () => undefined;
  const page = new MetricsPage({
    measure: () => {
      measured++;
      return new Promise(resolve => {
        answer = resolve;
      });
    },
    readiness: async () => ({isReady: true, reason: null}),
  });
  const both = [page.render(), page.render()];
  answer(NOTHING_MEASURED);
  const [first, second] = await Promise.all(both);
  expect(second).toBe(first);
  expect(measured).toBe(1);
  const again = page.render();
  answer(everythingMeasured());
  expect(await again).not.toBe(first);
  expect(measured).toBe(2);
});

test('the page has the requests that ended, and the process', async () => {
  const page = new MetricsPage({
    measure: async () => NOTHING_MEASURED,
    readiness: async () => ({isReady: true, reason: null}),
  });
  page.requests.note({action: 'DescribeDBClusters', status: 200, durationMs: 3});
  page.requests.note({action: 'DescribeDBClusters', status: 200, durationMs: 40});
  page.requests.note({action: 'DescribeDBClusters', status: 400, durationMs: 1});
  const parsed = parsePage(await page.render());
  const action = 'DescribeDBClusters';
  expect(valueOf(parsed, 'borealis_api_requests_total', {action, status: '200'})).toBe(2);
  expect(valueOf(parsed, 'borealis_api_requests_total', {action, status: '400'})).toBe(1);
  const bucket = 'borealis_api_request_duration_seconds_bucket';
  expect(valueOf(parsed, bucket, {action, le: '0.005'})).toBe(2);
  expect(valueOf(parsed, 'process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
});

test('docs/metrics.md has a row for each metric, as the code explains it', () => {
  const rows = FAMILIES.map(({name, type, labels, unit, help, source}) => {
    const cells = [`\`${name}\``, type, labels.join(', '), unit, help, source];
    return `| ${cells.join(' | ')} |`;
  });
  const written = readFileSync(DOCUMENT, 'utf8')
    .split('\n')
    .filter(line => line.startsWith('| `borealis_') && !line.startsWith('| `borealis_api_'));
  expect(written).toEqual(rows);
});
