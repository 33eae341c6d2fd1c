import type {Command} from 'commander';
import type {ClusterReport} from '../../cluster/control-plane.ts';
import {connectionTarget} from '../operations.ts';
import type {StepReport} from '../../instance/messages.ts';
import {borealisCommand, withService, type CommonOptions} from '../command.ts';
import {formatBytes, formatCount, formatDuration, formatPages} from '../format/quantity.ts';
import {renderFields} from '../format/table.ts';
import type {Colors} from '../terminal.ts';
import {statusText} from './list.ts';

type Options = CommonOptions & {readonly fresh?: true};
type Field = readonly [string, string];

export function showCommand(): Command {
  return borealisCommand({
    name: 'show',
    summary: 'Show all that is known of a cluster',
    examples: [
      ['borealis show orders', 'state, endpoints, steps of the last start, pages'],
      ['borealis show orders --fresh', 'pages exact as of now'],
      ["borealis show orders --json | jq '.usage'", 'for a program'],
    ],
  })
    .argument('<name>', 'the cluster')
    .option('--fresh', 'checkpoint the running writer first, so that the pages are exact')
    .action(show);
}

async function show(name: string, options: Options): Promise<void> {
  await withService(options, async ({service, terminal}) => {
    const report = await service.report(name, {fresh: options.fresh === true});
    terminal.result(report, () => renderReport(report, terminal.colors));
  });
}

export function renderReport(report: ClusterReport, colors: Colors): string {
  const fields: Field[] = [
    ['cluster', colors.bold(report.identifier)],
    ['status', statusText(report.status, colors)],
    ...reasonField(report.statusReason),
    ['engine', `${report.engine} ${report.engineVersion}`],
    ['server', report.serverVersion ?? 'has not run yet'],
    ['runtime', report.runtime],
    ['endpoint', `${report.endpoint}:${report.port}`],
    ['reader endpoint', `${report.readerEndpoint}:${report.port}`],
    ['master user', report.masterUsername],
    ['database', connectionTarget(report, null).database || 'none'],
    ['created', report.createdAt],
    ...originFields(report),
    ...usageFields(report),
  ];
  for (const instance of report.instances) {
    fields.push(
      ['instance', colors.bold(instance.identifier)],
      ['  role', instance.role],
      ['  status', statusText(instance.status, colors)],
      ...lagField(instance.replicaLagMs),
      ...reasonField(instance.statusReason, '  reason'),
      ['  endpoint', `${instance.endpoint}:${instance.port}`],
      ['  memory', instance.memoryBytes === null ? '–' : formatBytes(instance.memoryBytes)],
      ['  last start', stepsText(instance.startSteps)],
    );
  }
  return renderFields(fields, colors);
}

function originFields(report: ClusterReport): Field[] {
  if (report.clonedFrom === null) return [['cloned from', 'nothing: a first cluster']];
  return [
    ['cloned from', report.clonedFrom],
    ['clone steps', stepsText(report.cloneSteps)],
    ['copied at birth', formatBytes(report.bytesCopiedAtBirth)],
  ];
}

function usageFields({usage}: ClusterReport): Field[] {
  if (usage === null) return [['volume', 'does not exist yet']];
  return [
    ['size', pagesText(usage.logicalPages)],
    ['shared', pagesText(usage.sharedPages)],
    ['owned', `${pagesText(usage.ownedPages)}, freed if it is deleted`],
  ];
}

function reasonField(reason: string | null, name = 'reason'): Field[] {
  return reason === null ? [] : [[name, reason]];
}

function lagField(lagMs: number | null): Field[] {
  return lagMs === null ? [] : [['  replica lag', formatDuration(lagMs)]];
}

/** `fork 3 ms, attach 40 ms` */
function stepsText(steps: readonly StepReport[]): string {
  if (steps.length === 0) return '–';
  return steps.map(step => `${step.name} ${formatDuration(step.durationMs)}`).join(', ');
}

function pagesText(count: number): string {
  return `${formatPages(count)} (${formatCount(count)} pages)`;
}
