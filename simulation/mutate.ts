/**
 * Shows that the simulation has teeth: puts one mutation at a time into a copy of the source, and runs
 * seeds until one fails.
 */
import {execFile, type ExecFileException} from 'node:child_process';
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
  /** The first seed that failed, null when none did; and how many were tried until then. */
  readonly seed: number | null;
  readonly tried: number;
  /** What the simulation said. */
  readonly message: string;
};

/** Which seeds are tried. */
type ZoneCount = 'one' | 'several';

export type Verdict = Outcome & Pick<Mutation, 'name' | 'why'> & {readonly zones: ZoneCount};

export type MutationRun = {
  /** Tried until one fails. */
  readonly seedsMax: number;
  readonly firstSeed: number;
  /** Stands in the name or the file of those that are tried. */
  readonly only: string;
};

type Seeds = Pick<MutationRun, 'seedsMax' | 'firstSeed'> & {readonly zones: ZoneCount};

/**
 * As many at a time as there are processors, each in a copy of its own.
 * @throws BorealisError invalid when a mutation no longer fits the source, or none is meant.
 */
export async function runMutations(
  {seedsMax, firstSeed, only}: MutationRun,
  onVerdict: (verdict: Verdict) => void,
): Promise<Verdict[]> {
  checkMutations();
  const chosen = MUTATIONS.filter(({name, file}) => name.includes(only) || file.includes(only));
  if (chosen.length === 0) {
    const text = `no mutation has ${JSON.stringify(only)} in its name or file`;
    throw new BorealisError('invalid', 'no-such-mutation', text);
  }
  const verdicts: Verdict[] = [];
  const left = [...chosen];
  await inCopies(async directory => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const {name, why} = next;
      const zones: ZoneCount = next.zones ?? 'one';
      const outcome = await tryMutation(directory, next, {seedsMax, firstSeed, zones});
      const verdict = {name, why, zones, ...outcome};
      verdicts.push(verdict);
      onVerdict(verdict);
    }
  });
  const groups: ZoneCount[] = ['one', 'several'];
  await inCopies(async directory => {
    for (let zones = groups.pop(); zones !== undefined; zones = groups.pop()) {
      const caught = verdicts.filter(verdict => verdict.zones === zones && verdict.seed !== null);
      const most = Math.max(1, ...caught.map(({tried}) => tried));
      requireSound(await runSeeds(directory, {seedsMax: most, firstSeed, zones}, 'none'));
    }
  });
  return verdicts;
}

/** Works in as many copies of the source at once as there are processors, and removes them. */
async function inCopies(work: (directory: string) => Promise<void>): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'borealis-mutations-'));
  try {
    await Promise.all(
      Array.from({length: os.availableParallelism()}, async (_, index) => {
        const directory = path.join(root, String(index));
        for (const name of COPIED) {
          fs.cpSync(path.join(REPOSITORY, name), path.join(directory, name), {recursive: true});
        }
        fs.symlinkSync(path.join(REPOSITORY, 'node_modules'), path.join(directory, 'node_modules'));
        await work(directory);
      }),
    );
  } finally {
    fs.rmSync(root, {recursive: true, force: true});
  }
}

/** @throws BorealisError invalid, naming a mutation that no longer fits the source. */
export function checkMutations(): void {
  for (const mutation of MUTATIONS) mutated(mutation);
}

async function tryMutation(directory: string, mutation: Mutation, seeds: Seeds): Promise<Outcome> {
  const file = path.join(directory, 'src', mutation.file);
  const original = fs.readFileSync(file);
  fs.writeFileSync(file, mutated(mutation));
  try {
    return await runSeeds(directory, seeds, mutation.name);
  } finally {
    fs.writeFileSync(file, original);
  }
}

/** Without a mutation the same seeds must pass, or what was caught proves nothing. */
function requireSound({seed, message}: Outcome): void {
  if (seed === null) return;
  throw new BorealisError(
    'internal',
    'simulation-fails',
    `without a mutation the simulation fails as well, in seed ${seed}: ${message}`,
  );
}

async function runSeeds(
  directory: string,
  {seedsMax, firstSeed, zones}: Seeds,
  name: string,
): Promise<Outcome> {
  const script = path.join(directory, 'simulation', 'run.ts');
  const which = ['--zones', zones];
  const options = ['--seeds', String(seedsMax), '--seed', String(firstSeed), ...which];
  const {stdout, stderr, error} = await ended(
    process.execPath,
    ['--import', 'tsx', script, ...options, '--fail-fast', '--json'],
    {cwd: directory, maxBuffer: OUTPUT_BYTES_MAX, timeout: HANG_MS},
  );
  // An endless loop and a slow machine look the same: it counts as neither caught nor survived.
  if (error?.killed === true) {
    throw new BorealisError(
      'internal',
      'mutation-did-not-end',
      `mutation ${JSON.stringify(name)} did not end within ${HANG_MS / 60_000} minutes`,
    );
  }
  const lastLine = stdout.trim().split('\n').at(-1) ?? '';
  if (!lastLine.startsWith('{')) {
    throw new BorealisError(
      'internal',
      'mutation-did-not-run',
      `mutation ${JSON.stringify(name)} did not run: ${stderr.slice(0, 2000)}`,
    );
  }
  const {passed, failures} = JSON.parse(lastLine) as {
    passed: number;
    failures: {seed: number; message: string}[];
  };
  const [failure] = failures;
  const tried = passed + failures.length;
  if (failure === undefined) return {seed: null, tried, message: ''};
  return {seed: failure.seed, tried, message: failure.message.split('\n')[0] ?? ''};
}

type Ended = {stdout: string; stderr: string; error: ExecFileException | null};

/** Resolves when the process has ended, whatever its status. */
function ended(
  file: string,
  args: readonly string[],
  options: {cwd: string; maxBuffer: number; timeout: number},
): Promise<Ended> {
  return new Promise(resolve => {
    execFile(file, args, {...options, encoding: 'utf8'}, (error, stdout, stderr) =>
      resolve({stdout, stderr, error}),
    );
  });
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
