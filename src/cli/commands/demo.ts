import {spawn} from 'node:child_process';
import {Option, type Command} from 'commander';
import {entryPoint} from '../../base/entry-point.ts';
import {borealisCommand, type CommonOptions} from '../command.ts';
import {EXIT_FAILED} from '../exit-status.ts';

type Options = CommonOptions & {
  readonly scale?: string;
  readonly engineRuntime?: string;
  readonly postgresBin?: string;
};

export function demoCommand(): Command {
  return borealisCommand({
    name: 'demo',
    summary: 'Show and prove it: a cluster cloned while it is written to',
    description:
      'Runs a service of its own in a temporary directory, loads a cluster, clones it while a writer keeps writing, proves that the clone is exact and apart, and leaves nothing behind. Exit status 0 only if every proof held. Touches no other data directory.',
    examples: [
      ['borealis demo', 'about a minute'],
      ['borealis demo --scale 100', '1.5 GB of tables: the clone takes as long'],
      ['borealis demo --engine-runtime pglite', 'on PostgreSQL in WebAssembly'],
    ],
  })
    .option('--scale <n>', 'TPC-B scale: 100,000 accounts each (default: 10)')
    .addOption(
      new Option('--engine-runtime <runtime>', 'how engines run').choices([
        'native',
        'pglite',
        'auto',
      ]),
    )
    .option('--postgres-bin <dir>', 'directory with postgres and initdb')
    .action(demo);
}

/** A listener that does nothing keeps a signal from ending us. */
function ignore(): void {}

/** The demo is a program of its own: it starts this command, as a person would. */
async function demo(options: Options): Promise<void> {
  const args = [
    ...(options.scale === undefined ? [] : ['--scale', options.scale]),
    ...(options.engineRuntime === undefined ? [] : ['--engine-runtime', options.engineRuntime]),
    ...(options.postgresBin === undefined ? [] : ['--postgres-bin', options.postgresBin]),
    ...(options.json === true ? ['--json'] : []),
  ];
  const child = spawn(process.execPath, [entryPoint('demo/demo'), ...args], {stdio: 'inherit'});
  // A Ctrl-C reaches the demo by itself, a SIGTERM only us; either way it cleans up before it ends.
  const pass = (): void => {
    child.kill('SIGTERM');
  };
  process.on('SIGINT', ignore).on('SIGTERM', pass);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', code => resolve(code ?? EXIT_FAILED));
  });
  process.off('SIGINT', ignore).off('SIGTERM', pass);
}
