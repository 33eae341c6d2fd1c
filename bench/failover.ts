/**
 * How long a cluster takes no writes when its writer is killed under load, and whether it loses what it
 * acknowledged. pgbench loads the cluster endpoint; one client more writes a ledger, one row a
 * transaction, and tries again at once when it fails. In turn the writer's instance process and its
 * server alone get kill -9.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {Client} from 'pg';
import {sleep} from '../src/base/clock.ts';
import {systemErrorCode} from '../src/base/errors.ts';
import {processTree} from '../src/instance/testing/instance-bench.ts';
import {BenchService} from './bench-service.ts';
import {loadTpcB, steadyWriter, type Target} from './pgbench.ts';
import {atMost, median, reported, type BenchOptions, type Metric, type Report} from './report.ts';

const CLUSTER = 'failover';
const FIRST_WRITE_MAX_S = 5;
/** Before the kill, so that there is WAL to recover. */
const LOAD_MS = 3_000;
const RETRY_MS = 2;
const WRITE_WAIT_MS_MAX = 60_000;

type Run = {readonly firstWriteMs: number; readonly acknowledged: number; readonly lost: number};

export async function benchFailover(options: BenchOptions): Promise<Report> {
  const runs = options.rounds ?? 10;
  const service = await BenchService.start(options.postgresBin);
  try {
    const {target} = await service.create(CLUSTER);
    await loadTpcB(target, options.scale ?? 10);
    await statement(target, 'CREATE TABLE ledger (entry bigint PRIMARY KEY)');
    const readerMs = [
      await service.addReader(CLUSTER, `${CLUSTER}-reader-1`),
      await service.addReader(CLUSTER, `${CLUSTER}-reader-2`),
    ];
    const killed: Run[] = [];
    for (let run = 0; run < runs; run++) {
      const what = run % 2 === 0 ? 'instance' : 'server';
      const result = await killOnce(service, target, run, what);
      options.log(
        `run ${run + 1}: kill -9 of the ${what}, first write after ${result.firstWriteMs.toFixed(0)} ms, ${result.acknowledged} acknowledged, ${result.lost} lost`,
      );
      killed.push(result);
    }
    return {name: 'failover', metrics: metricsOf(killed, readerMs)};
  } finally {
    await service.stop();
  }
}

function metricsOf(runs: readonly Run[], readerMs: readonly number[]): Metric[] {
  const seconds = runs.map(run => run.firstWriteMs / 1000);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return [
    atMost('kill -9 of the writer to first write, median', median(seconds), 's', FIRST_WRITE_MAX_S),
    atMost('  worst', Math.max(...seconds), 's', FIRST_WRITE_MAX_S),
    reported('runs', runs.length, 'runs'),
    reported('acknowledged commits in the ledger', sum(runs.map(run => run.acknowledged)), 'rows'),
    atMost('of them lost', sum(runs.map(run => run.lost)), 'rows', 0),
    reported('add a reader, until it serves', median(readerMs) / 1000, 's'),
  ];
}

async function killOnce(
  service: BenchService,
  target: Target,
  run: number,
  what: 'instance' | 'server',
): Promise<Run> {
  const {instances} = await service.untilAllAvailable(CLUSTER);
  const writer = instances.find(instance => instance.role === 'writer')?.identifier ?? '';
  const load = steadyWriter(target, null);
  const ledger = new Ledger(target, run);
  await sleep(LOAD_MS);
  const killedAtMs = performance.now();
  for (const pid of victims(writer, what)) process.kill(pid, 'SIGKILL');
  const firstWriteMs = (await ledger.firstAfter(killedAtMs)) - killedAtMs;
  await ledger.end();
  await load.stop();
  const lost = await ledger.lost();
  const {instances: after} = await service.untilAllAvailable(CLUSTER);
  const successor = after.find(instance => instance.role === 'writer')?.identifier;
  if (successor === writer) throw new Error(`${writer} is the writer still: nobody took over`);
  return {firstWriteMs, acknowledged: ledger.acknowledged, lost};
}

/** Every process of the instance that is not the service's, or its postmaster alone. */
function victims(instance: string, what: 'instance' | 'server'): number[] {
  const [root] = readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry) && commandLine(entry).startsWith(`borealis ${instance}`))
    .map(Number);
  if (root === undefined) throw new Error(`no process of ${instance} is found`);
  if (what === 'instance') return [root];
  const server = processTree(root).find(({name}) => name === 'postgres');
  if (server === undefined) throw new Error(`${instance} has no server`);
  return [server.pid];
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return '';
  }
}

/** Entries of run N begin at N million. */
class Ledger {
  readonly #target: Target;
  readonly #first: number;
  readonly #acknowledged: {entry: number; connectedMs: number; endedMs: number}[] = [];
  readonly #done: Promise<void>;
  #ended = false;

  constructor(target: Target, run: number) {
    this.#target = target;
    this.#first = run * 1_000_000;
    this.#done = this.#run();
  }

  get acknowledged(): number {
    return this.#acknowledged.length;
  }

  async #run(): Promise<void> {
    let entry = this.#first;
    while (!this.#ended) {
      try {
        await session(this.#target, async client => {
          const connectedMs = performance.now();
          while (!this.#ended) {
            await client.query('INSERT INTO ledger VALUES ($1)', [++entry]);
            this.#acknowledged.push({entry, connectedMs, endedMs: performance.now()});
          }
        });
      } catch {
        // The writer is gone: what is not acknowledged may be there or not.
        await sleep(RETRY_MS);
      }
    }
  }

  /** When the first write was acknowledged on a connection that was made after `timeMs`. */
  async firstAfter(timeMs: number): Promise<number> {
    for (let waitedMs = 0; waitedMs < WRITE_WAIT_MS_MAX; waitedMs += RETRY_MS) {
      const found = this.#acknowledged.find(({connectedMs}) => connectedMs > timeMs);
      if (found !== undefined) return found.endedMs;
      await sleep(RETRY_MS);
    }
    throw new Error(`no write went through within ${WRITE_WAIT_MS_MAX} ms`);
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#done;
  }

  async lost(): Promise<number> {
    return session(this.#target, async client => {
      const {rows} = await client.query<{entry: string}>(
        'SELECT entry FROM ledger WHERE entry >= $1',
        [this.#first],
      );
      const there = new Set(rows.map(row => Number(row.entry)));
      return this.#acknowledged.filter(({entry}) => !there.has(entry)).length;
    });
  }
}

async function statement(target: Target, sql: string): Promise<void> {
  await session(target, async client => {
    await client.query(sql);
  });
}

async function session<T>(target: Target, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({...target, connectionTimeoutMillis: 30_000});
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
