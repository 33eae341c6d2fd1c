/**
 * The demo: a cluster cloned while it is written to, proved and measured, in a service of its own
 * that leaves nothing behind. Exit status 0 only if every proof held; 130 after Ctrl-C.
 */
import {Command, CommanderError, Option} from 'commander';
import {systemClock} from '../base/clock.ts';
import {BorealisError, errorMessage} from '../base/errors.ts';
import {randomToken} from '../base/random.ts';
import {PAGE_SIZE_BYTES, formatDuration} from '../cli/format/quantity.ts';
import {errorDocument, EXIT_FAILED, EXIT_OK, EXIT_USAGE, exitStatus} from '../cli/exit-status.ts';
import {colorsOf, Terminal} from '../cli/terminal.ts';
import type {EngineName} from '../engine/engine.ts';
import {Clusters} from './clusters.ts';
import {Proofs} from './proofs.ts';
import {describeClone, renderDemo, renderProofs, type DemoReport} from './report.ts';
import {ServiceProcess, type EngineChoice, type LeftBehind} from './service-process.ts';
import {
  checkSurvivor,
  CLONE,
  cloneTheClone,
  cloneUnderWrites,
  createCluster,
  loadTables,
  deleteSource,
  finishWriter,
  proveNothingCopied,
  SECOND_CLONE,
  SOURCE,
  startWriter,
  writeFourPages,
  type Stage,
} from './steps.ts';

type Options = EngineChoice & {
  readonly engine: EngineName;
  readonly scale: string;
  readonly json?: true;
};

/** Above this the keys of accounts leave the range of int. */
const SCALE_MAX = 20_000;
/** 128 + SIGINT, as a shell has it. */
const EXIT_INTERRUPTED = 130;
const PASSWORD_LENGTH = 24;

const HELP = `
Examples:
  npm run demo                                # about a minute
  npm run demo -- --scale 100                 # 1.5 GB of tables: the clone takes as long
  npm run demo -- --engine-runtime pglite     # on PostgreSQL in WebAssembly
  npm run demo -- --engine aurora-mysql       # on MariaDB, where it is installed

Exit status: 0 if every proof held, 1 if one did not, 2 for bad usage, 130 after Ctrl-C.
`;

async function main(): Promise<number> {
  let options: Options;
  try {
    options = parseOptions();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    throw error;
  }
  const terminal = new Terminal({json: options.json === true});
  try {
    return await demo(terminal, options);
  } catch (error) {
    if (terminal.json) terminal.printJson(errorDocument(error));
    terminal.note(`${colorsOf(process.stderr).red('demo:')} ${errorMessage(error)}`);
    return error instanceof Interrupted ? EXIT_INTERRUPTED : exitStatus(error);
  }
}

function parseOptions(): Options {
  const command = new Command('demo')
    .description('Clones a cluster while it is written to, and proves that the clone is exact.')
    .addOption(
      new Option('--engine <engine>', 'RDS engine name')
        .choices(['aurora-postgresql', 'aurora-mysql'])
        .default('aurora-postgresql'),
    )
    .option('--scale <n>', 'TPC-B scale: 100,000 accounts each', '10')
    .addOption(new Option('--engine-runtime <runtime>').choices(['native', 'pglite', 'auto']))
    .option('--postgres-bin <dir>', 'directory with postgres and initdb')
    .option('--json', 'one JSON document on stdout')
    .exitOverride()
    .addHelpText('after', HELP)
    .parse();
  return command.opts<Options>();
}

async function demo(terminal: Terminal, options: Options): Promise<number> {
  const scale = parseScale(options.scale);
  const startedMs = systemClock.monotonicMs();
  const proofs = new Proofs(terminal);
  const interrupted = interruption();
  const service = await ServiceProcess.create(options);
  let report: DemoReport;
  try {
    report = await Promise.race([
      run(terminal, proofs, service, {scale, engine: options.engine}),
      interrupted,
    ]);
  } finally {
    const left = await terminal.step('stop everything and clean up', () => service.remove());
    proofs.add('nothing is left behind', ...leftBehind(left));
  }
  const totalMs = systemClock.monotonicMs() - startedMs;
  const {colors} = terminal;
  terminal.result(
    {held: proofs.allHeld, totalMs, ...report, proofs: proofs.all, steps: terminal.steps},
    () =>
      `\n${renderDemo(report, colors)}\n${renderProofs(proofs.all, colors)}${colors.dim(`${formatDuration(totalMs)} in all`)}\n`,
  );
  return proofs.allHeld ? EXIT_OK : EXIT_FAILED;
}

async function run(
  terminal: Terminal,
  proofs: Proofs,
  host: ServiceProcess,
  {scale, engine}: {readonly scale: number; readonly engine: EngineName},
): Promise<DemoReport> {
  const chapter = (number: number, title: string): void =>
    terminal.note(colorsOf(process.stderr).bold(`\n${number}. ${title}`));
  chapter(1, 'The service, in a temporary directory on a free port');
  const service = await terminal.step('borealis up', () => host.ready());
  for (const remark of host.remarks) terminal.note(`  ${remark}`);
  const clusters = new Clusters(service, randomToken(PASSWORD_LENGTH), engine);
  try {
    const stage: Stage = {terminal, service, clusters, proofs, scale};
    chapter(2, `A cluster, through the AWS SDK: ${SOURCE}`);
    await createCluster(stage);
    chapter(3, 'Work in it, and a writer that keeps on');
    await loadTables(stage);
    const writer = await startWriter(stage);
    chapter(4, `Its clone, while it is written to: ${CLONE}`);
    const clone = await cloneUnderWrites(stage, writer);
    chapter(5, 'Proof that the sides are apart');
    await finishWriter(stage, writer);
    const fourPages = await writeFourPages(stage);
    const described = await service.report(CLONE);
    proveNothingCopied(stage, described);
    const sourcePages = (await service.report(SOURCE)).usage?.logicalPages ?? 0;
    const secondClone = await cloneTheClone(stage);
    chapter(6, 'The source deleted, both clones checked');
    await deleteSource(stage);
    await checkSurvivor(stage, CLONE, [4]);
    await checkSurvivor(stage, SECOND_CLONE, [2, 4]);
    chapter(7, 'Nothing left behind');
    return {
      scale,
      method: 'copy-on-write',
      ...describeClone(described),
      sourceBytes: sourcePages * PAGE_SIZE_BYTES,
      clone,
      secondClone,
      fourPages,
    };
  } finally {
    await clusters.close();
    service.close();
  }
}

function leftBehind({stopped, processes}: LeftBehind): [held: boolean, evidence: string] {
  const how = stopped ? 'the service stopped' : 'the service had to be killed';
  const found =
    processes === null
      ? 'this system has no /proc to look for processes in'
      : [`${processes.length} processes left`, ...processes].join('; ');
  return [stopped && (processes ?? []).length === 0, `${how}, its directory is removed, ${found}`];
}

class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/**
 * Rejects on Ctrl-C or SIGTERM. What was under way then fails, as its service goes. Another one does
 * not cut the cleaning up short: that is bounded anyway.
 */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => reject(new Interrupted(`interrupted by ${signal}`)));
    }
  });
}

function parseScale(text: string): number {
  const scale = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (scale >= 1 && scale <= SCALE_MAX) return scale;
  throw new BorealisError(
    'invalid',
    'InvalidParameterValue',
    `--scale ${JSON.stringify(text)} is not allowed; a whole number from 1 to ${SCALE_MAX} is`,
  );
}

const status = await main();
// After Ctrl-C a step may still wait for an answer that does not come any more.
process.exit(status);
