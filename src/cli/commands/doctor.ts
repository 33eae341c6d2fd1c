import type {Command} from 'commander';
import {borealisCommand, contextOf, type CommonOptions} from '../command.ts';
import {EXIT_FAILED, EXIT_OK} from '../exit-status.ts';
import {renderTable} from '../format/table.ts';
import {inspectMachine, type Check, type MachineReport} from '../machine.ts';
import type {Colors} from '../terminal.ts';

type Options = CommonOptions & {readonly postgresBin?: string; readonly mysqlBin?: string};

export function doctorCommand(): Command {
  return borealisCommand({
    name: 'doctor',
    summary: 'Say what this machine can do, and what to do about what is missing',
    description:
      'Tries what Borealis needs: FUSE mounts in namespaces, PostgreSQL servers, PGlite, MariaDB, disk space. Exit status 0 when at least one runtime works, else 1.',
    examples: [
      ['borealis doctor', 'before the first `borealis up`'],
      ['borealis doctor --postgres-bin /usr/lib/postgresql/15/bin', 'look at that server too'],
      ["borealis doctor --json | jq '.runtimes'", 'for a program'],
    ],
  })
    .option('--postgres-bin <dir>', 'directory with postgres and initdb')
    .option('--mysql-bin <dir>', 'directory with mariadbd')
    .action(doctor);
}

async function doctor(options: Options): Promise<void> {
  const {terminal, dataDirectory} = contextOf(options);
  const machine = await inspectMachine(dataDirectory, options);
  terminal.result(machine, () => renderMachine(machine, terminal.colors));
  process.exitCode = machine.usable ? EXIT_OK : EXIT_FAILED;
}

export function renderMachine(machine: MachineReport, colors: Colors): string {
  const rows = machine.checks.flatMap(check => [
    [mark(check.state, colors), check.name, check.detail],
    ...(check.remedy === null ? [] : [['', '', colors.yellow(`→ ${check.remedy}`)]]),
  ]);
  const table = renderTable([{head: ''}, {head: ''}, {head: ''}], rows, colors);
  return `${table}\n${conclusion(machine)}\n`;
}

function mark(state: Check['state'], colors: Colors): string {
  if (state === 'ok') return colors.green('✔');
  return state === 'note' ? colors.cyan('·') : colors.red('✖');
}

function conclusion({usable, runtimes}: MachineReport): string {
  if (!usable) return 'Borealis cannot run here yet: mend what is marked ✖.';
  if (runtimes.native) return 'Native PostgreSQL runs here: `borealis up`.';
  return 'PostgreSQL runs here in PGlite, since native does not: `borealis up` says so as well.';
}
