/**
 * `npm run torture -- [--minutes N] [--rounds N] [--seed S] [--zones N] [--postgres-bin DIR] [--json]`:
 * PostgreSQL under transfers, with one part after the other killed and one zone after the other lost.
 * Ends with status 1 when a check failed, and with 2 when it could not begin.
 */
import {probeFuse} from '../src/attachment/fuse/probe.ts';
import {errorChain} from '../src/base/errors.ts';
import {Cleanup} from '../conformance/cleanup.ts';
import {printSubjects, totalsOf} from '../conformance/outcome.ts';
import {parseOptions} from './options.ts';
import {torture} from './torture.ts';

async function main(): Promise<number> {
  const {json, ...options} = parseOptions(process.argv.slice(2));
  const probe = await probeFuse();
  if (!probe.available) throw new Error(`native clusters need FUSE: ${probe.reason ?? ''}`);
  const cleanup = new Cleanup();
  cleanup.onInterrupt();
  const subject = await torture({...options, log: line => console.error(line)}, cleanup);
  const totals = totalsOf([subject]);
  const {seed, zones} = options;
  if (json) console.log(JSON.stringify({...totals, seed, zones, subjects: [subject]}));
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
