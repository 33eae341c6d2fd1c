/**
 * `npm run conformance -- [--mount DIR] [--fast] [--json]`: one list of checks on FUSE, on PGlite's file
 * system as far as it applies, and on the host's file system as control; with `--mount` on that
 * directory alone.
 *
 * `npm run conformance -- --fsx [--operations N] [--seed S] [--json]`: random operations against the
 * host's file system, with clones. Ends with status 1 when something failed.
 */
import {randomInt} from 'node:crypto';
import {parseArgs} from 'node:util';
import {errorChain} from '../src/base/errors.ts';
import {Cleanup} from './cleanup.ts';
import {exercise} from './fsx.ts';
import {printSubjects, totalsOf, type Subject} from './outcome.ts';
import {checkDirectory, checkFuse, checkHost, checkPglite} from './subjects.ts';

const OPERATIONS_DEFAULT = 20_000;
const SEED_MAX = 2 ** 31;

async function main(): Promise<number> {
  const {values} = parseArgs({
    options: {
      mount: {type: 'string'},
      fast: {type: 'boolean', default: false},
      fsx: {type: 'boolean', default: false},
      operations: {type: 'string'},
      seed: {type: 'string'},
      json: {type: 'boolean', default: false},
    },
  });
  const cleanup = new Cleanup();
  cleanup.onInterrupt();
  const log = (line: string): void => console.error(line);
  const seed = wholeNumber('--seed', values.seed) ?? randomInt(1, SEED_MAX);
  const operations = wholeNumber('--operations', values.operations) ?? OPERATIONS_DEFAULT;
  const subjects = values.fsx
    ? [await exercise({operations, seed, log}, cleanup)]
    : await runList(values.mount ?? null, {fast: values.fast}, cleanup);
  const totals = totalsOf(subjects);
  if (values.json) {
    console.log(JSON.stringify({...totals, ...(values.fsx ? {seed} : {}), subjects}));
  } else {
    printSubjects(subjects);
  }
  return cleanup.exitStatus(totals.failed > 0 ? 1 : 0);
}

async function runList(
  mount: string | null,
  options: {fast: boolean},
  cleanup: Cleanup,
): Promise<Subject[]> {
  if (mount !== null) return [{name: mount, outcomes: await checkDirectory(mount, options)}];
  return [await checkFuse(options, cleanup), checkPglite(options), await checkHost(options)];
}

function wholeNumber(option: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (/^\d{1,10}$/.test(text) && value < SEED_MAX) return value;
  throw new Error(
    `${option} ${JSON.stringify(text)} is not a whole number from 0 to ${SEED_MAX - 1}`,
  );
}

main().then(
  status => {
    process.exitCode = status;
  },
  (error: unknown) => {
    console.error(`conformance: ${errorChain(error)}`);
    process.exitCode = 2;
  },
);
