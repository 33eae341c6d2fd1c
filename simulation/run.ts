/**
 * `npm run simulate`: runs seeds, prints those that fail and how to see them again, and ends with
 * status 1 if there is one.
 */
import {Command, InvalidArgumentError, Option} from 'commander';
import {errorChain} from '../src/base/errors.ts';
import {systemClock} from '../src/base/clock.ts';
import {runMutations, type Verdict} from './mutate.ts';
import {simulate, zoneCountOf, type Failure, type Run} from './simulate.ts';

const SEEDS_DEFAULT = 1000;
/** Tried until a mutation is caught. */
const MUTATION_SEEDS_DEFAULT = 2500;

type Options = {
  readonly seeds?: number;
  readonly seed?: number;
  readonly zones?: 'one' | 'several';
  readonly trace: boolean;
  readonly failFast: boolean;
  readonly mutations: boolean;
  readonly only: string;
  readonly json: boolean;
};

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('simulate')
    .description('Runs volumes on disks in memory that fail, one history for each seed.')
    .option('--seeds <n>', `how many (default: ${SEEDS_DEFAULT}, or 1 with --seed)`, wholeNumber)
    .option('--seed <s>', 'the first one (default: 1)', wholeNumber)
    .addOption(
      new Option('--zones <which>', 'only seeds on one zone, or on several').choices([
        'one',
        'several',
      ]),
    )
    .option('--trace', 'print every step', false)
    .option('--fail-fast', 'end with the first seed that fails', false)
    .option('--mutations', 'put known faults into a copy of the source; each must be caught', false)
    .option('--only <text>', 'of the mutations, those with this in their name or file', '')
    .option('--json', 'print the result as JSON', false);
  const options = program.parse(argv).opts<Options>();
  return options.mutations ? await showTeeth(options) : runSeeds(options);
}

async function showTeeth(options: Options): Promise<number> {
  const seedsMax = options.seeds ?? MUTATION_SEEDS_DEFAULT;
  const show = (verdict: Verdict): void => {
    if (!options.json) console.log(describeVerdict(verdict, seedsMax));
  };
  const wanted = {seedsMax, firstSeed: options.seed ?? 1, only: options.only};
  const verdicts = await runMutations(wanted, show);
  const caught = verdicts.filter(({seed}) => seed !== null).length;
  const survived = verdicts.length - caught;
  if (options.json) console.log(JSON.stringify({passed: caught, failed: survived, verdicts}));
  else console.log(`${caught} passed, ${survived} failed`);
  return survived > 0 ? 1 : 0;
}

function describeVerdict({name, seed, message}: Verdict, seedsMax: number): string {
  if (seed === null) return `${name.padEnd(50)} SURVIVED ${seedsMax} seeds`;
  return `${name.padEnd(50)} ${String(seed).padStart(5)}  ${message.slice(0, 120)}`;
}

function runSeeds(options: Options): number {
  const first = options.seed ?? 1;
  const seedsMax = options.seeds ?? (options.seed === undefined ? SEEDS_DEFAULT : 1);
  const startMs = systemClock.monotonicMs();
  const totals: Totals = {passed: 0, steps: 0, calls: 0, faults: {}, failures: []};
  const isMeant = (seed: number): boolean =>
    options.zones === undefined || (options.zones === 'one') === (zoneCountOf(seed) === 1);
  for (let seed = first, tried = 0; tried < seedsMax; seed++) {
    if (!isMeant(seed)) continue;
    tried++;
    const run = simulate({seed, ...(options.trace && {trace: line => console.error(line)})});
    add(totals, run);
    if (run.failure === null) continue;
    if (!options.json) console.log(describe(run.failure));
    if (options.failFast) break;
  }
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  const failed = totals.failures.length;
  if (options.json) {
    console.log(JSON.stringify({...totals, failed, seconds}));
  } else {
    const faults = Object.entries(totals.faults).map(([fault, times]) => `${fault} ${times}`);
    console.log(`faults: ${faults.join(', ')}`);
    console.log(`${totals.steps} steps, ${totals.calls} calls of a zone, ${seconds.toFixed(1)} s`);
    console.log(`${totals.passed} passed, ${failed} failed`);
  }
  return failed > 0 ? 1 : 0;
}

type Totals = {
  passed: number;
  steps: number;
  calls: number;
  /** How often each fault struck. */
  faults: Record<string, number>;
  failures: Failure[];
};

function add(totals: Totals, run: Run): void {
  totals.steps += run.steps;
  totals.calls += run.calls;
  for (const [fault, times] of run.faults) {
    totals.faults[fault] = (totals.faults[fault] ?? 0) + times;
  }
  if (run.failure === null) totals.passed++;
  else totals.failures.push(run.failure);
}

function describe({seed, step, name, message}: Failure): string {
  return `seed ${seed} failed in step ${step} (${name}): ${message}\n  again: npm run simulate -- --seed ${seed} --trace`;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('a whole number above 0 is needed');
  return Number(text);
}

try {
  process.exitCode = await main(process.argv);
} catch (error) {
  console.error(`simulate: ${errorChain(error)}`);
  process.exitCode = 1;
}
