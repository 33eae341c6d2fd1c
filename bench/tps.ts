/**
 * TPC-B and read-only transactions a second on a Borealis cluster and on a clone of it, against the
 * same server with its data on the host's file system; all in turn, the median of the rounds. The
 * targets are for the instance endpoint, where the engine itself listens. At the cluster endpoint a
 * relay holds and routes clients; what it costs is reported.
 */
import {packagedPostgresBin} from '../src/engine/postgres/binaries.ts';
import {BenchService} from './bench-service.ts';
import {HostServer} from './host-server.ts';
import {loadTpcB, runClient, tpcB, type Load, type Target} from './pgbench.ts';
import {
  atLeast,
  atMost,
  median,
  reported,
  type BenchOptions,
  type Metric,
  type Report,
} from './report.ts';

const RATIO_MIN = 0.7;
const LOAD_RATIO_MAX = 1.5;
const THROUGH_RELAY = 'cluster endpoint';

export async function benchTps(options: BenchOptions): Promise<Report> {
  const scale = options.scale ?? 30;
  const rounds = options.rounds ?? 3;
  const seconds = options.seconds ?? 10;
  const bin = options.postgresBin ?? packagedPostgresBin();
  if (bin === null)
    throw new Error('no PostgreSQL to measure: install one and give --postgres-bin');
  const host = await HostServer.create(bin);
  const service = await BenchService.start(options.postgresBin);
  try {
    const targets = new Map<string, Target>();
    targets.set('host', await host.initialise('data'));
    const cluster = await service.create('bench');
    targets.set('cluster', cluster.writer);
    const loads = await loadBoth(targets, scale, rounds, options);
    const clone = await service.clone('bench', 'bench-clone');
    targets.set('clone', clone.writer);
    targets.set(THROUGH_RELAY, cluster.target);
    const metrics: Metric[] = [
      atMost(
        'load time, cluster / host',
        median(loads.get('cluster')) / median(loads.get('host')),
        'ratio',
        LOAD_RATIO_MAX,
      ),
      reported('load time on the host', median(loads.get('host')), 's'),
    ];
    for (const [name, load] of Object.entries(kinds(seconds))) {
      const results = await measure(targets, load, rounds, line => options.log(`${name}: ${line}`));
      const base = median(results.get('host'));
      metrics.push(reported(`${name}, host`, base, 'tps'));
      for (const side of [...targets.keys()].filter(key => key !== 'host')) {
        const label = `${name}, ${side} / host`;
        const ratio = median(results.get(side)) / base;
        metrics.push(
          side === THROUGH_RELAY
            ? reported(label, ratio, 'ratio')
            : atLeast(label, ratio, 'ratio', RATIO_MIN),
        );
      }
    }
    return {name: 'tps', metrics};
  } finally {
    await service.stop();
    await host.remove();
  }
}

function kinds(seconds: number): Record<string, Load> {
  return {
    'TPC-B, 1 client': {clients: 1, readOnly: false, seconds},
    'TPC-B, 8 clients': {clients: 8, readOnly: false, seconds},
    'read-only, 8 clients': {clients: 8, readOnly: true, seconds},
  };
}

class Results extends Map<string, number[]> {
  override get(key: string): number[] {
    return super.get(key) ?? [];
  }
}

async function loadBoth(
  targets: ReadonlyMap<string, Target>,
  scale: number,
  rounds: number,
  options: BenchOptions,
): Promise<Results> {
  const results = new Results();
  for (let round = 0; round < rounds; round++) {
    for (const [side, target] of targets) {
      const seconds = await loadTpcB(target, scale);
      options.log(`load at scale ${scale}, ${side}: ${seconds.toFixed(1)} s`);
      results.set(side, [...results.get(side), seconds]);
    }
  }
  return results;
}

async function measure(
  targets: ReadonlyMap<string, Target>,
  load: Load,
  rounds: number,
  log: (line: string) => void,
): Promise<Results> {
  const results = new Results();
  for (let round = 0; round < rounds; round++) {
    for (const [side, target] of targets) {
      // Each side begins its turn with nothing of the last one's to write.
      await runClient(target, 'psql', ['-qc', 'CHECKPOINT']);
      const tps = await tpcB(target, load);
      log(`${side} ${tps.toFixed(0)} tps`);
      results.set(side, [...results.get(side), tps]);
    }
  }
  return results;
}
