/**
 * Shows that the simulation has teeth: puts one mutation at a time into a copy of the source, and runs
 * seeds until one fails.
 */
import {spawnSync} from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {BorealisError} from '../src/base/errors.ts';
import {MUTATIONS, type Mutation} from './mutations.ts';

const REPOSITORY: string = path.resolve(import.meta.dirname, '..');
const COPIED = ['src', 'simulation', 'package.json', 'tsconfig.json'];
const OUTPUT_BYTES_MAX = 2 ** 24;
/** Many times what the seeds take, on a busy machine too; a mutation may make a loop endless. */
const HANG_MS = 120 * 60_000;

type Outcome = {
  /** Seeds until the first that failed; null when none did. */
  readonly seeds: number | null;
  /** What the simulation said. */
  readonly message: string;
};

export type Verdict = Outcome & {readonly name: string; readonly why: string};

export type MutationRun = {
  /** Tried until one fails. */
  readonly seedsMax: number;
  readonly firstSeed: number;
  /** Stands in the name or the file of those that are tried. */
  readonly only: string;
};

/** @throws BorealisError invalid when a mutation no longer fits the source, or none is meant. */
export function runMutations(
  {seedsMax, firstSeed, only}: MutationRun,
  onVerdict: (verdict: Verdict) => void,
): Verdict[] {
  checkMutations();
  const chosen = MUTATIONS.filter(({name, file}) => name.includes(only) || file.includes(only));
  if (chosen.length === 0) {
    const text = `no mutation has ${JSON.stringify(only)} in its name or file`;
    throw new BorealisError('invalid', 'no-such-mutation', text);
  }
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'borealis-mutations-'));
  try {
    for (const name of COPIED) {
      fs.cpSync(path.join(REPOSITORY, name), path.join(directory, name), {recursive: true});
    }
    fs.symlinkSync(path.join(REPOSITORY, 'node_modules'), path.join(directory, 'node_modules'));
    const verdicts = chosen.map(mutation => {
      const verdict = tryMutation(directory, mutation, seedsMax, firstSeed);
      onVerdict(verdict);
      return verdict;
    });
    const seeds = Math.max(1, ...verdicts.map(verdict => verdict.seeds ?? 0));
    requireSound(runSeeds(directory, seeds, firstSeed, 'none'));
    return verdicts;
  } finally {
    fs.rmSync(directory, {recursive: true, force: true});
  }
}

/** @throws BorealisError invalid, naming a mutation that no longer fits the source. */
export function checkMutations(): void {
  for (const mutation of MUTATIONS) mutated(mutation);
}

function tryMutation(
  directory: string,
  mutation: Mutation,
  seedsMax: number,
  firstSeed: number,
): Verdict {
  const file = path.join(directory, 'src', mutation.file);
  const original = fs.readFileSync(file);
  fs.writeFileSync(file, mutated(mutation));
  try {
    const outcome = runSeeds(directory, seedsMax, firstSeed, mutation.name);
    return {name: mutation.name, why: mutation.why, ...outcome};
  } finally {
    fs.writeFileSync(file, original);
  }
}

/** Without a mutation the same seeds must pass, or what was caught proves nothing. */
function requireSound({seeds, message}: Outcome): void {
  if (seeds === null) return;
  throw new BorealisError(
    'internal',
    'simulation-fails',
    `without a mutation the simulation fails as well, after ${seeds} seeds: ${message}`,
  );
}

function runSeeds(directory: string, seedsMax: number, firstSeed: number, name: string): Outcome {
  const script = path.join(directory, 'simulation', 'run.ts');
  const options = ['--seeds', String(seedsMax), '--seed', String(firstSeed)];
  const run = spawnSync(
    process.execPath,
    ['--import', 'tsx', script, ...options, '--fail-fast', '--json'],
    {cwd: directory, encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX, timeout: HANG_MS},
  );
  // An endless loop and a slow machine look the same: it counts as neither caught nor survived.
  if (run.signal !== null) {
    throw new BorealisError(
      'internal',
      'mutation-did-not-end',
      `mutation ${JSON.stringify(name)} did not end within ${HANG_MS / 60_000} minutes`,
    );
  }
  const lastLine = run.stdout.trim().split('\n').at(-1) ?? '';
  if (!lastLine.startsWith('{')) {
    throw new BorealisError(
      'internal',
      'mutation-did-not-run',
      `mutation ${JSON.stringify(name)} did not run: ${run.stderr.slice(0, 2000)}`,
    );
  }
  const {passed, failures} = JSON.parse(lastLine) as {
    passed: number;
    failures: {message: string}[];
  };
  const [failure] = failures;
  if (failure === undefined) return {seeds: null, message: ''};
  return {seeds: passed + 1, message: failure.message.split('\n')[0] ?? ''};
}

/** The text of the file with the mutation in it. */
function mutated({name, file, find, replace}: Mutation): string {
  const text = fs.readFileSync(path.join(REPOSITORY, 'src', file), 'utf8');
  const count = text.split(find).length - 1;
  if (count !== 1) {
    throw new BorealisError(
      'invalid',
      'mutation-does-not-fit',
      `mutation ${JSON.stringify(name)}: ${JSON.stringify(find)} stands ${count} times in src/${file}; it must stand there once`,
    );
  }
  return text.replace(find, () => replace);
}
