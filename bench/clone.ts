/**
 * How long until a clone answers, and what it costs, while its source takes writes: at scale 1 and at
 * scale N in turn. Beside it, on the same data with the same server: CREATE DATABASE … TEMPLATE,
 * pg_basebackup + start, cp -a of the stopped data directory + start.
 */
import {execFile} from 'node:child_process';
import fs from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {packagedPostgresBin} from '../src/engine/postgres/binaries.ts';
import {BenchService, type Made} from './bench-service.ts';
import {HostServer} from './host-server.ts';
import {loadTpcB, runClient, steadyWriter, type Target} from './pgbench.ts';
import {atMost, median, reported, type BenchOptions, type Metric, type Report} from './report.ts';

/** TPC-B transactions a second on the source while it is cloned. */
const WRITER_RATE = 100;
const FIRST_QUERY_MAX_S = 0.5;
const SCALE_RATIO_MAX = 1.2;
const COPIED_MAX_BYTES = 2 ** 20;
const CREATE_MAX_S = 2;

type Run = Made & {steps: [string, number][]; copied: number; memory: number | null};

export async function benchClone(options: BenchOptions): Promise<Report> {
  const scale = options.scale ?? 100;
  const rounds = options.rounds ?? 7;
  const bin = options.postgresBin ?? packagedPostgresBin();
  if (bin === null)
    throw new Error('no PostgreSQL to measure: install one and give --postgres-bin');
  const service = await BenchService.start(options.postgresBin);
  try {
    // The first cluster also makes the golden volume; the second is what a user waits for later.
    const small = await service.create('small');
    const large = await service.create('large');
    options.log(`loading at scale 1 and ${scale}`);
    await loadTpcB(small.target, 1);
    await loadTpcB(large.target, scale);
    const runs = await cloneBoth(service, small.target, large.target, rounds, options);
    const busy = await cloneBusy(service, large.target, Math.min(3, rounds), options);
    const metrics = [
      ...cloneMetrics(runs, scale),
      reported('clone to first query, source at full speed (1 client)', seconds(busy), 's'),
      atMost(
        'create cluster and writer to first query',
        large.firstQueryMs / 1000,
        's',
        CREATE_MAX_S,
      ),
      reported('resident memory of the service', serviceMemory(service), 'MiB'),
    ];
    await service.delete('small');
    const peers = await measurePeers(bin, scale, options);
    return {name: 'clone', metrics: [...metrics, ...peers]};
  } finally {
    await service.stop();
  }
}

async function cloneBoth(
  service: BenchService,
  small: Target,
  large: Target,
  rounds: number,
  options: BenchOptions,
): Promise<{small: Run[]; large: Run[]}> {
  const runs: {small: Run[]; large: Run[]} = {small: [], large: []};
  for (let round = 0; round < rounds; round++) {
    for (const [source, target] of [
      ['small', small],
      ['large', large],
    ] as const) {
      const writer = steadyWriter(target, WRITER_RATE);
      try {
        runs[source].push(await cloneOnce(service, source, options));
      } finally {
        await writer.stop();
      }
    }
  }
  return runs;
}

async function cloneBusy(
  service: BenchService,
  target: Target,
  rounds: number,
  options: BenchOptions,
): Promise<Run[]> {
  const writer = steadyWriter(target, null);
  const runs: Run[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      runs.push(await cloneOnce(service, 'large', options));
    }
  } finally {
    await writer.stop();
  }
  return runs;
}

async function cloneOnce(
  service: BenchService,
  source: string,
  options: BenchOptions,
): Promise<Run> {
  const name = `${source}-clone`;
  const made = await service.clone(source, name);
  const {cloneSteps, bytesCopiedAtBirth, instances} = await service.report(name);
  const [writer] = instances;
  const steps = [...cloneSteps, ...(writer?.startSteps ?? [])];
  await service.delete(name);
  options.log(
    `clone of ${source}: call ${made.callMs.toFixed(0)} ms, first query ${made.firstQueryMs.toFixed(0)} ms (${steps
      .map(({name: step, durationMs}) => `${step} ${durationMs.toFixed(0)}`)
      .join(', ')})`,
  );
  return {
    ...made,
    steps: steps.map(({name: step, durationMs}) => [step, durationMs]),
    copied: bytesCopiedAtBirth,
    memory: writer?.memoryBytes ?? null,
  };
}

function cloneMetrics(runs: {small: Run[]; large: Run[]}, scale: number): Metric[] {
  const largeSeconds = seconds(runs.large);
  const stepNames = [...new Set(runs.large.flatMap(run => run.steps.map(([name]) => name)))];
  return [
    atMost(`clone to first query, scale ${scale}`, largeSeconds, 's', FIRST_QUERY_MAX_S),
    reported('  worst', Math.max(...runs.large.map(run => run.firstQueryMs)) / 1000, 's'),
    reported('  of it the clone call', median(runs.large.map(run => run.callMs)) / 1000, 's'),
    ...stepNames.map(name =>
      reported(
        `  step ${name}`,
        median(
          runs.large.flatMap(run =>
            run.steps.filter(([step]) => step === name).map(([, ms]) => ms),
          ),
        ),
        'ms',
      ),
    ),
    reported('clone to first query, scale 1', seconds(runs.small), 's'),
    atMost(
      `clone to first query, scale ${scale} / scale 1`,
      largeSeconds / seconds(runs.small),
      'ratio',
      SCALE_RATIO_MAX,
    ),
    atMost(
      'bytes copied at birth',
      Math.max(...runs.large.map(run => run.copied)),
      'bytes',
      COPIED_MAX_BYTES,
    ),
    reported(
      'resident memory of an idle clone',
      median(runs.large.flatMap(run => (run.memory === null ? [] : [run.memory]))) / 2 ** 20,
      'MiB',
    ),
  ];
}

/** The other ways to a private copy, on the host's file system. Bytes copied: all of them. */
async function measurePeers(bin: string, scale: number, options: BenchOptions): Promise<Metric[]> {
  const host = await HostServer.create(bin);
  try {
    const target = await host.initialise('data');
    await loadTpcB(target, scale);
    const metrics: Metric[] = [];
    const time = async (name: string, work: () => Promise<void>): Promise<void> => {
      const start = performance.now();
      await work();
      const took = (performance.now() - start) / 1000;
      options.log(`${name}: ${took.toFixed(1)} s`);
      metrics.push(reported(name, took, 's'));
    };
    const other = {...target, database: 'postgres'};
    await time('peer: CREATE DATABASE … TEMPLATE', async () => {
      await runClient(other, 'psql', ['-qc', 'CREATE DATABASE copy TEMPLATE bench']);
    });
    await runClient(other, 'psql', ['-qc', 'DROP DATABASE copy']);
    await baseBackup(bin, host, target, time, options);
    await host.stop('data');
    await time('peer: cp -a + start', async () => {
      await promisify(execFile)('cp', [
        '-a',
        join(host.directory, 'data'),
        join(host.directory, 'copied'),
      ]);
      await firstQuery(await host.start('copied'));
    });
    return metrics;
  } finally {
    await host.remove();
  }
}

async function baseBackup(
  bin: string,
  host: HostServer,
  target: Target,
  time: (name: string, work: () => Promise<void>) => Promise<void>,
  options: BenchOptions,
): Promise<void> {
  const program = join(bin, 'pg_basebackup');
  if (!fs.existsSync(program)) {
    options.log(
      `peer pg_basebackup + start: not measured, ${bin} has no pg_basebackup (--postgres-bin one that has)`,
    );
    return;
  }
  await time('peer: pg_basebackup + start', async () => {
    const directory = join(host.directory, 'backup', 'pgdata');
    fs.mkdirSync(join(host.directory, 'backup'), {mode: 0o755});
    await runClient(target, program, ['-D', directory, '-c', 'fast', '-X', 'stream']);
    const {uid, gid} = fs.statSync(join(host.directory, 'data', 'pgdata'));
    await promisify(execFile)('chown', ['-R', `${uid}:${gid}`, directory]);
    await firstQuery(await host.start('backup'));
  });
  await host.stop('backup');
}

async function firstQuery(target: Target): Promise<void> {
  await runClient(target, 'psql', ['-qAtc', 'SELECT count(*) FROM pg_class']);
}

function seconds(runs: readonly Run[]): number {
  return median(runs.map(run => run.firstQueryMs)) / 1000;
}

function serviceMemory(service: BenchService): number {
  const status = fs.readFileSync(`/proc/${service.service.record.pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024;
}
