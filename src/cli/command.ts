/** What all commands have in common: `--data`, `--json`, examples and exit statuses in the help. */
import {Command} from 'commander';
import {resolveDataDirectory} from './data-directory.ts';
import {EXIT_STATUS_HELP} from './exit-status.ts';
import {openService, type Service} from './service.ts';
import {Terminal} from './terminal.ts';

export type CommonOptions = {readonly data?: string; readonly json?: true};

export type CommandHelp = {
  readonly name: string;
  readonly summary: string;
  /** Longer, below the usage line. */
  readonly description?: string;
  /** Command lines, each with what it does: at least one. */
  readonly examples: readonly (readonly [string, string])[];
};

export function borealisCommand(help: CommandHelp): Command {
  const examples = help.examples.map(([line, what]) => `  # ${what}\n  ${line}\n`);
  return new Command(help.name)
    .summary(help.summary)
    .description(help.description ?? `${help.summary}.`)
    .option('--data <dir>', 'data directory (default: $BOREALIS_DATA, else ~/.borealis)')
    .option('--json', 'print one JSON document on stdout')
    .exitOverride()
    .showHelpAfterError(`(\`borealis ${help.name} --help\` shows usage and examples)`)
    .addHelpText('after', `\nExamples:\n${examples.join('')}\n${EXIT_STATUS_HELP}`);
}

export type CommandContext = {readonly terminal: Terminal; readonly dataDirectory: string};

export function contextOf(options: CommonOptions): CommandContext {
  return {
    terminal: new Terminal({json: options.json === true}),
    dataDirectory: resolveDataDirectory(options.data),
  };
}

export type ServiceContext = CommandContext & {readonly service: Service};

/** Runs `work` with the data directory's running service. */
export async function withService<T>(
  options: CommonOptions,
  work: (context: ServiceContext) => Promise<T>,
): Promise<T> {
  const context = contextOf(options);
  const service = await openService(context.dataDirectory);
  try {
    return await work({...context, service});
  } finally {
    service.close();
  }
}
