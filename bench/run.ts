/**
 * `npm run bench -- NAME [--json] [options]`: measures, prints, and ends with status 1 when a target is
 * missed. Every target is a ratio or a duration of this run on this machine; peers run in turn with
 * Borealis, because machines drift.
 */
import {parseArgs} from 'node:util';
import {errorChain} from '../src/base/errors.ts';
import {benchClone} from './clone.ts';
import {printReport, type BenchOptions, type Report} from './report.ts';
import {benchFailover} from './failover.ts';
import {benchHistory} from './history.ts';
import {benchLimits} from './limits.ts';
import {benchSpace} from './space.ts';
import {benchTps} from './tps.ts';
import {benchVolume} from './volume.ts';

const BENCHES: Record<string, (options: BenchOptions) => Promise<Report>> = {
  clone: benchClone,
  failover: benchFailover,
  history: benchHistory,
  limits: benchLimits,
  space: benchSpace,
  tps: benchTps,
  volume: benchVolume,
};

async function main(): Promise<number> {
  const {positionals, values} = parseArgs({
    allowPositionals: true,
    options: {
      json: {type: 'boolean', default: false},
      scale: {type: 'string'},
      rounds: {type: 'string'},
      runs: {type: 'string'},
      seconds: {type: 'string'},
      'postgres-bin': {type: 'string'},
    },
  });
  const name = positionals[0] ?? '';
  const bench = BENCHES[name];
  if (bench === undefined) {
    console.error(
      `bench: ${JSON.stringify(name)} is not one of ${Object.keys(BENCHES).join(', ')}`,
    );
    return 2;
  }
  const report = await bench({
    scale: numberOption(values.scale),
    rounds: numberOption(values.rounds ?? values.runs),
    seconds: numberOption(values.seconds),
    postgresBin: values['postgres-bin'] ?? null,
    log: line => console.error(line),
  });
  if (values.json) console.log(JSON.stringify(report));
  else printReport(report);
  return report.metrics.some(metric => metric.met === false) ? 1 : 0;
}

function numberOption(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^[1-9]\d*$/.test(text))
    throw new Error(`${JSON.stringify(text)} is not a whole number above 0`);
  return Number(text);
}

main().then(
  status => {
    process.exitCode = status;
  },
  (error: unknown) => {
    console.error(`bench: ${errorChain(error)}`);
    process.exitCode = 1;
  },
);
