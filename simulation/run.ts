/**
 * `npm run simulate`: runs seeds, prints those that fail and how to see them again, and ends with
 * status 1 if there is one.
 */
import {Command, InvalidArgumentError} from 'commander';
import {errorChain} from '../src/base/errors.ts';
import {systemClock} from '../src/base/clock.ts';
import {runMutations, type Verdict} from './mutate.ts';
import {simulate, type Failure} from './simulate.ts';

const SEEDS_DEFAULT = 1000;
/** Tried until a mutation is caught. */
const MUTATION_SEEDS_DEFAULT = 2000;

type Options = {
  readonly seeds?: number;
  readonly seed?: number;
  readonly trace: boolean;
  readonly failFast: boolean;
  readonly mutations: boolean;
  readonly json: boolean;
};

function main(argv: readonly string[]): number {
  const program = new Command('simulate')
    .description('Runs volumes on disks in memory that fail, one history for each seed.')
    .option('--seeds <n>', `how many (default: ${SEEDS_DEFAULT}, or 1 with --seed)`, wholeNumber)
    .option('--seed <s>', 'the first one (default: 1)', wholeNumber)
    .option('--trace', 'print every step', false)
    .option('--fail-fast', 'end with the first seed that fails', false)
    .option('--mutations', 'put known faults into a copy of the source; each must be caught', false)
    .option('--json', 'print the result as JSON', false);
  const options = program.parse(argv).opts<Options>();
  return options.mutations ? showTeeth(options) : runSeeds(options);
}

function showTeeth(options: Options): number {
  const seedsMax = options.seeds ?? MUTATION_SEEDS_DEFAULT;
  const show = (verdict: Verdict): void => {
    if (!options.json) console.log(describeVerdict(verdict, seedsMax));
  };
  const verdicts = runMutations(seedsMax, options.seed ?? 1, show);
  const caught = verdicts.filter(({seeds}) => seeds !== null).length;
  const survived = verdicts.length - caught;
  if (options.json) console.log(JSON.stringify({passed: caught, failed: survived, verdicts}));
  else console.log(`${caught} passed, ${survived} failed`);
  return survived > 0 ? 1 : 0;
}

function describeVerdict({name, seeds, message}: Verdict, seedsMax: number): string {
  if (seeds === null) return `${name.padEnd(50)} SURVIVED ${seedsMax} seeds`;
  return `${name.padEnd(50)} ${String(seeds).padStart(5)}  ${message.slice(0, 120)}`;
}

function runSeeds(options: Options): number {
  const first = options.seed ?? 1;
  const count = options.seeds ?? (options.seed === undefined ? SEEDS_DEFAULT : 1);
  const startMs = systemClock.monotonicMs();
  const failures: Failure[] = [];
  let seeds = 0;
  let steps = 0;
  let calls = 0;
  for (let seed = first; seed < first + count; seed++) {
    const run = simulate({seed, ...(options.trace && {trace: line => console.error(line)})});
    seeds++;
    steps += run.steps;
    calls += run.calls;
    if (run.failure === null) continue;
    failures.push(run.failure);
    if (!options.json) console.log(describe(run.failure));
    if (options.failFast) break;
  }
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  const passed = seeds - failures.length;
  if (options.json) {
    console.log(JSON.stringify({passed, failed: failures.length, seconds, steps, calls, failures}));
  } else {
    console.log(
      `${seeds} seeds, ${steps} steps, ${calls} calls of a zone in ${seconds.toFixed(1)} s`,
    );
    console.log(`${passed} passed, ${failures.length} failed`);
  }
  return failures.length > 0 ? 1 : 0;
}

function describe({seed, step, name, message}: Failure): string {
  return `seed ${seed} failed in step ${step} (${name}): ${message}\n  again: npm run simulate -- --seed ${seed} --trace`;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('a whole number above 0 is needed');
  return Number(text);
}

try {
  process.exitCode = main(process.argv);
} catch (error) {
  console.error(`simulate: ${errorChain(error)}`);
  process.exitCode = 1;
}
