/**
 * `npm run torture -- [--minutes N] [--seed S] [--engine NAME] [--postgres-bin DIR] [--json]`: an
 * engine under transfers, with one part after the other killed. Ends with status 1 when a check failed.
 */
import {randomInt} from 'node:crypto';
import {parseArgs} from 'node:util';
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {errorChain} from '../src/base/errors.ts';
import {Cleanup} from '../conformance/cleanup.ts';
import {printSubjects, totalsOf} from '../conformance/outcome.ts';
import {parseEngine} from '../src/cluster/engine-kinds.ts';
import {torture} from './torture.ts';

const SEED_MAX = 2 ** 31;

async function main(): Promise<number> {
  const {values} = parseArgs({
    options: {
      minutes: {type: 'string', default: '1'},
      seed: {type: 'string'},
      engine: {type: 'string', default: 'aurora-postgresql'},
      'postgres-bin': {type: 'string'},
      json: {type: 'boolean', default: false},
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${JSON.stringify(values.minutes)} is not above 0`);
  const seed = values.seed === undefined ? randomInt(1, SEED_MAX) : Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0 || seed >= SEED_MAX) {
    throw new Error(`--seed ${JSON.stringify(values.seed)} is not from 0 to ${SEED_MAX - 1}`);
  }
  const probe = await probeFuse();
  if (!probe.available) throw new Error(`native clusters need FUSE: ${probe.reason ?? ''}`);
  const cleanup = new Cleanup();
  cleanup.onInterrupt();
  const subject = await torture(
    {
      minutes,
      seed,
      engine: parseEngine(values.engine),
      postgresBin: values['postgres-bin'],
      log: line => console.error(line),
    },
    cleanup,
  );
  const totals = totalsOf([subject]);
  if (values.json) console.log(JSON.stringify({...totals, seed, subjects: [subject]}));
  else printSubjects([subject]);
  return cleanup.exitStatus(totals.failed > 0 ? 1 : 0);
}

/** The timers of queries that lost their connection would keep the process for another minute. */
function end(status: number): void {
  process.exit(status);
}

main().then(end, (error: unknown) => {
  console.error(`torture: ${errorChain(error)}`);
  end(2);
});
