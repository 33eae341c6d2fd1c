import type {Command} from 'commander';
import type {CheckReport} from '../../cluster/check.ts';
import {borealisCommand, contextOf, type CommonOptions} from '../command.ts';
import {EXIT_FAILED, EXIT_OK} from '../exit-status.ts';
import {formatCount} from '../format/quantity.ts';
import {renderTable} from '../format/table.ts';
import type {Colors} from '../terminal.ts';

type Options = CommonOptions & {readonly repair?: true};

export function checkCommand(): Command {
  return borealisCommand({
    name: 'check',
    summary: 'Verify the whole store of a stopped service, and find what is left over',
    description:
      'Reads and verifies every record, page-table node, page and segment in every zone, compares the catalog with the store, and lists what is damaged and what is left over from crashes. No service may run on the data directory. Changes nothing unless --repair is given, which puts right what another zone holds as it should be, and then removes what is left over if nothing is damaged any more. Exit status 0 when nothing is wrong, or nothing is any more; else 1.',
    examples: [
      ['borealis down && borealis check', 'verify everything'],
      ['borealis check --repair', 'repair from other zones, and remove what is left over'],
      ["borealis check --json | jq '.findings'", 'for a program'],
    ],
  })
    .option('--repair', 'repair from other zones, and remove what is left over')
    .action(check);
}

async function check(options: Options): Promise<void> {
  const {terminal, dataDirectory} = contextOf(options);
  const {checkDataDirectory, zonesOf} = await import('../../cluster/check.ts');
  const report = await checkDataDirectory({
    directory: dataDirectory,
    zones: zonesOf(dataDirectory),
    repair: options.repair === true,
  });
  terminal.result(report, () => renderCheck(report, terminal.colors));
  process.exitCode = report.findings.every(({repaired}) => repaired) ? EXIT_OK : EXIT_FAILED;
}

export function renderCheck({findings, zones}: CheckReport, colors: Colors): string {
  const rows = findings.map(({kind, zone, message, repaired}) => [
    repaired
      ? colors.green('repaired')
      : kind === 'damage'
        ? colors.red(kind)
        : colors.yellow(kind),
    zone ?? '',
    message,
  ]);
  const table =
    rows.length === 0 ? '' : `${renderTable([{head: ''}, {head: ''}, {head: ''}], rows, colors)}\n`;
  const read = zones.map(
    ({name, volumes, segments, nodesVerified, pagesVerified}) =>
      `zone ${name}: ${formatCount(volumes)} volumes, ${formatCount(segments)} segments, ${formatCount(nodesVerified)} nodes and ${formatCount(pagesVerified)} pages verified\n`,
  );
  return `${table}${read.join('')}${conclusion(findings)}\n`;
}

function conclusion(findings: CheckReport['findings']): string {
  const left = findings.filter(({repaired}) => !repaired);
  const damaged = left.filter(({kind}) => kind === 'damage').length;
  if (left.length === 0)
    return findings.length === 0 ? 'Nothing is wrong.' : 'Nothing is wrong any more.';
  if (damaged === 0) return `${left.length} left over: \`borealis check --repair\` removes them.`;
  return `${damaged} damaged: nothing was removed. \`borealis check --repair\` repairs what another zone has.`;
}
