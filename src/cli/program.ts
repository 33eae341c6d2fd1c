/** The root of the command: lists the commands, and turns whatever they throw into an exit status. */
import {writeSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {Command, CommanderError} from 'commander';
import {BorealisError, errorMessage, systemErrorCode} from '../base/errors.ts';
import {addReaderCommand} from './commands/add-reader.ts';
import {caCommand} from './commands/ca.ts';
import {checkCommand} from './commands/check.ts';
import {cloneCommand} from './commands/clone.ts';
import {createCommand} from './commands/create.ts';
import {deleteCommand} from './commands/delete.ts';
import {demoCommand} from './commands/demo.ts';
import {doctorCommand} from './commands/doctor.ts';
import {downCommand} from './commands/down.ts';
import {envCommand} from './commands/env.ts';
import {failoverCommand} from './commands/failover.ts';
import {listCommand} from './commands/list.ts';
import {metricsCommand} from './commands/metrics.ts';
import {mysqlCommand} from './commands/mysql.ts';
import {psqlCommand} from './commands/psql.ts';
import {scrubCommand} from './commands/scrub.ts';
import {quotaCommand} from './commands/quota.ts';
import {showCommand} from './commands/show.ts';
import {statusCommand} from './commands/status.ts';
import {storageCommand} from './commands/storage.ts';
import {upCommand} from './commands/up.ts';
import {urlCommand} from './commands/url.ts';
import {zoneCommand} from './commands/zone.ts';
import {
  errorDocument,
  EXIT_FAILED,
  EXIT_OK,
  exitStatus,
  EXIT_STATUS_HELP,
  EXIT_USAGE,
} from './exit-status.ts';
import {packageVersion} from './package-version.ts';
import {colorsOf} from './terminal.ts';

/** The same two levels up from src/cli and from dist/cli. */
const PACKAGE_DIRECTORY = fileURLToPath(new URL('../..', import.meta.url));

export function borealisProgram(): Command {
  const program = new Command('borealis')
    .description('Real PostgreSQL and MariaDB clusters, cloned in an instant by copy-on-write.')
    .version(packageVersion(PACKAGE_DIRECTORY), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(`borealis --help` lists the commands)')
    .addHelpText('after', `\n${ROOT_EXAMPLES}\n${EXIT_STATUS_HELP}`);
  for (const command of [
    upCommand(),
    downCommand(),
    statusCommand(),
    createCommand(),
    cloneCommand(),
    addReaderCommand(),
    failoverCommand(),
    listCommand(),
    showCommand(),
    storageCommand(),
    zoneCommand(),
    metricsCommand(),
    urlCommand(),
    psqlCommand(),
    mysqlCommand(),
    deleteCommand(),
    scrubCommand(),
    checkCommand(),
    quotaCommand(),
    envCommand(),
    caCommand(),
    doctorCommand(),
    demoCommand(),
  ]) {
    program.addCommand(command);
  }
  return program;
}

const ROOT_EXAMPLES = `Examples:
  borealis doctor                      # what this machine can do
  borealis up                          # start the service; leave it running
  borealis create orders               # in another shell: a cluster, ready to use
  borealis clone orders orders-dev     # its clone, in an instant
  borealis psql orders-dev             # look around
  eval "$(borealis env)"               # point the AWS CLI and SDKs at it
`;

/** Runs one command line and returns the exit status. */
export async function runCli(args: readonly string[]): Promise<number> {
  quietOnBrokenPipe();
  try {
    await borealisProgram().parseAsync([...args], {from: 'user'});
    return Number(process.exitCode ?? EXIT_OK);
  } catch (error) {
    // Commander has said what was wrong, or has shown the help or version that was asked for.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT_OK;
      if (wantsJson(args)) writeDocument(usageError(error));
      return EXIT_USAGE;
    }
    report(error, wantsJson(args));
    return exitStatus(error);
  }
}

function report(error: unknown, json: boolean): void {
  if (json) writeDocument(error);
  const colors = colorsOf(process.stderr);
  process.stderr.write(`${colors.red('borealis:')} ${errorMessage(error)}\n`);
  // An error of ours explains itself; of any other the place is all there is to go on.
  if (!(error instanceof BorealisError) && error instanceof Error && error.stack !== undefined) {
    process.stderr.write(`${colors.dim(error.stack)}\n`);
  }
}

function writeDocument(error: unknown): void {
  process.stdout.write(`${JSON.stringify(errorDocument(error), null, 2)}\n`);
}

function usageError({message}: CommanderError): BorealisError {
  return new BorealisError('invalid', 'Usage', message.replace(/^error: /, ''));
}

/** What follows `--` belongs to another program. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).includes('--json');
}

/** `borealis list | head -1`: the reader has had enough, which is no error. */
function quietOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', error => {
      if (systemErrorCode(error) === 'EPIPE') process.exit(EXIT_OK);
      // Such as /dev/full. Whether stderr takes this does not matter any more.
      writeSync(2, `borealis: the output cannot be written: ${errorMessage(error)}\n`);
      process.exit(EXIT_FAILED);
    });
  }
}
