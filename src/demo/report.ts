/** The table at the end of the demo, and the same as one JSON document. */
import {formatBytes, formatCount, formatDuration} from '../cli/format/quantity.ts';
import {renderFields, renderTable} from '../cli/format/table.ts';
import type {Colors} from '../cli/terminal.ts';
import type {ClusterReport} from '../cluster/control-plane.ts';
import type {StepReport} from '../instance/messages.ts';
import type {Proof} from './proofs.ts';
import {
  CLONE,
  SOURCE,
  type CloneTimes,
  type FourPages,
  type SecondClone,
  type Side,
  type Sides,
} from './steps.ts';

export type DemoReport = {
  readonly scale: number;
  readonly method: 'copy-on-write';
  readonly engine: string;
  readonly runtime: string;
  readonly sourceBytes: number;
  readonly clone: CloneTimes;
  readonly cloneSteps: readonly StepReport[];
  readonly cloneStartSteps: readonly StepReport[];
  readonly bytesCopiedAtBirth: number;
  readonly secondClone: SecondClone;
  readonly fourPages: FourPages;
};

export function describeClone(
  report: ClusterReport,
): Pick<
  DemoReport,
  'engine' | 'runtime' | 'cloneSteps' | 'cloneStartSteps' | 'bytesCopiedAtBirth'
> {
  return {
    engine: report.serverVersion ?? `${report.engine} ${report.engineVersion}`,
    runtime: report.runtime,
    cloneSteps: report.cloneSteps,
    cloneStartSteps: report.instances[0]?.startSteps ?? [],
    bytesCopiedAtBirth: report.bytesCopiedAtBirth,
  };
}

export function renderDemo(report: DemoReport, colors: Colors): string {
  const {clone, secondClone: second} = report;
  const fields = renderFields(
    [
      ['method', `${report.method}, on ${report.engine}, runtime ${report.runtime}`],
      [
        'source',
        `${formatBytes(report.sourceBytes)}, TPC-B at scale ${report.scale}, being written to`,
      ],
      ['clone call', formatDuration(clone.callMs)],
      ['clone call to first query', colors.bold(formatDuration(clone.toFirstQueryMs))],
      ['  of that, the fork', stepsText(report.cloneSteps)],
      ['  of that, its writer', stepsText(report.cloneStartSteps)],
      ['bytes copied at birth', colors.bold(formatBytes(report.bytesCopiedAtBirth))],
      [
        'source’s writer meanwhile',
        `${formatCount(clone.acknowledgedMeanwhile)} transactions, longest pause ${formatDuration(clone.writerLongestPauseMs)}`,
      ],
      [
        'clone of the clone',
        `${formatDuration(second.toFirstQueryMs)} to first query, born sharing ${formatCount(second.pagesAtBirth.shared)} pages and owning ${formatCount(second.pagesAtBirth.owned)}`,
      ],
    ],
    colors,
  );
  return `${fields}\n${renderFourPages(report.fourPages, colors)}`;
}

/**
 * The four pages, as each side reads them, and the pages of each volume. What a side owned before is
 * what it wrote since the clone: the source's writer, the clone's crash recovery.
 *
 *     WHEN            CLUSTER  READS                            PAGES SHARED  OWNED
 *     before          orders   Page 1   Page 2  Page 3  Page 4        20,715  3,939
 *     orders wrote 1  orders   Page 1'  Page 2  Page 3  Page 4        20,713  3,943  +4
 */
function renderFourPages(pages: FourPages, colors: Colors): string {
  const {before, afterSourceWrote, afterCloneWrote} = pages;
  const line = (when: string, cluster: string, now: Side, then: Side): string[] => [
    when,
    cluster,
    ...now.reads.map(content => (content.endsWith("'") ? colors.green(content) : content)),
    formatCount(now.shared),
    formatCount(now.owned),
    now.owned === then.owned ? '' : colors.green(signed(now.owned - then.owned)),
  ];
  const moment = (when: string, now: Sides, then: Sides): string[][] => [
    line(when, SOURCE, now.source, then.source),
    line('', CLONE, now.clone, then.clone),
  ];
  return renderTable(
    [
      ...['WHEN', 'CLUSTER', 'READS', '', '', ''].map(head => ({head})),
      {head: 'PAGES SHARED', align: 'right'},
      {head: 'OWNED', align: 'right'},
      {head: '', align: 'right'},
    ],
    [
      ...moment('before', before, before),
      ...moment(`${SOURCE} wrote 1`, afterSourceWrote, before),
      ...moment(`${CLONE} wrote 4`, afterCloneWrote, afterSourceWrote),
    ],
    colors,
  );
}

/** `+4`, `−2` */
function signed(count: number): string {
  return count < 0 ? `−${formatCount(-count)}` : `+${formatCount(count)}`;
}

/** `All 12 proofs held.` */
export function renderProofs(proofs: readonly Proof[], colors: Colors): string {
  const failed = proofs.filter(proof => !proof.held);
  if (failed.length === 0) return colors.green(`All ${proofs.length} proofs held.\n`);
  const lines = failed.map(({claim, evidence}) => `  ${claim}: ${evidence}\n`);
  return colors.red(`${failed.length} of ${proofs.length} proofs did not hold:\n${lines.join('')}`);
}

function stepsText(steps: readonly StepReport[]): string {
  if (steps.length === 0) return '–';
  return steps.map(step => `${step.name} ${formatDuration(step.durationMs)}`).join(', ');
}
